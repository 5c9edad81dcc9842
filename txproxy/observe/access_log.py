"""The access log: one line for each request, in the ``combined`` form that Apache and nginx write."""

from __future__ import annotations

from time import localtime, strftime, time
from typing import Final, Protocol

from txproxy.errors import ConfigError
from txproxy.interfaces.record import ExchangeRecord
from txproxy.observe.log_file import LogFile


class FinishedStream(Protocol):
    """A raw stream, as far as the log is concerned."""

    client_ip: str
    outcome: str
    sent: int

    @property
    def upstream(self) -> object:
        """Where it went, or None."""


class AccessLog:
    """Writes to standard output (``-``) or appends to a file."""

    def __init__(self, path: str) -> None:
        try:
            self.file = LogFile(path)
        except ConfigError as fault:
            raise fault.or_else("none") from None
        self._write = self.file.write
        # the second that was written last, and how
        self._second = 0
        self._time = b""

    def close(self) -> None:
        """No more lines."""
        self.file.close()

    def exchange(self, record: ExchangeRecord) -> None:
        """One finished exchange."""
        request = record.request
        index = request.headers.index
        if request.method == b"CONNECT":
            target = request.authority
        elif request.scheme is not None:
            target = request.scheme + b"://" + request.authority + request.path
        else:
            target = request.path
        # What could not be read as a request has no method, and is shown as it came.
        line = b"%b %b HTTP/1.%d" % (request.method, target, request.minor) if request.method else target or b"-"
        self._line(
            record.context.client_ip,
            record.context.user,
            line,
            # nginx's number for a client that left before it was answered
            record.status or 499,
            record.sent,
            index.get(b"referer", b"-"),
            index.get(b"user-agent", b"-"),
        )

    def stream(self, stream: FinishedStream) -> None:
        """One raw stream that has ended."""
        line = f"TCP {stream.upstream or '-'}".encode()
        self._line(stream.client_ip, None, line, 200 if stream.outcome == "ok" else 503, stream.sent, b"-", b"-")

    def _line(
        self, client_ip: str, user: str | None, line: bytes, status: int, sent: int, referer: bytes, agent: bytes
    ) -> None:
        now = int(time())
        if now != self._second:
            self._second, self._time = now, strftime("%d/%b/%Y:%H:%M:%S %z", localtime(now)).encode("ascii")
        self._write(
            b'%b - %b [%b] "%b" %d %d "%b" "%b"\n'
            % (
                client_ip.encode("ascii"),
                _word(user),
                self._time,
                _quoted(line),
                status,
                sent,
                _quoted(referer),
                _quoted(agent),
            )
        )


_PLAIN: Final = bytes(byte for byte in range(0x20, 0x7F) if byte not in b'"\\')


def _word(user: str | None) -> bytes:
    """A user so that the fields after it stay where they are."""
    return _quoted(user.encode("utf-8", "replace")).replace(b" ", b"\\x20") if user else b"-"


def _quoted(value: bytes) -> bytes:
    """``value`` so that it cannot end its quotes or its line: as Apache and nginx write it."""
    if not value.translate(None, _PLAIN):
        return value
    return b"".join(
        bytes((byte,)) if 0x20 <= byte < 0x7F and byte not in b'"\\' else b"\\x%02X" % byte for byte in value
    )
