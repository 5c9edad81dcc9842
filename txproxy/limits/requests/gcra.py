"""A rate limit of many keys: the generic cell rate algorithm (ITU-T I.371, annex A), with one number for each key.

Of a key only the time is kept at which all that has come would have come, had it come evenly: its *debt* is how far
that is ahead. It takes one look-up and one comparison, no timer, and what is paid off needs no memory. Counts of others
of the same key, of other processes, move that time as well (:meth:`Gcra.add`).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from itertools import islice
from math import inf
from typing import ClassVar, Final

# So many keys are known. Where there are more, those that owe least are forgotten.
MOST_KEYS: Final = 65536
_SAMPLE: Final = 1024
# What sums of such times are rounded by: a clock may count from 1970.
ROUNDED: Final = 1e-6
NEVER: Final = inf


class Debt:
    """What one key owes, as the time at which that is paid off: ``due``. One that is known no more is never paid off,
    so that whoever has kept it finds that out where it looks whether the next may come at once.
    """

    __slots__ = ("due",)

    def __init__(self, due: float) -> None:
        self.due = due


class Gcra:
    """One for each ``interval`` in seconds, of which ``burst`` may come at once; ``waiting`` more may be told to wait.
    Times are those of any clock that runs evenly, and are given.

    ``most_keys`` bounds its memory. Those that have paid off all are forgotten first, which changes nothing; then those
    that owe less than half of all do. So whoever sends with ever new keys makes room among his like, and those that are
    held back by what they owe still are.
    """

    __slots__ = ("_debts", "interval", "tolerance", "_waiting", "_most_debt", "_most_keys")

    kind: ClassVar[type[Debt]] = Debt
    """What keys owe."""

    def __init__(self, interval: float, burst: int, waiting: int = 0, most_keys: int = MOST_KEYS) -> None:
        self._debts: dict[Hashable, Debt] = {}
        self.interval = interval
        # One that comes so much too early may go on at once.
        self.tolerance = (burst - 1) * interval
        # so much later than at once, at most
        self._waiting = waiting * interval
        self._most_debt = (burst + waiting) * interval
        self._most_keys = most_keys

    def take(self, key: Hashable, now: float) -> float:
        """One of ``key`` comes: 0 if it may go on now; if it may in so many seconds, these; if it may not, less than 0:
        after so many seconds another may.
        """
        debts = self._debts
        debt = debts.get(key)
        if debt is None:
            if len(debts) >= self._most_keys:
                debts = self._make_room(now)
            debts[key] = self.kind(now + self.interval)
            return 0.0
        due = debt.due
        if due < now:
            debt.due = now + self.interval
            return 0.0
        early = due - now - self.tolerance
        if early <= ROUNDED:
            debt.due = due + self.interval
            return 0.0
        if due - now > self._most_debt:
            # The clock was set back: nobody owes more than there is to be owed.
            debt.due = due = now + self._most_debt
            early = due - now - self.tolerance
        if early <= self._waiting + ROUNDED:
            debt.due = due + self.interval
            return early
        # Who has waited for that, and comes again, waits for it once.
        return self._waiting - early

    def debt(self, key: Hashable) -> Debt | None:
        """What ``key`` owes, for who lets the next of them through himself where it is due before now, or early by no
        more than the ``tolerance`` (and ``ROUNDED``), and asks :meth:`take` where it is not; None where nobody but the
        limit itself may, or ``key`` is not known.
        """
        return self._debts.get(key)

    def give_back(self, key: Hashable, now: float) -> None:
        """One of ``key`` that might go on has not come after all."""
        self.add(key, -1, now)

    def add(self, key: Hashable, count: float, now: float) -> None:
        """So many more of ``key`` have come elsewhere; of a number below 0, so many have not come after all."""
        debt = self._debts.get(key)
        due = debt.due if debt is not None else now
        due = min(max(due, now) + count * self.interval, now + self._most_debt)
        if due <= now:
            self.forget(key)
        elif debt is not None:
            debt.due = due
        else:
            debts = self._debts
            if len(debts) >= self._most_keys:
                debts = self._make_room(now)
            debts[key] = self.kind(due)

    def left(self, key: Hashable, now: float) -> tuple[int, float]:
        """How many of ``key`` may come at once now, and in how many seconds as many as ever may."""
        debt = self._debts.get(key)
        owed = max(0.0, debt.due - now) if debt is not None else 0.0
        return max(0, int((self.tolerance - owed) / self.interval + 1 + 1e-6)), owed

    def debts(self, now: float) -> Iterator[tuple[Hashable, float]]:
        """Each key that owes something, with how many seconds it takes to pay that off."""
        return ((key, debt.due - now) for key, debt in list(self._debts.items()) if debt.due > now)

    def forget(self, key: Hashable | None = None) -> None:
        """What ``key`` owes is forgotten; that of all keys where none is given."""
        if key is not None:
            debt = self._debts.pop(key, None)
            if debt is not None:
                debt.due = NEVER
            return
        for debt in self._debts.values():
            debt.due = NEVER
        self._debts.clear()

    def __len__(self) -> int:
        """How many keys are known. Some of them may have paid off all."""
        return len(self._debts)

    def _make_room(self, now: float) -> dict[Hashable, Debt]:
        kept = {key: debt for key, debt in self._debts.items() if debt.due > now}
        if len(kept) > self._most_keys // 2:
            # To sort all of them would take a hundred times as long.
            step = max(1, len(kept) // _SAMPLE)
            some = sorted(debt.due for debt in islice(kept.values(), 0, None, step))
            least = some[len(some) // 2]
            kept = {key: debt for key, debt in kept.items() if debt.due > least}
        for key, debt in self._debts.items():
            if key not in kept:
                debt.due = NEVER
        self._debts = kept
        return kept
