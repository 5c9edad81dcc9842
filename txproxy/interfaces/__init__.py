"""What embedders may implement, and the small values that pass through these seams."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any, Final, Protocol, TypeAlias

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IProtocol
from zope.interface import Interface

from txproxy.errors import ExchangeError
from txproxy.wire.message import RequestHead, ResponseHead

# The greatest weight of an upstream or a parent, and so the range of all of them (SRV has up to 65535, HAProxy 256).
MOST_WEIGHT: Final = 1_000_000


@attrs.frozen
class Address:
    """Where an upstream or origin is reached: ``host`` (name or literal, no brackets) and ``port``, or a UNIX socket's
    ``path``; ``tls`` makes the TLS connection, or is None for plain TCP. ``preface`` is written before all else, TLS
    included: the header of the PROXY protocol, which makes the connection one client's. ``local`` is a server within
    this process (an ``IProtocolFactory``), and ``host`` then no more than its name. ``bind`` is the local address to
    connect from. ``tolerate`` is what it may do wrong in responses (``bare-lf``). ``through`` is a proxy that leads
    there; without a ``host``, the proxy itself is meant. ``pinned`` are the IP addresses of ``host`` that were looked
    up already: these alone are dialled. Addresses with the same ``key`` share kept-alive connections.
    """

    host: str = ""
    port: int = 0
    path: str = ""
    tls: IOpenSSLClientConnectionCreator | None = attrs.field(default=None, eq=False)
    server_name: str = ""
    preface: bytes = attrs.field(default=b"", eq=False, repr=False)
    local: Any = attrs.field(default=None, eq=False, repr=False)
    bind: str = ""
    tolerate: frozenset[str] = frozenset()
    through: Hop | None = None
    pinned: tuple[str, ...] = ()
    key: str = attrs.field(init=False, eq=False, repr=False)

    @key.default
    def _make_key(self) -> str:
        key = str(self)
        if self.tls is not None:
            # What was verified in one way must not serve who wants another.
            key += f" {self.server_name} {getattr(self.tls, 'identity', id(self.tls))}"
        if self.pinned:
            # Not their order, in which name servers go round.
            key += f" at {' '.join(sorted(self.pinned))}"
        if self.preface:
            key += f" {self.preface.hex()}"
        if self.bind:
            key += f" from {self.bind}"
        if self.tolerate:
            key += f" with {' '.join(sorted(self.tolerate))}"
        return f"{key} by {self.through.key}" if self.through is not None else key

    def __str__(self) -> str:
        if self.local is not None:
            return f"local:{self.host}"
        if self.path:
            return f"unix:{self.path}"
        if self.through is not None and not self.host:
            return str(self.through)
        where = f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
        return f"{where} through {self.through}" if self.through is not None else where


class Opening(Protocol):
    """What is said on a connection to a proxy so that it leads on from there: CONNECT, or a handshake of SOCKS.

    ``take_output()`` is to be sent at once, and after each ``receive``.
    """

    @property
    def open(self) -> bool:
        """Whether all further bytes are the tunnel's."""

    def receive(self, data: bytes) -> None:
        """Bytes from the proxy. May raise a ``DialError`` that says why it does not lead on."""

    def take_output(self) -> bytes:
        """Bytes for the proxy."""

    def take_buffered(self) -> bytes:
        """Bytes of the tunnel that came early."""


class Hop(Protocol):
    """A proxy on the way to an address. As text it is its name, in which there are no credentials."""

    @property
    def address(self) -> Address:
        """Where it is itself. An administrator has named it, so that it may be anywhere."""

    @property
    def key(self) -> str:
        """Tells it from others at the same place that are asked in other words."""

    def opening(self, host: str, port: int) -> Opening:
        """What leads on to ``host`` and ``port``; ``ValueError`` if it has no words for them."""

    def reached(self) -> None:
        """It was connected to."""

    def served(self) -> None:
        """It has led on, or said that the destination cannot be had."""

    def failed(self, fault: ExchangeError) -> None:
        """It could not be connected to, or has not done its part."""


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


class Party(Protocol):
    """The upstream of an attempt, which learns how that went."""

    def ended(self, fault: ExchangeError | None, status: int) -> None:
        """The attempt is over: told once. ``fault`` is None if all went well, or the client left; ``status`` is that of
        the final response, 0 if none came.
        """


class Uploading(Protocol):
    """An exchange whose body comes slowly."""

    @property
    def body_late(self) -> bool:
        """Whether not even the first part of it is there, and the response has not begun."""

    def abandon(self, fault: ExchangeError) -> None:
        """See :class:`Metered`."""


class Shadow(Protocol):
    """Who gets a copy of a request's body."""

    def body(self, data: bytes) -> None:
        """Part of it."""

    def end(self) -> None:
        """It is complete."""

    def cut(self) -> None:
        """No more of it will come."""


class Allowance(Protocol):
    """How much may pass in one direction of an exchange or tunnel."""

    def take(self, size: int) -> int:
        """How many of ``size`` bytes may pass now. If not all of them, ``more`` (see :class:`Shaper`) is called when
        it is worth asking again.
        """

    def close(self) -> None:
        """Nothing more will pass."""


class Shaper(Protocol):
    """Bounds how fast bytes pass. What shares a bound has its own allowance of it; ``more`` is called without
    arguments.
    """

    def up(self, more: Callable[[], None]) -> Allowance:
        """An allowance for bytes from the client."""

    def down(self, more: Callable[[], None]) -> Allowance:
        """An allowance for bytes to the client."""


class Metered(Protocol):
    """An exchange, for who counts its bytes."""

    def carried(self) -> int:
        """Bytes of bodies, or of the tunnel that it became, both ways and up to now."""

    def abandon(self, fault: ExchangeError) -> None:
        """End it now, whatever it is doing: by a refusal, or by cutting what has begun."""


class Meter(Protocol):
    """Counts the bytes of exchanges. Each that began ends."""

    def began(self, exchange: Metered) -> None:
        """Bytes may pass from now on."""

    def ended(self, exchange: Metered) -> None:
        """No more will."""


@attrs.frozen(kw_only=True)
class Bounds:
    """What an exchange, or the tunnel that it becomes, may use: ``shaper`` bounds its speed, ``meter`` counts its
    bytes, and ``tunnel_age`` and ``tunnel_timeout`` are in seconds, in place of the proxy's own. None: not bounded.
    """

    shaper: Shaper | None = None
    meter: Meter | None = None
    tunnel_age: float | None = None
    tunnel_timeout: float | None = None


class Gatekeeper(Protocol):
    """Looks at what a client sends into a tunnel first, before any of it goes on. ``farewell`` is what a client that is
    turned away gets, in the protocol that it speaks there.
    """

    farewell: bytes

    def opens(self, data: bytes) -> bool:
        """Whether the tunnel may begin, given all that the client has sent so far; False if it takes more to tell. An
        ``ExchangeError`` ends the tunnel.
        """


@attrs.frozen
class OwnFields:
    """Names of fields that the proxy sets, removes or believes in requests and in responses, besides those of every
    message: lower-case, with ``-`` for ``_``. They pass in no trailer.
    """

    request: tuple[Container[bytes], ...] = ()
    response: tuple[Container[bytes], ...] = ()

    def and_(self, other: OwnFields) -> OwnFields:
        """Those of both."""
        return OwnFields(self.request + other.request, self.response + other.response)


class Plan:
    """What to do with a request: send ``head`` to ``address``. Without a ``head`` it is a tunnel (CONNECT).

    All else is optional, and set where it is needed:

    ``response_lines``: field lines to add to whatever the client gets, be it the response to this attempt or a later
    one, or a refusal; ``attempt_lines``: to the response to this attempt alone. ``map_back(plan, head, client,
    lines)``: gives the lines of a response to the client's ``head`` in place of ``lines``; asked only where a server
    may speak of its own address in them (:data:`txproxy.wire.headers.SERVER_NAMING`). ``rewrite``: makes of a
    response's head and end-to-end lines the lines that the client gets. ``party``: learns how the attempt went.
    ``answered``: called with the status when the head of the final response is there. An ``ExchangeError`` of
    ``answered`` or ``rewrite`` is what the client gets
    in place of the response. ``again(plan, fault, head, client)``: where to go after the attempt failed, as a decision;
    None to give up. It is asked only where another attempt is safe. ``response_timeout``, and ``tunnel_timeout`` of a
    tunnel without a byte: in seconds, in place of the proxy's. ``max_body``: of the request, in bytes. ``shadow``: gets
    a copy of the request's body. ``bounds``: what it may use; those of the first attempt hold for all.
    ``max_response``: of the response's body, in bytes; what is longer is cut. ``gate``: of a tunnel (CONNECT).
    ``cuts``: how often the request was cut off by the end of a connection, in this attempt and those before it.
    ``own_fields``: those that pass in no trailer. ``retake(plan, head, client, late)``: the attempt is to be made when
    the first part of the request's body is there (see :mod:`txproxy.proxy.early_body`); where that has not come at
    once, ``party`` is told that the attempt is over, and this gives the decision in its place; None if ``late`` and
    there is no room. ``lend(party, exchange)``: gives the party of an attempt that goes on without. ``upstream``,
    ``tried`` and ``retries`` are the mode's own: where this attempt goes, where others went before it, and how many of
    them were sent.
    """

    __slots__ = (
        "address", "head", "response_lines", "rewrite", "party", "answered", "again", "response_timeout", "max_body",
        "shadow", "bounds", "max_response", "gate", "cuts", "own_fields", "upstream", "tried", "retries",
        "tunnel_timeout", "map_back", "attempt_lines", "retake", "lend",
    )  # fmt: skip

    def __init__(self, address: Address, head: RequestHead | None, response_lines: tuple[bytes, ...] = ()) -> None:
        self.address = address
        self.head = head
        self.response_lines = response_lines
        self.attempt_lines: tuple[bytes, ...] = ()
        self.map_back: Callable[[Plan, RequestHead, Client, list[bytes]], list[bytes]] | None = None
        self.rewrite: Callable[[ResponseHead, list[bytes]], list[bytes]] | None = None
        self.party: Party | None = None
        self.answered: Callable[[int], None] | None = None
        self.again: Callable[[Plan, ExchangeError, RequestHead, Client], Decision | None] | None = None
        self.response_timeout: float | None = None
        self.tunnel_timeout: float | None = None
        self.max_body: int | None = None
        self.shadow: Shadow | None = None
        self.bounds: Bounds | None = None
        self.max_response: int | None = None
        self.gate: Gatekeeper | None = None
        self.cuts = 0
        self.own_fields: OwnFields | None = None
        self.retake: Callable[[Plan, RequestHead, Client, bool], Decision | None] | None = None
        self.lend: Callable[[Party, Uploading], Party] | None = None
        self.upstream: Any = None
        self.tried: tuple[Any, ...] = ()
        self.retries = 0


@attrs.frozen
class Answer:
    """A whole response of a mode's own making: ``status``, field lines (``b"Location: /new"``) and ``body``.

    Date and Content-Length are added.
    """

    status: int
    lines: tuple[bytes, ...] = ()
    body: bytes = b""


@attrs.frozen
class Refusal:
    """An answer of the proxy's own: ``status``, the RFC 9209 ``error`` type (empty for none), a ``detail`` for the log,
    and further field lines (``b"Allow: GET"``). ``sentence`` tells the client why, where status and error do not say
    it. ``page(html)`` gives content type and body in place of the proxy's own; it may show what it likes of the detail.
    """

    status: int
    error: str = ""
    detail: str = ""
    lines: tuple[bytes, ...] = ()
    page: Callable[[bool], tuple[bytes, bytes]] | None = attrs.field(default=None, eq=False, repr=False)
    sentence: str = attrs.field(default="", eq=False, repr=False)

    @classmethod
    def of(cls, error: ExchangeError) -> Refusal:
        """The refusal that tells a client of ``error``."""
        return cls(error.status, error.error, error.detail, page=error.page, sentence=error.sentence)


Decision: TypeAlias = "Plan | Refusal | Answer | Deferred[Plan | Refusal | Answer]"


class IMode(Interface):
    """Tells the machine where requests go. Forward and reverse are the two that txproxy has."""

    def plan(head: RequestHead, client: Client) -> Decision:
        """What to do with a request. A Deferred makes only this request wait; it is cancelled when the client leaves.

        May raise an ``ExchangeError``, which is answered as it says.
        """


class IDialer(Interface):
    """Makes connections."""

    def dial(address: Address, build: Callable[[], IProtocol]) -> Deferred[IProtocol]:
        """Connect a protocol from ``build`` to ``address``, TLS handshake included. Fails with a ``DialError``, or with
        ``RequestDenied`` where the address may not be reached.
        """


class IClientDialer(IDialer):
    """Makes connections to where clients want to go, and gives none of them more than a share of what that takes."""

    def dial_for(client_ip: str, address: Address, build: Callable[[], IProtocol]) -> Deferred[IProtocol]:
        """The same on behalf of a client."""
