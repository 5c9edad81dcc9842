"""How much is written to the proxy's own log: what it has to say of itself, beside the lines of requests."""

from __future__ import annotations

from typing import Final

from twisted.logger import LogEvent, LogLevel

LEVELS: Final = ("debug", "info", "warn", "error", "critical")
DEFAULT_LEVEL: Final = "info"


class LogThreshold:
    """What is written: what is of a ``level``, one of ``LEVELS``, and above. ``configured`` is what the configuration
    says; another may be set, which stays until that says something else. ``used`` is whether anybody goes by it.
    """

    def __init__(self, level: str = DEFAULT_LEVEL) -> None:
        self.configured = level
        self.used = False
        self.set(level)

    def set(self, level: str) -> None:
        """Write so much from now on."""
        self.level = level
        self._least = LogLevel.levelWithName(level)

    def follow(self, level: str) -> None:
        """A configuration runs that says this."""
        if level != self.configured:
            self.configured = level
            self.set(level)

    def wants(self, event: LogEvent) -> bool:
        """Whether that is to be written. What has no level is as what most has: the older kind of Twisted's events."""
        level = event.get("log_level") or LogLevel.info
        return bool(level >= self._least)
