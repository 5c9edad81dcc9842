"""How a client connection becomes one end of a tunnel: by CONNECT, by SOCKS, or by an Upgrade."""

from __future__ import annotations

from typing import Any, Protocol

from txproxy.interfaces.streams import RawConnection
from txproxy.net.transports.plain_transports import read_little
from txproxy.proxy.exchanges.exchange import Exchange
from txproxy.proxy.services import Services
from txproxy.proxy.tunnel import Tunnel
from txproxy.proxy.tunnel_ends import TunnelEnd
from txproxy.proxy.tunnel_inspection import Gate


class TunnelClient(Protocol):
    """A client connection of which nothing is read as a request any more. ``tunnel`` is what gets all that its
    transport tells; ``client_ended`` says that the client has closed its side.
    """

    services: Services
    tunnel: TunnelEnd | Gate | None
    client_ended: bool

    @property
    def transport(self) -> Any:
        """That of its connection, or of a stream."""


def begin_tunnel(
    client: TunnelClient, exchange: Exchange, upstream: RawConnection, early: bytes, *, asked_for: bool
) -> None:
    """Let bytes flow between ``client`` and ``upstream``, beginning with those that came ``early``. A tunnel that the
    client has ``asked_for``, and which is no Upgrade, may be looked into first.
    """
    read_little(client.transport, little=False)
    read_little(upstream.transport, little=False)
    plan = exchange.plan
    if asked_for and plan is not None and plan.gate is not None:
        gate = Gate(
            client.services, client.transport, upstream.transport, plan.gate,
            lambda data, early: _flow(client, exchange, upstream, data, early), exchange.tunnel_refused,
        )  # fmt: skip
        client.tunnel = gate
        gate.start(early, upstream.become_tunnel(gate.upstream), client.client_ended)
    else:
        _flow(client, exchange, upstream, early, b"")


def _flow(
    client: TunnelClient, exchange: Exchange, upstream: RawConnection, early: bytes, from_upstream: bytes
) -> None:
    bound = exchange.bound
    bounds = bound.bounds if bound is not None else None
    timeout = exchange.plan.tunnel_timeout if exchange.plan is not None else None
    tunnel = Tunnel(client.services, client.transport, upstream.transport, exchange.tunnel_closed, bounds, timeout)
    exchange.tunnel = tunnel
    tunnel.exchange = exchange
    client.tunnel = tunnel.client
    from_upstream += upstream.become_tunnel(tunnel.upstream)
    tunnel.start(early, from_upstream, client.client_ended)


def exchanges_of(exchange: Exchange | None, tunnel: TunnelEnd | Gate | None) -> list[Exchange]:
    """What is at work on a connection with such an ``exchange`` and ``tunnel``: one of them, if any."""
    if exchange is None and isinstance(tunnel, TunnelEnd):
        exchange = tunnel.tunnel.exchange
    return [exchange] if exchange is not None else []
