"""Raw TCP, balanced over a pool."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocol, IProtocolFactory, IPushProducer
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from txproxy.errors import DialError, ExchangeError
from txproxy.interfaces import Address, Client, IDialer
from txproxy.proxy.admission import Admission
from txproxy.proxy.deadlines import Deadlines
from txproxy.proxy.dialing import Dialer
from txproxy.proxy.factory import ip_of
from txproxy.proxy.limits import Limits
from txproxy.proxy.per_client import make_admission
from txproxy.proxy.splice import PipePool
from txproxy.proxy.transports import set_no_delay
from txproxy.proxy.tunnel import Tunnel, TunnelEnd

_log = Logger()


class Choice(Protocol):
    """What a pool has chosen; it learns how the stream went."""

    @property
    def address(self) -> Address:
        """Where to connect to."""

    def answered(self, status: int) -> None:
        """It was connected to: 200."""

    def ended(self, fault: ExchangeError | None, status: int) -> None:
        """See :class:`txproxy.interfaces.Party`; the status is 200 for a stream that was connected."""


class Chooser(Protocol):
    """A pool, as far as streams are concerned."""

    def use_clock(self, clock: Any) -> None:
        """Tell the time by ``clock``."""

    def start(self, clock: Any, dial: Callable[[Address, Callable[[], IProtocol]], Deferred[Any]]) -> None:
        """Streams may come: look after what can be chosen."""

    def stop(self) -> None:
        """No more will."""

    def take(self, head: None, client: Client, tried: tuple[Any, ...] = ()) -> Choice | None:
        """Whose turn it is, leaving out what was ``tried``; None if nobody has room."""

    def address_for(self, upstream: Any, client: Client) -> Address:
        """Where a stream of ``client`` connects to, header of the PROXY protocol included."""

    def wait(self, head: None, client: Client, tried: tuple[Any, ...] = ()) -> Deferred[Any]:
        """The same, once somebody has room; fails if nobody is left."""


class _Relay:
    """Twisted's callbacks, handed to a tunnel's end once there is one."""

    def __init__(self) -> None:
        self.transport: Any = None
        self.end: TunnelEnd | None = None

    def makeConnection(self, transport: Any) -> None:
        """Connected."""
        self.transport = transport
        set_no_delay(transport)
        transport.registerProducer(self, True)
        self.connectionMade()

    def connectionMade(self) -> None:
        """What the two sides do differently."""

    def dataReceived(self, data: bytes) -> None:
        """Bytes for the tunnel."""
        if self.end is not None:
            self.end.dataReceived(data)

    def readConnectionLost(self) -> None:
        """The peer sends no more."""
        if self.end is not None:
            self.end.readConnectionLost()

    def writeConnectionLost(self) -> None:
        """Our half-close went out."""

    def connectionLost(self, reason: Failure) -> None:
        """Gone."""
        if self.end is not None:
            self.end.connectionLost(reason)

    def pauseProducing(self) -> None:
        """The peer is slow."""
        if self.end is not None:
            self.end.pauseProducing()

    def resumeProducing(self) -> None:
        """The peer takes more."""
        if self.end is not None:
            self.end.resumeProducing()

    def stopProducing(self) -> None:
        """The transport will say connectionLost as well."""


@implementer(IProtocol, IHalfCloseableProtocol, IPushProducer)
class StreamUpstream(_Relay):
    """The upstream's side of a stream. What it says before the tunnel stands is kept for it."""

    def __init__(self) -> None:
        super().__init__()
        self.early = b""

    def dataReceived(self, data: bytes) -> None:
        """Bytes from the upstream."""
        if self.end is None:
            self.early += data
        else:
            self.end.dataReceived(data)


@implementer(IProtocol, IHalfCloseableProtocol, IPushProducer)
class StreamProtocol(_Relay):
    """One client's stream. ``upstream`` is where it went, ``outcome`` how that ended, ``sent`` how much the client
    got.
    """

    def __init__(self, factory: StreamFactory, client_ip: str) -> None:
        super().__init__()
        self.factory = factory
        self.client = Client(client_ip)
        self.client_ip = client_ip
        self.upstream: Address | None = None
        self.outcome = ""
        self.sent = 0
        self.started = 0.0
        self._choice: Choice | None = None
        self._tried: tuple[Choice, ...] = ()
        self._dialing: Deferred[Any] | None = None

    def connectionMade(self) -> None:
        """A client is there; nothing is read of it before an upstream is."""
        self.client.transport = self.transport
        self.transport.pauseProducing()
        self.started = self.factory.seconds()
        if self.factory.admission.admit(self):
            self.admitted()

    def admitted(self) -> None:
        """There is room: connect."""
        choice = self.factory.pool.take(None, self.client, self._tried)
        if choice is not None:
            self._chosen(choice)
            return
        self._dialing = waiting = self.factory.pool.wait(None, self.client, self._tried)
        waiting.addCallbacks(self._chosen, self._nobody)

    def _chosen(self, choice: Choice) -> None:
        self._choice = choice
        self.upstream = choice.address
        address = self.factory.pool.address_for(choice, self.client)
        self._dialing = dialing = self.factory.dialer.dial(address, StreamUpstream)
        dialing.addCallbacks(self._dialed, self._dial_failed)

    def _nobody(self, failure: Failure) -> None:
        self._dialing = None
        if not self.outcome:
            self._end("destination_unavailable")
            self.transport.abortConnection()

    def _dialed(self, upstream: Any) -> None:
        self._dialing = None
        if self.outcome:
            upstream.transport.abortConnection()
            return
        assert self._choice is not None
        self._choice.answered(200)
        tunnel = Tunnel(self.factory, self.transport, upstream.transport, self._closed)
        self.end, upstream.end = tunnel.client, tunnel.upstream
        self.transport.resumeProducing()
        tunnel.start(b"", upstream.early)

    def _dial_failed(self, failure: Failure) -> None:
        self._dialing = None
        if self.outcome:
            return
        fault = failure.value
        if not isinstance(fault, ExchangeError):
            _log.failure("dialing failed in an unforeseen way", failure)
            fault = DialError("dialing failed")
        choice, self._choice = self._choice, None
        assert choice is not None
        self._tried = (*self._tried, choice)
        choice.ended(fault, 0)
        self.admitted()

    def connectionLost(self, reason: Failure) -> None:
        """The client is gone."""
        super().connectionLost(reason)
        self._end("client-gone")
        if self._dialing is not None:
            self._dialing.cancel()
        self.factory.admission.left(self)

    def _closed(self, tunnel: Tunnel) -> None:
        self.sent = tunnel.sent
        self._end("ok")

    def _end(self, outcome: str) -> None:
        if not self.outcome:
            self.outcome = outcome
            choice, self._choice = self._choice, None
            if choice is not None:
                choice.ended(None, 200 if self.end is not None else 0)
            for observer in self.factory.observers:
                observer(self)

    def drain(self) -> None:
        """A stream ends when its peers end it."""

    def abort(self) -> None:
        """Close at once."""
        if self.end is not None:
            self.end.abort()
        else:
            self._end("client-gone")
            self.transport.abortConnection()


StreamObserver: TypeAlias = Callable[[StreamProtocol], None]


@implementer(IProtocolFactory)
class StreamFactory:
    """Protocols of the tcp mode. ``observers`` are called with each stream that has ended."""

    noisy = False

    def __init__(
        self,
        pool: Chooser,
        *,
        limits: Limits | None = None,
        dialer: IDialer | None = None,
        observers: tuple[StreamObserver, ...] = (),
        reactor: Any = None,
    ) -> None:
        if reactor is None:
            from twisted.internet import reactor  # the embedding program's
        self.limits = limits = limits or Limits()
        pool.use_clock(reactor)
        self.pool = pool
        self.reactor = reactor
        self.observers = observers
        self.seconds: Callable[[], float] = reactor.seconds
        self.dialer = dialer or Dialer(reactor, limits.connect_timeout)
        self.deadlines = Deadlines(reactor)
        self.idle_limit = self.deadlines.limit(limits.idle_timeout)
        self.pipes = PipePool()
        self.admission: Admission[StreamProtocol] = make_admission(limits)
        self.draining = False
        self._ports = 0

    def doStart(self) -> None:
        """A port has begun to listen."""
        self._ports += 1
        if self._ports == 1:
            self.pool.start(self.reactor, lambda address, build: self.dialer.dial(address, build))

    def doStop(self) -> None:
        """A port has ceased to listen."""
        self._ports -= 1
        if not self._ports:
            self.pool.stop()

    def buildProtocol(self, addr: Any) -> StreamProtocol | None:
        """A protocol for a new client."""
        return None if self.draining else StreamProtocol(self, ip_of(addr))

    def drain(self) -> Deferred[None]:
        """Take no new clients; fires when the last one has left."""
        self.draining = True
        return self.admission.drain()

    def stop(self) -> None:
        """Close all that is open."""
        self.draining = True
        for stream in self.admission.everyone():
            stream.abort()
        self.pipes.close()
