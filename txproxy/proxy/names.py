"""Names to addresses, and to connections with one of those."""

from __future__ import annotations

from typing import Any, TypeAlias

from twisted.internet import endpoints
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import (
    IHostnameResolver,
    IHostResolution,
    IProtocol,
    IProtocolFactory,
    IReactorPluggableNameResolver,
    IReactorTime,
    IResolutionReceiver,
    IStreamClientEndpoint,
)
from zope.interface import implementer

from txproxy.errors import ConnectTimeout, DnsError

Found: TypeAlias = "IPv4Address | IPv6Address"


def resolve(reactor: Any, name: str, port: int, timeout: float) -> Deferred[list[Found]]:
    """The addresses of ``name``, at least one, by the reactor's resolver; ``DnsError`` if there are none, and
    ``ConnectTimeout`` if that is not known within ``timeout`` seconds.
    """
    try:
        # The system's resolver is asked for it in this form, by a thread whose errors nobody hears.
        name.encode("idna")
    except UnicodeError:
        return fail(DnsError(f"{name} is no name that DNS can have"))
    receiver = _Receiver()
    reactor.nameResolver.resolveHostName(receiver, name, port)
    receiver.done.addTimeout(timeout, reactor, lambda _value, _timeout: _too_late(name))
    return receiver.done.addCallback(_at_least_one, name)


def _too_late(name: str) -> None:
    raise ConnectTimeout(f"looking up {name} took too long", error="dns_timeout")


def _at_least_one(found: list[Found], name: str) -> list[Found]:
    if not found:
        raise DnsError(f"{name} was not found")
    return found


def endpoint_to(
    reactor: Any, found: list[Found], port: int, timeout: float, local: tuple[str, int] | None = None
) -> IStreamClientEndpoint:
    """Connects to whichever of the addresses ``found`` answers first (RFC 8305), from ``local`` if that is given."""
    if len(found) > 1:
        # The endpoint is told no name of ours: it takes fewer than DNS does, of which underscores are common.
        several: IStreamClientEndpoint = endpoints.HostnameEndpoint(
            _PinnedReactor(reactor, found), "origin", port, timeout=timeout, bindAddress=local
        )
        return several
    kind = endpoints.TCP4ClientEndpoint if isinstance(found[0], IPv4Address) else endpoints.TCP6ClientEndpoint
    one: IStreamClientEndpoint = kind(reactor, found[0].host, port, timeout=timeout, bindAddress=local)
    return one


@implementer(IStreamClientEndpoint)
class NameEndpoint:
    """Resolves ``name``, and connects to what was found. ``timeout`` in seconds covers both."""

    def __init__(
        self, reactor: Any, name: str, port: int, timeout: float, local: tuple[str, int] | None = None
    ) -> None:
        self._reactor = reactor
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

        return resolve(reactor, self._name, self._port, self._timeout).addCallback(found)


@implementer(IResolutionReceiver)
class _Receiver:
    """Gathers the addresses of one name."""

    def __init__(self) -> None:
        self.found: list[Found] = []
        self.resolution: Any = None
        self.done: Deferred[list[Found]] = Deferred(self._cancel)

    def _cancel(self, _: object) -> None:
        if self.resolution is not None:
            try:
                self.resolution.cancel()
            except NotImplementedError:
                pass  # a look-up in a thread runs to its end; nobody listens to it any more

    def resolutionBegan(self, resolution: Any) -> None:
        self.resolution = resolution

    def addressResolved(self, address: Any) -> None:
        self.found.append(address)

    def resolutionComplete(self) -> None:
        if not self.done.called:
            self.done.callback(self.found)


@implementer(IHostResolution)
class _Resolution:
    """A look-up that is already answered."""

    def __init__(self, name: str) -> None:
        self.name = name

    def cancel(self) -> None:
        """Nothing to cancel."""


@implementer(IHostnameResolver)
class _Pinned:
    """Knows one answer."""

    def __init__(self, addresses: list[Found]) -> None:
        self._addresses = addresses

    def resolveHostName(
        self,
        receiver: Any,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Any = None,
        transportSemantics: str = "TCP",
    ) -> _Resolution:
        resolution = _Resolution(hostName)
        receiver.resolutionBegan(resolution)
        for address in self._addresses:
            receiver.addressResolved(type(address)("TCP", address.host, portNumber))
        receiver.resolutionComplete()
        return resolution


@implementer(IReactorPluggableNameResolver, IReactorTime)
class _PinnedReactor:
    """The reactor, as an endpoint sees it that is to dial these addresses and no others."""

    def __init__(self, reactor: Any, addresses: list[Found]) -> None:
        self._reactor = reactor
        self.nameResolver = _Pinned(addresses)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)
