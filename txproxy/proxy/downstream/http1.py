"""The protocol that clients talk to: one HTTP/1 connection, one exchange at a time."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, Final, Protocol

from OpenSSL import SSL
from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol, IProtocol, IPushProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from txproxy.errors import ExchangeError, RequestError, WrongProtocol
from txproxy.interfaces.connection import ClientConnection
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.middleware import Handler
from txproxy.interfaces.plan import Answer, Refusal
from txproxy.interfaces.streams import UpstreamConnection
from txproxy.net.deadlines import NEVER, TimeLimit
from txproxy.net.transports.any_transports import half_close, set_tcp_options
from txproxy.net.transports.plain_transports import read_less
from txproxy.net.transports.turn_writes import write_function
from txproxy.net.transports.unread import unread_function
from txproxy.proxy.answers import prefers_html, reply
from txproxy.proxy.downstream.admission import Admission
from txproxy.proxy.exchange import Exchange
from txproxy.proxy.minimum_rate import BodyRate, ResponseRate
from txproxy.proxy.services import Services
from txproxy.proxy.tunnel import Tunnel, TunnelEnd
from txproxy.proxy.tunnel_inspection import Gate
from txproxy.proxy.upstream.connection_binding import close_all, own_connections
from txproxy.proxy.upstream.connection_pool import Connections
from txproxy.wire.headers import Headers
from txproxy.wire.http1.server import ServerCodec
from txproxy.wire.message import RequestHead, ResponseHead

# How much of what a client sends ahead of its turn is held before the rest has to wait in the kernel.
_READ_AHEAD: Final = 65536
# How many requests that are answered at once a connection has of each turn of the reactor, before others have theirs.
_SHARE: Final = 8
_NO_FIELDS: Final = Headers()


class _State(Enum):
    WAITING = "waiting"  # accepted, but over the limit of connections: nothing is read
    OPEN = "open"
    TUNNEL = "tunnel"
    LINGERING = "lingering"  # the last response is out; what still comes is thrown away
    CLOSED = "closed"


_OPEN: Final = _State.OPEN


class Home(Protocol):
    """The factory that a client connection belongs to, as far as that needs it: ``handle`` says what becomes of
    its requests, ``services`` is what it shares with others.
    """

    services: Services
    handle: Handler
    admission: Admission[Any]
    # whether each request is the last one of its connection
    draining: bool
    # for how long a client may be silent before its first request, and between two
    first_limit: TimeLimit
    rest_limit: TimeLimit
    # for these see txproxy.proxy.factory.ProxyFactory
    protocols: frozenset[str]
    tls_context: SSL.Context | Callable[[], SSL.Context] | None
    login: Callable[[bytes, bytes, RequestContext], Any] | None


class ServedBy:
    """Which ``factory`` serves the connections of a listener just now; None if none does that they could go to."""

    __slots__ = ("factory",)

    def __init__(self, factory: Home | None) -> None:
        self.factory = factory


@implementer(IProtocol, IHalfCloseableProtocol, IPushProducer)
class DownstreamProtocol:
    """One client connection."""

    errand = ""

    __slots__ = (
        "factory",
        "services",
        "transport",
        "connection",
        "codec",
        "exchange",
        "deadline",
        "_state",
        "_write",
        "_out",
        "_close_after",
        "_client_ended",
        "_idle",
        "_pumping",
        "_next_turn",
        "_reading_paused",
        "_write_paused",
        "_body_rate",
        "_response_rate",
        "_tunnel",
        "served_by",
    )

    def __init__(self, factory: Home, connection: ClientConnection) -> None:
        self.factory = factory
        self.services = services = factory.services
        self.connection = connection
        self.codec = ServerCodec(services.wire_limits)
        self.exchange: Exchange | None = None
        self.deadline = NEVER
        self._state = _OPEN
        self._out: list[bytes] = []
        self._close_after = False
        self._client_ended = False
        # between requests: nothing of the next head has come
        self._idle = False
        self._pumping = False
        # goes on with what has come, after others had their turn
        self._next_turn: IDelayedCall | None = None
        self._reading_paused = False
        self._write_paused = False
        # how fast the body that is waited for comes, and how fast what waits for the client is taken
        self._body_rate: BodyRate | None = None
        self._response_rate: ResponseRate | None = None
        self._tunnel: TunnelEnd | Gate | None = None
        # knows who serves its listener now, if that may change
        self.served_by: ServedBy | None = None

    # -- what Twisted calls

    def makeConnection(self, transport: Any) -> None:
        """A client is there."""
        self.transport = self.connection.transport = transport
        self.connectionMade()

    def connectionMade(self) -> None:
        """Begin to serve, if there is room."""
        transport = self.transport
        self._write = write_function(transport, self.services.turn_writes)
        set_tcp_options(transport)
        transport.registerProducer(self, True)
        factory = self.factory
        self.services.deadlines.watch(self)
        if factory.admission.admit(self):
            self.deadline = factory.first_limit.ahead
            self._idle = factory.draining
        else:
            self._state = _State.WAITING
            transport.pauseProducing()

    def admitted(self) -> None:
        """There is room for this connection now."""
        self._state = _OPEN
        self.deadline = self.factory.first_limit.ahead
        self._idle = self.factory.draining
        self.transport.resumeProducing()

    def dataReceived(self, data: bytes) -> None:
        """Bytes of requests, or of a tunnel."""
        if self._state is not _OPEN:
            if self._tunnel is not None:
                self._tunnel.dataReceived(data)
            return
        codec = self.codec
        if self.exchange is None:
            codec.receive(data)
            self._pump()
            if self.exchange is None and self._idle and codec.buffered:
                # A head has begun, and is to be complete in time.
                self._idle = False
                self.deadline = self.services.header_limit.ahead
            if self._write_paused or self._next_turn is not None:
                self._hold_reading()
            return
        codec.receive(data)
        if self.exchange.wants_body:
            self._pump()
        self._hold_reading()

    def readConnectionLost(self) -> None:
        """The client has closed its side: most likely it has left, but it may only have said that it sends no more.

        TCP shows no difference before something is written. So a response that comes soon is delivered, and one that
        does not is cancelled.
        """
        if self._tunnel is not None:
            self._tunnel.readConnectionLost()
            return
        exchange = self.exchange
        if exchange is not None and exchange.request_done and self._state is _OPEN:
            self._client_ended = True
            if not exchange.response_begun:
                self.deadline = self.services.gone_limit.ahead
            return
        if exchange is None and (self._write_paused or self._next_turn is not None) and self._state is _OPEN:
            # It has responses to take, and may have sent more requests before it closed.
            self._client_ended = True
            return
        if exchange is not None:
            self.exchange = None
            exchange.client_gone()
        self._close()

    def writeConnectionLost(self) -> None:
        """Our own half-close, before lingering or in a tunnel, went out."""

    def connectionLost(self, reason: Failure) -> None:
        """The client is gone."""
        self._state = _State.CLOSED
        self.services.deadlines.forget(self)
        if self._next_turn is not None:
            self._next_turn.cancel()
            self._next_turn = None
        if self._tunnel is not None:
            self._tunnel.connectionLost(reason)
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            exchange.client_gone()
        if self.connection.connections is not None:
            close_all(self.connection.connections)
        self.factory.admission.left(self)

    def pauseProducing(self) -> None:
        """The client does not take the response as fast as it comes."""
        if self._tunnel is not None:
            self._tunnel.pauseProducing()
            return
        self._write_paused = True
        self._watch_taking(known=True)
        if self.exchange is not None:
            self.exchange.pause_response()

    def resumeProducing(self) -> None:
        """The client has taken what was waiting for it."""
        if self._tunnel is not None:
            self._tunnel.resumeProducing()
            return
        self._write_paused = False
        if self.exchange is not None:
            self.deadline = NEVER if self.exchange.request_done else self.services.idle_limit.ahead
            self.exchange.resume_response()
        elif self._state is _OPEN:
            self._next_request()

    def stopProducing(self) -> None:
        """The transport will say connectionLost as well."""

    # -- requests

    def _pump(self) -> None:
        """Read what can be read now: the next head when no exchange runs, the body of one that wants it."""
        if self._pumping:
            return
        self._pumping = True
        codec = self.codec
        share = _SHARE
        try:
            while self._state is _OPEN:
                exchange = self.exchange
                if exchange is None:
                    if self._write_paused:
                        # Who does not take the responses to its requests gets no more of them.
                        break
                elif not exchange.wants_body:
                    break
                event = codec.next_event()
                if event is None:
                    if exchange is not None:
                        self._await_body(exchange)
                    break
                if type(event) is bytes:
                    assert exchange is not None
                    exchange.request_body(event)
                elif type(event) is RequestHead:
                    self._begin(event)
                    if self.exchange is None:
                        # Answered already. What a client that takes nothing has asked for is not to be gathered.
                        self.services.turn_writes.flush()
                        share -= 1
                        if not share:
                            self._wait_a_turn()
                            break
                else:
                    assert exchange is not None
                    self._body_rate = None
                    self.deadline = NEVER if not self._write_paused else self.services.idle_limit.ahead
                    exchange.request_end(event.trailers)  # type: ignore[union-attr]
        except RequestError as fault:
            self._request_fault(fault)
        finally:
            self._pumping = False
        if self._reading_paused and codec.buffered < _READ_AHEAD and self._state is _OPEN:
            self._reading_paused = False
            self.transport.resumeProducing()

    def _wait_a_turn(self) -> None:
        """Go on when all others have had their turn."""
        if self._next_turn is None and self._state is _OPEN and self.codec.buffered:
            self._next_turn = self.services.reactor.callLater(0, self._go_on)

    def _go_on(self) -> None:
        self._next_turn = None
        if self._state is _OPEN and self.exchange is None and not self._write_paused:
            self._next_request()

    def _begin(self, head: RequestHead) -> None:
        if head.body:
            self.deadline = self.services.idle_limit.ahead
        else:
            self.deadline = NEVER if not self._client_ended else self.services.gone_limit.ahead
            self.codec.skip_end()
        self._close_after = not head.keep_alive or self.factory.draining
        self.exchange = exchange = Exchange(self.services, self, head, RequestContext(self.connection))
        exchange.start(self.factory.handle)

    def _await_body(self, exchange: Exchange) -> None:
        """All that has come of the body is on its way, and there is more to come."""
        exchange.request_flush()
        if self.exchange is not exchange:
            return
        if self.codec.many_chunks:
            read_less(self.transport)
        services = self.services
        if not services.min_body_rate or exchange.response_begun:
            # An upstream that answers before it has all of the request talks with the client: only silence ends that.
            self.deadline = services.idle_limit.ahead
            self._await_first_part(exchange)
            return
        rate = self._body_rate
        if rate is None:
            self._body_rate = rate = BodyRate(services.min_body_rate, services.idle_limit, services.deadlines)
        self.deadline = rate.wait(exchange.received)
        self._await_first_part(exchange)

    def _await_first_part(self, exchange: Exchange) -> None:
        early = exchange.early
        if early is not None and early.until < self.deadline:
            self.deadline = early.until

    def _request_fault(self, fault: RequestError) -> None:
        self._close_after = True
        exchange = self.exchange
        if exchange is not None:
            exchange.request_failed(fault)
            return
        self.refuse_unread(fault, more_may_come=True)

    def refuse_unread(self, fault: ExchangeError, more_may_come: bool, waited: float = 0.0) -> None:
        """Answer what could not be read as a request; for those who are told of requests it is one."""
        self.exchange = exchange = Exchange(
            self.services, self, self.codec.unread_head(), RequestContext(self.connection)
        )
        exchange.request_done = not more_may_come
        exchange.refuse_unread(fault, waited)

    def refuse_protocol(self, spoken: str, data: bytes) -> None:
        """The client speaks something else than the port is for, and has begun with ``data``; the transport has found
        out, and is plain now.
        """
        if self._state is _OPEN:
            self._write = write_function(self.transport, self.services.turn_writes)
            self.connection.peer_scheme = "http"
            # for logs
            self.codec.receive(data)
            self._request_fault(WrongProtocol(spoken))

    def _hold_reading(self) -> None:
        if self.codec.buffered > _READ_AHEAD and not self._reading_paused and self._state is _OPEN:
            self._reading_paused = True
            self.transport.pauseProducing()

    # -- what the exchange calls

    def request_wanted(self) -> None:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        self.deadline = self.services.idle_limit.ahead
        if self._body_rate is not None:
            self._body_rate.wait_again()
        self._pump()

    def request_unwanted(self) -> None:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        if self._body_rate is not None and self.exchange is not None:
            self._body_rate.wait(self.exchange.received)

    def send_informational(self, response: ResponseHead) -> None:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        self._write(self.transport, self.codec.send_head(response, False))

    def send_head(self, response: ResponseHead) -> None:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        self._out.append(self.codec.send_head(response, self._close_after))
        if self.codec.must_close:
            self._close_after = True

    def send_whole(self, response: ResponseHead, body: bytes) -> None:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        exchange = self.exchange
        if exchange is not None and not exchange.request_done:
            # The rest of the request is not waited for (RFC 9112 section 9.6 has that said).
            self._close_after = True
        self._write(self.transport, self.codec.send_whole(response, body, self._close_after))

    def send_body(self, data: bytes) -> None:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        self._out.append(self.codec.send_data(data))

    def sink(self) -> Any:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        self.services.turn_writes.flush()
        return self.transport if self.codec.sends_length else None

    def passed(self, size: int) -> None:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        self.codec.passed_out(size)

    def send_end(self, trailers: Headers) -> None:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        end = self.codec.send_end(trailers)
        if end:
            self._out.append(end)
        self.flush()

    def flush(self) -> None:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        out = self._out
        if out:
            data = b"".join(out) if len(out) > 1 else out[0]
            out.clear()
            self._write(self.transport, data)

    def send_refusal(self, refusal: Refusal | Answer) -> int:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        exchange = self.exchange
        request = exchange.request if exchange is not None else None
        if exchange is not None and (
            not exchange.request_done
            or exchange.request.method == b"CONNECT"
            or (refusal.status == 400 and isinstance(refusal, Refusal))
        ):
            # What a client sent early for a tunnel must not be read as its next request. And who sends what can be read
            # in two ways is not listened to any longer.
            self._close_after = True
        html = prefers_html(request.headers if request is not None else None)
        head, body = reply(refusal, self.services.name, html, self.services.http_date(), self.services.pages)
        self._out.append(self.codec.send_head(head, self._close_after))
        sent = 0
        if self.codec.sends_body:
            self._out.append(self.codec.send_data(body))
            sent = len(body)
        self.send_end(_NO_FIELDS)
        return sent

    def cut(self) -> None:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        self.exchange = None
        if self.codec.must_close:
            # The end of the connection would be the end of the body: only a reset says that it was cut.
            self.abort()
        else:
            self.flush()
            self._close()

    def switch(self, response: ResponseHead | None, upstream: UpstreamConnection) -> None:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        exchange = self.exchange
        assert exchange is not None
        self._state = _State.TUNNEL
        self.exchange = None
        self.deadline = NEVER
        self.services.deadlines.forget(self)
        if response is None:
            head = self._tunnel_stands()
        else:
            head = self.codec.send_head(response, False)
        self._write(self.transport, head)
        # The tunnel writes past us: what was gathered goes first.
        self.services.turn_writes.flush()
        if self._reading_paused:
            self.transport.resumeProducing()
        early = self.codec.take_buffered()
        plan = exchange.plan
        if response is None and plan is not None and plan.gate is not None:
            gate = Gate(
                self.services, self.transport, upstream.transport, plan.gate,
                lambda data, early: self._begin_tunnel(exchange, upstream, data, early), exchange.tunnel_refused,
            )  # fmt: skip
            self._tunnel = gate
            gate.start(early, upstream.become_tunnel(gate.upstream), self._client_ended)
        else:
            self._begin_tunnel(exchange, upstream, early, b"")

    def _tunnel_stands(self) -> bytes:
        """What is said before the first byte of a tunnel."""
        return b"HTTP/1.1 200 Connection established\r\n\r\n"

    def _begin_tunnel(
        self, exchange: Exchange, upstream: UpstreamConnection, early: bytes, from_upstream: bytes
    ) -> None:
        bound = exchange.bound
        bounds = bound.bounds if bound is not None else None
        timeout = exchange.plan.tunnel_timeout if exchange.plan is not None else None
        tunnel = Tunnel(self.services, self.transport, upstream.transport, exchange.tunnel_closed, bounds, timeout)
        if bound is not None:
            bound.tunnel = tunnel
        self._tunnel = tunnel.client
        from_upstream += upstream.become_tunnel(tunnel.upstream)
        tunnel.start(early, from_upstream, self._client_ended)

    def exchange_done(self) -> None:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        exchange, self.exchange = self.exchange, None
        assert exchange is not None
        if self._state is not _OPEN:
            return
        if self._close_after or not exchange.request_done:
            self._linger(more_may_come=not exchange.request_done)
            return
        if self.factory.draining:
            self._follow()
        self.codec.next_message()
        if self._write_paused:
            self.deadline = self.services.idle_limit.ahead
        else:
            self._next_request()

    def hold_connections(self) -> Connections[Any]:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        connection = self.connection
        if connection.connections is None:
            connection.connections = own_connections()
        held: Connections[Any] = connection.connections
        return held

    def _next_request(self) -> None:
        """Read on after an exchange, with what has come already."""
        if self.codec.buffered:
            self._idle = False
            self.deadline = self.services.header_limit.ahead
            self._pump()
        else:
            self._idle = True
            self.deadline = self.factory.rest_limit.ahead
        if (
            self._client_ended
            and self.exchange is None
            and not self._pumping
            and not self._write_paused
            and self._next_turn is None
        ):
            self._close()

    # -- the end

    def deadline_passed(self) -> None:
        """Too slow, or idle for long enough."""
        if self._state is not _OPEN or self._write_paused:
            if self._response_rate is not None and self._response_rate.goes_on():
                # slow, but taking it
                self.deadline = self.services.idle_limit.ahead
            else:
                self.abort()
        elif self.exchange is not None:
            self._exchange_deadline(self.exchange)
        elif self.codec.started:
            self._close_after = True
            fault = RequestError("the request took too long", status=408)
            self.refuse_unread(fault, more_may_come=True, waited=self.services.header_limit.seconds)
        elif unread_function(self.transport)():
            # What comes just now is read in this turn.
            self.deadline = self.factory.first_limit.ahead
        else:
            # Idle, or connected and silent: there is no request that could be answered.
            self._close()

    def _exchange_deadline(self, exchange: Exchange) -> None:
        if not exchange.request_done:
            if self._body_rate is not None and exchange.response_begun:
                # The response began while the body was waited for (see _await_body).
                self._body_rate = None
                self.deadline = self.services.idle_limit.ahead
            elif exchange.early is not None and exchange.wants_body and self.deadline >= exchange.early.until:
                if self._body_rate is not None:
                    # This time was the client's own, whatever comes of it.
                    self._body_rate.wait(exchange.received)
                self.deadline = self.services.idle_limit.ahead
                exchange.first_part_late()
                if self.exchange is exchange and exchange.gathering:
                    self._await_body(exchange)
            elif exchange.wants_body:
                self._request_fault(RequestError("the request took too long", status=408))
            else:
                # The upstream is not ready for more: that is its own time limit's to judge.
                self.deadline = self.services.idle_limit.ahead
        elif exchange.response_begun:
            # The client has closed its side, but bytes are on their way: if nobody takes them, the connection says so.
            self.deadline = NEVER
        else:
            self.abort()

    def drain(self) -> None:
        """Finish what runs, then leave.

        The next request may be on its way already, from a client that was not told that there is none. It has a moment
        to arrive, and its answer says that it is the last.
        """
        exchange = self.exchange
        if exchange is not None:
            if not exchange.response_begun:
                self._close_after = True
        elif self._state is _OPEN and not self.codec.started and not self._write_paused:
            self._idle = True
            self.deadline = min(self.deadline, self.services.gone_limit.ahead)

    def retire(self) -> bool:
        """Another factory serves the listener: go there now if nothing runs, else when it has ended."""
        if self.factory.draining:
            return False  # one too many of its client, which is to leave after its first request
        if self._state is _State.WAITING or (self._state is _OPEN and self.exchange is None):
            return self._follow()
        return False

    def _follow(self) -> bool:
        """Be the client of who serves the listener now, if there is somebody who can take the connection over."""
        before, factory = self.factory, self.served_by.factory if self.served_by is not None else None
        if factory is None or factory is before or not self._can_follow(factory):
            return False
        self.services.turn_writes.flush()
        self.services.deadlines.forget(self)
        before.admission.left(self)
        if self.connection.connections is not None:
            close_all(self.connection.connections)
        # What is known of the client was known to the other.
        self.connection = self.connection.anew()
        self.factory = factory
        self.services = services = factory.services
        self.codec.limits = services.wire_limits
        self._write = write_function(self.transport, services.turn_writes)
        services.deadlines.watch(self)
        if self._state is not _State.WAITING:
            factory.admission.take_over(self)
        elif factory.admission.admit(self):
            self.admitted()
        return True

    def _can_follow(self, factory: Home) -> bool:
        return "http" in factory.protocols

    def _linger(self, more_may_come: bool = False) -> None:
        """Close so that the client gets to see the response (RFC 9112 section 9.6).

        To close while it still sends would reset the connection, and with it take back what it has not read yet.
        """
        if self._state is not _OPEN:
            return
        if self.codec.at_end and not self._reading_paused and not more_may_come:
            self._close()
            return
        self._state = _State.LINGERING
        self._watch_taking(known=False)
        self.codec.take_buffered()
        self.deadline = self.services.linger_limit.ahead
        self.transport.unregisterProducer()
        self.services.turn_writes.flush()
        if half_close(self.transport):
            self.transport.resumeProducing()
        else:
            self._close()

    def _watch_taking(self, known: bool) -> None:
        """From now on the client has to take what waits for it."""
        services = self.services
        self._response_rate = ResponseRate(self.transport, services.min_body_rate, services.idle_limit, known)
        self.deadline = services.idle_limit.ahead

    def _close(self) -> None:
        if self._state is not _State.CLOSED:
            self._state = _State.CLOSED
            # What was gathered in this turn goes out before the transport is told to close.
            self.services.turn_writes.flush()
            self._watch_taking(known=False)
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    def abort(self) -> None:
        """Close at once, whatever is under way."""
        if self._tunnel is not None:
            self._tunnel.abort()
            return
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            exchange.client_gone()
        self._state = _State.CLOSED
        self.deadline = NEVER
        self.transport.unregisterProducer()
        self.transport.abortConnection()
