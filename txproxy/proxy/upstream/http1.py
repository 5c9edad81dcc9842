"""The protocol that talks to upstreams and origins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from twisted.internet import error
from twisted.internet.interfaces import IHalfCloseableProtocol, IHandshakeListener, IProtocol, IPushProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from txproxy.errors import ExchangeError, ResponseError, ResponseTimeout, UpstreamClosed
from txproxy.interfaces.address import Address
from txproxy.net.deadlines import NEVER
from txproxy.net.transports.any_transports import set_tcp_options, unwrap
from txproxy.proxy.exchanges.exchange import Exchange
from txproxy.proxy.services import Services
from txproxy.proxy.tunnel_ends import TunnelEnd
from txproxy.proxy.tunnel_inspection import GateEnd
from txproxy.proxy.upstream.connection_binding import LOGIN_WANTED, bind_by_answer
from txproxy.proxy.upstream.connection_pool import Connections
from txproxy.proxy.upstream.request_writer import RequestWriter
from txproxy.proxy.upstream.spliced_body import Passage, end_passage, more_to_come
from txproxy.proxy.upstream.upstream_states import Progress, UpstreamState, following
from txproxy.wire.headers import Headers
from txproxy.wire.http1.tolerance import response_codec
from txproxy.wire.message import END, EndOfMessage, RequestHead, ResponseHead

# A look-up in an Enum class costs on each event.
_HTTP: Final = UpstreamState.HTTP
_WAITING: Final = Progress.WAITING
_OUT: Final = Progress.OUT


@implementer(IProtocol, IHalfCloseableProtocol, IHandshakeListener, IPushProducer)
class UpstreamProtocol:
    """One connection to an upstream: idle and kept, or at work for one exchange, or one end of a tunnel."""

    shared = False
    room = 0  # each is started alone

    __slots__ = (
        "services", "address", "key", "transport", "codec", "exchange", "deadline", "state", "reused", "handshake_done",
        "received_any", "request_sent", "unread", "writer", "_keep", "_tunnel", "passage", "_paused", "_full", "limit",
        "_kept_by", "capacity", "facts",
    )  # fmt: skip

    def __init__(self, services: Services, address: Address) -> None:
        self.services = services
        self.address = address
        self.key = address.key
        self.codec = response_codec(services.wire_limits, services.tolerate | address.tolerate)
        self.exchange: Exchange | None = None
        self.deadline, self.capacity = NEVER, 1
        self.facts: Any = None
        self.reused = self.received_any = self.request_sent = False
        self.handshake_done: Callable[[Failure | None], None] | None = None
        self.state = _HTTP
        self._tunnel: TunnelEnd | GateEnd | None = None
        self.passage: Passage | None = None
        # whether more of a request waits for it than it takes is the last
        self._keep = self._paused = self._full = False
        self.limit = services.response_limit
        # who has it while it is idle
        self._kept_by = services.connections

    # -- what Twisted calls

    def makeConnection(self, transport: Any) -> None:
        """The connection is there (its TLS handshake may not be): begin to watch it."""
        self.transport = transport
        self.connectionMade()

    def connectionMade(self) -> None:
        """It is to be watched."""
        transport = self.transport
        self.writer = writer = RequestWriter(self, transport, self.services.turn_writes)
        self.unread = writer.unread
        unwrap(transport, self)
        transport.registerProducer(self, True)
        set_tcp_options(transport)
        self.services.deadlines.watch(self)

    def handshakeCompleted(self) -> None:
        """The TLS handshake is over, and the certificate was verified."""
        self.writer.look_at_records(self._ready)
        self.unread = self.writer.unread

    def _ready(self) -> None:
        if self.handshake_done is not None:
            self.handshake_done(None)

    def dataReceived(self, data: bytes) -> None:
        """Bytes of a response, or of a tunnel; those on an idle connection are nobody's."""
        exchange = self.exchange
        if exchange is None:
            take = self._unasked if self._tunnel is None else self._tunnel.dataReceived
            take(data)
            return
        if self.writer.progress is not _OUT:
            self.not_asked(exchange, ended=False)
            return
        self.received_any = True
        self.deadline = self.limit.ahead
        codec = self.codec
        shared = codec.shared
        if shared is not None and (body := codec.again(data)) is not None:
            # The same as below for a head that many share, in fewer steps.
            self._keep = True
            self.response_over(exchange, False)
            exchange.response_shared(shared, body)
            return
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
                    if event.status in LOGIN_WANTED:
                        bind_by_answer(self, exchange.downstream, event.headers)
                    body = codec.whole_body()
                    if body is not None:
                        self.response_over(exchange, codec.next_message())
                        exchange.response_whole(event, body)
                        return
                    exchange.response_head(event)
                else:
                    assert type(event) is EndOfMessage
                    self.response_over(exchange, codec.next_message())
                    exchange.response_end(event.trailers)
                    return
                if self.exchange is not exchange:
                    return
        except ResponseError as fault:
            self._fail(fault.said_of(self.address))
            return
        more_to_come(self, exchange, len(data))

    def _unasked(self, data: bytes) -> None:
        if not self.request_sent and self.state is _HTTP:
            # A new connection: a proxy on the way has answered, and the other side of the tunnel speaks first.
            self.codec.receive(data)
        else:
            # Early bytes on an idle connection are no answer to any later request.
            self.close()

    def readConnectionLost(self) -> None:
        """The upstream has closed its side."""
        if self._tunnel is not None:
            self._tunnel.readConnectionLost()
            return
        if self.exchange is not None:
            self._ended(self.exchange, clean=True)
        self.close()

    def writeConnectionLost(self) -> None:
        """Our own half-close of a tunnel went out."""

    def connectionLost(self, reason: Failure) -> None:
        """The connection is gone."""
        self.state = following(self.state, UpstreamState.CLOSED)
        self.writer.connection_lost()
        self.services.deadlines.forget(self)
        self._kept_by.discard(self)
        if self.handshake_done is not None:
            self.handshake_done(reason)
        if self._tunnel is not None:
            self._tunnel.connectionLost(reason)
            return
        if self.exchange is not None:
            self._ended(self.exchange, clean=reason.check(error.ConnectionDone) is not None)

    def pauseProducing(self) -> None:
        """The upstream does not take the request's body as fast as it comes."""
        if self._tunnel is not None:
            self._tunnel.pauseProducing()
            return
        self._full = True
        if self.exchange is not None:
            self.deadline = self.limit.ahead
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

    # -- what the exchange calls

    @property
    def spoke_early(self) -> bool:
        """Whether bytes have come before anything was asked."""
        return self.codec.buffered > 0

    spoken_to = spoke_early

    def open(self) -> UpstreamProtocol:
        """Its one stream is itself."""
        self.capacity = 0
        return self

    def start(self, exchange: Exchange, head: RequestHead, seconds: float | None = None) -> None:
        """See :class:`txproxy.interfaces.streams.UpstreamConnection`: the same as :meth:`begin`, without a body."""
        services, writer = self.services, self.writer
        self.capacity = 0
        exchange.upstream = self
        if exchange.started is not None:
            exchange.kept = self
        self.exchange = exchange
        self.received_any = False
        self.limit = limit = services.response_limit if seconds is None else services.limit_of(seconds)
        writer.progress = _WAITING
        self.request_sent = True
        self.deadline = limit.ahead
        # not at once: see Exchange.start
        send = writer.send
        send(writer, self.codec.send_head(head))

    def begin(self, exchange: Exchange, head: RequestHead, seconds: float | None = None) -> None:
        """See :class:`txproxy.interfaces.streams.UpstreamStream`."""
        self.exchange = exchange
        self.received_any = False
        writer = self.writer
        services = self.services
        self.limit = services.response_limit if seconds is None else services.limit_of(seconds)
        data = self.codec.send_head(head)
        if head.body:
            writer.gather(data)
            self.request_sent = False
            self.deadline = NEVER
        else:
            writer.progress = _WAITING
            self.request_sent = True
            self.deadline = self.limit.ahead
            writer.send(writer, data)

    def send_body(self, data: bytes) -> None:
        """Part of the request's body."""
        self.writer.pieces.append(self.codec.send_data(data))

    def send_end(self, trailers: Headers) -> None:
        """The request is complete."""
        writer = self.writer
        writer.pieces.append(self.codec.send_end(trailers))
        self.request_sent = True
        self.deadline = self.limit.ahead
        writer.flush()

    def unsent_body(self, unseen: bool) -> list[bytes | EndOfMessage] | None:
        """See :class:`txproxy.interfaces.streams.UpstreamStream`."""
        gathered = self.writer.have_back()
        if gathered is None:
            return None
        # The head comes before it.
        unsent: list[bytes | EndOfMessage] = [*self.codec.unframed(gathered[1:], self.request_sent)]
        return [*unsent, END] if self.request_sent else unsent

    def flush(self) -> None:
        """Write what was gathered."""
        self.writer.flush()

    def pause_response(self) -> None:
        """Read no more: the client is slow. That is not the upstream's fault."""
        self.deadline = NEVER
        self._paused = True
        self.transport.pauseProducing()

    def resume_response(self) -> None:
        """Read on."""
        if self.state is _HTTP:
            self.deadline = self.limit.ahead
            self._paused = False
            self.transport.resumeProducing()

    def belong_to(self, connections: Connections[UpstreamProtocol]) -> None:
        """Be kept by these alone from now on."""
        self._kept_by = connections

    def become_tunnel(self, end: TunnelEnd | GateEnd) -> bytes:
        """Hand the connection over to a tunnel; gives the bytes that came early."""
        self.exchange = None
        self._tunnel = end
        if self.state is _HTTP:
            # Else it is one already, into which somebody has looked before it could begin, or is gone.
            self.state = following(self.state, UpstreamState.TUNNEL)
        self.deadline = NEVER
        self.services.deadlines.forget(self)
        return self.codec.take_buffered()

    def close(self) -> None:
        """Let go of the connection, whatever it is doing; its exchange learns nothing."""
        exchange, self.exchange = self.exchange, None
        if self.state is not _HTTP:
            return
        self.capacity = 0
        end_passage(self)
        self.state = following(self.state, UpstreamState.CLOSED)
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
        if self.state is UpstreamState.CLOSED:
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

    # -- the end of an exchange

    def response_over(self, exchange: Exchange, more: bool) -> None:
        """The response is complete; ``more`` says that something has come after it."""
        self.exchange = None
        if self.passage is not None:
            end_passage(self)
        if self._paused:
            # The end came with the bytes that made the client slow. The next one to use this connection is another.
            self._paused = False
            self.transport.resumeProducing()
        # Bytes after the body may be meant as the answer to the next request: such a connection has no next request.
        if self._keep and self.request_sent and not more and self.state is _HTTP:
            self.reused = True
            self.capacity = 1
            self.deadline = self.services.keep_limit.ahead
            surplus = self._kept_by.give_back(self)
            if surplus is None:
                return
        else:
            surplus = self
        # What was gathered is written before one closes. That the client may be slow then is no matter of this one's.
        exchange.upstream = None
        surplus.close()

    def _ended(self, exchange: Exchange, clean: bool) -> None:
        """The connection ended within an exchange: the end of a body until close, or a fault."""
        self.exchange = None
        if self.reused and self.writer.progress is not _OUT:
            exchange.not_asked(self, ended=True)
            return
        if not exchange.response_begun and not self.codec.buffered:
            exchange.upstream_failed(UpstreamClosed(f"{self.address} closed the connection before a response"))
            return
        try:
            end = self.codec.receive_eof(clean)
        except ExchangeError as fault:
            exchange.upstream_failed(fault.said_of(self.address))
        else:
            exchange.response_end(end.trailers)

    def not_asked(self, exchange: Exchange, ended: bool) -> None:
        """The upstream has spoken, or has ``ended`` a kept connection, before any of the request went out."""
        self.close()
        exchange.not_asked(self, ended)

    def _fail(self, fault: ExchangeError) -> None:
        exchange = self.exchange
        self.close()
        if exchange is not None:
            exchange.upstream_failed(fault)
