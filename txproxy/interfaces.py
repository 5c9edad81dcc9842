"""What embedders may implement, and the small values that pass through these seams."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IProtocol
from zope.interface import Interface

from txproxy.errors import ExchangeError
from txproxy.wire.message import RequestHead


@attrs.frozen
class Address:
    """Where an upstream or origin is reached: ``host`` (name or literal, no brackets) and ``port``, or a UNIX socket's
    ``path``; ``tls`` makes the TLS connection, or is None for plain TCP. Addresses with the same ``key`` share
    kept-alive connections.
    """

    host: str = ""
    port: int = 0
    path: str = ""
    tls: IOpenSSLClientConnectionCreator | None = attrs.field(default=None, eq=False)
    server_name: str = ""
    key: str = attrs.field(init=False, eq=False, repr=False)

    @key.default
    def _make_key(self) -> str:
        return f"{self} {self.server_name}" if self.tls is not None else str(self)

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Client:
    """Who sent a request. ``peer_ip`` is the socket's (``unix:`` for a UNIX socket), ``client_ip`` the believed one;
    ``scheme`` is how the client speaks to the proxy. ``notes`` is a mode's own, kept as long as the connection.
    """

    __slots__ = ("peer_ip", "client_ip", "scheme", "notes")

    def __init__(self, peer_ip: str, scheme: str = "http") -> None:
        self.peer_ip = peer_ip
        self.client_ip = peer_ip
        self.scheme = scheme
        self.notes: Any = None


class Plan:
    """What to do with a request: send ``head`` to ``address``, and add ``response_lines`` to what comes back. Without a
    ``head`` the plan is a tunnel (CONNECT). ``tried`` names the addresses that could not be reached before this one.
    """

    __slots__ = ("address", "head", "response_lines", "tried")

    def __init__(
        self,
        address: Address,
        head: RequestHead | None,
        response_lines: tuple[bytes, ...] = (),
        tried: tuple[Address, ...] = (),
    ) -> None:
        self.address = address
        self.head = head
        self.response_lines = response_lines
        self.tried = tried


@attrs.frozen
class Refusal:
    """An answer of the proxy's own: ``status``, the RFC 9209 ``error`` type (empty for none), a sentence for the client
    and the log, and further field lines (``b"Allow: GET"``).
    """

    status: int
    error: str = ""
    detail: str = ""
    lines: tuple[bytes, ...] = ()

    @classmethod
    def of(cls, error: ExchangeError) -> Refusal:
        """The refusal that tells a client of ``error``."""
        return cls(error.status, error.error, error.detail)


Decision: TypeAlias = "Plan | Refusal | Deferred[Plan | Refusal]"


class IMode(Interface):
    """Tells the machine where requests go. Forward and reverse are the two that txproxy has."""

    def plan(head: RequestHead, client: Client) -> Decision:
        """What to do with a request. A Deferred makes only this request wait; it is cancelled when the client leaves.

        May raise an ``ExchangeError``, which is answered as it says.
        """

    def another(plan: Plan, error: ExchangeError) -> Plan | None:
        """Where to go after ``plan``'s address could not be reached, so that nothing was sent; None to give up."""


class IDialer(Interface):
    """Makes connections."""

    def dial(address: Address, build: Callable[[], IProtocol]) -> Deferred[IProtocol]:
        """Connect a protocol from ``build`` to ``address``, TLS handshake included. Fails with a ``DialError``, or with
        ``RequestDenied`` where the address may not be reached.
        """
