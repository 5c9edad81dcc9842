"""Bandwidths of several processes together: each lets bytes pass by its own buckets, and takes from these what has
passed at others.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import nlargest
from typing import Any, Final, TypeAlias
from weakref import WeakValueDictionary

from txproxy.interfaces.processes.sharing import MOST_TOLD, News
from txproxy.limits.buckets import Bucket, Waiting

# Of so many that have no bucket here it is known what has passed elsewhere.
_MOST_DUE: Final = 65536

# The number of a bandwidth, whose it is, and which way.
Key: TypeAlias = "tuple[int, str, str]"


class _SharedBucket(Bucket):
    """See :class:`txproxy.limits.buckets.Bucket`. It tells of what is spent."""

    __slots__ = ("_key", "_news")

    def __init__(self, clock: Any, rate: int, burst: int | None, key: Key, news: News[Key, int]) -> None:
        super().__init__(clock, rate, burst)
        self._key = key
        self._news = news

    def spend(self, who: Waiting, tokens: int) -> None:
        """See :class:`txproxy.limits.buckets.Bucket`."""
        super().spend(who, tokens)
        self._news.put(self._key, self._news.get(self._key, 0) + tokens)


class SharedBuckets:
    """See :class:`txproxy.interfaces.processes.sharing.Shared`; the buckets of all keys. Nothing that has passed is
    forgotten: what several let pass in the same moment, and was too much, is made up for by all of them. ``rates`` are
    those of bandwidths, by their numbers and ways.
    """

    def __init__(self, clock: Any, rates: dict[tuple[int, str], int]) -> None:
        self._clock = clock
        self._rates = rates
        self._news: News[Key, int] = News()
        self._buckets: WeakValueDictionary[Key, _SharedBucket] = WeakValueDictionary()
        # when what has passed elsewhere is made up for, of those that have no bucket here
        self._due: dict[Key, float] = {}

    def make(self, key: Key, rate: int, burst: int | None) -> Bucket:
        """A new bucket of ``key``, which has none."""
        bucket = self._buckets[key] = _SharedBucket(self._clock, rate, burst, key, self._news)
        due = self._due.pop(key, 0.0) - self._clock.seconds()
        if due > 0.0:
            bucket.take_away(due * rate)
        return bucket

    def _owed(self, key: Key, now: float) -> float:
        bucket = self._buckets.get(key)
        if bucket is not None:
            return bucket.owed
        return max(0.0, self._due.get(key, now) - now) * self._rates[key[0], key[2]]

    def _take_away(self, key: Key, tokens: float, now: float) -> None:
        bucket = self._buckets.get(key)
        if bucket is not None:
            bucket.take_away(tokens)
            return
        due = self._due
        if key not in due and len(due) >= _MOST_DUE:
            left = [one for one in due.items() if one[1] > now]
            due = self._due = dict(nlargest(_MOST_DUE // 2, left, key=lambda one: one[1]))
        due[key] = max(due.get(key, now), now) + tokens / self._rates[key[0], key[2]]

    # -- with others

    def join(self, wake: Callable[[], None]) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        self._news.join(wake)

    def part(self) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`. What has passed at others has passed."""
        self._news.part()

    def news(self) -> tuple[Any, bool]:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        return self._news.take()

    def heard(self, peer: int, content: Any, now: float) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        for key, tokens in content.items():
            self._take_away(key, tokens, now)

    def whole(self, leads: bool, now: float) -> Any:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`: what is owed by those who owe most."""
        if not leads:
            return None
        # What nobody knows yet is told in a moment.
        known = [*self._buckets, *self._due]
        owing = ((key, self._owed(key, now) - self._news.get(key, 0)) for key in known)
        return dict(nlargest(MOST_TOLD, (one for one in owing if one[1] > 0.0), key=lambda one: one[1])) or None

    def heard_whole(self, peer: int, content: Any, now: float) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        for key, tokens in content.items():
            missing = tokens - self._owed(key, now)
            if missing > 0.0:
                self._take_away(key, missing, now)

    def gone(self, peer: int) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`. What has passed there counts as before."""

    def lead(self, leads: bool) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`. Nothing is done by one for all."""
