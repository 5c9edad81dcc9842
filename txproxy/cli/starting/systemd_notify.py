"""What systemd is told of this process (sd_notify(3)): that it serves, reloads, ends, and lives."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from twisted.internet.interfaces import IDelayedCall


class SystemdNotify:
    """Tells the systemd that the ``environment`` names; where it names none, nobody is told anything."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        if self._address.startswith("@"):
            # in the abstract namespace
            self._address = "\0" + self._address[1:]
        self._interval = _interval(environment) if self._address else None
        self._timer: IDelayedCall | None = None

    def ready(self) -> None:
        """It serves, be it from now on or again."""
        self._say("READY=1")

    def reloading(self) -> None:
        """It reads its configuration; :meth:`ready` follows (``Type=notify-reload``)."""
        self._say(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """It accepts no more, and ends."""
        self._say("STOPPING=1")

    def watch(self, reactor: Any) -> None:
        """From now on, tell regularly that the reactor runs, if somebody watches that (``WatchdogSec=``)."""
        if self._interval is not None:
            self._say("WATCHDOG=1")
            self._timer = reactor.callLater(self._interval, self.watch, reactor)

    def stop(self) -> None:
        """Tell no more that it runs."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _say(self, text: str) -> None:
        if self._address:
            # One that does not listen is not waited for, and is no fault of those who are served.
            with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
                told.setblocking(False)
                told.sendto(text.encode(), self._address)


def _interval(environment: Mapping[str, str]) -> float | None:
    """How often to tell, in seconds: twice in the time that is given (sd_watchdog_enabled(3)). None where nobody asks,
    or another process is asked.
    """
    microseconds = environment.get("WATCHDOG_USEC", "")
    of = environment.get("WATCHDOG_PID", "")
    if not microseconds.isdigit() or not int(microseconds) or of not in ("", str(os.getpid())):
        return None
    return int(microseconds) / 2e6
