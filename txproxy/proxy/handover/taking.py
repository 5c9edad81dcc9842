"""A connection comes from another process, and is served here from now on."""

from __future__ import annotations

import socket
from collections.abc import Callable, Hashable, Iterable
from typing import Any, Protocol, TypeAlias

import attrs

from txproxy.errors import ExchangeError, RequestDenied
from txproxy.interfaces.address import Address, Opening
from txproxy.interfaces.allowances import Bounds, LimitHit
from txproxy.interfaces.answers import Outcome, Verdict
from txproxy.interfaces.attempt import Attempt
from txproxy.interfaces.connection import ClientConnection
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.plan import Plan
from txproxy.interfaces.record import AttemptRecord
from txproxy.net.transports.any_transports import replace_protocol, set_tcp_options
from txproxy.net.transports.handed_transports import adopt, place_address
from txproxy.proxy.downstream.client_states import ClientState, following
from txproxy.proxy.downstream.http1 import Http1Protocol
from txproxy.proxy.downstream.serving import ServedBy, ServingFactory
from txproxy.proxy.exchanges.exchange import Exchange
from txproxy.proxy.factory import ProxyFactory
from txproxy.proxy.handover.carried import Carried, CarriedAddress, CarriedAttempt, CarriedContext, CarriedExchange
from txproxy.proxy.services import Services
from txproxy.proxy.tunnel import Tunnel
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead, ResponseHead
from txproxy.wire.trace_context import TraceParent

Start: TypeAlias = Callable[[], None]


class Surroundings(Protocol):
    """What there is here of that which requests were under elsewhere: of the same names, as far as it is there."""

    def attempt(
        self, address: Address, pool: str | None, upstream: str | None, current: bool, place: int | None
    ) -> Attempt:
        """One at such an upstream, which counts there if it is the ``current`` one: with the ``place`` of this number,
        if it has one.
        """

    def bounds(self, client_ip: str, user: str | None, rule: str) -> Bounds | None:
        """What may be used. Raises ``RequestDenied`` where nothing may be any more."""

    def hold_places(self, context: RequestContext, places: Iterable[tuple[str, Hashable]]) -> None:
        """Count a request among those at work in the limits that it has places in."""


@attrs.frozen
class _KnownHop:
    """A proxy on the way, of which only the name is known."""

    name: str

    @property
    def key(self) -> str:
        """See :class:`txproxy.interfaces.address.Hop`."""
        return self.name

    @property
    def address(self) -> Address:
        """It is connected already."""
        return Address(self.name)

    def opening(self, host: str, port: int) -> Opening:
        """It is connected already."""
        raise ValueError(host)

    def reached(self) -> None:
        """That was told elsewhere."""

    def served(self) -> None:
        """The same."""

    def failed(self, fault: ExchangeError) -> None:
        """The same."""

    def __str__(self) -> str:
        return self.name


class _KnownPeer:
    """A connection that is over, of which it is known to whom it was."""

    def __init__(self, place: tuple[str, int]) -> None:
        self._address = place_address(place)
        self.transport = self

    def getPeer(self) -> Any:
        """As a transport has it."""
        return self._address


def connection_of(carried: Carried, reactor: Any, handle: socket.socket) -> ClientConnection:
    """The client's, with the transport that its socket gets."""
    connection = ClientConnection(carried.peer_ip, carried.peer_scheme)
    connection.transport = adopt(reactor, carried.client, handle)
    return connection


def take_resting(
    carried: Carried, connection: ClientConnection, factory: ProxyFactory, served_by: ServedBy | None
) -> Start:
    """Have a client's connection between two requests here; gives what begins to read it."""
    transport = connection.transport
    # One that has said nothing is as one that has just come.
    client: Any = Http1Protocol(factory, connection) if carried.spoken else _beginning(factory, connection)
    client.served_by = served_by
    client.transport = transport
    factory.admission.take_over(client)
    replace_protocol(transport, client)

    def start() -> None:
        # It is let in already.
        client.makeConnection(transport)
        if carried.spoken:
            # It may be silent for as long as between two requests.
            client.resumeProducing()
        if carried.left is not None:
            client.deadline = min(client.deadline, factory.services.seconds() + carried.left)
        transport.resumeProducing()
        if carried.early:
            client.dataReceived(carried.early)

    return start


def _beginning(factory: ProxyFactory, connection: ClientConnection) -> Any:
    client = factory.build(connection.transport.getPeer(), connection.peer_scheme)
    assert client is not None, "the factory serves"
    client.connection = connection
    return client


def take_tunnel(
    carried: Carried,
    connection: ClientConnection,
    factory: ServingFactory,
    upstream: socket.socket,
    around: Surroundings,
) -> Start:
    """Have what a client of HTTP or SOCKS has asked for here; gives what lets bytes flow."""
    client = Http1Protocol(factory, connection)
    _take_place(client, connection, factory)
    client.state = following(following(client.state, ClientState.OPEN), ClientState.TUNNEL)
    return take_exchange(carried, client, RequestContext(connection), upstream, around)


def _take_place(client: Http1Protocol, connection: ClientConnection, factory: ServingFactory) -> None:
    transport = client.transport = connection.transport
    client.belong_to(factory)
    replace_protocol(transport, client)
    set_tcp_options(transport)
    transport.registerProducer(client, True)
    factory.admission.take_over(client)


def take_exchange(
    carried: Carried, client: Any, context: RequestContext, handle: socket.socket, around: Surroundings
) -> Start:
    """Have a tunnel between a ``client`` that is in its place and the upstream, whose socket this is; gives what lets
    bytes flow. ``context`` is that of its request, of which nothing is known yet.
    """
    told, stands, there = carried.exchange, carried.tunnel, carried.upstream
    assert told is not None and stands is not None and there is not None, "it was given as a tunnel"
    services: Services = client.services
    transport = adopt(services.reactor, there, handle)
    _know(context, told.context)
    around.hold_places(context, told.context.places)
    exchange = Exchange(services, client, _request(told), context)
    *over, current = (_record(one, around, carried.place) for one in told.attempts)
    current.upstream = _Connected(transport)
    plan = Plan.of(current.attempt)
    if services.observed:
        exchange.resume_record(told.age or 0.0, told.first_byte, over, current)
    fault: RequestDenied | None = None
    try:
        plan.bounds = around.bounds(context.client_ip, context.user, context.rule)
    except RequestDenied as denied:
        fault = denied
    exchange.resume_tunnel(plan, _response(told), told.status)
    tunnel = Tunnel(services, client.transport, transport, exchange.tunnel_closed, plan.bounds)
    exchange.tunnel, tunnel.exchange = tunnel, exchange
    client.tunnel = tunnel.client
    replace_protocol(transport, tunnel.upstream)
    transport.registerProducer(tunnel.upstream, True)

    def start() -> None:
        tunnel.go_on(stands)
        if fault is not None:
            # As who counts what runs would have done.
            tunnel.end(fault.detail)

    return start


def _know(context: RequestContext, carried: CarriedContext) -> None:
    context.client_ip, context.scheme = carried.client_ip, carried.scheme
    context.user, context.groups, context.rule = carried.user, frozenset(carried.groups), carried.rule
    if carried.verdict is not None:
        outcome, rule, reason, list_name = carried.verdict
        context.verdict = Verdict(outcome=Outcome(outcome), rule=rule, reason=reason, list_name=list_name)
    if carried.limit is not None:
        context.limit = LimitHit(*carried.limit)
    if carried.traced is not None:
        context.traced = TraceParent(*carried.traced)


def _request(told: CarriedExchange) -> RequestHead:
    return RequestHead(told.method, told.path, _fields(told.fields), told.authority, told.scheme, minor=told.minor)


def _response(told: CarriedExchange) -> ResponseHead | None:
    if told.reason is None:
        return None
    return ResponseHead(told.status, _fields(told.response_fields), told.reason)


def _fields(block: bytes) -> Headers:
    return Headers.of_block(block) if block else Headers.from_lines([])


def _record(carried: CarriedAttempt, around: Surroundings, place: int | None) -> AttemptRecord:
    current = carried.ended is None
    attempt = around.attempt(_address(carried.address), carried.pool, carried.upstream, current, place)
    fault = None
    if carried.fault is not None:
        status, error, detail = carried.fault
        fault = ExchangeError(detail, status=status, error=error)
    known = _KnownPeer(carried.peer) if carried.peer is not None else None
    return AttemptRecord(
        attempt, carried.began, carried.connected, carried.ended or 0.0, carried.reused, fault, carried.status, known
    )


@attrs.frozen
class _Connected:
    """The connection to the upstream, for who wants to know whose it is."""

    transport: Any


def _address(carried: CarriedAddress) -> Address:
    return Address(
        carried.host,
        carried.port,
        carried.path,
        bind=carried.bind,
        pinned=carried.pinned,
        through=_KnownHop(carried.through) if carried.through is not None else None,
    )
