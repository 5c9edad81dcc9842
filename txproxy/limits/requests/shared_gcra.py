"""A rate limit of several processes together: each admits by its own count, and learns the others' a moment later."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from heapq import nlargest
from itertools import islice
from typing import Any, ClassVar, Final, cast

from txproxy.limits.requests.gcra import MOST_KEYS, NEVER, Debt, Gcra

# So many keys are told of at once. Where there are more, the rest has its turn a moment later.
MOST_TOLD: Final = 2048
# They have come so many seconds ago, at most, if all is well: that much is paid off by now.
_ON_THEIR_WAY: Final = 0.05
# What others have let through in the time that word of it may take, in seconds, is owed as well.
_LATEST: Final = 2.0


class SharedDebt(Debt):
    """The same where others are to hear of each that comes: so many are ``new`` to them. Whoever lets one through
    himself adds it, if there are some; the first is to be told of.
    """

    __slots__ = ("new",)

    def __init__(self, due: float) -> None:
        super().__init__(due)
        self.new = 0


class SharedGcra(Gcra):
    """See :class:`txproxy.limits.requests.gcra.Gcra`, and :class:`txproxy.interfaces.processes.sharing.Shared`.

    Times of several processes are not the same, so that what they tell each other is how many of which key they have
    let through. As nothing that was let through is forgotten, what was too much is made up for: in the long run all
    together let through what one would.
    """

    __slots__ = ("_new", "_wake", "processes", "_alone")

    kind: ClassVar[type[Debt]] = SharedDebt

    def __init__(self, interval: float, burst: int, waiting: int = 0, most_keys: int = MOST_KEYS) -> None:
        super().__init__(interval, burst, waiting, most_keys)
        # those of which some have come here that nobody else knows of yet; what a key owes may be another one by now
        self._new: dict[Hashable, SharedDebt] = {}
        self._wake: Callable[[], None] | None = None
        self._alone = self._most_debt
        self.processes = 1

    def of_processes(self, count: int) -> None:
        """It is the limit of so many processes together."""
        self.processes = count
        # Each may let through all that there is to be let through, before it hears of the others.
        self._most_debt = self._alone if count == 1 else (self._alone + _LATEST) * count

    def take(self, key: Hashable, now: float) -> float:
        """See :class:`txproxy.limits.requests.gcra.Gcra`."""
        wait = Gcra.take(self, key, now)
        if wait >= 0.0 and self._wake is not None:
            self._count(key, 1)
        return wait

    def give_back(self, key: Hashable, now: float) -> None:
        """See :class:`txproxy.limits.requests.gcra.Gcra`."""
        # It may be all that is owed.
        if self._wake is not None:
            self._count(key, -1)
        super().give_back(key, now)

    def _count(self, key: Hashable, count: int) -> None:
        new = self._new
        if not new and self._wake is not None:
            self._wake()
        debt = new.get(key)
        if debt is None:
            debt = new[key] = cast("SharedDebt", self._debts.get(key) or SharedDebt(NEVER))
        debt.new += count

    # -- with others

    def join(self, wake: Callable[[], None]) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        self._wake = wake

    def part(self) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`. What others have let through is still owed."""
        self._wake = None
        self._told(self._new)
        self._new = {}

    def news(self) -> tuple[Any, bool]:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        new, self._new = self._new, {}
        if len(new) > MOST_TOLD:
            self._new = dict(islice(new.items(), MOST_TOLD, None))
            new = dict(islice(new.items(), MOST_TOLD))
        told = {key: debt.new for key, debt in new.items() if debt.new}
        self._told(new)
        return told or None, bool(self._new)

    @staticmethod
    def _told(new: Mapping[Hashable, SharedDebt]) -> None:
        for debt in new.values():
            debt.new = 0

    def heard(self, peer: int, content: Any, now: float) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        then = now - _ON_THEIR_WAY
        for key, count in content.items():
            self.add(key, count, then)

    def whole(self, leads: bool, now: float) -> Any:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`: how many are owed by those who owe most."""
        if not leads:
            return None
        interval, new, none = self.interval, self._new, SharedDebt(NEVER)
        # What nobody knows yet is told in a moment.
        owing = ((key, (debt.due - now) / interval - new.get(key, none).new) for key, debt in self._debts.items())
        return dict(nlargest(MOST_TOLD, (one for one in owing if one[1] > 0.0), key=lambda one: one[1])) or None

    def heard_whole(self, peer: int, content: Any, now: float) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        for key, count in content.items():
            debt = self._debts.get(key)
            missing = count - (max(0.0, debt.due - now) / self.interval if debt is not None else 0.0)
            if missing > 0.0:
                self.add(key, missing, now)

    def gone(self, peer: int) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`. What it has let through counts as before."""

    def lead(self, leads: bool) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`. Nothing is done by one for all."""

    def _make_room(self, now: float) -> dict[Hashable, Debt]:
        if len(self._new) > self._most_keys:
            # Nobody has heard of them for long, and nobody shall wait for that: those that came last are told first.
            new, first = self._new, max(0, len(self._new) - MOST_TOLD)
            self._new = dict(islice(new.items(), first, None))
            self._told(dict(islice(new.items(), first)))
        return super()._make_room(now)
