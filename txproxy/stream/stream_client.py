"""A client of the tcp mode, from its connection to its end."""

from __future__ import annotations

from socket import socket
from typing import Any, Final, Protocol

from twisted.internet.interfaces import IHalfCloseableProtocol, IHandshakeListener, IProtocol, IPushProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from txproxy.errors import RequestError
from txproxy.interfaces.address import Address
from txproxy.interfaces.answers import Answer, Refusal
from txproxy.interfaces.connection import ClientConnection
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.record import ExchangeRecord
from txproxy.interfaces.streams import RawConnection
from txproxy.net.deadlines import NEVER
from txproxy.net.transports.any_transports import replace_protocol, set_tcp_options
from txproxy.net.transports.tls_transports import tls_connection
from txproxy.proxy.downstream.admission import Admission
from txproxy.proxy.downstream.client_states import ClientState, following
from txproxy.proxy.downstream.client_tunnel import begin_tunnel, exchanges_of
from txproxy.proxy.downstream.tunnels_alone import TunnelsAlone
from txproxy.proxy.exchanges.exchange import Exchange
from txproxy.proxy.handover.carried import Carried
from txproxy.proxy.handover.giving import Given, give_tunnel
from txproxy.proxy.handover.taking import Start, Surroundings, take_exchange
from txproxy.proxy.services import Services
from txproxy.proxy.tunnel_ends import TunnelEnd
from txproxy.stream.mode import StreamMode
from txproxy.stream.relay import Relay
from txproxy.stream.sni_routing import ByName, Heard
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead, ResponseHead

_NO_FIELDS: Final = Headers()


class StreamServing(Protocol):
    """The factory that a client belongs to: ``by_name`` says who decides what becomes of a TLS client that it is to
    listen to, and without it ``mode`` does of each.
    """

    services: Services
    admission: Admission[StreamProtocol]
    by_name: ByName[StreamMode] | None
    mode: StreamMode | None
    # those of whose end nobody was told yet
    streams: dict[RequestContext, StreamProtocol]


@implementer(IProtocol, IHalfCloseableProtocol, IHandshakeListener, IPushProducer)
class StreamProtocol(TunnelsAlone, Relay):
    """One client's stream. ``upstream`` is where it went, ``outcome`` how that ended (``"ok"``, ``"client-gone"``, or a
    type of RFC 9209) and ``detail`` a sentence to it, ``sent`` what it got and ``received`` what came of it,
    ``seconds`` how long all of it took. ``server_name`` is what a TLS client asked for, where that was looked at.
    ``record`` has its attempts, and when they were made; a stream that went on to a pool began then.

    It is a request without a head: nothing is read of a client before an upstream is there, but what says where to.
    """

    def __init__(self, factory: StreamServing, client_ip: str) -> None:
        super().__init__()
        self.factory = factory
        self.services = factory.services
        self.connection = ClientConnection(client_ip)
        self.context = RequestContext(self.connection)
        self.client_ip = client_ip
        self.upstream: Address | None = None
        self.outcome = ""
        self.detail = ""
        self.server_name: str | None = None
        self.sent = self.received = 0
        self.started = self.seconds = 0.0
        self.record: ExchangeRecord | None = None
        self.deadline = NEVER
        self.state = ClientState.WAITING
        # None as long as it is not known where to, and once there is a tunnel
        self.exchange: Exchange | None = None
        # the client has closed its side
        self.client_ended = False
        # what came before there is a tunnel
        self._early = b""
        # what a client is told that is sent away; None if it is reset
        self._farewell: bytes | None = None

    # -- what the transport tells

    def connectionMade(self) -> None:
        """A client is there; nothing is read of it before an upstream is."""
        self.connection.transport = self.transport
        self.transport.pauseProducing()
        self.started = self.services.seconds()
        self.factory.streams[self.context] = self
        if self.factory.admission.admit(self):
            self.admitted()

    def admitted(self) -> None:
        """There is room: connect, or hear first to whom."""
        if self.state is not ClientState.WAITING:
            return
        self.state = following(self.state, ClientState.OPEN)
        if self.factory.by_name is None and tls_connection(self.transport) is None:
            self._go_to(self.factory.mode)
            return
        # Who has not even shaken hands yet is no reason to take an upstream's place.
        self.deadline = self.services.header_limit.ahead
        self.services.deadlines.watch(self)
        self.transport.resumeProducing()

    @property
    def _listening(self) -> bool:
        """Whether it is heard where to."""
        return self.state is ClientState.OPEN and self.exchange is None

    def dataReceived(self, data: bytes) -> None:
        """Bytes for the tunnel, or from which the pool is to be chosen."""
        if self.tunnel is not None:
            self.tunnel.dataReceived(data)
        elif self.state is not ClientState.CLOSED:
            self._early += data
            if self._listening:
                by_name = self.factory.by_name
                assert by_name is not None
                self._heard(by_name.hear(self._early))

    def readConnectionLost(self) -> None:
        """The client sends no more: before there is a tunnel, this waits for it."""
        if self.tunnel is not None:
            self.tunnel.readConnectionLost()
            return
        self.client_ended = True
        if self._listening:
            self._heard(Heard(None, None, "the client left before it said where to"))

    def handshakeCompleted(self) -> None:
        """The client speaks TLS with us, and the handshake is over."""
        if self._listening and self.factory.by_name is None:
            self._heard(Heard(self.factory.mode))

    def deadline_passed(self) -> None:
        """The client takes too long to say where it wants to go, or to shake hands."""
        what = "say where to" if self.factory.by_name is not None else "shake hands"
        self._heard(Heard(None, None, f"the client took too long to {what}"))

    def connectionLost(self, reason: Failure) -> None:
        """The client is gone."""
        super().connectionLost(reason)
        self._leave()
        self.factory.admission.left(self)

    # -- where to

    def _heard(self, heard: Heard[StreamMode] | None) -> None:
        if heard is None:
            return
        self.services.deadlines.forget(self)
        self.server_name = heard.server_name
        if heard.pool is not None:
            self.transport.pauseProducing()
            self._go_to(heard.pool)
            return
        self._farewell = heard.answer
        exchange = self._open()
        exchange.refuse_unread(RequestError(heard.why, error="destination_not_found"), self._waited)

    def _go_to(self, mode: StreamMode | None) -> None:
        assert mode is not None
        self._open().start(mode.plan)

    def _open(self) -> Exchange:
        authority = self.server_name or ""
        request = RequestHead(b"", b"", _NO_FIELDS, authority.encode())
        self.exchange = exchange = Exchange(self.services, self, request, self.context)
        return exchange

    @property
    def _waited(self) -> float:
        return self.services.seconds() - self.started

    # -- what the exchange calls

    def switch(self, response: ResponseHead | None, upstream: RawConnection) -> None:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        # What this brings at once is early as well.
        self.transport.resumeProducing()
        exchange, self.exchange = self.exchange, None
        assert exchange is not None
        self.state = following(self.state, ClientState.TUNNEL)
        early, self._early = self._early, b""
        begin_tunnel(self, exchange, upstream, early, asked_for=True)

    def send_answer(self, given: Refusal | Answer, response: ResponseHead, body: bytes) -> int:
        """The client gets nothing that says why: the log does."""
        return 0

    def begin_answer(self, given: Refusal | Answer, response: ResponseHead) -> bool:
        """The same."""
        return False

    def exchange_done(self) -> None:
        """There is no tunnel."""
        self.exchange = None
        self.state = following(self.state, ClientState.CLOSED)
        if self._farewell is None:
            self.transport.abortConnection()
            return
        if self._farewell:
            self.transport.write(self._farewell)
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def cut(self) -> None:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        self.abort()

    def hold_connections(self) -> None:
        """A tunnel's connection is its own."""

    # -- the end

    def over(self, record: ExchangeRecord) -> None:
        """All is known of it."""
        self.record = record
        self.seconds = self._waited
        self.sent, self.received = record.sent, record.received
        if record.attempts:
            attempt: Any = record.attempts[-1].attempt
            self.upstream = attempt.upstream.address
        self.outcome = record.outcome
        if record.outcome == "tunnel":
            self.outcome = "ok"
            assert isinstance(self.tunnel, TunnelEnd)
            self.detail = self.tunnel.tunnel.said
        elif record.outcome != "client-gone":
            self.detail = record.detail

    def _leave(self) -> None:
        """The client is gone, or has to go."""
        state, self.state = self.state, following(self.state, ClientState.CLOSED)
        self.services.deadlines.forget(self)
        exchange, self.exchange = self.exchange, None
        if exchange is None and state in (ClientState.WAITING, ClientState.OPEN):
            # It has not been a request yet, but it was a stream.
            exchange = self._open()
            exchange.record(self._waited)
        if exchange is not None:
            exchange.client_gone()

    def drain(self) -> None:
        """A stream ends when its peers end it; who has not said where to has a moment to do so."""
        if self._listening:
            self.deadline = min(self.deadline, self.services.gone_limit.ahead)

    def retire(self) -> bool:
        """What has begun ends as it has begun."""
        return False

    def give(self) -> Given | None:
        """See :class:`txproxy.proxy.downstream.admission.Admitted`."""
        given = give_tunnel(self.connection, self.tunnel, self.server_name)
        if given is not None:
            self.state = following(self.state, ClientState.CLOSED)
            # Who goes on with it tells of its end.
            del self.factory.streams[self.context]
            self.factory.admission.send_away(self)
        return given

    def take(self, carried: Carried, upstream: socket, around: Surroundings) -> Start:
        """Have what another process has begun on the connection that this one has; gives what lets bytes flow."""
        transport = self.transport = self.connection.transport
        replace_protocol(transport, self)
        set_tcp_options(transport)
        transport.registerProducer(self, True)
        self.server_name = carried.server_name
        age = carried.exchange.age if carried.exchange is not None else None
        self.started = self.services.seconds() - (age or 0.0)
        self.factory.streams[self.context] = self
        self.factory.admission.take_over(self)
        self.state = following(following(self.state, ClientState.OPEN), ClientState.TUNNEL)
        return take_exchange(carried, self, self.context, upstream, around)

    def abort(self) -> None:
        """Close at once."""
        if self.tunnel is not None:
            self.tunnel.abort()
        else:
            self._leave()
            self.transport.abortConnection()

    def exchanges(self) -> list[Exchange]:
        """See :class:`txproxy.proxy.downstream.admission.Admitted`."""
        return exchanges_of(self.exchange, self.tunnel)

    def turn_away(self) -> None:
        """See :class:`txproxy.proxy.downstream.admission.Admitted`."""
        self.state = following(self.state, ClientState.CLOSED)
        # Nobody is told.
        del self.factory.streams[self.context]
        self.transport.abortConnection()
