"""Where upstreams and origins are reached, and by way of whom."""

from __future__ import annotations

from typing import Any, Protocol

import attrs
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator

from txproxy.errors import ExchangeError
from txproxy.frozen_values import frozen


@frozen
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
    protocols: tuple[str, ...] = ()
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
        if self.protocols:
            key += f" speaking {' '.join(self.protocols)}"
        if self.tolerate:
            key += f" with {' '.join(sorted(self.tolerate))}"
        return f"{key} by {self.through.key}" if self.through is not None else key

    def in_http1(self) -> Address:
        """The same where HTTP/1.1 alone is offered; itself if that cannot be, or is no other."""
        offering = getattr(self.tls, "offering", None) if "http/1.1" in self.protocols else None
        return self if offering is None else attrs.evolve(self, tls=offering("http/1.1"), protocols=())

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
