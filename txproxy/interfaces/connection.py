"""The connections on which requests come."""

from __future__ import annotations

from typing import Any

from zope.interface import Interface

from txproxy.interfaces.answers import Refusal


class ClientConnection:
    """One client's connection. No request changes what it says.

    ``peer_ip`` is the socket's address (``unix:`` for a UNIX socket), and ``peer_scheme`` how the peer speaks, ``http``
    or ``https``. ``transport`` is there for those who need its ports or its TLS, or None; ``certificate`` is the
    verified one that the peer has shown, or None. ``connections`` are the idle upstream connections that are this
    connection's alone (see :mod:`txproxy.proxy.upstream.connection_binding`), or None. ``memo`` is a mode's own: what
    it remembers from one request to the next, so that it need not find it out again. ``refusal`` is what an
    :class:`IConnectionFilter` may set while it admits the connection: the first request gets this answer and is the
    last, whatever it is; where no requests are read, the connection is closed. ``facts`` is what logs have found out
    about it, once one of them wants to know, and ``debts`` what limits of requests have. ``standing`` is what a mode
    does with each request that is like one before, where it has found out that this will be the same
    (:class:`txproxy.interfaces.plan.StandingPlan`); None if there is no such.
    """

    __slots__ = (
        "peer_ip", "peer_scheme", "transport", "certificate", "connections", "memo", "refusal", "facts", "debts",
        "standing",
    )  # fmt: skip

    def __init__(self, peer_ip: str, peer_scheme: str = "http") -> None:
        self.peer_ip = peer_ip
        self.peer_scheme = peer_scheme
        self.transport: Any = None
        self.certificate: Any = None
        self.connections: Any = None
        self.memo: Any = None
        self.refusal: Refusal | None = None
        self.facts: Any = None
        self.debts: Any = None
        self.standing: Any = None

    def anew(self) -> ClientConnection:
        """The same connection, of which a mode knows nothing yet, and that has no upstream connections of its own."""
        other = ClientConnection(self.peer_ip, self.peer_scheme)
        other.transport, other.certificate = self.transport, self.certificate
        return other


class IConnectionFilter(Interface):
    """Says who may connect, before anything is read: of the PROXY protocol the header alone, and of TLS nothing, where
    the listener has a socket of its own.
    """

    def admit(connection: ClientConnection) -> bool:
        """Whether this client may be there. If not, it is closed at once, and nobody else hears of it."""

    def closed(connection: ClientConnection) -> None:
        """One that was admitted is gone: called once for each of them."""
