"""The access log: one line for each request, in the ``combined`` form that Apache and nginx write."""

from __future__ import annotations

import os
import sys
from time import localtime, strftime
from typing import Final, Protocol

from twisted.logger import Logger

from txproxy.errors import ConfigError
from txproxy.interfaces import Client
from txproxy.wire.message import RequestHead

_log = Logger()


class Finished(Protocol):
    """An exchange, as far as the log is concerned."""

    request: RequestHead
    status: int
    sent: int

    @property
    def client(self) -> Client:
        """Who sent the request."""


class FinishedStream(Protocol):
    """A raw stream, as far as the log is concerned."""

    client_ip: str
    outcome: str
    sent: int

    @property
    def upstream(self) -> object:
        """Where it went, or None."""


class AccessLog:
    """Writes to standard output (``-``) or appends to a file. Each line is written at once and whole."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._fd = self._open()

    def _open(self) -> int:
        if self._path == "-":
            # The descriptor itself: twistd puts its own log in place of sys.stdout. Not a copy of it, which would hold
            # on to a terminal or pipe that a daemon has let go.
            return 1
        try:
            return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        except OSError as fault:
            raise ConfigError(
                f"--access-log {self._path}: {fault.strerror}; accepted is a file that can be written, - or none"
            ) from None

    def reopen(self) -> None:
        """After the file was moved away: begin a new one. If that cannot be, the old one is kept."""
        try:
            opened = self._open()
        except ConfigError as fault:
            _log.error("{fault}; the lines go on to the file from before", fault=fault)
            return
        self.close()
        self._fd = opened

    def close(self) -> None:
        """No more lines."""
        if self._fd > 1:
            os.close(self._fd)
        self._fd = -1

    def exchange(self, exchange: Finished) -> None:
        """One finished exchange."""
        request = exchange.request
        index = request.headers.index
        if request.method == b"CONNECT":
            target = request.authority
        elif request.scheme is not None:
            target = request.scheme + b"://" + request.authority + request.path
        else:
            target = request.path
        line = b"%b %b HTTP/1.%d" % (request.method, target, request.minor)
        self._write(
            exchange.client.client_ip,
            exchange.client.user,
            line,
            # nginx's number for a client that left before it was answered
            exchange.status or 499,
            exchange.sent,
            index.get(b"referer", b"-"),
            index.get(b"user-agent", b"-"),
        )

    def stream(self, stream: FinishedStream) -> None:
        """One raw stream that has ended."""
        line = f"TCP {stream.upstream or '-'}".encode()
        self._write(stream.client_ip, None, line, 200 if stream.outcome == "ok" else 503, stream.sent, b"-", b"-")

    def _write(
        self, client_ip: str, user: str | None, line: bytes, status: int, sent: int, referer: bytes, agent: bytes
    ) -> None:
        text = b'%b - %b [%b] "%b" %d %d "%b" "%b"\n' % (
            client_ip.encode("ascii"),
            _word(user),
            strftime("%d/%b/%Y:%H:%M:%S %z", localtime()).encode("ascii"),
            _quoted(line),
            status,
            sent,
            _quoted(referer),
            _quoted(agent),
        )
        try:
            os.write(self._fd, text)
        except OSError as fault:
            # A full disk must not stop the traffic.
            print(f"the access log cannot be written: {fault.strerror}", file=sys.stderr)


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
