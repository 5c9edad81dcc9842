"""Names to addresses, and to connections with one of those."""

from __future__ import annotations

from typing import Any, TypeAlias

from twisted.internet import endpoints
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import (
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
)
from zope.interface import implementer

from txproxy.errors import ConnectTimeout
from txproxy.net.dns.resolver import Resolver
from txproxy.net.happy_eyeballs import FirstOf

Found: TypeAlias = "IPv4Address | IPv6Address"


def addresses_of(
    resolver: Resolver, clock: IReactorTime, name: str, timeout: float, client_ip: str = ""
) -> tuple[str, ...] | Deferred[tuple[str, ...]]:
    """The addresses of ``name``, at least one. A Deferred fails with ``DnsError`` if there are none, and with
    ``ConnectTimeout`` if that is not known within ``timeout`` seconds. For ``client_ip`` see :class:`Resolver`.
    """
    found = resolver.find(name, client_ip)
    if isinstance(found, Deferred) and not found.called:
        found.addTimeout(timeout, clock, lambda _value, _timeout: _too_late(name))
    return found


def resolve(
    resolver: Resolver, clock: IReactorTime, name: str, port: int, timeout: float, client_ip: str = ""
) -> Deferred[list[Found]]:
    """The same, always later, and with a port."""
    found = addresses_of(resolver, clock, name, timeout, client_ip)
    waiting: Deferred[Any] = found if isinstance(found, Deferred) else succeed(found)
    return waiting.addCallback(lambda texts: [place(text, port) for text in texts])


def place(address: str, port: int) -> Found:
    """An IP address and a port."""
    return IPv6Address("TCP", address, port) if ":" in address else IPv4Address("TCP", address, port)


def _too_late(name: str) -> None:
    raise ConnectTimeout(f"looking up {name} took too long", error="dns_timeout")


def endpoint_to(
    reactor: Any, found: list[Found], port: int, timeout: float, local: tuple[str, int] | None = None
) -> IStreamClientEndpoint:
    """Connects to whichever of the addresses ``found`` answers first (RFC 8305), from ``local`` if that is given."""
    several = [_endpoint(reactor, one, port, timeout, local) for one in found]
    return several[0] if len(several) == 1 else FirstOf(reactor, several, timeout)


def _endpoint(
    reactor: Any, found: Found, port: int, timeout: float, local: tuple[str, int] | None
) -> IStreamClientEndpoint:
    kind = endpoints.TCP4ClientEndpoint if isinstance(found, IPv4Address) else endpoints.TCP6ClientEndpoint
    endpoint: IStreamClientEndpoint = kind(reactor, found.host, port, timeout=timeout, bindAddress=local)
    return endpoint


@implementer(IStreamClientEndpoint)
class NameEndpoint:
    """Resolves ``name``, and connects to what was found. ``timeout`` in seconds covers both."""

    def __init__(
        self,
        reactor: Any,
        resolver: Resolver,
        name: str,
        port: int,
        timeout: float,
        local: tuple[str, int] | None = None,
    ) -> None:
        self._reactor = reactor
        self._resolver = resolver
        self._name = name
        self._port = port
        self._timeout = timeout
        self._local = local

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """See ``twisted.internet.interfaces.IStreamClientEndpoint``."""
        reactor = self._reactor
        began = reactor.seconds()

        def found(addresses: list[Found]) -> Deferred[IProtocol]:
            left = max(0.1, self._timeout - (reactor.seconds() - began))
            connecting: Deferred[IProtocol] = endpoint_to(reactor, addresses, self._port, left, self._local).connect(
                protocolFactory
            )
            return connecting

        return resolve(self._resolver, reactor, self._name, self._port, self._timeout).addCallback(found)
