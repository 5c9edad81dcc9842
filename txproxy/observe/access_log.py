"""The access log: one line for each request or raw stream, in the format that is asked for."""

from __future__ import annotations

from time import time

from txproxy.errors import ConfigError
from txproxy.interfaces.record import ExchangeRecord
from txproxy.observe.log_destinations import destination_of
from txproxy.observe.log_file import LogFile
from txproxy.observe.log_formats.combined import BriefStream
from txproxy.observe.log_formats.line_format import COMBINED, LineFormat, line_format


def open_log(path: str) -> LogFile:
    """Where access lines go (see :func:`txproxy.observe.log_destinations.destination_of`); ``ConfigError`` if it cannot
    be written to.
    """
    try:
        return LogFile(path, destination=destination_of(path))
    except ConfigError as fault:
        raise fault.or_else("none") from None


class AccessLog:
    """Writes lines to a file, or to standard output (``-``).

    ``format`` is a name of a format, a text with names and codes, or what these mean already; ``file`` is where lines
    go, if that is open already: others may write there as well.
    """

    def __init__(self, path: str, format: str | LineFormat = COMBINED, file: LogFile | None = None) -> None:
        lines = line_format(format) if isinstance(format, str) else format
        self.file = open_log(path) if file is None else file
        self._write = self.file.write
        self._line, self._stream_line = lines.exchange, lines.stream

    def close(self) -> None:
        """No more lines."""
        self.file.close()

    def exchange(self, record: ExchangeRecord) -> None:
        """One finished exchange."""
        self._write(self._line(record, time()))

    def stream(self, stream: BriefStream) -> None:
        """One raw stream that has ended."""
        self._write(self._stream_line(stream, time()))
