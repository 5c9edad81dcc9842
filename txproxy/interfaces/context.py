"""What is known of one request beside its head."""

from __future__ import annotations

from typing import Any, Final

from txproxy.interfaces.connection import ClientConnection

_NO_GROUPS: Final[frozenset[str]] = frozenset()


class RequestContext:
    """What is known of one request: who has sent it, and what policy said of it. Each request has its own, so that
    several of one connection may be on their way at once.

    ``connection`` is the one that it has come on. ``client_ip`` is the believed address of the client, and ``scheme``
    how that speaks, to the proxy or to a trusted one before it; ``lines`` are the field lines that tell upstreams of
    the client (None: what the connection says). ``user`` is the name of who is known to have sent it, or None, and
    ``groups`` the groups of that user. ``verdict`` is what policy said, if any was asked, for logs.
    """

    # Most requests have the values that stand here: they cost nothing.
    lines: tuple[bytes, ...] | None = None
    user: str | None = None
    groups: frozenset[str] = _NO_GROUPS
    verdict: Any = None

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.client_ip = connection.peer_ip
        self.scheme = connection.peer_scheme

    # What the connection says, for those who are asked about a request.

    @property
    def peer_ip(self) -> str:
        """The address of the connection's peer."""
        return self.connection.peer_ip

    @property
    def peer_scheme(self) -> str:
        """How that speaks."""
        return self.connection.peer_scheme

    @property
    def transport(self) -> Any:
        """The connection's, or None."""
        return self.connection.transport

    @property
    def certificate(self) -> Any:
        """The verified one that the peer has shown, or None."""
        return self.connection.certificate

    def on(self, connection: ClientConnection) -> RequestContext:
        """The same of a request that is made in the course of this one, as of another ``connection``."""
        other = RequestContext(connection)
        other.__dict__.update(self.__dict__, connection=connection)
        return other
