"""The connections on which requests come."""

from __future__ import annotations

from typing import Any


class ClientConnection:
    """One client's connection. No request changes what it says.

    ``peer_ip`` is the socket's address (``unix:`` for a UNIX socket), and ``peer_scheme`` how the peer speaks, ``http``
    or ``https``. ``transport`` is there for those who need its ports or its TLS, or None; ``certificate`` is the
    verified one that the peer has shown, or None. ``connections`` are the idle upstream connections that are this
    connection's alone (see :mod:`txproxy.proxy.upstream.connection_binding`), or None. ``memo`` is a mode's own: what
    it remembers from one request to the next, so that it need not find it out again.
    """

    __slots__ = ("peer_ip", "peer_scheme", "transport", "certificate", "connections", "memo")

    def __init__(self, peer_ip: str, peer_scheme: str = "http") -> None:
        self.peer_ip = peer_ip
        self.peer_scheme = peer_scheme
        self.transport: Any = None
        self.certificate: Any = None
        self.connections: Any = None
        self.memo: Any = None

    def anew(self) -> ClientConnection:
        """The same connection, of which a mode knows nothing yet, and that has no upstream connections of its own."""
        other = ClientConnection(self.peer_ip, self.peer_scheme)
        other.transport, other.certificate = self.transport, self.certificate
        return other
