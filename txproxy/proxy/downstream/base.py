"""The life of a client connection, whatever the client speaks: from its acceptance to its end."""

from __future__ import annotations

from typing import Any, Final

from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocol, IPushProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from txproxy.errors import ExchangeError, WrongProtocol
from txproxy.interfaces.connection import ClientConnection
from txproxy.interfaces.streams import RawConnection
from txproxy.net.deadlines import NEVER
from txproxy.net.transports.any_transports import end_at_once, half_close, set_tcp_options
from txproxy.net.transports.plain_transports import read_little
from txproxy.net.transports.turn_writes import write_function
from txproxy.net.transports.unread import unread_function
from txproxy.proxy.downstream.client_states import ClientState, following
from txproxy.proxy.downstream.client_tunnel import begin_tunnel, exchanges_of
from txproxy.proxy.downstream.connection_age import ConnectionAge, forget_age, watched_age
from txproxy.proxy.downstream.serving import RequestReader, ServedBy, ServingFactory, follow
from txproxy.proxy.exchanges.exchange import Exchange
from txproxy.proxy.handover.giving import Given, give_client
from txproxy.proxy.minimum_rate import SLOW_RESPONSE, ResponseRate, slow_head
from txproxy.proxy.tunnel_ends import TunnelEnd
from txproxy.proxy.tunnel_inspection import Gate
from txproxy.proxy.upstream.connection_binding import close_all, own_connections
from txproxy.proxy.upstream.connection_pool import Connections
from txproxy.wire.message import ResponseHead

# How much of what a client sends ahead of its turn is held before the rest has to wait in the kernel.
READ_AHEAD: Final = 65536

# A look-up in an Enum class costs on each event.
_OPEN: Final = ClientState.OPEN
_CLOSED: Final = ClientState.CLOSED


@implementer(IProtocol, IHalfCloseableProtocol, IPushProducer)
class ClientProtocol:
    """One client connection, with one exchange at a time. Those that speak something read requests in
    ``dataReceived``, and are the streams of their exchanges (:class:`txproxy.interfaces.streams.ClientStream`).
    """

    errand = ""
    codec: RequestReader

    __slots__ = (
        "factory",
        "services",
        "transport",
        "connection",
        "exchange",
        "deadline",
        "state",
        "tunnel",
        "client_ended",
        "served_by",
        "_write",
        "_idle",
        "_reading_paused",
        "_write_paused",
        "_response_rate",
        "_age",
    )

    def __init__(self, factory: ServingFactory, connection: ClientConnection) -> None:
        self.factory = factory
        self.services = factory.services
        self.connection = connection
        self.exchange: Exchange | None = None
        self.deadline = NEVER
        self.state = ClientState.WAITING
        self.tunnel: TunnelEnd | Gate | None = None
        # the client has closed its side
        self.client_ended = False
        # knows who serves its listener now, if that may change
        self.served_by: ServedBy | None = None
        # between requests: nothing of the next head has come
        self._idle = False
        self._reading_paused = False
        self._write_paused = False
        # how fast what waits for the client is taken
        self._response_rate: ResponseRate | None = None
        # how old it may become, if that is bounded
        self._age: ConnectionAge | None = None

    # -- what those that speak something do in their own way

    def can_follow(self, factory: ServingFactory) -> bool:
        """See :class:`txproxy.proxy.downstream.serving.Client`."""
        raise NotImplementedError

    def refuse_unread(self, fault: ExchangeError, more_may_come: bool, waited: float = 0.0) -> None:
        """Answer what could not be read as a request; for those who are told of requests it is one."""
        raise NotImplementedError

    def _before_tunnel(self, response: ResponseHead | None) -> bytes:
        """What is said before the first byte of a tunnel: ``response``, or that it stands."""
        raise NotImplementedError

    def _body_late(self, exchange: Exchange) -> None:
        """The deadline is over within the body of a request."""
        raise NotImplementedError

    def _head_late(self) -> None:
        """The deadline is over within what asks for something."""
        self.refuse_unread(slow_head(), more_may_come=True, waited=self.services.header_limit.seconds)

    def _next_request(self) -> None:
        """Read on where no exchange runs, with what has come already."""
        raise NotImplementedError

    # -- the beginning

    def makeConnection(self, transport: Any) -> None:
        """A client is there."""
        self.transport = self.connection.transport = transport
        self.connectionMade()

    def connectionMade(self) -> None:
        """Begin to serve, if there is room."""
        transport = self.transport
        self._write = write_function(transport, self.services.turn_writes)
        set_tcp_options(transport)
        read_little(transport)
        transport.registerProducer(self, True)
        factory = self.factory
        self.services.deadlines.watch(self)
        if factory.admission.admit(self):
            self._serve()
        else:
            transport.pauseProducing()

    def admitted(self) -> None:
        """There is room for this connection now."""
        if self.state is ClientState.WAITING:
            self._serve()
            self.transport.resumeProducing()

    def _serve(self) -> None:
        self.state = following(self.state, _OPEN)
        factory = self.factory
        self.deadline = factory.first_limit.ahead
        self._idle = factory.draining
        self._age = watched_age(self)

    # -- what the transport tells

    def dataReceived(self, data: bytes) -> None:
        """Bytes of requests, or of a tunnel."""
        raise NotImplementedError

    def readConnectionLost(self) -> None:
        """The client has closed its side: most likely it has left, but it may only have said that it sends no more.

        TCP shows no difference before something is written. So a response that comes soon is delivered, and one that
        does not is cancelled.
        """
        if self.tunnel is not None:
            self.tunnel.readConnectionLost()
            return
        exchange = self.exchange
        if self.state is _OPEN and (exchange.request_done if exchange is not None else self._has_more()):
            self.client_ended = True
            if exchange is not None and not exchange.response_begun:
                self.deadline = self.services.gone_limit.ahead
            return
        if exchange is not None:
            self.exchange = None
            exchange.client_gone()
        self._close(client_ended=True)

    def _has_more(self) -> bool:
        """Whether there are responses for the client to take, after which more requests of it may be read."""
        return self._write_paused

    def writeConnectionLost(self) -> None:
        """Our own half-close, before lingering or in a tunnel, went out."""

    def connectionLost(self, reason: Failure) -> None:
        """The client is gone."""
        self.state = following(self.state, _CLOSED)
        self.services.deadlines.forget(self)
        forget_age(self._age)
        self._age = None
        if self.tunnel is not None:
            self.tunnel.connectionLost(reason)
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            exchange.client_gone()
        if self.connection.connections is not None:
            close_all(self.connection.connections)
        self.factory.admission.left(self)

    def pauseProducing(self) -> None:
        """The client does not take the response as fast as it comes."""
        if self.tunnel is not None:
            self.tunnel.pauseProducing()
            return
        self._write_paused = True
        self._watch_taking(known=True)
        if self.exchange is not None:
            self.exchange.pause_response()

    def resumeProducing(self) -> None:
        """The client has taken what was waiting for it."""
        if self.tunnel is not None:
            self.tunnel.resumeProducing()
            return
        self._write_paused = False
        if self.exchange is not None:
            self.deadline = NEVER if self.exchange.request_done else self.services.idle_limit.ahead
            self.exchange.resume_response()
        elif self.state is _OPEN:
            self._next_request()

    def stopProducing(self) -> None:
        """The transport will say connectionLost as well."""

    def refuse_protocol(self, spoken: str, data: bytes) -> None:
        """The client speaks something else than the port is for, and has begun with ``data``; the transport has found
        out, and is plain now.
        """
        if self.state is _OPEN:
            self._write = write_function(self.transport, self.services.turn_writes)
            self.connection.peer_scheme = "http"
            # for logs
            self.codec.receive(data)
            self.refuse_unread(WrongProtocol(spoken), more_may_come=True)

    def _hold_reading(self) -> None:
        if self.codec.buffered > READ_AHEAD and not self._reading_paused and self.state is _OPEN:
            self._reading_paused = True
            self.transport.pauseProducing()

    # -- what any exchange calls

    def switch(self, response: ResponseHead | None, upstream: RawConnection) -> None:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        exchange = self.exchange
        assert exchange is not None
        self.state = following(self.state, ClientState.TUNNEL)
        self.exchange = None
        self.deadline = NEVER
        self.services.deadlines.forget(self)
        forget_age(self._age)
        self._write(self.transport, self._before_tunnel(response))
        # The tunnel writes past us: what was gathered goes first.
        self.services.turn_writes.flush()
        if self._reading_paused:
            self.transport.resumeProducing()
        begin_tunnel(self, exchange, upstream, self.codec.take_buffered(), asked_for=response is None)

    def hold_connections(self) -> Connections[Any]:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        connection = self.connection
        if connection.connections is None:
            connection.connections = own_connections()
        held: Connections[Any] = connection.connections
        return held

    # -- its time

    def deadline_passed(self) -> None:
        """Too slow, or idle for long enough."""
        exchange = self.exchange
        if self.state is not _OPEN or self._write_paused:
            if self._response_rate is not None and self._response_rate.goes_on():
                # slow, but taking it
                self.deadline = self.services.idle_limit.ahead
            else:
                self._give_up_on()
        elif exchange is not None:
            if not exchange.request_done:
                self._body_late(exchange)
            elif exchange.response_begun:
                # The client has closed its side, but bytes are on their way: if nobody takes them, the connection says
                # so.
                self.deadline = NEVER
            else:
                self.abort()
        elif self.codec.started:
            self._head_late()
        elif unread_function(self.transport)():
            # What comes just now is read in this turn.
            self.deadline = self.factory.first_limit.ahead
        else:
            # Idle, or connected and silent: there is no request that could be answered.
            self._close()

    def _watch_taking(self, known: bool) -> None:
        """From now on the client has to take what waits for it."""
        services = self.services
        self._response_rate = ResponseRate(self.transport, services.min_response_rate, services.idle_limit, known)
        self.deadline = services.idle_limit.ahead

    # -- who serves it

    def drain(self) -> None:
        """Finish what runs, then leave.

        The next request may be on its way already, from a client that was not told that there is none. It has a moment
        to arrive, and its answer says that it is the last.
        """
        if self.state is _OPEN and self.exchange is None and not self.codec.started and not self._write_paused:
            self._idle = True
            self.deadline = min(self.deadline, self.services.gone_limit.ahead)

    def grow_old(self) -> None:
        """See :class:`txproxy.proxy.downstream.connection_age.Aging`."""

    def retire(self) -> bool:
        """Another factory serves the listener: go there now if nothing runs, else when it has ended."""
        if self.factory.draining:
            return False  # one too many of its client, which is to leave after its first request
        if self.state is ClientState.WAITING or (self.state is _OPEN and self.exchange is None):
            return follow(self)
        return False

    def give(self) -> Given | None:
        """See :class:`txproxy.proxy.downstream.admission.Admitted`."""
        rests = self.state is _OPEN and self.exchange is None and not self._has_more() and not self.client_ended
        given = give_client(self, self.tunnel, self.codec.take_buffered if rests else None)
        if given is not None:
            forget_age(self._age)
        return given

    def belong_to(self, factory: ServingFactory) -> None:
        """See :class:`txproxy.proxy.downstream.serving.Client`."""
        self.factory = factory
        self.services = services = factory.services
        self._write = write_function(self.transport, services.turn_writes)

    # -- the end

    def _linger(self, more_may_come: bool) -> None:
        """Close so that the client gets to see the response (RFC 9112 section 9.6).

        To close while it still sends would reset the connection, and with it take back what it has not read yet.
        """
        if self.codec.at_end and not self._reading_paused and not more_may_come:
            self._close()
            return
        self.state = following(self.state, ClientState.LINGERING)
        self._watch_taking(known=False)
        self.codec.take_buffered()
        self.deadline = self.services.linger_limit.ahead
        self.transport.unregisterProducer()
        self.services.turn_writes.flush()
        if half_close(self.transport):
            self.transport.resumeProducing()
        else:
            self._close()

    def _close(self, client_ended: bool = False) -> None:
        """Close when all is written; within this call if the client has just closed its side, and nothing is."""
        if self.state is not _CLOSED:
            self.state = following(self.state, _CLOSED)
            # What was gathered in this turn goes out before the transport is told to close.
            self.services.turn_writes.flush()
            self.transport.unregisterProducer()
            if client_ended and end_at_once(self.transport):
                return
            self._watch_taking(known=False)
            self.transport.loseConnection()

    def abort(self) -> None:
        """Close at once, whatever is under way."""
        if self.tunnel is not None:
            self.tunnel.abort()
            return
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            exchange.client_gone()
        self.state = following(self.state, _CLOSED)
        self.deadline = NEVER
        self.transport.unregisterProducer()
        self.transport.abortConnection()

    def _give_up_on(self) -> None:
        """The client does not take what waits for it."""
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            exchange.client_gone(SLOW_RESPONSE, "the client took its response too slowly")
        self.abort()

    def exchanges(self) -> list[Exchange]:
        """See :class:`txproxy.proxy.downstream.admission.Admitted`."""
        return exchanges_of(self.exchange, self.tunnel)

    def turn_away(self) -> None:
        """See :class:`txproxy.proxy.downstream.admission.Admitted`."""
        self.abort()
