"""How many of a key are at work at once in several processes together, and who waits for the end of one."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Final, TypeVar

from twisted.internet.interfaces import IDelayedCall

from txproxy.interfaces.processes.shared_levels import SharedLevels
from txproxy.limits.requests.slots import Slots

W = TypeVar("W")

# Who was refused counts as one that wants to begin for so many seconds: until others have heard of it, and a while.
_UNMET_FOR: Final = 0.2
# After the last one of a process has ended, others have taken its place by then.
_PAUSE: Final = 0.15
# Of so many keys it is known when that was.
_MOST_LEFT: Final = 4096


class SharedSlots(Slots[W]):
    """See :class:`txproxy.limits.requests.slots.Slots`. Each process goes by what it has itself, and by what it has
    heard of the others (``levels``): so in a moment of many there may be too many, until these end.

    Where there is no room, what ends in one process is at once seen by that one alone. So that others get their turn as
    well, all know how many wait, or were refused just now, in each of them (``unmet``): none has more than its share,
    which goes by what is wanted of it, and one that has nothing yet goes first. ``on_room`` is called with a key when
    there may be room for one that waits.
    """

    __slots__ = ("levels", "unmet", "on_room", "_clock", "_refused", "_timer", "_left")

    def __init__(self, most: int, queue: int, clock: Any) -> None:
        super().__init__(most, queue)
        self.levels = SharedLevels()
        self.unmet = SharedLevels()
        self.levels.on_less = self.unmet.on_less = self._less
        self.on_room: Callable[[Hashable], None] | None = None
        self._clock = clock
        self._refused: dict[Hashable, int] = {}
        self._timer: IDelayedCall | None = None
        self._left: dict[Hashable, float] = {}

    def __len__(self) -> int:
        """See :class:`txproxy.limits.requests.slots.Slots`."""
        return len(self.levels)

    def of(self, key: Hashable) -> int:
        """How many of ``key`` are at work in all processes."""
        return self.levels.of(key)

    def enter(self, key: Hashable, over: bool = False) -> bool:
        """See :class:`txproxy.limits.requests.slots.Slots`."""
        # Whoever waits here comes before who has just come.
        if not over and (key in self._waiting or not self.has_room(key, self.most)):
            return False
        self._begin(key)
        return True

    def _begin(self, key: Hashable) -> None:
        self.levels.change(key, 1)
        self.running += 1

    def has_room(self, key: Hashable, most: int) -> bool:
        """Whether one more of ``key`` may begin here, of so many in all processes."""
        levels, unmet = self.levels, self.unmet
        total = levels.of(key)
        if total >= most:
            return False
        if not unmet.elsewhere(key):
            return True
        here = levels.here(key)
        share = most * (here + unmet.here(key)) / (total + unmet.of(key))
        if share >= 1.0:
            return here < share
        # Less than one is nobody's alone: they take turns.
        return not here and self._clock.seconds() - self._left.get(key, -_PAUSE) >= _PAUSE

    def wait(self, key: Hashable, who: W) -> W | None:
        """See :class:`txproxy.limits.requests.slots.Slots`."""
        gone = super().wait(key, who)
        if gone is None:
            self.unmet.change(key, 1)
        else:
            self.refuse(key)
        return gone

    def refuse(self, key: Hashable) -> None:
        """One of ``key`` found no room, and does not wait."""
        if self._refused.get(key, 0) >= self.most:
            # More of them say no more.
            return
        self._refused[key] = self._refused.get(key, 0) + 1
        self.unmet.change(key, 1)
        if self._timer is None:
            self._timer = self._clock.callLater(_UNMET_FOR, self._forget)

    def _forget(self) -> None:
        self._timer = None
        refused, self._refused = self._refused, {}
        for key, count in refused.items():
            self.unmet.change(key, -count)

    def _one_less(self, key: Hashable) -> None:
        super()._one_less(key)
        self.unmet.change(key, -1)

    def leave(self, key: Hashable) -> W | None:
        """See :class:`txproxy.limits.requests.slots.Slots`."""
        self.running -= 1
        self.levels.change(key, -1)
        if self.unmet.elsewhere(key) and not self.levels.here(key):
            if len(self._left) >= _MOST_LEFT:
                self._left.clear()
            self._left[key] = self._clock.seconds()
        return self.next(key)

    def next(self, key: Hashable) -> W | None:
        """Who has waited and is at work now, if there is room for one."""
        waiting = self._waiting.get(key)
        if not waiting or not self.has_room(key, self.most):
            return None
        self._begin(key)
        return self._following(key, waiting)

    def _less(self, key: Hashable) -> None:
        if key in self._waiting and self.on_room is not None:
            self.on_room(key)
