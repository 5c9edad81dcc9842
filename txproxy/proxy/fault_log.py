"""Says what clients do wrong, but only so much of it: who sends nothing else is not to fill the disk."""

from __future__ import annotations

from typing import Any, Final

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

# So many lines of a kind in so many seconds, and so many in the next ones, as long as there are more. The rest is
# counted. It comes to less than 1 kB/s.
MOST: Final = 10
STILL: Final = 3
_SPAN: Final = 1.0


class FaultLog:
    """Lines for ``log``, told apart by their kind. There are to be few kinds, none of them a client's to make up."""

    def __init__(self, log: Logger, reactor: Any) -> None:
        self._log = log
        self._reactor = reactor
        self._counts: dict[str, int] = {}
        # of which kinds there were more than were said: in the span before, and in this one
        self._many: frozenset[str] = frozenset()
        self._more: frozenset[str] = frozenset()
        self._timer: IDelayedCall | None = None
        self._until = 0.0

    def say(self, kind: str, text: str, /, **fields: object) -> None:
        """A line, as ``Logger.info`` takes it, unless there were enough of its ``kind``."""
        now = self._reactor.seconds()
        if self._timer is None and now >= self._until:
            self._many = self._more if now < self._until + _SPAN else frozenset()
            self._more = frozenset()
            self._until = now + _SPAN
            self._counts.clear()
        count = self._counts[kind] = self._counts.get(kind, 0) + 1
        if count <= self._most(kind):
            self._log.info(text, **fields)
        elif self._timer is None:
            self._timer = self._reactor.callLater(max(0.0, self._until - now), self._sum_up)

    def _sum_up(self) -> None:
        self._timer = None
        more = {kind: count - self._most(kind) for kind, count in self._counts.items() if count > self._most(kind)}
        for kind, count in more.items():
            self._log.info("{count} more: {kind}", count=count, kind=kind)
        self._more = frozenset(more)
        self._counts.clear()

    def _most(self, kind: str) -> int:
        return STILL if kind in self._many else MOST

    def stop(self) -> None:
        """Say what is left to say."""
        if self._timer is not None:
            self._timer.cancel()
            self._sum_up()
