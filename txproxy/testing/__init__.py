"""A test kit for proxies: clients, upstreams and a network, all in memory and on a ``Clock``.

A test plays both sides: bytes of the client in, bytes to the upstream out, bytes of the upstream in, bytes to the
client out::

    proxy = ProxyInMemory(lambda reactor: ReverseProxyFactory(Pool(["http://10.0.0.1:80"]), reactor=reactor))
    client = proxy.connect()
    client.send(b"GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
    upstream = proxy.network.connections[0]
    upstream.send(b"HTTP/1.1 204 No Content\\r\\n\\r\\n")
    assert client.received.startswith(b"HTTP/1.1 204")
    proxy.close()
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IConsumer, IHalfCloseableProtocol, IProtocol, IPushProducer, ITransport
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

from txproxy.interfaces import Address, IDialer

_CAPACITY = 65536


@implementer(ITransport, IConsumer, IPushProducer)
class MemoryConnection:
    """One connection, seen from the peer of the protocol under test.

    ``received`` is what the protocol has written, ``ended`` whether it closed its side, ``closed`` whether the
    connection is gone and ``reset`` whether by a reset; ``paused`` says that the protocol reads no more just now.
    """

    disconnecting = False

    def __init__(self, clock: Clock, protocol: Any, address: Address | None = None) -> None:
        self.address = address
        self.received = b""
        self.ended = False
        self.closed = False
        self.reset = False
        self.paused = False
        self._clock = clock
        self._protocol = protocol
        self._producer: Any = None
        self._reading = True
        self._waiting = b""
        protocol.makeConnection(self)

    # -- what a test calls: the peer

    def send(self, data: bytes) -> None:
        """The peer sends ``data``. What comes after the protocol has closed is lost, as on a real connection."""
        if data and not self.closed and not self.disconnecting:
            self._protocol.dataReceived(data)

    def send_each_byte(self, data: bytes) -> None:
        """The same, byte by byte."""
        for index in range(len(data)):
            self.send(data[index : index + 1])

    def end(self) -> None:
        """The peer closes its side, which is the end of a connection whose protocol knows no half of one."""
        if self.closed or self.disconnecting:
            return
        if IHalfCloseableProtocol.providedBy(self._protocol):
            self._protocol.readConnectionLost()
        else:
            self.drop(clean=True)

    def drop(self, clean: bool = False) -> None:
        """The connection is gone; ``clean`` says that nobody reset it."""
        self._lost(ConnectionDone() if clean else ConnectionLost())

    def stop_reading(self) -> None:
        """The peer takes no more: what is written waits, and a full buffer pauses whoever writes."""
        self._reading = False

    def read_on(self) -> None:
        """The peer takes what waits."""
        self._reading = True
        self.received += self._waiting
        self._waiting = b""
        if self._producer is not None:
            self._producer.resumeProducing()
        if self.disconnecting:
            self._clock.callLater(0, self._lost, ConnectionDone())

    @property
    def waiting(self) -> int:
        """How many bytes wait for the peer."""
        return len(self._waiting)

    def take(self) -> bytes:
        """What was received since the last call."""
        data, self.received = self.received, b""
        return data

    # -- what the protocol calls

    def write(self, data: bytes) -> None:
        """To the peer."""
        if self.closed or self.ended:
            return
        if self._reading:
            self.received += data
            return
        self._waiting += data
        if len(self._waiting) > _CAPACITY and self._producer is not None:
            self._producer.pauseProducing()

    def writeSequence(self, data: Any) -> None:
        """To the peer."""
        self.write(b"".join(data))

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Who is to be paused."""
        if self._producer is not None:
            raise RuntimeError("there is a producer already")
        self._producer = producer

    def unregisterProducer(self) -> None:
        """Nobody is to be paused."""
        self._producer = None

    def pauseProducing(self) -> None:
        """The protocol reads no more."""
        self.paused = True

    def resumeProducing(self) -> None:
        """The protocol reads on."""
        self.paused = False

    def stopProducing(self) -> None:
        """The protocol wants nothing more."""
        self.loseConnection()

    def loseConnection(self) -> None:
        """Close, once all is written."""
        if not self.closed and not self.disconnecting:
            self.disconnecting = True
            if not self._waiting:
                self._clock.callLater(0, self._lost, ConnectionDone())

    def loseWriteConnection(self) -> None:
        """Close the direction to the peer."""
        self.ended = True

    def abortConnection(self) -> None:
        """Close at once, by a reset."""
        if not self.closed:
            self.disconnecting = True
            self.reset = True
            self._clock.callLater(0, self._lost, ConnectionLost())

    def getPeer(self) -> IPv4Address:
        """An address."""
        return IPv4Address("TCP", "127.0.0.1", 50000)

    def getHost(self) -> IPv4Address:
        """An address."""
        return IPv4Address("TCP", "127.0.0.1", 8080)

    def _lost(self, reason: Exception) -> None:
        if not self.closed:
            self.closed = True
            self._protocol.connectionLost(Failure(reason))


@implementer(IDialer)
class MemoryNetwork:
    """A dialer whose connections are in memory.

    ``dialed`` are the addresses in order, ``connections`` the connections made. By default dialing succeeds at
    once; ``script`` may hold, for the next dials, errors to fail with, or ``"hang"``: those wait in ``hanging`` for
    ``answer``. ``greeting`` is what upstreams say as soon as they are connected to.
    """

    def __init__(self, clock: Clock) -> None:
        self.greeting = b""
        self.dialed: list[Address] = []
        self.connections: list[MemoryConnection] = []
        self.script: list[Exception | str] = []
        self.hanging: list[tuple[Deferred[Any], Address, Callable[[], IProtocol]]] = []
        self._clock = clock

    def dial(self, address: Address, build: Callable[[], IProtocol]) -> Deferred[IProtocol]:
        """See :class:`txproxy.interfaces.IDialer`."""
        self.dialed.append(address)
        step = self.script.pop(0) if self.script else None
        if isinstance(step, Exception):
            return fail(step)
        if step == "hang":
            waiting: Deferred[Any] = Deferred()
            self.hanging.append((waiting, address, build))
            return waiting
        return succeed(self._make(address, build))

    def answer(self) -> None:
        """Let the dial that hangs longest succeed."""
        waiting, address, build = self.hanging.pop(0)
        waiting.callback(self._make(address, build))

    def _make(self, address: Address, build: Callable[[], IProtocol]) -> IProtocol:
        protocol = build()
        self.connections.append(MemoryConnection(self._clock, protocol, address))
        self.connections[-1].send(self.greeting)
        return protocol


class ProxyInMemory:
    """A proxy between in-memory clients and upstreams. ``make`` builds its factory on the reactor that it is given."""

    def __init__(self, make: Callable[[Any], Any]) -> None:
        self.clock = Clock()
        self.network = MemoryNetwork(self.clock)
        self.factory = make(self.clock)
        self.factory.services.dialer = self.network
        self.factory.doStart()
        self.clients: list[MemoryConnection] = []

    def connect(self, host: str = "127.0.0.1") -> MemoryConnection:
        """A client at ``host`` connects."""
        protocol = self.factory.buildProtocol(IPv4Address("TCP", host, 50000))
        client = MemoryConnection(self.clock, protocol)
        self.clients.append(client)
        return client

    @property
    def upstream(self) -> MemoryConnection:
        """The newest upstream connection."""
        return self.network.connections[-1]

    def exchange(self, request: bytes, response: bytes) -> tuple[MemoryConnection, MemoryConnection]:
        """One request and its response over a new client connection; gives both connections."""
        client = self.connect()
        client.send(request)
        upstream = self.upstream
        upstream.send(response)
        return client, upstream

    def advance(self, seconds: float) -> None:
        """Let time pass, in steps small enough for every timer to run in its turn."""
        for _ in range(int(seconds * 10)):
            self.clock.advance(0.1)
        self.clock.advance(0)

    def close(self) -> None:
        """Everybody leaves; what is left behind is an ``AssertionError``."""
        for client in self.clients:
            client.drop()
        self.clock.advance(0)
        self.factory.doStop()
        self.factory.stop()
        self.clock.advance(0)
        self.advance(10)
        assert all(connection.closed for connection in self.network.connections), "an upstream connection is open"
        assert not self.clock.getDelayedCalls(), f"a timer is left: {self.clock.getDelayedCalls()}"
