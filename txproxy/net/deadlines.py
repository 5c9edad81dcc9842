"""All time limits, by one sweep.

A connection has a ``deadline`` attribute; to set it costs an assignment, where a timer of its own would cost two heap
operations a request. One timer a proxy looks at all of them, and runs only while there is a connection.
"""

from __future__ import annotations

from typing import Final, Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

NEVER: Final = float("inf")
_SHORTEST: Final = 0.02
_LONGEST: Final = 0.5
# Of thousands that are late at once, so many are told in a turn of the reactor, and none once that has taken so many
# seconds: each may be answered, closed and logged, and all others wait meanwhile.
_SHARE: Final = 16
_TURN: Final = 0.0002
# The others are told bit by bit within this part of the time until the next look; and if that is too short, what is
# done about them gets one part of all time in so many. Done in one go, it would keep all requests of that moment
# waiting in each of their steps, though there is no hurry: who is too slow may as well be told just before that look.
_SPREAD: Final = 0.5
_PARTS: Final = 4


class Watched(Protocol):
    """Something with a deadline, in seconds of the reactor's clock."""

    deadline: float

    def deadline_passed(self) -> None:
        """The deadline is over. It must be moved, or the thing closed."""


class TimeLimit:
    """One time limit. ``ahead`` is the deadline of what begins now: not over too early, and at most one sweep too
    late.
    """

    __slots__ = ("seconds", "ahead")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.ahead = seconds


class Deadlines:
    """Watches deadlines. How often it looks depends on the shortest limit that it was asked for."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._interval = _LONGEST
        self._limits: dict[float, TimeLimit] = {}
        self._watched: set[Watched] = set()
        self._timer: IDelayedCall | None = None
        # those that are late, and have to wait until others had their turn
        self._late: list[Watched] = []
        # how long to wait for each of them
        self._pause = 0.0
        self._next_turn: IDelayedCall | None = None

    def limit(self, seconds: float) -> TimeLimit:
        """A limit whose ``ahead`` is kept up to date while anything is watched; the same for the same time."""
        limit = self._limits.get(seconds)
        if limit is not None:
            return limit
        limit = self._limits[seconds] = TimeLimit(seconds)
        self._interval = min(self._interval, max(seconds / 4, _SHORTEST))
        if self._timer is not None:
            self.look_ahead()
        return limit

    def look_ahead(self) -> float:
        """Bring all limits up to date, before a short one is to hold from this very moment on; gives the time."""
        now = self._clock.seconds()
        for limit in self._limits.values():
            limit.ahead = now + limit.seconds + self._interval
        return now

    def watch(self, thing: Watched) -> None:
        """Look at ``thing.deadline`` from now on."""
        if self._timer is None:
            self.look_ahead()
            self._timer = self._clock.callLater(self._interval, self._sweep)
        self._watched.add(thing)

    def forget(self, thing: Watched) -> None:
        """Look no longer. The last one stops the timer."""
        self._watched.discard(thing)
        if not self._watched and self._timer is not None:
            timer, self._timer = self._timer, None
            timer.cancel()
            self._late.clear()
            if self._next_turn is not None:
                self._next_turn.cancel()
                self._next_turn = None

    def _sweep(self) -> None:
        self._timer = self._clock.callLater(self._interval, self._sweep)
        now = self.look_ahead()
        if self._next_turn is not None:
            # There is more to do than there was time for.
            return
        self._late = [thing for thing in self._watched if thing.deadline <= now]
        if self._late:
            self._pause = self._interval * _SPREAD / len(self._late)
            self._tell()

    def _tell(self) -> None:
        """Tell some of those that are late, if they still are; the others have to wait."""
        self._next_turn = None
        late, watched, seconds = self._late, self._watched, self._clock.seconds
        before = len(late)
        share = [late.pop() for _ in range(min(_SHARE, before))]
        now = seconds()
        try:
            while share:
                thing = share.pop()
                if thing in watched and thing.deadline <= now:
                    thing.deadline_passed()
                    if seconds() - now >= _TURN:
                        break
        finally:
            if watched:
                late += share
            if late:
                pause = max(self._pause * (before - len(late)), (seconds() - now) * (_PARTS - 1))
                self._next_turn = self._clock.callLater(pause, self._tell)
