"""What is told of a client's connection, and of what is at work on it: read of the live objects when somebody asks."""

from __future__ import annotations

import os
from typing import Any, Final

from txproxy.observe.log_formats.connection_facts import Connections, place_of
from txproxy.proxy.downstream.admission import Admitted
from txproxy.proxy.downstream.client_states import ClientState
from txproxy.proxy.exchanges.exchange import Exchange
from txproxy.upstreams.choice import PoolAttempt
from txproxy.upstreams.pool import Pool
from txproxy.wire.message import RequestHead

STATES: Final = ("waiting", "idle", "busy", "tunnel", "lingering", "closed")
# in place of a query, which may have secrets in it
_LEFT_OUT: Final = "?..."


def state_of(client: Admitted) -> str:
    """What a client's connection does: one of ``STATES``."""
    state = client.state
    if state is ClientState.OPEN:
        return "busy" if client.exchanges() else "idle"
    # Where a PROXY header has to come first, nothing has begun yet.
    return state.name.lower() if isinstance(state, ClientState) else "waiting"


def streams_of(client: Admitted) -> int | None:
    """How many streams it has of which there may be so many; None where the client does not speak HTTP/2."""
    # None but these have a session; who speaks no HTTP/2 has not imported what they are.
    session = getattr(client, "session", None)
    return session.active if session is not None else None


def connection_id(connections: Connections, connection: Any) -> str:
    """What a connection is called: its process, and the number that logs have of it."""
    return f"{os.getpid()}-{connections.facts(connection).number}"


def exchange_id(connection: str, exchange: Exchange) -> str:
    """What an exchange on a connection of this name is called: as no other on it, nor one that comes later."""
    began = exchange.started or 0.0
    return f"{connection}.{(int(began * 1e6) ^ id(exchange)) & 0xFFFFFF:06x}"


def phase_of(exchange: Exchange) -> str:
    """How far an exchange is."""
    return "tunnel" if exchange.tunnel is not None else exchange.phase.name.lower()


def told(listener: str, client: Admitted, connections: Connections) -> dict[str, object]:
    """A client's connection, with its exchanges."""
    connection = client.connection
    assert connection is not None
    name = connection_id(connections, connection)
    exchanges = client.exchanges()
    transport = client.transport
    peer = place_of(transport.getPeer())
    tls = connections.facts(connection).tls.version
    return {
        "id": name,
        "listener": listener,
        "client": connection.peer_ip,
        "peer": peer.decode("utf-8", "replace") if peer is not None else None,
        "tls": tls.decode("ascii") if tls is not None else None,
        "streams": streams_of(client),
        "state": state_of(client),
        "exchanges": [_exchange(name, exchange) for exchange in exchanges],
    }


def _exchange(connection: str, exchange: Exchange) -> dict[str, object]:
    request, context, tunnel, age = exchange.request, exchange.context, exchange.tunnel, exchange.age
    downstream: Any = exchange.downstream
    return {
        "id": exchange_id(connection, exchange),
        "stream": getattr(downstream, "id", None),
        "client": context.client_ip,
        "user": context.user,
        "method": request.method.decode("latin-1") or None,
        "url": url_of(request, context.scheme),
        "route": context.rule or None,
        "phase": phase_of(exchange),
        **_upstream(exchange),
        "age": round(age, 3) if age is not None else None,
        "status": exchange.status or None,
        "received": tunnel.received if tunnel is not None else exchange.received,
        "sent": tunnel.sent if tunnel is not None else exchange.sent,
    }


def _upstream(exchange: Exchange) -> dict[str, object]:
    attempt: Any = exchange.plan.attempt if exchange.plan is not None else None
    if isinstance(attempt, PoolAttempt):
        pool = attempt.upstream.pool
        return {"pool": pool.name if isinstance(pool, Pool) else None, "upstream": attempt.upstream.name}
    return {"pool": None, "upstream": str(attempt.address) if attempt is not None else None}


def url_of(request: RequestHead, scheme: str) -> str | None:
    """What was asked for, without its query; of CONNECT and of raw streams where to."""
    authority = request.authority.decode("latin-1")
    if request.method in (b"CONNECT", b""):
        # What could not be read as a request has no method, and who knows what in it.
        return authority or None
    path, mark, _ = request.path.decode("latin-1").partition("?")
    return f"{request.scheme.decode('latin-1') if request.scheme is not None else scheme}://{authority}{path}" + (
        _LEFT_OUT if mark else ""
    )
