"""Who serves a client connection: the factory that it belongs to, and another one once that has taken it over.

At a reload the listener of a connection may get another factory. A connection on which nothing runs goes there at once,
one with a request when that has ended, so that the old factory can go and no connection is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from OpenSSL import SSL

from txproxy.interfaces.connection import ClientConnection
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.middleware import Handler
from txproxy.net.deadlines import TimeLimit
from txproxy.proxy.downstream.admission import Admission
from txproxy.proxy.downstream.client_states import ClientState
from txproxy.proxy.services import Services
from txproxy.proxy.upstream.connection_binding import close_all
from txproxy.wire.message import RequestHead


class ServingFactory(Protocol):
    """The factory that a client connection belongs to, as far as that needs it: ``handle`` says what becomes of
    its requests, ``services`` is what it shares with others.
    """

    services: Services
    handle: Handler
    admission: Admission[Any]
    # in place of which, as long as it is ``handle``, the plan may stand that a connection has for requests like one
    # before (see txproxy.proxy.exchanges.standing_exchange): what a mode with ``stands`` says, if nobody else has a say
    standing_for: Handler | None
    # whether ``context.repeats`` holds for all that ``handle`` decides (see txproxy.interfaces.RequestContext)
    repeats: bool
    # whether each request is the last one of its connection
    draining: bool
    # for how long a client may be silent before its first request, and between two
    first_limit: TimeLimit
    rest_limit: TimeLimit
    # for these see txproxy.proxy.factory.ProxyFactory
    protocols: frozenset[str]
    tls_context: SSL.Context | Callable[[], SSL.Context] | None
    login: Callable[[bytes, bytes, RequestContext], Any] | None
    # whether clients may speak HTTP/2: where they have agreed on it by ALPN, and in the plain without being asked
    http2: bool
    h2c: bool
    # whether they ask it for what is elsewhere, and name that
    proxied: bool


class RequestReader(Protocol):
    """What reads the requests of a connection."""

    def receive(self, data: bytes) -> None:
        """Take bytes from the client."""

    @property
    def buffered(self) -> int:
        """How many bytes wait to be read."""

    @property
    def started(self) -> bool:
        """Whether anything of a request has come."""

    @property
    def at_end(self) -> bool:
        """Whether no request is being read, and nothing has come of another."""

    def take_buffered(self) -> bytes:
        """Read no more requests: what has come and was not read."""

    def unread_head(self) -> RequestHead:
        """For logs: what there is of a request that cannot be read."""


class ServedBy:
    """Which ``factory`` serves the connections of a listener just now; None if none does that they could go to."""

    __slots__ = ("factory",)

    def __init__(self, factory: ServingFactory | None) -> None:
        self.factory = factory


class Client(Protocol):
    """A client connection, whatever it speaks. ``served_by`` knows who serves its listener now, if that may change."""

    transport: Any
    factory: ServingFactory
    connection: ClientConnection
    deadline: float
    state: ClientState
    served_by: ServedBy | None

    def can_follow(self, factory: ServingFactory) -> bool:
        """Whether ``factory`` can serve this connection as it is."""

    def belong_to(self, factory: ServingFactory) -> None:
        """Be this one's from now on."""

    def admitted(self) -> None:
        """There is room for this connection now."""

    def deadline_passed(self) -> None:
        """The deadline is over. It must be moved, or the connection closed."""

    def drain(self) -> None:
        """Finish what runs, then leave."""

    def retire(self) -> bool:
        """Another factory serves the listener from now on: go there when nothing runs, or leave after that; whether it
        has gone at once.
        """

    def give(self) -> Any:
        """See :class:`txproxy.proxy.downstream.admission.Admitted`."""

    def abort(self) -> None:
        """Close at once, whatever is under way."""

    def exchanges(self) -> list[Any]:
        """See :class:`txproxy.proxy.downstream.admission.Admitted`."""

    def turn_away(self) -> None:
        """It is not let in: close, and tell nobody."""


def follow(client: Client) -> bool:
    """Let ``client`` be that of who serves its listener now, if there is somebody who can take the connection over;
    whether it is.
    """
    before, factory = client.factory, client.served_by.factory if client.served_by is not None else None
    if factory is None or factory is before or not client.can_follow(factory):
        return False
    # What is known of the client was known to the other.
    connection = client.connection.anew()
    if client.state is not ClientState.WAITING and not factory.admission.welcomes(connection, moves=True):
        return False
    before.services.turn_writes.flush()
    before.services.deadlines.forget(client)
    before.admission.left(client)
    if client.connection.connections is not None:
        close_all(client.connection.connections)
    client.connection = connection
    client.belong_to(factory)
    factory.services.deadlines.watch(client)
    if client.state is not ClientState.WAITING:
        factory.admission.take_over(client)
    elif factory.admission.admit(client):
        client.admitted()
    return True
