"""One request through what really serves a listener, with nobody connected to, looked up or asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import attrs
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IConsumer, IProtocol, IPushProducer, ITransport
from twisted.internet.task import Clock
from zope.interface import implementer

from txproxy.config.findings import told
from txproxy.config.model import AnyListener, Config, ForwardListener
from txproxy.config.own_code.making import try_to_make, without_code
from txproxy.config.preflight import preflight
from txproxy.errors import ConfigError, DestinationProhibited, Finding
from txproxy.forward.proxy_factory import ForwardProxyFactory
from txproxy.interfaces.address import Address
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.dialers import IDialer
from txproxy.interfaces.plan import Decision
from txproxy.interfaces.record import ExchangeRecord
from txproxy.interfaces.trace import Entry, Trace
from txproxy.net.dns.resolver import Addresses, Resolver
from txproxy.proxy.exchanges.early_body import MOMENT
from txproxy.proxy.exchanges.phases import GATHERING
from txproxy.proxy.factory import ProxyFactory
from txproxy.runtime.builder import Around, Observers, assemble
from txproxy.runtime.live.live_logs import LiveLogs
from txproxy.runtime.running import Running
from txproxy.wire.dns import Record
from txproxy.wire.message import RequestHead

_PORT: Final = 50000


@attrs.define
class DryRun:
    """What came of it: the ``entries`` of its trace; the addresses that were ``dialed``, and what was ``sent`` to the
    last of them; the names that were ``looked_up``; what the client ``received``, and the ``record`` of the exchange if
    it is over.
    """

    entries: tuple[Entry, ...]
    dialed: list[Address]
    looked_up: list[str]
    sent: bytes
    received: bytes
    record: ExchangeRecord | None


def rehearse(config: Config) -> None:
    """Do all that a start does, but for what changes something: nothing is listened on, opened to be written, or
    connected to. ``ConfigError`` with everything that is wrong.
    """
    faults: list[Finding] = []
    for step in (preflight, try_to_make, _try_to_build):
        try:
            step(config)
        except ConfigError as fault:
            faults += fault.findings
    if faults:
        raise told(ConfigError(faults), config)


def _try_to_build(config: Config) -> None:
    reactor = _StillReactor()
    # What is people's own is made by who says of each of it what is wrong.
    config = without_code(config)
    config = _noting_nothing(config, tuple(map(_silent, config.listeners)))
    # That spans can be sent was looked at.
    config = attrs.evolve(config, tracing=attrs.evolve(config.tracing, endpoint=None))
    try:
        Running(
            assemble(config, Observers(), Around(reactor, _SilentResolver(reactor))), LiveLogs(config, None)
        ).places()
    finally:
        reactor.stop()


def _silent(listener: AnyListener) -> AnyListener:
    """One that writes nothing down."""
    listener = attrs.evolve(listener, audit=None, access_log="none", access_log_format=None)
    if isinstance(listener, ForwardListener):
        listener = attrs.evolve(listener, policy=attrs.evolve(listener.policy, audit=None))
    return listener


def _noting_nothing(config: Config, listeners: tuple[AnyListener, ...]) -> Config:
    bounds = attrs.evolve(config.bounds, usage_file=None)
    return attrs.evolve(config, listeners=listeners, access_logs=(), bounds=bounds)


def dry_run(config: Config, listener: AnyListener, request: bytes, client_ip: str, scheme: str) -> DryRun:
    """Put the bytes of a ``request`` of a client that speaks ``scheme`` to the ``listener``, and see what is done.

    ``ConfigError`` where the configuration cannot be built.
    """
    listener = _silent(listener)
    config = _noting_nothing(config, (listener,))
    reactor = _StillReactor()
    resolver = _SilentResolver(reactor)
    records: list[ExchangeRecord] = []
    assembly = assemble(config, Observers(exchanges=(records.append,)), Around(reactor, resolver))
    trace = Trace(dry_run=True)
    try:
        (factory,) = assembly.factories
        assert isinstance(factory, ProxyFactory), "it takes requests"
        dialer = _RecordingDialer(factory)
        factory.services.dialer = dialer
        factory.handle = _traced(factory.handle, trace)
        received = _put(factory, request, client_ip, scheme, reactor)
        return DryRun(
            tuple(trace.entries),
            dialer.dialed,
            resolver.asked,
            dialer.sent,
            received,
            records[0] if records else None,
        )
    finally:
        assembly.stop_new(None)
        reactor.stop()


def _traced(handle: Any, trace: Trace) -> Any:
    def traced(head: RequestHead, context: RequestContext) -> Decision:
        context.trace = trace
        decision: Decision = handle(head, context)
        return decision

    return traced


def _put(factory: ProxyFactory, request: bytes, client_ip: str, scheme: str, reactor: Clock) -> bytes:
    peer = _place(client_ip)
    protocol = factory.build(peer, scheme)
    assert protocol is not None, "nothing has stopped it"
    client = _Recorder(peer)
    protocol.makeConnection(client)
    protocol.dataReceived(request)
    reactor.advance(0)
    exchange = getattr(protocol, "exchange", None)
    if exchange is not None and exchange.phase is GATHERING:
        # The body does not come.
        reactor.advance(MOMENT + 1)
    return client.written


def _place(address: str) -> IPv4Address | IPv6Address:
    return IPv6Address("TCP", address, _PORT) if ":" in address else IPv4Address("TCP", address, _PORT)


class _StillReactor(Clock):
    """Time stands still, and threads say nothing."""

    def __init__(self) -> None:
        super().__init__()
        self._at_end: list[tuple[Callable[..., object], tuple[Any, ...]]] = []

    def addSystemEventTrigger(self, phase: str, event: str, function: Callable[..., object], *words: Any) -> Any:
        """As a reactor's."""
        trigger = (function, words)
        self._at_end.append(trigger)
        return trigger

    def removeSystemEventTrigger(self, trigger: Any) -> None:
        """As a reactor's."""
        self._at_end.remove(trigger)

    def callFromThread(self, function: Callable[..., object], *words: Any) -> None:
        """Nobody waits for it."""

    def stop(self) -> None:
        """It is the end."""
        for function, words in self._at_end[:]:
            function(*words)


class _SilentResolver(Resolver):
    """Notes what is ``asked``, and says nothing."""

    def __init__(self, reactor: Any) -> None:
        super().__init__(reactor)
        self.asked: list[str] = []

    def find(self, name: str, client_ip: str = "") -> Addresses | Deferred[Addresses]:
        """See :class:`txproxy.net.dns.resolver.Resolver`."""
        self.asked.append(name)
        return Deferred()

    def records(self, name: str, kind: int) -> Deferred[tuple[Record, ...]]:
        """See :class:`txproxy.net.dns.resolver.Resolver`."""
        self.asked.append(name)
        return Deferred()


@implementer(IDialer)
class _RecordingDialer:
    """Connects to nothing, and notes where it was to connect to, and what is sent there. What is known of an address
    without asking anybody decides whether a forward proxy may reach it.
    """

    def __init__(self, factory: ProxyFactory) -> None:
        self.dialed: list[Address] = []
        self._destinations = factory.forward.destinations if isinstance(factory, ForwardProxyFactory) else None
        self._made: list[_Recorder] = []

    @property
    def sent(self) -> bytes:
        """On the last connection."""
        return self._made[-1].written if self._made else b""

    def dial(self, address: Address, build: Callable[[], IProtocol]) -> Deferred[IProtocol]:
        """See :class:`txproxy.interfaces.IDialer`."""
        if self._destinations is not None:
            try:
                self._destinations.check_named(address.host, address.port if address.through is None else 0)
                if address.through is None and address.pinned:
                    self._destinations.check(address.host, address.pinned, address.port)
            except DestinationProhibited:
                return fail()
        self.dialed.append(address)
        protocol = build()
        upstream = _Recorder(IPv4Address("TCP", "0.0.0.0", 0))
        self._made.append(upstream)
        protocol.makeConnection(upstream)
        return succeed(protocol)


@implementer(ITransport, IConsumer, IPushProducer)
class _Recorder:
    """A connection to nobody: ``written`` is what was written."""

    disconnecting = False

    def __init__(self, peer: IPv4Address | IPv6Address) -> None:
        self.written = b""
        self._peer = peer

    def write(self, data: bytes) -> None:
        """As a transport's."""
        self.written += data

    def writeSequence(self, data: Any) -> None:
        """As a transport's."""
        self.written += b"".join(data)

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Nobody is ever paused."""

    def unregisterProducer(self) -> None:
        """Nobody is ever paused."""

    def pauseProducing(self) -> None:
        """Nothing comes."""

    def resumeProducing(self) -> None:
        """Nothing comes."""

    def stopProducing(self) -> None:
        """Nothing comes."""

    def loseConnection(self) -> None:
        """There is none."""
        self.disconnecting = True

    def loseWriteConnection(self) -> None:
        """There is none."""

    def abortConnection(self) -> None:
        """There is none."""
        self.disconnecting = True

    def getPeer(self) -> IPv4Address | IPv6Address:
        """As a transport's."""
        return self._peer

    def getHost(self) -> IPv4Address:
        """As a transport's."""
        return IPv4Address("TCP", "0.0.0.0", 0)
