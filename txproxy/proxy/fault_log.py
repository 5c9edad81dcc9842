"""Says what clients do wrong, but only so much of it: who sends nothing else is not to fill the disk."""

from __future__ import annotations

from typing import Any, Final

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

# So many lines of a kind in so many seconds. The next is counted.
MOST: Final = 3
_SPAN: Final = 1.0


class FaultLog:
    """Lines for ``log``, told apart by their kind. There are to be few kinds, none of them a client's to make up."""

    def __init__(self, log: Logger, reactor: Any) -> None:
        self._log = log
        self._reactor = reactor
        self._counts: dict[str, int] = {}
        self._timer: IDelayedCall | None = None
        self._until = 0.0

    def say(self, kind: str, text: str, /, **fields: object) -> None:
        """A line, as ``Logger.info`` takes it, unless there were enough of its ``kind``."""
        if self._timer is None and self._reactor.seconds() >= self._until:
            self._until = self._reactor.seconds() + _SPAN
            self._counts.clear()
        count = self._counts[kind] = self._counts.get(kind, 0) + 1
        if count <= MOST:
            self._log.info(text, **fields)
        elif self._timer is None:
            self._timer = self._reactor.callLater(max(0.0, self._until - self._reactor.seconds()), self._sum_up)

    def _sum_up(self) -> None:
        self._timer = None
        for kind, count in self._counts.items():
            if count > MOST:
                self._log.info("{count} more: {kind}", count=count - MOST, kind=kind)
        self._counts.clear()

    def stop(self) -> None:
        """Say what is left to say."""
        if self._timer is not None:
            self._timer.cancel()
            self._sum_up()
