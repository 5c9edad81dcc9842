"""A connection in memory, seen from the peer: a client, or an upstream."""

from __future__ import annotations

from typing import Any, Final

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IConsumer, IHalfCloseableProtocol, IPushProducer, ITransport
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

from txproxy.interfaces.address import Address

_CAPACITY: Final = 65536


@implementer(ITransport, IConsumer, IPushProducer)
class MemoryConnection:
    """One connection, seen from the peer of the protocol under test.

    ``received`` is what the protocol has written, ``ended`` whether it closed its side, ``closed`` whether the
    connection is gone and ``reset`` whether by a reset; ``paused`` says that the protocol reads no more just now.
    """

    disconnecting = False

    def __init__(self, clock: Clock, protocol: Any, address: Address | None = None) -> None:
        self.address = address
        # To put what is written together each time would copy all that was written before.
        self._received: list[bytes] = []
        self.ended = False
        self.closed = False
        self.reset = False
        self.paused = False
        self._clock = clock
        self._protocol = protocol
        self._producer: Any = None
        self._reading = True
        self._unread: list[bytes] = []
        self._waiting = 0
        protocol.makeConnection(self)

    # -- what a test calls: the peer

    @property
    def received(self) -> bytes:
        """What the protocol has written."""
        received = self._received
        if len(received) != 1:
            received[:] = [b"".join(received)]
        return received[0]

    @received.setter
    def received(self, data: bytes) -> None:
        """What is written from now on comes behind ``data``."""
        self._received = [data]

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
        self._received += self._unread
        self._unread = []
        self._waiting = 0
        if self._producer is not None:
            self._producer.resumeProducing()
        if self.disconnecting:
            self._clock.callLater(0, self._lost, ConnectionDone())

    @property
    def waiting(self) -> int:
        """How many bytes wait for the peer."""
        return self._waiting

    def take(self) -> bytes:
        """What was received since the last call."""
        data, self.received = self.received, b""
        return data

    # -- what the protocol calls

    def write(self, data: bytes) -> None:
        """To the peer."""
        if self.closed or self.ended:
            return
        # What its owner may change is taken as it is now.
        data = b"".join((data,))
        if self._reading:
            self._received.append(data)
            return
        self._unread.append(data)
        self._waiting += len(data)
        if self._waiting > _CAPACITY and self._producer is not None:
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
            protocol, self._protocol, self._producer = self._protocol, None, None
            protocol.connectionLost(Failure(reason))
