"""A connection leaves this process: all that is known of it, and its sockets, for another one to go on with."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from twisted.internet.address import IPv4Address, IPv6Address

from txproxy.interfaces.address import Address
from txproxy.interfaces.connection import ClientConnection
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.record import AttemptRecord
from txproxy.limits.requests.concurrency import held_places
from txproxy.net.transports.handed_transports import can_leave, leave_transport
from txproxy.net.transports.plain_transports import plain_socket
from txproxy.proxy.downstream.client_states import ClientState, following
from txproxy.proxy.downstream.serving import ServingFactory
from txproxy.proxy.exchanges.exchange import Exchange
from txproxy.proxy.handover.carried import (
    Carried,
    CarriedAddress,
    CarriedAttempt,
    CarriedContext,
    CarriedExchange,
)
from txproxy.proxy.services import Services
from txproxy.proxy.tunnel_ends import TunnelEnd
from txproxy.proxy.tunnel_inspection import Gate
from txproxy.proxy.upstream.connection_binding import close_all


class KeptPlace(Protocol):
    """The place that a tunnel has at its upstream, which is another's until it is given back."""

    @property
    def number(self) -> int:
        """Which it is, for all processes."""

    def free(self) -> None:
        """The other process has it by now."""


class Given(NamedTuple):
    """A connection that has left. Its ``sockets``, the client's first, are whose who has this, and so is the ``place``
    of a tunnel.
    """

    carried: Carried
    sockets: tuple[socket.socket, ...]
    place: KeptPlace | None = None

    def close(self) -> None:
        """Another process has them."""
        for one in self.sockets:
            one.close()
        if self.place is not None:
            self.place.free()


class Leaving(Protocol):
    """A client connection that may leave."""

    transport: Any
    factory: ServingFactory
    services: Services
    connection: ClientConnection
    state: ClientState
    deadline: float


def give_client(
    client: Leaving, end: TunnelEnd | Gate | None, take_early: Callable[[], bytes] | None, spoken: bool = True
) -> Given | None:
    """Give a ``client`` with the ``end`` of its tunnel, if it has one; or between two requests, where it has a function
    that gives what has come of the next, and it is known what it speaks if it has ``spoken``. None if it cannot be:
    then nothing has changed.
    """
    given = give_tunnel(client.connection, end)
    if given is None and take_early is not None and _can_leave(client):
        given = _give_resting(client, take_early(), spoken)
    if given is not None:
        client.state = following(client.state, ClientState.CLOSED)
        client.services.deadlines.forget(client)  # type: ignore[arg-type]
        client.factory.admission.send_away(client)
    return given


def give_tunnel(
    connection: ClientConnection, end: TunnelEnd | Gate | None, server_name: str | None = None
) -> Given | None:
    """Give what has become a tunnel, whose client's ``end`` this is; None if it cannot be: then nothing has changed."""
    if not isinstance(end, TunnelEnd) or end.tunnel.exchange is None:
        return None
    tunnel, exchange = end.tunnel, end.tunnel.exchange
    stands = tunnel.stand_still()
    if stands is None:
        return None
    told, place = _exchange(exchange), _place(exchange)
    exchange.let_go()
    if connection.connections is not None:
        close_all(connection.connections)
    client, client_socket = leave_transport(tunnel.client.transport)
    upstream, upstream_socket = leave_transport(tunnel.upstream.transport)
    carried = Carried(
        client=client,
        peer_ip=connection.peer_ip,
        peer_scheme=connection.peer_scheme,
        upstream=upstream,
        tunnel=stands,
        exchange=told,
        server_name=server_name,
        place=place.number if place is not None else None,
    )
    return Given(carried, (client_socket, upstream_socket), place)


def _can_leave(client: Leaving) -> bool:
    """Whether all is written to a client, nobody has anything against it, and no upstream is its alone."""
    client.services.turn_writes.flush()
    transport, connection = client.transport, client.connection
    if not can_leave(transport) or plain_socket(transport) is None:
        return False
    return connection.refusal is None and connection.connections is None


def _give_resting(client: Leaving, early: bytes, spoken: bool) -> Given:
    # One that was told to leave has no time left, which is no matter where it may stay.
    left = client.deadline - client.services.seconds() if not client.factory.draining else None
    handed, handle = leave_transport(client.transport)
    connection = client.connection
    carried = Carried(
        client=handed,
        peer_ip=connection.peer_ip,
        peer_scheme=connection.peer_scheme,
        early=early,
        spoken=spoken,
        left=left,
    )
    return Given(carried, (handle,))


def _place(exchange: Exchange) -> KeptPlace | None:
    """What stays taken at its upstream though it ends here, if that counts so."""
    assert exchange.plan is not None, "it has gone somewhere"
    places = getattr(exchange.plan.attempt.upstream, "places", None)
    kept: KeptPlace | None = places.pass_on() if places is not None else None
    return kept


def _exchange(exchange: Exchange) -> CarriedExchange:
    request, response, told = exchange.request, exchange.response, exchange.so_far()
    plan = exchange.plan
    assert plan is not None, "it has gone somewhere"
    attempts = told.attempts if told is not None else (AttemptRecord(plan.attempt, 0.0, None, 0.0, False, None, 0),)
    return CarriedExchange(
        method=request.method,
        path=request.path,
        authority=request.authority,
        scheme=request.scheme,
        minor=request.minor,
        fields=request.headers.block,
        context=_context(exchange.context),
        status=exchange.status,
        reason=response.reason if response is not None else None,
        response_fields=response.headers.block if response is not None else b"",
        age=told.seconds if told is not None else None,
        first_byte=told.first_byte if told is not None else None,
        # A tunnel goes by the last one.
        attempts=tuple(_attempt(one, over=one is not attempts[-1]) for one in attempts),
    )


def _context(context: RequestContext) -> CarriedContext:
    verdict, limit, traced = context.verdict, context.limit, context.traced
    said = None if verdict is None else (verdict.outcome.value, verdict.rule, verdict.reason, verdict.list_name)
    return CarriedContext(
        client_ip=context.client_ip,
        scheme=context.scheme,
        user=context.user,
        groups=tuple(sorted(context.groups)),
        rule=context.rule,
        verdict=said,
        limit=(limit.name, limit.outcome) if limit is not None else None,
        traced=(traced.trace, traced.span, traced.sampled) if traced is not None else None,
        places=held_places(context),
    )


def _attempt(record: AttemptRecord, over: bool) -> CarriedAttempt:
    upstream = getattr(record.attempt, "upstream", None)
    fault, peer = record.fault, record.peer if over else None
    return CarriedAttempt(
        address=_address(record.address),
        pool=getattr(getattr(upstream, "pool", None), "name", None),
        upstream=getattr(upstream, "name", None),
        began=record.began,
        connected=record.connected,
        ended=record.ended if over else None,
        reused=record.reused,
        status=record.status,
        fault=(fault.status, fault.error, fault.detail) if fault is not None else None,
        peer=(peer.host, peer.port) if isinstance(peer, IPv4Address | IPv6Address) else None,
    )


def _address(address: Address) -> CarriedAddress:
    return CarriedAddress(
        host=address.host,
        port=address.port,
        path=address.path,
        bind=address.bind,
        pinned=address.pinned,
        through=str(address.through) if address.through is not None else None,
    )
