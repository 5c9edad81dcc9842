"""A rate limit of many keys: the generic cell rate algorithm (ITU-T I.371, annex A), with one number for each key.

Of a key only the time is kept at which all that has come would have come, had it come evenly: its *debt* is how far
that is ahead. It takes one look-up and one comparison, no timer, and what is paid off needs no memory. Counts of others
of the same key, of other processes, move that time as well (:meth:`Gcra.add`).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from itertools import islice
from typing import Final

# So many keys are known. Where there are more, those that owe least are forgotten.
MOST_KEYS: Final = 65536
_SAMPLE: Final = 1024
# What sums of such times are rounded by: a clock may count from 1970.
_ROUNDED: Final = 1e-6


class Gcra:
    """One for each ``interval`` in seconds, of which ``burst`` may come at once; ``waiting`` more may be told to wait.
    Times are those of any clock that runs evenly, and are given.

    ``most_keys`` bounds its memory. Those that have paid off all are forgotten first, which changes nothing; then those
    that owe less than half of all do. So whoever sends with ever new keys makes room among his like, and those that are
    held back by what they owe still are.
    """

    __slots__ = ("_times", "_interval", "_tolerance", "_waiting", "_most_debt", "_most_keys")

    def __init__(self, interval: float, burst: int, waiting: int = 0, most_keys: int = MOST_KEYS) -> None:
        self._times: dict[Hashable, float] = {}
        self._interval = interval
        self._tolerance = (burst - 1) * interval
        # so much later than at once, at most
        self._waiting = waiting * interval
        self._most_debt = (burst + waiting) * interval
        self._most_keys = most_keys

    def take(self, key: Hashable, now: float) -> float:
        """One of ``key`` comes: 0 if it may go on now; if it may in so many seconds, these; if it may not, less than 0:
        after so many seconds another may.
        """
        times = self._times
        due = times.get(key)
        if due is None:
            if len(times) >= self._most_keys:
                times = self._make_room(now)
            times[key] = now + self._interval
            return 0.0
        if due < now:
            times[key] = now + self._interval
            return 0.0
        early = due - now - self._tolerance
        if early <= _ROUNDED:
            times[key] = due + self._interval
            return 0.0
        if due - now > self._most_debt:
            # The clock was set back: nobody owes more than there is to be owed.
            times[key] = due = now + self._most_debt
            early = due - now - self._tolerance
        if early <= self._waiting + _ROUNDED:
            times[key] = due + self._interval
            return early
        # Who has waited for that, and comes again, waits for it once.
        return self._waiting - early

    def give_back(self, key: Hashable, now: float) -> None:
        """One of ``key`` that might go on has not come after all."""
        self.add(key, -1, now)

    def add(self, key: Hashable, count: float, now: float) -> None:
        """So many more of ``key`` have come elsewhere; of a number below 0, so many have not come after all."""
        times = self._times
        due = times.get(key, now)
        due = min(max(due, now) + count * self._interval, now + self._most_debt)
        if due > now:
            if key not in times and len(times) >= self._most_keys:
                times = self._make_room(now)
            times[key] = due
        else:
            times.pop(key, None)

    def left(self, key: Hashable, now: float) -> tuple[int, float]:
        """How many of ``key`` may come at once now, and in how many seconds as many as ever may."""
        debt = max(0.0, self._times.get(key, now) - now)
        return max(0, int((self._tolerance - debt) / self._interval + 1 + 1e-6)), debt

    def debts(self, now: float) -> Iterator[tuple[Hashable, float]]:
        """Each key that owes something, with how many seconds it takes to pay that off."""
        return ((key, due - now) for key, due in list(self._times.items()) if due > now)

    def forget(self, key: Hashable | None = None) -> None:
        """What ``key`` owes is forgotten; that of all keys where none is given."""
        if key is None:
            self._times.clear()
        else:
            self._times.pop(key, None)

    def __len__(self) -> int:
        """How many keys are known. Some of them may have paid off all."""
        return len(self._times)

    def _make_room(self, now: float) -> dict[Hashable, float]:
        times = {key: due for key, due in self._times.items() if due > now}
        if len(times) > self._most_keys // 2:
            # To sort all of them would take a hundred times as long.
            step = max(1, len(times) // _SAMPLE)
            some = sorted(islice(times.values(), 0, None, step))
            least = some[len(some) // 2]
            times = {key: due for key, due in times.items() if due > least}
        self._times = times
        return times
