"""Where lines of an access log go that go to nobody's file."""

from __future__ import annotations

from typing import Protocol


class LogSink(Protocol):
    """Takes the lines of an access log: ``sink`` of ``[[access_logs]]`` names a class of such (``MODULE:NAME``), or a
    function of a line.

    It is called where requests are served, one line after the other, and may not block: what takes long is for a
    thread, or a Deferred, of its own, with a bound of its own for what waits. What it raises is logged, once in full
    for each place in its code, and is no part of the request. Where it has a method ``close``, that is called without
    arguments when no more lines come: at the end, and at a reload that no longer names it. Each worker process has its
    own.
    """

    def write(self, line: str) -> object:
        """One line in the format of the log, without its end; what it gives is not looked at."""
