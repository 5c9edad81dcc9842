"""The program that is installed now, in place of the one that runs: the same process, by exec(2)."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.utils import getProcessOutputAndValue

_TRIED: Final = "TXPROXY_TRIED"
_BOOT: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv.pop(1)); from twisted.scripts.twistd import run; run()"
)
# While a program begins, these would end it, or be lost.
_HELD: Final = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)


def is_tried() -> bool:
    """Whether this process is only to tell whether the program could begin."""
    return _TRIED in os.environ


class Program:
    """What was typed to start this one, in which ``folder``: ``arguments`` of twistd, which mean its ``options``."""

    def __init__(self, arguments: Sequence[str], options: Mapping[str, Any], folder: str) -> None:
        self._folder = folder
        self._pid_file = options.get("pidfile") or ""
        # It is a daemon by now, and its process is to stay.
        daemon = ["--nodaemon", "--umask=077", "--logfile=twistd.log"] if not options.get("nodaemon") else []
        words = ["-c", _BOOT, json.dumps(sys.path), *daemon, *arguments]
        self._words = [sys.executable, *words]

    def tried(self, reactor: Any) -> Deferred[str]:
        """Let it read its options and files. What is given is what is wrong, in lines; empty if nothing is."""
        environment = {**os.environ, _TRIED: "1"}
        program, *words = self._words
        trying: Deferred[tuple[bytes, bytes, int]]
        trying = maybeDeferred(getProcessOutputAndValue, program, words, environment, self._folder, reactor)
        return trying.addCallbacks(_fault, lambda failure: failure.getErrorMessage())

    def begin(self) -> None:
        """Be it. An ``OSError`` says why that cannot be."""
        hold_signals()
        if self._pid_file:
            # twistd does not begin where its file names a process, and writes another.
            with suppress(OSError):
                os.unlink(self._pid_file)
        os.chdir(self._folder)
        try:
            os.execv(self._words[0], self._words)
        finally:
            hear_signals()


def hold_signals() -> None:
    """Those that come from now on wait until somebody hears them, here and in threads that begin from now on."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)


def is_told_to_end() -> bool:
    """Whether a signal to that end waits to be heard."""
    return not signal.sigpending().isdisjoint((signal.SIGINT, signal.SIGTERM))


def hear_signals() -> None:
    """Those that have waited are heard now."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HELD)


def _fault(result: tuple[bytes, bytes, int]) -> str:
    out, error, status = result
    if not status:
        return ""
    return (error or out).decode("utf-8", "replace").strip() or f"it ends with status {status}"
