"""How much of one turn of the reactor one kind of work may have, before all else has its turn."""

from __future__ import annotations

from typing import Any


class TurnShare:
    """``most`` seconds of each turn of a ``reactor``, for work that may wait for the next one. Whoever asks first in a
    turn has its share, so that all goes on however long a piece of it takes.
    """

    __slots__ = ("_reactor", "_most", "_until")

    def __init__(self, reactor: Any, most: float) -> None:
        self._reactor = reactor
        self._most = most
        # when the share of this turn is over; None as long as nobody has asked
        self._until: float | None = None

    def left(self) -> bool:
        """Whether there is time left in this turn."""
        now: float = self._reactor.seconds()
        if self._until is None:
            self._until = now + self._most
            self._reactor.callLater(0, self._begin_anew)
            return True
        return now < self._until

    def _begin_anew(self) -> None:
        self._until = None
