"""The access log: one line for each request or raw stream, in the format that is asked for."""

from __future__ import annotations

from collections import deque
from threading import Lock
from time import time
from typing import Any, Final

from twisted.logger import Logger

from txproxy.errors import ConfigError
from txproxy.interfaces.record import FinishedExchange, momentary
from txproxy.observe.log_destinations import destination_of
from txproxy.observe.log_file import LogFile
from txproxy.observe.log_formats.combined import BriefStream
from txproxy.observe.log_formats.line_format import COMBINED, LineFormat, line_format
from txproxy.observe.refused_lines import RefusedLines

_log = Logger()

# So many lines are made together: what is needed for that is then at hand in the processor, and it takes half the time.
_TOGETHER: Final = 64


def open_log(path: str) -> LogFile:
    """Where access lines go (see :func:`txproxy.observe.log_destinations.destination_of`); ``ConfigError`` if it cannot
    be written to.
    """
    try:
        return LogFile(path, destination=destination_of(path))
    except ConfigError as fault:
        raise fault.or_else("none") from None


def look_at_log(path: str) -> None:
    """The same ``ConfigError``, and nothing is opened."""
    try:
        destination_of(path).look()
    except ConfigError as fault:
        raise fault.or_else("none") from None


class AccessLog:
    """Writes lines to a file, or to standard output (``-``).

    ``format`` is a name of a format, a text with names and codes, or what these mean already; ``file`` is where lines
    go, if that is open already: others may write there as well. Lines are made some together, as soon as there are
    enough of them or the file's thread writes what there is. ``refused`` bounds those of requests that were refused.
    """

    def __init__(self, path: str, format: str | LineFormat = COMBINED, file: LogFile | None = None) -> None:
        lines = line_format(format) if isinstance(format, str) else format
        self.file = open_log(path) if file is None else file
        self.refused = RefusedLines(path)
        self._write = self.file.write
        self._line, self._stream_line = lines.exchange, lines.stream
        self._connections = lines.connections
        self._at_once = lines.at_once
        self._brief, self._of_brief = lines.brief, lines.of_brief
        # what lines are to be made of: what is in brief, or None with the exchange itself, and when it ended. They are
        # taken from here by one at a time.
        self._ended: deque[tuple[Any, ...]] = deque()
        self._making = Lock()

    def close(self) -> None:
        """No more lines."""
        self.file.close()
        self.refused.close()

    @momentary
    def exchange(self, over: FinishedExchange) -> None:
        """One finished exchange."""
        ended, brief = self._ended, self._brief
        now = time()
        said = brief(over, now) if brief is not None else None
        if said is not None:
            ended.append(said)
        else:
            connection = over.context.connection
            if connection.facts is None and self._connections is not None:
                # Nobody can say later what its TLS was.
                self._connections.facts(connection)
            ended.append((None, over, now))
        count = len(ended)
        if count >= _TOGETHER or self._at_once:
            self.make()
        elif count == 1:
            self.file.wait_for(self)

    def stream(self, stream: BriefStream) -> None:
        """One raw stream that has ended."""
        # Another thread may be making lines of that format.
        with self._making:
            line = self._stream_line(stream, time())
        self._write(line)

    @property
    def waiting(self) -> int:
        """How many lines are still to be made."""
        return len(self._ended)

    def make(self) -> None:
        """See :class:`txproxy.observe.log_file.LineMaker`."""
        ended, line, refused, lines = self._ended, self._line, self.refused, []
        of_brief: Any = self._of_brief
        with self._making:
            # In this order: the next one that comes, and finds nobody before it, is waited for again.
            self.file.makes(self)
            while ended:
                said = ended.popleft()
                try:
                    if said[0] is not None:
                        lines.append(of_brief(said))
                        continue
                    _, over, now = said
                    if over.outcome == "ok":
                        lines.append(line(over, now))
                    elif not refused.leaves_out(over, now):
                        lines.append(text := line(over, now))
                        if refused.most:
                            refused.wrote(len(text))
                except Exception:
                    _log.failure("a line of the access log could not be made")
            if lines:
                self.file.write_all(lines)
