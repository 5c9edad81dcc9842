"""twistd's own log, written as the other logs are: it holds up nobody, and is begun anew with them."""

from __future__ import annotations

import atexit
from collections.abc import Mapping
from typing import Any, Final

from twisted.logger import ILogObserver, LogEvent, formatEventAsClassicLogText
from zope.interface import implementer

from txproxy.errors import ConfigError
from txproxy.observe.log_destinations import STANDARD_OUTPUT
from txproxy.observe.log_file import LogFile
from txproxy.observe.log_level import LogThreshold

# What twistd's daemons write to if they are not told.
_FILE: Final = "twistd.log"
_NO_PLUGIN_CACHE: Final = "Unable to write to plugin cache"
# How long the end waits for lines that nobody takes, in seconds.
_LAST: Final = 0.5


@implementer(ILogObserver)
class TwistdLog:
    """Where twistd is told to log to a file or to standard output; a ``ConfigError`` says why that cannot be.

    In a daemon, standard output leads to the same file: there is no other. What is written is what ``threshold`` wants,
    if there is one.
    """

    def __init__(self, path: str, daemon: bool, threshold: LogThreshold | None = None) -> None:
        self._threshold = threshold
        if threshold is not None:
            threshold.used = True
        try:
            self.file = LogFile(path, held=True, copy=1 if daemon else -1)
        except ConfigError as fault:
            raise fault.about("--logfile ") from None
        self._last = False
        atexit.register(self.settle)

    @classmethod
    def of(cls, options: Mapping[str, Any], threshold: LogThreshold | None = None) -> TwistdLog | None:
        """From twistd's options; None if the log is somebody else's to write."""
        if options.get("logger") or options.get("syslog"):
            return None
        daemon = not (options.get("nodaemon") or options.get("debug"))
        path = options.get("logfile") or (_FILE if daemon else STANDARD_OUTPUT)
        # twistd itself refuses standard output to daemons.
        return cls(path, daemon, threshold) if not (daemon and path == STANDARD_OUTPUT) else None

    def __call__(self, event: LogEvent) -> None:
        """Write down an event."""
        if self._threshold is not None and not self._threshold.wants(event):
            return
        # Of an event of Twisted's older kind, log_format is only "{log_text}".
        if str(event.get("log_text")).startswith(_NO_PLUGIN_CACHE):
            # Nothing is wrong with a read-only installation, and twistd says so at each look at its plugins.
            return
        text = formatEventAsClassicLogText(event)
        if text:
            self.file.write(text.encode("utf-8", "backslashreplace"))
            if self._last:
                self._last = self.file.flush(_LAST)

    def settle(self) -> None:
        """The program ends: from now on each line is waited for, if somebody takes it."""
        self.file.begin()
        self._last = self.file.flush(_LAST)
