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


class Watched(Protocol):
    """Something with a deadline, in seconds of the reactor's clock."""

    deadline: float

    def deadline_passed(self) -> None:
        """The deadline is over. It must be moved, or the thing closed."""


class Deadlines:
    """Watches deadlines. ``shortest`` is the shortest time limit in use; it sets how often to look."""

    def __init__(self, clock: IReactorTime, shortest: float) -> None:
        self._clock = clock
        self._interval = min(max(shortest / 8, _SHORTEST), _LONGEST)
        self._watched: set[Watched] = set()
        self._timer: IDelayedCall | None = None
        # The time of the last sweep: near enough for a deadline, and free to read.
        self._now = 0.0

    def after(self, seconds: float) -> float:
        """A deadline that is not over before ``seconds`` from now, and at most one sweep later."""
        return self._now + seconds + self._interval

    def watch(self, thing: Watched) -> None:
        """Look at ``thing.deadline`` from now on."""
        if self._timer is None:
            self._now = self._clock.seconds()
            self._timer = self._clock.callLater(self._interval, self._sweep)
        self._watched.add(thing)

    def forget(self, thing: Watched) -> None:
        """Look no longer. The last one stops the timer."""
        self._watched.discard(thing)
        if not self._watched and self._timer is not None:
            timer, self._timer = self._timer, None
            timer.cancel()

    def _sweep(self) -> None:
        self._timer = self._clock.callLater(self._interval, self._sweep)
        self._now = now = self._clock.seconds()
        for thing in [thing for thing in self._watched if thing.deadline <= now]:
            thing.deadline_passed()
