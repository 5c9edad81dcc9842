"""The protocol that talks to upstreams and origins."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, Final

from twisted.internet import error
from twisted.internet.interfaces import IHalfCloseableProtocol, IHandshakeListener, IProtocol, IPushProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from txproxy.errors import ExchangeError, ResponseError, ResponseIncomplete, ResponseTimeout, UpstreamClosed
from txproxy.interfaces.address import Address
from txproxy.net.deadlines import NEVER
from txproxy.net.tls_reader import TLSReader, read_records
from txproxy.net.transports.any_transports import set_tcp_options, unwrap
from txproxy.net.transports.plain_transports import descriptor, read_less
from txproxy.net.transports.turn_writes import ask_function, write_function
from txproxy.net.transports.unread import has_ended, read_before_lost, read_waiting, unread_function
from txproxy.proxy.exchange import Exchange
from txproxy.proxy.services import Services
from txproxy.proxy.tunnel import TunnelEnd
from txproxy.proxy.tunnel_inspection import GateEnd
from txproxy.proxy.upstream.connection_binding import bind_by_answer
from txproxy.proxy.upstream.connection_pool import Connections
from txproxy.proxy.upstream.spliced_body import WORTHWHILE, Passage
from txproxy.wire.headers import Headers
from txproxy.wire.http1.tolerance import response_codec
from txproxy.wire.message import EndOfMessage, RequestHead, ResponseHead


class _State(Enum):
    HTTP = "http"
    TUNNEL = "tunnel"
    CLOSED = "closed"


_HTTP: Final = _State.HTTP
# Answers that may begin a login of the connection itself.
_LOGIN_WANTED: Final = (401, 407)


@implementer(IProtocol, IHalfCloseableProtocol, IHandshakeListener, IPushProducer)
class UpstreamProtocol:
    """One connection to an upstream: idle and kept, or at work for one exchange, or one end of a tunnel."""

    __slots__ = (
        "services",
        "address",
        "key",
        "transport",
        "codec",
        "exchange",
        "deadline",
        "reused",
        "handshake_done",
        "received_any",
        "request_sent",
        "unread",
        "_state",
        "_asked",
        "_asking",
        "_write",
        "_write_now",
        "_send",
        "descriptor",
        "_out",
        "_keep",
        "_tunnel",
        "_passage",
        "_paused",
        "_full",
        "_limit",
        "_kept_by",
        "_reader",
    )

    def __init__(self, services: Services, address: Address) -> None:
        self.services = services
        self.address = address
        self.key = address.key
        self.codec = response_codec(services.wire_limits, services.tolerate | address.tolerate)
        self.exchange: Exchange | None = None
        self.deadline = NEVER
        self.reused = False
        self.received_any = False
        self.handshake_done: Callable[[Failure | None], None] | None = None
        self._state = _HTTP
        self._out: list[bytes] = []
        # whether anything of the request has gone out: what comes before that answers nobody
        self._asked = False
        # whether a request with a body waits for its turn to go out
        self._asking = False
        self.request_sent = False
        self._keep = False
        self._tunnel: TunnelEnd | GateEnd | None = None
        self._passage: Passage | None = None
        self._paused = False
        # more of a request waits for it than it takes
        self._full = False
        self._limit = services.response_limit
        # who has it while it is idle
        self._kept_by = services.connections
        self._reader: TLSReader | None = None

    # -- what Twisted calls

    def makeConnection(self, transport: Any) -> None:
        """The connection is there (its TLS handshake may not be)."""
        self.transport = transport
        self.connectionMade()

    def connectionMade(self) -> None:
        """Begin to watch the connection."""
        transport = self.transport
        turn = self.services.turn_writes
        self._write = write_function(transport, turn)
        self._write_now = write_function(transport)
        self._send = ask_function(transport, turn)
        self.descriptor = descriptor(transport)
        self.unread = unread_function(transport)
        read_before_lost(transport)
        unwrap(transport, self)
        transport.registerProducer(self, True)
        set_tcp_options(transport)
        self.services.deadlines.watch(self)

    def handshakeCompleted(self) -> None:
        """The TLS handshake is over, and the certificate was verified."""
        # What came with its end is no answer to the request that goes out then.
        self._reader = reader = read_records(self.transport)
        if reader is None:
            self._ready()
        else:
            waits = self.unread
            self.unread = lambda: waits() or reader.within_record
            reader.when_whole(self._ready)

    def _ready(self) -> None:
        if self.handshake_done is not None:
            self.handshake_done(None)

    def dataReceived(self, data: bytes) -> None:
        """Bytes of a response, or of a tunnel; those on an idle connection are nobody's."""
        exchange = self.exchange
        if exchange is None:
            if self._tunnel is not None:
                self._tunnel.dataReceived(data)
            elif not self.request_sent and self._state is _HTTP:
                # A new connection: a proxy on the way has answered, and the other side of the tunnel speaks first.
                self.codec.receive(data)
            else:
                # Early bytes on an idle connection are no answer to any later request.
                self.close()
            return
        if not self._asked:
            self._not_asked(exchange, ended=False)
            return
        self.received_any = True
        self.deadline = self._limit.ahead
        codec = self.codec
        codec.receive(data)
        try:
            while True:
                event = codec.next_event()
                if event is None:
                    break
                if type(event) is bytes:
                    exchange.response_body(event)
                elif type(event) is ResponseHead:
                    self._keep = event.keep_alive
                    if event.status in _LOGIN_WANTED:
                        bind_by_answer(self, exchange.downstream, event.headers)
                    body = codec.whole_body()
                    if body is not None:
                        self._response_over()
                        exchange.response_whole(event, body)
                        return
                    exchange.response_head(event)
                else:
                    assert type(event) is EndOfMessage
                    self._response_end(exchange, event.trailers)
                    return
                if self.exchange is not exchange:
                    return
        except ResponseError as fault:
            self._fail(fault)
            return
        exchange.flush()
        if self._passage is not None:
            # What was gathered goes out before the kernel passes the next bytes by it: not every reactor ends the turn
            # before it reads again.
            self.services.turn_writes.flush()
            self._passage.ordinary(len(data))
        elif codec.passable >= WORTHWHILE:
            self._begin_passage(exchange, codec.passable)
        elif codec.many_chunks:
            read_less(self.transport)

    def readConnectionLost(self) -> None:
        """The upstream has closed its side."""
        if self._tunnel is not None:
            self._tunnel.readConnectionLost()
            return
        exchange = self.exchange
        if exchange is not None:
            self._ended(exchange, clean=True)
        self.close()

    def writeConnectionLost(self) -> None:
        """Our own half-close of a tunnel went out."""

    def connectionLost(self, reason: Failure) -> None:
        """The connection is gone."""
        self._state = _State.CLOSED
        self.services.deadlines.forget(self)
        if self.handshake_done is not None:
            self.handshake_done(reason)
        if self._tunnel is not None:
            self._tunnel.connectionLost(reason)
            return
        exchange = self.exchange
        if exchange is None:
            self._kept_by.discard(self)
        else:
            self._ended(exchange, clean=reason.check(error.ConnectionDone) is not None)

    def pauseProducing(self) -> None:
        """The upstream does not take the request's body as fast as it comes."""
        if self._tunnel is not None:
            self._tunnel.pauseProducing()
            return
        self._full = True
        if self.exchange is not None:
            self.deadline = self._limit.ahead
            self.exchange.pause_request()

    def resumeProducing(self) -> None:
        """The upstream has taken what was waiting for it."""
        if self._tunnel is not None:
            self._tunnel.resumeProducing()
            return
        self._full = False
        if self.exchange is not None:
            if not self.request_sent:
                self.deadline = NEVER
            self.exchange.resume_request()

    def stopProducing(self) -> None:
        """The transport will say connectionLost as well."""

    @property
    def spoken_to(self) -> bool:
        """Whether anything has come on a connection on which nothing was sent yet."""
        return not self.request_sent and self.codec.buffered > 0

    # -- what the exchange calls

    @property
    def spoke_early(self) -> bool:
        """Whether bytes have come before anything was asked."""
        return self.codec.buffered > 0

    def begin(self, exchange: Exchange, head: RequestHead) -> None:
        """Send a request; without a body it goes out at once."""
        self.exchange = exchange
        self.received_any = False
        self._asked = False
        plan = exchange.plan
        if plan is not None and plan.response_timeout is not None:
            self._limit = self.services.limit_of(plan.response_timeout)
        else:
            self._limit = self.services.response_limit
        data = self.codec.send_head(head)
        if head.body:
            self.request_sent = self._asking = False
            self.deadline = NEVER
            self._out.append(data)
        else:
            self.request_sent = True
            self.deadline = self._limit.ahead
            self._send(self, data)

    def ask(self, data: bytes, readable: set[int] | None) -> None:
        """Write what begins with the head of a request: what came before is not its answer."""
        exchange = self.exchange
        if exchange is None:
            return
        if not self._asked:
            waits = self.unread() if readable is None else self.descriptor in readable
            if waits and self._has_spoken(exchange, lambda: self.ask(data, None)):
                return
            self._asked = True
        self._write_now(self.transport, data)

    def ask_with_body(self, readable: set[int] | None) -> None:
        """The same for one with a body: what was gathered of it until now."""
        exchange = self.exchange
        if exchange is None:
            return
        waits = self.unread() if readable is None else self.descriptor in readable
        if waits and self._has_spoken(exchange, lambda: self.ask_with_body(None)):
            return
        self._asked = True
        out = self._out
        data = b"".join(out)
        out.clear()
        self._write_now(self.transport, data)

    def _has_spoken(self, exchange: Exchange, ask: Callable[[], None]) -> bool:
        """Whether what waits to be read, before the first of a request has gone out, keeps it from that; it may be that
        it is to ``ask`` later.
        """
        reader = self._reader
        ended = False
        if has_ended(self.transport):
            early = ended = self.reused
        elif reader is not None:
            # Tickets may come at any time, and answer nobody (RFC 8446 section 4.6.1).
            goes_on = read_waiting(self.transport)
            if self.exchange is not exchange:
                return True
            if reader.within_record and not self.reused:
                # The rest of it tells what it is.
                reader.when_whole(ask)
                return True
            # A plain end of TLS says nothing.
            ended = not goes_on and not reader.within_record
            early = self.reused and (reader.within_record or ended)
        else:
            early = True
        if early:
            self._not_asked(exchange, ended)
        return early

    def begin_again(self, exchange: Exchange, other: UpstreamProtocol) -> None:
        """Send the request that ``other`` was to send, which had ended before: all of it is still there."""
        self.exchange = exchange
        self._limit = other._limit
        # It knows how far the request is, and has read nothing.
        self.codec, other.codec = other.codec, self.codec
        self._out, other._out = other._out, self._out
        self.request_sent = other.request_sent
        self.deadline = self._limit.ahead if self.request_sent else NEVER
        self.flush()

    def send_body(self, data: bytes) -> None:
        """Part of the request's body."""
        self._out.append(self.codec.send_data(data))

    def send_end(self, trailers: Headers) -> None:
        """The request is complete."""
        self._out.append(self.codec.send_end(trailers))
        self.request_sent = True
        self.deadline = self._limit.ahead
        self.flush()

    def flush(self) -> None:
        """Write what was gathered."""
        out = self._out
        if not out:
            return
        if self._asked:
            data = b"".join(out) if len(out) > 1 else out[0]
            out.clear()
            self._write(self.transport, data)
        elif not self._asking:
            self._asking = True
            self._send(_WithBody(self), b"")

    def pause_response(self) -> None:
        """Read no more: the client is slow. That is not the upstream's fault."""
        self.deadline = NEVER
        self._paused = True
        self.transport.pauseProducing()

    def resume_response(self) -> None:
        """Read on."""
        if self._state is _HTTP:
            self.deadline = self._limit.ahead
            self._paused = False
            self.transport.resumeProducing()

    def belong_to(self, connections: Connections[UpstreamProtocol]) -> None:
        """Be kept by these alone from now on."""
        self._kept_by = connections

    def become_tunnel(self, end: TunnelEnd | GateEnd) -> bytes:
        """Hand the connection over to a tunnel; gives the bytes that came early."""
        self.exchange = None
        self._tunnel = end
        self._state = _State.TUNNEL
        self.deadline = NEVER
        self.services.deadlines.forget(self)
        return self.codec.take_buffered()

    def close(self) -> None:
        """Let go of the connection, whatever it is doing; its exchange learns nothing."""
        exchange, self.exchange = self.exchange, None
        if self._state is not _HTTP:
            return
        self._end_passage()
        self._state = _State.CLOSED
        self._kept_by.discard(self)
        self.transport.unregisterProducer()
        if exchange is None and self.request_sent:
            # A peer that does not close in its turn is dropped at the deadline.
            self.deadline = self.services.linger_limit.ahead
            self.services.turn_writes.flush()
            self.transport.loseConnection()
        else:
            # A request under way is cancelled by a reset.
            self.deadline = NEVER
            self.transport.abortConnection()

    # -- deadlines

    def deadline_passed(self) -> None:
        """An idle connection has been kept for long enough, or a response is too late."""
        exchange = self.exchange
        if self._state is _State.CLOSED:
            self.deadline = NEVER
            self.transport.abortConnection()
        elif exchange is None:
            if self._kept_by is self.services.connections:
                self.close()
            else:
                # It ends with the client connection that it belongs to.
                self.deadline = NEVER
        elif self._paused or not (self.request_sent or self._full):
            # It is the client's turn, to take the response or to send the rest of its request, or a bound holds either.
            self.deadline = NEVER
        else:
            self._fail(ResponseTimeout(f"{self.address} did not answer in time"))

    # -- long bodies

    def _begin_passage(self, exchange: Exchange, left: int) -> None:
        sink = exchange.sink()
        if sink is not None and Passage.possible(self.transport, sink):
            self._passage = Passage(self.transport, sink, left, self.services.pipes, self._passed)
            self._passage.begin()

    def _passed(self, size: int) -> None:
        exchange = self.exchange
        assert exchange is not None
        self.deadline = self._limit.ahead
        exchange.response_passed(size)
        codec = self.codec
        codec.passed_in(size)
        end = codec.next_event()
        if end is not None:
            assert type(end) is EndOfMessage
            self._response_end(exchange, end.trailers)

    def _end_passage(self) -> None:
        passage, self._passage = self._passage, None
        if passage is not None:
            passage.end()

    # -- the end of an exchange

    def _response_end(self, exchange: Exchange, trailers: Headers) -> None:
        self._response_over()
        exchange.response_end(trailers)

    def _response_over(self) -> None:
        self.exchange = None
        if self._passage is not None:
            self._end_passage()
        if self._paused:
            # The end came with the bytes that made the client slow. The next one to use this connection is another.
            self._paused = False
            self.transport.resumeProducing()
        codec = self.codec
        # Bytes after the body may be meant as the answer to the next request: such a connection has no next request.
        if self._keep and self.request_sent and self._state is _HTTP and not codec.next_message():
            self.reused = True
            self.deadline = self.services.keep_limit.ahead
            surplus = self._kept_by.keep(self)
            if surplus is not None:
                surplus.close()
        else:
            self.close()

    def _ended(self, exchange: Exchange, clean: bool) -> None:
        """The connection ended within an exchange: the end of a body until close, or a fault."""
        self.exchange = None
        if self.reused and not self._asked:
            exchange.not_asked(self, ended=True)
            return
        if not exchange.response_begun and not self.codec.buffered:
            exchange.upstream_failed(UpstreamClosed(f"{self.address} closed the connection before a response"))
            return
        try:
            end = self.codec.receive_eof()
            if not clean:
                raise ResponseIncomplete("the connection was reset within a body until close")
        except ExchangeError as fault:
            exchange.upstream_failed(fault)
        else:
            exchange.response_end(end.trailers)

    def _not_asked(self, exchange: Exchange, ended: bool) -> None:
        self.close()
        exchange.not_asked(self, ended)

    def _fail(self, fault: ExchangeError) -> None:
        exchange = self.exchange
        self.close()
        if exchange is not None:
            exchange.upstream_failed(fault)


class _WithBody:
    """Asks for ``upstream``, which keeps what it gathers of a request with a body until that may go out: else it could
    not go out on another connection.
    """

    __slots__ = ("descriptor", "_upstream")

    def __init__(self, upstream: UpstreamProtocol) -> None:
        self.descriptor = upstream.descriptor
        self._upstream = upstream

    def ask(self, data: bytes, readable: set[int] | None) -> None:
        """See :class:`txproxy.net.transports.turn_writes.Asking`."""
        self._upstream.ask_with_body(readable)
