"""Which addresses may be reached through a forward proxy.

Decided on the resolved addresses, and those very ones are dialled: between a check on a name and a second look-up of it
the name may come to mean another machine (DNS rebinding).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from typing import Any, Final

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IProtocol
from zope.interface import implementer

from txproxy.errors import ConfigError, DestinationProhibited, DialError
from txproxy.interfaces.address import Address
from txproxy.interfaces.dialers import IClientDialer
from txproxy.matching.hosts import HostPattern, HostPatterns, is_literal, normal_host
from txproxy.matching.networks import Network, Networks, embedded, network, read_address
from txproxy.net.dialing import connect, connect_through, plain_endpoint
from txproxy.net.dns.host_endpoint import Found, endpoint_to, place, resolve
from txproxy.net.dns.resolver import Resolver

# RFC 6890 and the registries of special-purpose addresses after it: what is not the public internet. 169.254.169.254,
# 100.100.100.200, 192.0.0.192 and fd00:ec2::254 (metadata services) are in it.
_PROHIBITED: Final = Networks(
    (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/128",
        "::1/128",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",
        "2001:db8::/32",
        "3fff::/20",
        "5f00::/16",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
        # A metadata service (Azure's) at an address that looks public, and is not routed between networks.
        "168.63.129.16/32",
    )
)
# Who connects to these reaches this machine.
_UNSPECIFIED: Final = (ipaddress.IPv4Address(0), ipaddress.IPv6Address(0))


class Destinations:
    """Which addresses are open: all public ones, and those that ``allow`` names (CIDRs, addresses, host names).

    ``closed`` is an address of this machine with a port, which nobody reaches through the proxy whatever is allowed:
    who is let in there is let in because he is on this machine, as each client is that the proxy connects for.
    """

    def __init__(self, allow: Iterable[str] = (), closed: tuple[str, int] | None = None) -> None:
        networks: list[Network] = []
        names: list[HostPattern] = []
        for text in allow:
            try:
                networks.append(network(text))
            except ConfigError as no_network:
                if "/" in text and "://" not in text:
                    raise no_network.or_else("a host pattern such as example.com") from None
                try:
                    names.append(HostPattern.parse(text))
                except ConfigError as fault:
                    raise fault.or_else("a network such as 10.0.0.0/8 or fd00::/8") from None
        self._allowed = Networks(networks)
        self._names = HostPatterns(names)
        self._closed = closed
        self._closed_addresses = frozenset({read_address(closed[0]), *_UNSPECIFIED} if closed is not None else ())

    def check(self, host: str, addresses: Iterable[str], port: int = 0) -> None:
        """``DestinationProhibited`` unless each address that ``host`` has may be reached, at this ``port`` (0 for any
        that is not closed).
        """
        if self._closed is not None and port == self._closed[1]:
            addresses = tuple(addresses)
            if any(not self._closed_addresses.isdisjoint(embedded(read_address(text))) for text in addresses):
                raise DestinationProhibited(f"{host} at port {port} is the proxy's own admin endpoint")
        if host in self._names:
            return
        for text in addresses:
            for address in embedded(read_address(text)):
                if _PROHIBITED.has(address) and not self._allowed.has(address):
                    raise DestinationProhibited(f"{host} is at {text}, which may not be reached through this proxy")

    def check_named(self, host: str, port: int = 0) -> None:
        """``DestinationProhibited`` if ``host`` is an address, in any spelling, that may not be reached. What names
        stand for is not known here, but for localhost (RFC 6761 section 6.3).
        """
        name = normal_host(host)
        if is_literal(name):
            self.check(name, [name], port)
        elif name == "localhost" or name.endswith(".localhost"):
            self.check(name, ["127.0.0.1"], port)


@implementer(IClientDialer)
class GuardedDialer:
    """Resolves, checks, and dials what was checked. ``timeout`` in seconds covers it all; ``resolver`` is one of its
    own if None.

    A proxy on the way is not judged: an administrator has named it. Names beyond it are its own to look up.
    """

    def __init__(
        self, reactor: Any, destinations: Destinations, timeout: float, resolver: Resolver | None = None
    ) -> None:
        self._reactor = reactor
        self._destinations = destinations
        self._timeout = timeout
        self._resolver = resolver or Resolver(reactor)

    def dial(self, address: Address, build: Callable[[], IProtocol]) -> Deferred[IProtocol]:
        """See :class:`txproxy.interfaces.IDialer`."""
        return self.dial_for("", address, build)

    def dial_for(self, client_ip: str, address: Address, build: Callable[[], IProtocol]) -> Deferred[IProtocol]:
        """See :class:`txproxy.interfaces.IClientDialer`."""
        host = address.host
        if address.through is not None:
            try:
                self._destinations.check_named(host)
            except DestinationProhibited:
                return fail()
            return connect_through(address, build, self._reactor, self._timeout, self._resolver)
        if is_literal(host):
            try:
                self._destinations.check(host, [host], address.port)
            except DestinationProhibited:
                return fail()
            return self._connect(plain_endpoint(self._reactor, address, self._timeout, self._resolver), address, build)
        began = self._reactor.seconds()
        if address.pinned:
            # Judged by these, and dialled at these: a second look-up might find others.
            pinned = [place(text, address.port) for text in address.pinned]
            return succeed(pinned).addCallback(self._resolved, address, build, began)
        resolving: Deferred[Any] = resolve(self._resolver, self._reactor, host, address.port, self._timeout, client_ip)
        return resolving.addCallback(self._resolved, address, build, began)

    def _resolved(
        self, found: list[Found], address: Address, build: Callable[[], IProtocol], began: float
    ) -> Deferred[IProtocol]:
        self._destinations.check(address.host, [entry.host for entry in found], address.port)
        if address.bind:
            # From an address of one kind, those of the other cannot be reached.
            found = [entry for entry in found if (":" in entry.host) is (":" in address.bind)]
            if not found:
                raise DialError(f"{address.host} has no address that can be reached from {address.bind}")
        left = max(0.1, self._timeout - (self._reactor.seconds() - began))
        local = (address.bind, 0) if address.bind else None
        return self._connect(endpoint_to(self._reactor, found, address.port, left, local), address, build)

    def _connect(self, endpoint: Any, address: Address, build: Callable[[], IProtocol]) -> Deferred[IProtocol]:
        return connect(endpoint, address, build, self._reactor, self._timeout)
