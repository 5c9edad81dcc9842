"""One health check of one upstream: a connection of its own, a question, and what is wrong with the answer."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, Final, Protocol, TypeAlias

import attrs
from twisted.internet import error
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IDelayedCall, IHandshakeListener, IProtocol, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from txproxy.errors import ConnectionRefused, ExchangeError, ResponseError, ResponseIncomplete
from txproxy.interfaces.address import Address
from txproxy.net.transports.tls_record_transports import after_handshake
from txproxy.net.transports.unread import read_waiting
from txproxy.upstreams.health.grpc_check import GrpcAnswer
from txproxy.upstreams.health.health_check import HealthCheck
from txproxy.wire.http1.tolerance import response_codec
from txproxy.wire.http2.single_request import SingleRequest
from txproxy.wire.message import EndOfMessage, ResponseHead
from txproxy.wire.size_limits import DEFAULT_LIMITS

_log = Logger()

Dial: TypeAlias = Callable[[Address, Callable[[], IProtocol]], Deferred[Any]]

# How much of a body is searched: a check is no download.
_SEARCHED: Final = 65536


class Checked(Protocol):
    """An upstream, as far as checks are concerned; told apart from others by identity."""

    @property
    def name(self) -> str:
        """What it is called in the log."""

    @property
    def address(self) -> Address:
        """Where to connect to."""

    @property
    def authority(self) -> bytes:
        """Its name for a Host field."""

    def checked(self, ok: bool, cause: str) -> None:
        """Enough checks in a row went well, or failed; ``cause`` says why the last of them did."""

    def passed(self, since: float) -> bool:
        """Enough checks in a row went well, the first of which has begun at ``since``; says whether that ends an
        ejection.
        """


class _Stage(Enum):
    DIALING = "dialing"
    ASKING = "asking"  # the request is out
    CLOSING = "closing"  # the verdict is given, the connection not yet gone
    OVER = "over"


@implementer(IProtocol, IHandshakeListener)
class Probe:
    """One check, and its connection.

    ``done`` is called once with what was wrong, empty if nothing was.
    """

    def __init__(
        self,
        check: HealthCheck,
        upstream: Checked,
        clock: IReactorTime,
        preface: bytes,
        done: Callable[[str], None],
        tolerate: frozenset[str] = frozenset(),
    ) -> None:
        self.handshake_done: Callable[[Failure | None], None] | None = None
        self.transport: Any = None
        self._check = check
        self._upstream = upstream
        self._preface = preface
        self._done = done
        self._stage = _Stage.DIALING
        self._tolerate = tolerate
        self._codec: Any = None
        self._grpc = GrpcAnswer() if check.kind == "grpc" else None
        # what has come before the question
        self._early: list[bytes] = []
        self._body: list[bytes] = []
        self._body_size = 0
        self._dialing: Deferred[Any] | None = None
        self._timer: IDelayedCall | None = clock.callLater(check.timeout, self._too_late)

    def start(self, dial: Dial) -> None:
        """Connect, and ask."""
        address = self._upstream.address
        if self._preface:
            address = attrs.evolve(address, preface=self._preface)
        self._dialing = dialing = maybeDeferred(dial, address, lambda: self)
        dialing.addCallbacks(self._connected, self._not_connected)

    def abandon(self) -> None:
        """Let go of everything at once; no verdict is given any more."""
        self._over()
        self.handshake_done = None
        dialing, self._dialing = self._dialing, None
        if dialing is not None:
            dialing.cancel()
        if self.transport is not None:
            self.transport.abortConnection()

    # -- dialing

    def _connected(self, _: object) -> None:
        self._dialing = None
        if self._stage is not _Stage.DIALING:
            return
        if self.transport is None:
            self._tell("the connection closed at once")
        elif self._check.kind == "connect":
            self._tell("")
        elif self._upstream.address.protocols == ("h2",) and not _speaks_http2(self._upstream.address, self.transport):
            self._tell("it does not agree to HTTP/2")
        elif _speaks_http2(self._upstream.address, self.transport):
            self._codec = SingleRequest(b"https" if self._upstream.address.tls is not None else b"http")
            self._ask(self._check.body_to_send())
            if self._early:
                # In HTTP/2 a server may say at once how it wants to be spoken to.
                self.dataReceived(b"".join(self._early))
        elif self._grpc is not None:
            self._tell("it does not speak HTTP/2, which gRPC needs")
        elif self._has_spoken():
            self._tell("it spoke before it was asked")
        else:
            self._codec = response_codec(DEFAULT_LIMITS, self._tolerate)
            self._ask()

    def _has_spoken(self) -> bool:
        # What was said before the question is no answer to it.
        read_waiting(self.transport)
        return bool(self._early)

    def _ask(self, *body: bytes) -> None:
        self._stage = _Stage.ASKING
        self.transport.write(self._codec.send_head(self._check.request(self._upstream.authority), *body))

    def _not_connected(self, failure: Failure) -> None:
        self._dialing = None
        if self._stage is not _Stage.DIALING:
            return
        fault = failure.value
        if isinstance(fault, ConnectionRefused):
            self._tell("connection refused")
        elif isinstance(fault, ExchangeError):
            self._tell(fault.detail or fault.error)
        else:
            _log.failure("while connecting to {upstream} for a check", failure, upstream=self._upstream.name)
            self._tell("the check itself failed, see the log")

    def _too_late(self) -> None:
        self._timer = None
        stage = self._stage
        self.abandon()
        seconds = f"{self._check.timeout:g} s"
        if stage is _Stage.DIALING:
            self._done(f"no connection within {seconds}")
        elif stage is _Stage.ASKING:
            self._done(f"no {'complete ' if self._codec.started else ''}answer within {seconds}")

    # -- what Twisted calls

    def makeConnection(self, transport: Any) -> None:
        """The connection is there (its TLS handshake may not be)."""
        self.transport = transport
        self.connectionMade()

    def connectionMade(self) -> None:
        """Nothing is sent before the dialer says so; by then it may be too late."""
        if self._stage is _Stage.OVER:
            self.transport.abortConnection()

    def handshakeCompleted(self) -> None:
        """The TLS handshake is over, and the certificate was verified."""
        after_handshake(self.transport, self._ready)

    def _ready(self) -> None:
        if self.handshake_done is not None:
            self.handshake_done(None)

    def dataReceived(self, data: bytes) -> None:
        """Part of the answer."""
        if self._stage is not _Stage.ASKING:
            self._early.append(data)
            return
        codec = self._codec
        codec.receive(data)
        if isinstance(codec, SingleRequest) and (output := codec.take_output()):
            self.transport.write(output)
        try:
            while (event := codec.next_event()) is not None:
                cause = self._take(event)
                if cause is not None:
                    self._tell(cause)
                    return
        except ResponseError as fault:
            self._tell(f"malformed answer: {fault}")

    def connectionLost(self, reason: Failure) -> None:
        """The connection is gone."""
        self.transport = None
        if self.handshake_done is not None:
            self.handshake_done(reason)
        if self._stage is _Stage.ASKING:
            self._tell(self._cut(clean=reason.check(error.ConnectionDone) is not None))
        elif self._stage is _Stage.CLOSING:
            self._over()

    # -- the verdict

    def _take(self, event: ResponseHead | bytes | EndOfMessage) -> str | None:
        """What is wrong, empty if nothing is; None as long as that is open."""
        if self._grpc is not None:
            return self._grpc.take(event)
        if isinstance(event, ResponseHead):
            if event.status < 200:
                return None
            if event.status not in self._check.expect:
                return f"status {event.status}, not {self._check.expect}"
            return "" if self._check.body is None else None
        if isinstance(event, bytes):
            self._body.append(event)
            self._body_size += len(event)
            return None if self._body_size < _SEARCHED else self._search()
        return self._search()

    def _search(self) -> str:
        wanted = self._check.body
        assert wanted is not None
        body = b"".join(self._body)[:_SEARCHED]
        if isinstance(wanted, bytes):
            return "" if wanted in body else f"{wanted.decode('utf-8', 'backslashreplace')!r} is not in the body"
        pattern = wanted.pattern.decode("utf-8", "backslashreplace")
        return "" if wanted.search(body) else f"the body does not match {pattern!r}"

    def _cut(self, clean: bool) -> str:
        """What it means that the connection has ended within an answer."""
        if not self._codec.started:
            return "the connection closed before an answer" if clean else "the connection was reset before an answer"
        if not clean:
            return "the connection was reset within the answer"
        try:
            # RFC 9112 6.3 rule 8: only a body without another framing ends so.
            self._codec.receive_eof()
        except ResponseIncomplete:
            return "the connection closed within the answer"
        return self._search()

    def _tell(self, cause: str) -> None:
        if self.transport is None:
            self._over()
        else:
            # The timer stays until the connection is gone: a peer that does not close in its turn is dropped then.
            self._stage = _Stage.CLOSING
            self.transport.loseConnection()
        self._done(cause)

    def _over(self) -> None:
        self._stage = _Stage.OVER
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()


def _speaks_http2(address: Address, transport: Any) -> bool:
    """Whether the question is one of HTTP/2: that was agreed on by TLS, or is known."""
    if address.tls is None:
        return "h2" in address.protocols
    return getattr(transport, "negotiatedProtocol", None) == b"h2"
