"""Connections within the process: to a server that is no more than a factory, such as a twisted.web ``Site``."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.address import UNIXAddress
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IConsumer, IHalfCloseableProtocol, IProtocol, IPushProducer, ITransport
from twisted.python.failure import Failure
from zope.interface import implementer

# Above this the writer is asked to pause, as Twisted's own transports do.
_HIGH: Final = 65536


@implementer(ITransport, IConsumer, IPushProducer)
class LocalTransport:
    """One end of a connection within the process. What is written is delivered in a later turn of the reactor."""

    def __init__(self, reactor: Any) -> None:
        self.other: LocalTransport
        self.protocol: Any = None
        self.connected = True
        self.disconnecting = False
        self._reactor = reactor
        # what the other end has written, and this one's protocol has not got yet
        self._incoming: deque[bytes] = deque()
        self._size = 0
        self._ended = False
        self._reading = True
        self._scheduled = False
        self._producer: Any = None
        self._producer_paused = False

    # -- what the protocol calls

    def write(self, data: bytes) -> None:
        """To the other end."""
        other = self.other
        if not self.connected or self.disconnecting or not data:
            return
        other._incoming.append(bytes(data))
        other._size += len(data)
        other._schedule()
        if other._size > _HIGH and self._producer is not None and not self._producer_paused:
            self._producer_paused = True
            self._producer.pauseProducing()

    def writeSequence(self, iovec: Any) -> None:
        """To the other end."""
        self.write(b"".join(iovec))

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Who is to pause when the other end is slow; only one that pushes."""
        if self._producer is not None:
            raise RuntimeError("there is a producer already")
        if not streaming:
            raise NotImplementedError("a producer that has to be pulled")
        self._producer = producer

    def unregisterProducer(self) -> None:
        """Nobody is to pause."""
        self._producer = None
        self._producer_paused = False

    def pauseProducing(self) -> None:
        """The protocol wants no more just now."""
        self._reading = False

    def resumeProducing(self) -> None:
        """The protocol reads on."""
        self._reading = True
        self._schedule()

    def stopProducing(self) -> None:
        """The protocol wants nothing more."""
        self.loseConnection()

    def loseConnection(self) -> None:
        """Close, once the other end has got all."""
        if self.connected and not self.disconnecting:
            self.disconnecting = True
            self.other._ended = True
            self.other._schedule()

    def loseWriteConnection(self) -> None:
        """Close the direction to the other end."""
        self.other._ended = True
        self.other._schedule()

    def abortConnection(self) -> None:
        """Close at once, for both."""
        if self.connected:
            self.disconnecting = True
            self._reactor.callLater(0, self._lost, ConnectionAborted())
            self._reactor.callLater(0, self.other._lost, ConnectionLost())

    def getPeer(self) -> UNIXAddress:
        """Nobody's address."""
        return UNIXAddress(None)

    def getHost(self) -> UNIXAddress:
        """Nobody's address."""
        return UNIXAddress(None)

    # -- delivery

    def _schedule(self) -> None:
        if not self._scheduled and self.connected:
            self._scheduled = True
            self._reactor.callLater(0, self._deliver)

    def _deliver(self) -> None:
        self._scheduled = False
        while self._incoming and self._reading and self.connected:
            data = self._incoming.popleft()
            self._size -= len(data)
            # A protocol that is closing still reads until the other end has closed, as a socket's does.
            self.protocol.dataReceived(data)
        self.other._drained()
        if self._ended and not self._incoming and self.connected:
            self._end()

    def _drained(self) -> None:
        if self._producer_paused and self.other._size <= _HIGH // 2:
            self._producer_paused = False
            self._producer.resumeProducing()

    def _end(self) -> None:
        if IHalfCloseableProtocol.providedBy(self.protocol) and not self.other.disconnecting:
            self._ended = False
            self.protocol.readConnectionLost()
            return
        self._lost(ConnectionDone())
        self.other._lost(ConnectionDone())

    def _lost(self, reason: Exception) -> None:
        if self.connected:
            self.connected = False
            self._incoming.clear()
            protocol, self.protocol = self.protocol, None
            protocol.connectionLost(Failure(reason))


def connect_local(reactor: Any, server: Any, build: Callable[[], IProtocol]) -> IProtocol:
    """A protocol from ``build``, connected to one that ``server`` (an ``IProtocolFactory``) builds."""
    here, there = LocalTransport(reactor), LocalTransport(reactor)
    here.other, there.other = there, here
    there.protocol = server.buildProtocol(there.getPeer())
    here.protocol = protocol = build()
    there.protocol.makeConnection(there)
    protocol.makeConnection(here)
    return protocol
