"""How much an access log says of requests that were refused: whoever sends nothing else is not to fill the disk."""

from __future__ import annotations

from typing import Final

from twisted.logger import Logger

from txproxy.interfaces.record import FinishedExchange

_log = Logger()

# So many bytes a second are enough to see who it is, and what of.
MOST: Final = 300
# Who is silent for long has so many seconds' worth.
_SAVED: Final = 10.0
# How often it is said how many were left out, in seconds.
_TOLD: Final = 10.0
# What a client can have as many of as it can send requests, or open connections.
_REFUSED: Final = frozenset({"slow-head", "slow-body", "slow-response", "challenged", "challenge-failed"})


class RefusedLines:
    """Leaves lines out once there were more than ``most`` bytes a second of them, and says how many of the log of that
    ``name``. 0 leaves none out.
    """

    __slots__ = ("most", "_name", "_left", "_seen_at", "_missing", "_told_at")

    def __init__(self, name: str, most: float = 0) -> None:
        self.most = most
        self._name = name
        self._left = most * _SAVED
        self._seen_at = self._told_at = 0.0
        self._missing = 0

    def leaves_out(self, over: FinishedExchange, now: float) -> bool:
        """Whether one that did not end well has no line."""
        limit = over.context.limit
        if not self.most or ((limit is None or limit.outcome != "refused") and over.outcome not in _REFUSED):
            return False
        passed, self._seen_at = max(0.0, now - self._seen_at), now
        self._left = min(self.most * _SAVED, self._left + passed * self.most)
        if self._left > 0.0:
            return False
        self._missing += 1
        if now - self._told_at >= _TOLD:
            self._tell(now)
        return True

    def wrote(self, size: int) -> None:
        """A line of one that was refused has so many bytes."""
        self._left -= size

    def close(self) -> None:
        """There are no more: say what is left to say."""
        if self._missing:
            self._tell(self._seen_at)

    def _tell(self, now: float) -> None:
        _log.info("{count} requests that were refused have no line in {name}", count=self._missing, name=self._name)
        self._missing, self._told_at = 0, now
