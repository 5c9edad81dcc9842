"""The access log: one line for each request or raw stream, in the format that is asked for."""

from __future__ import annotations

from threading import Lock
from time import time
from typing import Any, Final

from twisted.logger import Logger

from txproxy.errors import ConfigError
from txproxy.interfaces.record import FinishedExchange, FinishedStream, momentary
from txproxy.observe.log_destinations import destination_of
from txproxy.observe.log_file import LogFile
from txproxy.observe.log_formats.connection_facts import NOT_TOLD
from txproxy.observe.log_formats.line_format import COMBINED, LineFormat, line_format
from txproxy.observe.log_formats.steady_line import NO_PLACE
from txproxy.observe.refused_lines import RefusedLines
from txproxy.observe.request_counts import MOST_TOLD, RequestCounts

_log = Logger()

# So many lines are made together: what is needed for that is then at hand in the processor, and it takes half the time.
TOGETHER: Final = 64


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
        self._most = 1 if lines.at_once else TOGETHER
        self._brief, self._of_briefs = lines.brief, lines.of_briefs
        self._count_in = lines.count_in
        # who makes them
        self.lines_by = lines.by
        self._counted: CountedLog | None = None
        # what lines are to be made of: what is in brief, or None with the exchange itself, and when it ended. They are
        # taken from here by one at a time.
        self.ended: list[tuple[Any, ...]] = []
        self._making = Lock()
        self._uncounted = CountedLog(self, None) if lines.count_in is not None else None

    def close(self) -> None:
        """No more lines."""
        self.file.close()
        self.refused.close()

    @momentary
    def exchange(self, over: FinishedExchange) -> tuple[Any, ...] | None:
        """One finished exchange. Gives what is in brief of it, for who counts it (see :class:`CountedLog`)."""
        ended = self.ended
        now = time()
        # Not at once: to call what an instance has takes longer than to call what is at hand.
        brief = self._brief
        said = brief(over, now)
        if said is not None:
            ended.append(said)
        else:
            connection = over.context.connection
            if connection.facts is None and self._connections is not None:
                # Nobody can say later what its TLS was.
                self._connections.facts(connection)
            ended.append((None, over, now, None, None, None, None))
        count = len(ended)
        if count >= self._most:
            self.make()
        elif count == 1:
            self.file.wait_for(self)
        return said

    def stream(self, stream: FinishedStream) -> None:
        """One raw stream that has ended."""
        # Another thread may be making lines of that format.
        with self._making:
            line = self._stream_line(stream, time())
        self._write(line)

    def counted(self, counts: RequestCounts | None) -> CountedLog | None:
        """Both as one, always the same, or the log as one who counts nothing; None where what is in brief says nothing
        of what is counted, or says it for others.
        """
        if counts is None:
            return self._uncounted
        if self._counted is None and self._count_in is not None:
            self._count_in(counts.row)
            self._counted = CountedLog(self, counts)
        known = self._counted
        return known if known is not None and known.counts is counts else None

    @property
    def waiting(self) -> int:
        """How many lines are still to be made."""
        return len(self.ended)

    def make(self) -> None:
        """See :class:`txproxy.observe.log_file.LineMaker`."""
        ended = self.ended
        with self._making:
            # In this order: the next one that comes, and finds nobody before it, is waited for again.
            self.file.makes(self)
            # More may come meanwhile.
            while ended:
                some = ended[:]
                del ended[: len(some)]
                try:
                    lines = self._of_briefs(some, self._whole)
                except Exception:
                    # What is wrong with one of them is no reason to have none.
                    lines = b"".join(map(self._alone, some))
                if lines:
                    self.file.write_together(lines)

    def _alone(self, said: tuple[Any, ...]) -> bytes:
        """The line of one, or nothing."""
        try:
            return self._of_briefs((said,), self._whole)
        except Exception:
            _log.failure("a line of the access log could not be made")
            return b""

    def _whole(self, said: tuple[Any, ...]) -> bytes | None:
        """The line of one of which all is known."""
        over, now = said[1:3]
        if over.outcome == "ok":
            return self._line(over, now)
        refused = self.refused
        if refused.leaves_out(over, now):
            return None
        line = self._line(over, now)
        if refused.most:
            refused.wrote(len(line))
        return line


class CountedLog:
    """An access log and the ``counts`` of the same listener, if there are such, as one who is told: what the log has in
    brief of a request says where it is to be counted, so that this is not looked for again. ``RequestCounts.exchange``
    and ``AccessLog.exchange`` are the slow twin.
    """

    def __init__(self, log: AccessLog, counts: RequestCounts | None) -> None:
        self.counts = counts
        self._log = log
        self._tell = log.exchange
        self._count = counts.exchange if counts is not None else _nobody
        self._by: Any = log.lines_by
        self._ended = log.ended

    @momentary
    def exchange(self, over: FinishedExchange) -> None:
        """One finished exchange."""
        known = standing.known if (standing := over.standing) is not None else None
        if known is not None and known.by is self._by:
            # All that brief would look for is there already, or is found to be another.
            # One after the other: to take several at once takes a step more.
            request = over.request
            there = over.kept.facts
            status = over.status
            sent = over.sent
            own, head = known.again
            if own != (request.path, status, sent, request.minor, request.scheme):
                head = self._by.head_again(known, request, status, sent)
            asked, place, fields = there.told if there is not None else NOT_TOLD
            its_status, middle, row = known.places.get(place, NO_PLACE)
            if (
                status == its_status
                and over.response.headers is fields  # type: ignore[union-attr]
                and asked is over.tracker
                and head is not None
            ):
                seconds = over.seconds
                if row is not None:
                    row.at_once.told.append(seconds)
                    (sizes := row.sizes).append(sent)
                    if len(sizes) >= MOST_TOLD:
                        row.settle()
                elif self.counts is not None:
                    # It was found out before these were counted.
                    self._count(over)
                # Here it is an exchange, and where it has a number, its downstream is the stream.
                end = known.end if not known.numbered else b"%b%d}\n" % (known.end, over.downstream.id)  # type: ignore
                ended = self._ended
                ended.append((head, middle, end, seconds, seconds, time(), row))
                # In this order: another thread may take them meanwhile.
                if (waiting := len(ended)) >= TOGETHER:
                    self._log.make()
                elif waiting == 1:
                    self._log.file.wait_for(self._log)
                return
        tell = self._tell
        try:
            said = tell(over)
        except Exception:
            _log.failure("an observer failed")
            said = None
        if said is None or (row := said[6]) is None or self.counts is None:
            self._count(over)
            return
        _count_said(said, row, over.sent)


def _count_said(said: Any, row: Any, sent: int) -> None:
    """Count in its ``row`` what a log has said in brief of a request."""
    seconds, first_byte, sizes = said[3], said[4], row.sizes
    if seconds == first_byte:
        row.at_once.told.append(seconds)
    else:
        row.durations.told.append(seconds)
        if first_byte is not None:
            row.first_bytes.told.append(first_byte)
    sizes.append(sent)
    if len(sizes) >= MOST_TOLD:
        row.settle()


def _nobody(over: FinishedExchange) -> None:
    """Nobody counts it."""
