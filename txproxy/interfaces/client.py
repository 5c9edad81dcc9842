"""Who sends requests."""

from __future__ import annotations

from typing import Any, Final

_NO_GROUPS: Final[frozenset[str]] = frozenset()


class Client:
    """Who sent a request. ``peer_ip`` is the socket's (``unix:`` for a UNIX socket), ``client_ip`` the believed one;
    ``scheme`` is how the client speaks, to the proxy or to a trusted one before it, ``peer_scheme`` how the peer does.
    ``transport`` is its connection, for those who need its ports or its TLS, or None; ``certificate`` the verified one
    that it has shown, or None. ``connections`` are the idle upstream connections that are this client connection's
    alone (see :mod:`txproxy.proxy.upstream.connection_binding`), or None. ``lines`` are the field lines that tell
    upstreams of it (None: what ``peer_ip`` and ``peer_scheme`` say). ``notes`` is a mode's own, kept as long as the
    connection.

    Of the latest request alone: ``user`` is the name of who is known to have sent it, or None, ``groups`` the groups of
    that user, and ``verdict`` what policy said of it, if any was asked, for logs.
    """

    __slots__ = (
        "peer_ip", "client_ip", "scheme", "peer_scheme", "transport", "certificate", "user", "groups", "verdict",
        "lines", "notes", "connections",
    )  # fmt: skip

    def __init__(self, peer_ip: str, scheme: str = "http") -> None:
        self.peer_ip = peer_ip
        self.client_ip = peer_ip
        self.scheme = scheme
        self.peer_scheme = scheme
        self.transport: Any = None
        self.certificate: Any = None
        self.user: str | None = None
        self.groups: frozenset[str] = _NO_GROUPS
        self.verdict: Any = None
        self.lines: tuple[bytes, ...] | None = None
        self.notes: Any = None
        self.connections: Any = None

    def anew(self) -> Client:
        """The same connection, of which a mode knows nothing yet."""
        other = Client(self.peer_ip, self.peer_scheme)
        other.transport, other.certificate = self.transport, self.certificate
        return other

    def as_of_now(self) -> Client:
        """The same, for what outlives the request: the next one may be from somebody else."""
        other = Client(self.peer_ip, self.peer_scheme)
        for name in ("client_ip", "scheme", "transport", "certificate", "user", "groups", "verdict", "lines"):
            setattr(other, name, getattr(self, name))
        return other
