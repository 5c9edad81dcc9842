"""How many bytes were used in the running day and month, of several processes together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from heapq import nlargest
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from txproxy.interfaces.processes.sharing import MOST_TOLD, News
from txproxy.limits.usage import MOST_KEYS, Store, Usage, forget_the_least

# What others have used is heard by then, in seconds.
_HEARD: Final = 2.0


class SharedUsage(Usage):
    """See :class:`txproxy.limits.usage.Usage` and :class:`txproxy.interfaces.processes.sharing.Shared`. What was used
    here the others know a moment later, and not only when all of them have written it to the store that they have
    together. It is the one who has counted it that writes it.
    """

    def __init__(self, clock: Any, store: Store | None = None, **words: Any) -> None:
        super().__init__(clock, store, **words)
        self._news: News[str, int] = News()
        # when it is looked whether others have used the store
        self._settling: list[IDelayedCall] = []

    def add(self, key: str, size: int) -> None:
        """See :class:`txproxy.limits.usage.IUsage`."""
        super().add(key, size)
        self._news.put(key, self._news.get(key, 0) + size)

    def forget(self, keys: Iterable[str], periods: Iterable[str]) -> Deferred[None]:
        """See :class:`txproxy.limits.usage.Usage`. The others are told so by who says it."""
        keys = tuple(keys)
        for key in keys:
            self._news.drop(key)
        # No sum of before counts any more, of these or of others, which are read again.
        self._stopped(None)
        return super().forget(keys, periods)

    def _written(self, sums: Mapping[tuple[str, str], int]) -> None:
        self._failing = False
        # The sums lack what others have not written, and have what they have written and not told yet. When that was
        # heard, what is still missing was used by whoever else has the store.
        left = [(period, key, size) for (period, key), size in sums.items() if (period, key) not in self._forgotten]
        self._settling.append(self._clock.callLater(_HEARD, self._settle, left))

    def _settle(self, sums: Iterable[tuple[str, str, int]]) -> None:
        self._settling.pop(0)
        for period, key, size in sums:
            if period in self._used:
                self._at_least(period, key, size)

    def stop(self) -> Deferred[None]:
        """See :class:`txproxy.limits.usage.IUsage`."""
        return super().stop().addCallback(self._stopped)

    def _stopped(self, _: None) -> None:
        for timer in self._settling:
            timer.cancel()
        self._settling.clear()

    def _at_least(self, period: str, key: str, size: int) -> None:
        more = size - self._used[period].get(key, 0)
        if more > 0:
            self._count(period, key, more)

    def _count(self, period: str, key: str, size: int) -> None:
        used = self._used[period]
        if key not in used and len(used) >= MOST_KEYS:
            forget_the_least(used)
        used[key] = used.get(key, 0) + size

    # -- with others

    def join(self, wake: Callable[[], None]) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        self._news.join(wake)

    def part(self) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`. What was used elsewhere was used."""
        self._news.part()

    def news(self) -> tuple[Any, bool]:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        return self._news.take()

    def heard(self, peer: int, content: Any, now: float) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        self._look_at_the_calendar()
        for key, size in content.items():
            for period in (self._days, self._months):
                self._count(period, key, size)

    def whole(self, leads: bool, now: float) -> Any:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`: of those that have used most, what is not told in a
        moment. Of the others the store has all but the last seconds.
        """
        if not leads:
            return None
        self._look_at_the_calendar()
        return {
            period: {
                key: size - self._news.get(key, 0)
                for key, size in nlargest(MOST_TOLD, self._used[period].items(), key=lambda one: one[1])
            }
            for period in (self._days, self._months)
        }

    def heard_whole(self, peer: int, content: Any, now: float) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        self._look_at_the_calendar()
        for period in (self._days, self._months):
            for key, size in content.get(period, {}).items():
                self._at_least(period, key, size)

    def gone(self, peer: int) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`. What was used there was used."""

    def lead(self, leads: bool) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`. Nothing is done by one for all."""
