"""Making connections: TCP (happy eyeballs by Twisted's endpoint), UNIX sockets, and TLS above either."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any, Final

import attrs
from OpenSSL import SSL
from service_identity import VerificationError
from twisted.internet import endpoints, error
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.python.failure import Failure
from zope.interface import implementer

from txproxy.errors import (
    ConnectionRefused,
    ConnectTimeout,
    DialError,
    DnsError,
    ExchangeError,
    OutOfSockets,
    ParentError,
    TlsError,
)
from txproxy.interfaces.address import Address
from txproxy.interfaces.dialers import IDialer
from txproxy.matching.hosts import is_literal
from txproxy.net.dns.host_endpoint import NameEndpoint
from txproxy.net.dns.name_servers import OUT_OF_SOCKETS
from txproxy.net.dns.resolver import Resolver
from txproxy.net.in_process import connect_local
from txproxy.net.transports.turn_writes import write_function
from txproxy.net.transports.unread import read_waiting
from txproxy.net.via_proxy import ThroughEndpoint, parent_error, spoke_early

# What this machine has run out of, whoever was to be connected to: descriptors, memory, local ports.
_OUT_OF: Final = OUT_OF_SOCKETS | {errno.EADDRNOTAVAIL}


@implementer(IDialer)
class Dialer:
    """Connects to whatever an address says. ``timeout`` in seconds covers name look-up and connecting. ``resolver`` is
    one of its own if None.
    """

    def __init__(self, reactor: Any, timeout: float, resolver: Resolver | None = None) -> None:
        self._reactor = reactor
        self._timeout = timeout
        self._resolver = resolver or Resolver(reactor)

    def dial(self, address: Address, build: Callable[[], IProtocol]) -> Deferred[IProtocol]:
        """See :class:`txproxy.interfaces.IDialer`."""
        if address.local is not None:
            return connect_local(self._reactor, address.local, build)
        if address.through is not None:
            return connect_through(address, build, self._reactor, self._timeout, self._resolver)
        return connect(self.endpoint(address), address, build, self._reactor, self._timeout)

    def endpoint(self, address: Address) -> IStreamClientEndpoint:
        """The endpoint for ``address``, without TLS."""
        return plain_endpoint(self._reactor, address, self._timeout, self._resolver)


def plain_endpoint(
    reactor: Any, address: Address, timeout: float, resolver: Resolver, bind: str = ""
) -> IStreamClientEndpoint:
    """A client endpoint without TLS for ``address``, from its local address or ``bind``."""
    endpoint: IStreamClientEndpoint
    host, port, bind = address.host, address.port, bind or address.bind
    local = (bind, 0) if bind else None
    if address.path:
        endpoint = endpoints.UNIXClientEndpoint(reactor, address.path, timeout=timeout)
    elif is_literal(host):
        kind = endpoints.TCP6ClientEndpoint if ":" in host else endpoints.TCP4ClientEndpoint
        endpoint = kind(reactor, host, port, timeout=timeout, bindAddress=local)
    else:
        endpoint = NameEndpoint(reactor, resolver, host, port, timeout, local)
    return endpoint


def connect_through(
    address: Address, build: Callable[[], IProtocol], reactor: Any, timeout: float, resolver: Resolver
) -> Deferred[IProtocol]:
    """Connect to the proxy on the way to ``address``, and by its help beyond it if there is a host; what the proxy does
    not do is a ``ParentError``. It has ``timeout`` to be connected to, and as much again to answer.
    """
    hop = address.through
    assert hop is not None
    endpoint = plain_endpoint(reactor, hop.address, timeout, resolver, address.bind)
    if address.host:
        endpoint = ThroughEndpoint(endpoint, address, reactor, timeout, dial_error)
        return connect(endpoint, address, build, reactor, timeout)

    def reached(protocol: IProtocol) -> IProtocol:
        transport: Any = protocol.transport  # type: ignore[attr-defined]
        read_waiting(transport)
        if getattr(protocol, "spoken_to", False):
            transport.abortConnection()
            raise spoke_early(address)
        hop.reached()
        return protocol

    def failed(failure: Failure) -> Failure:
        if not isinstance(failure.value, ExchangeError):
            return failure
        fault = parent_error(failure.value)
        if isinstance(fault, ParentError):
            hop.failed(fault)
        return Failure(fault)

    beside = attrs.evolve(address, tls=hop.address.tls, bind=address.bind or hop.address.bind)
    return connect(endpoint, beside, build, reactor, timeout).addCallbacks(reached, failed)


def connect(
    endpoint: IStreamClientEndpoint, address: Address, build: Callable[[], IProtocol], reactor: Any, timeout: float
) -> Deferred[IProtocol]:
    """Connect by ``endpoint``, with TLS if ``address`` says so; failures become ``DialError``."""
    preface = address.preface
    if address.tls is None:
        connecting: Deferred[Any] = endpoint.connect(_Factory(build))
        if preface:
            connecting.addCallback(_begin_with, preface)
    else:
        handshake = _Handshake(build)
        if preface:
            endpoint = _PrefaceEndpoint(endpoint, preface)
        wrapped = endpoints.wrapClientTLS(address.tls, endpoint)
        connecting = wrapped.connect(_Factory(handshake.build_protocol))
        connecting.addCallback(lambda _: handshake.done(reactor, timeout))
    connecting.addErrback(_convert, address)
    return connecting


def _begin_with(protocol: Any, preface: bytes) -> Any:
    """Write ``preface`` to a connection that was just made, on which nobody has written."""
    transport = protocol.transport
    write_function(transport)(transport, preface)
    return protocol


@implementer(IStreamClientEndpoint)
class _PrefaceEndpoint:
    """Writes ``preface`` to each connection before TLS does."""

    def __init__(self, endpoint: IStreamClientEndpoint, preface: bytes) -> None:
        self._endpoint = endpoint
        self._preface = preface

    def connect(self, protocolFactory: Any) -> Deferred[IProtocol]:
        connecting: Deferred[IProtocol] = self._endpoint.connect(_PrefaceFactory(protocolFactory, self._preface))
        return connecting


@implementer(IProtocolFactory)
class _PrefaceFactory:
    def __init__(self, factory: Any, preface: bytes) -> None:
        self._factory = factory
        self._preface = preface

    def buildProtocol(self, addr: object) -> Any:
        protocol = self._factory.buildProtocol(addr)
        make_connection = protocol.makeConnection

        def begin(transport: Any) -> None:
            # TLS greets within its makeConnection, so there is no later moment; and a wrapper would stay.
            transport.write(self._preface)
            make_connection(transport)

        protocol.makeConnection = begin
        return protocol

    def doStart(self) -> None:
        self._factory.doStart()

    def doStop(self) -> None:
        self._factory.doStop()


@implementer(IProtocolFactory)
class _Factory:
    """What an endpoint wants in order to make one protocol."""

    def __init__(self, build: Callable[[], IProtocol]) -> None:
        self._build = build

    def buildProtocol(self, addr: object) -> IProtocol:
        return self._build()

    def doStart(self) -> None:
        """Nothing to start."""

    def doStop(self) -> None:
        """Nothing to stop."""


class _Handshake:
    """Waits until the TLS handshake of one connection is over; before that, nothing was sent to anybody."""

    def __init__(self, build: Callable[[], IProtocol]) -> None:
        self._build = build
        self._protocol: Any = None
        self._done: Deferred[Any] = Deferred(lambda _: self._protocol.transport.abortConnection())

    def build_protocol(self) -> IProtocol:
        self._protocol = protocol = self._build()
        protocol.handshake_done = self._finished  # type: ignore[attr-defined]
        return protocol

    def _finished(self, failure: Failure | None) -> None:
        self._protocol.handshake_done = None
        if self._done.called:
            return  # given up on, and now the connection is gone for it
        if failure is None:
            self._done.callback(self._protocol)
        else:
            self._done.errback(failure)

    def done(self, reactor: Any, timeout: float) -> Deferred[Any]:
        return self._done.addTimeout(timeout, reactor) if not self._done.called else self._done


def _convert(failure: Failure, address: Address) -> Failure:
    """The one boundary at which other people's connection errors become ours."""
    value = failure.value
    if isinstance(value, (ExchangeError, CancelledError)):
        return failure
    return Failure(dial_error(value, address))


def dial_error(value: BaseException | None, address: Address) -> ExchangeError:
    """Our error for one of Twisted's or OpenSSL's."""
    if isinstance(value, (error.TimeoutError, error.TCPTimedOutError, TimeoutError)):
        return ConnectTimeout(f"connecting to {address} took too long")
    if isinstance(value, error.ConnectionRefusedError):
        return ConnectionRefused(f"{address} refused the connection")
    if isinstance(value, error.DNSLookupError):
        return DnsError(f"{address.host} was not found")
    if isinstance(value, VerificationError):
        return TlsError(f"the certificate of {address} is not for this name", error="tls_certificate_error")
    if isinstance(value, error.NoRouteError):
        return DialError(f"there is no way to {address}", error="destination_ip_unroutable")
    if isinstance(value, error.ConnectError) and value.osError in _OUT_OF and not address.bind:
        return OutOfSockets(f"there was no socket left to connect to {address}")
    if isinstance(value, error.ConnectBindError):
        return DialError(f"{address} cannot be connected to from {address.bind}")
    if isinstance(value, SSL.Error):
        reasons = [entry[2] for entry in value.args[0]] if value.args and isinstance(value.args[0], list) else []
        alert = next((reason for reason in reasons if " alert " in reason), None)
        if alert is not None:
            # It is our certificate that it does not like, or something else about us.
            return TlsError(f"{address} refused the TLS handshake: {alert}", error="tls_alert_received")
        if any("certificate" in reason for reason in reasons):
            return TlsError(f"the certificate of {address} is not trusted", error="tls_certificate_error")
        if "wrong version number" in reasons:
            reasons = ["what it answers is no TLS"]
        return TlsError(": ".join([f"the TLS handshake with {address} failed", *reasons[:1]]))
    return DialError(f"{address} could not be reached")
