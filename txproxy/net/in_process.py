"""Connections within the process: to a server that is no more than a factory, such as a twisted.web ``Site``."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IConsumer, IHalfCloseableProtocol, IProtocol, IPushProducer, ITransport
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from txproxy.errors import DialError

_log = Logger()

# Above this the writer is asked to pause, as Twisted's own transports do.
_HIGH: Final = 65536
# twisted.web makes URLs with the port of its own side: one that is not to be seen in them.
_SERVER: Final = IPv4Address("TCP", "127.0.0.1", 80)
_CLIENT: Final = IPv4Address("TCP", "127.0.0.1", 0)


@implementer(ITransport, IConsumer, IPushProducer)
class LocalTransport:
    """One end of a connection within the process. What is written is delivered in a later turn of the reactor.

    It behaves as a TCP transport of Twisted's does, with a buffer of 64 kB in place of the kernel's: that is how much a
    producer may write ahead of a protocol that has paused.
    """

    def __init__(self, reactor: Any, host: IPv4Address, peer: IPv4Address) -> None:
        self.other: LocalTransport
        self.protocol: Any = None
        self.connected = True
        self.disconnecting = False
        self._reactor = reactor
        self._host = host
        self._peer = peer
        # what the other end has written, and this one's protocol has not got yet
        self._incoming: deque[bytes] = deque()
        self._size = 0
        # whether the end of what comes is to be told, and whether it has been
        self._ended = False
        self._read_ended = False
        self._write_ended = False
        self._reading = True
        self._scheduled = False
        self._producer: Any = None
        self._streaming = True
        self._producer_paused = False

    # -- what the protocol calls

    def write(self, data: bytes) -> None:
        """To the other end."""
        other = self.other
        if not self.connected or self._write_ended or not other.connected or not data:
            return
        other._incoming.append(bytes(data))
        other._size += len(data)
        other._schedule()
        if other._size > _HIGH and self._producer is not None and not self._producer_paused:
            self._producer_paused = True
            if self._streaming:
                self._producer.pauseProducing()

    def writeSequence(self, iovec: Any) -> None:
        """To the other end."""
        self.write(b"".join(iovec))

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Who is to pause when the other end is slow, or is to be asked for more when it is not."""
        if self._producer is not None:
            raise RuntimeError("there is a producer already")
        if not self.connected:
            producer.stopProducing()
            return
        self._producer = producer
        self._streaming = streaming
        self._producer_paused = False
        if not streaming:
            producer.resumeProducing()

    def unregisterProducer(self) -> None:
        """Nobody is to pause."""
        self._producer = None
        if self.disconnecting:
            self._close()

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
        """Close, once the producer, if there is one, has written all."""
        if self.connected and not self.disconnecting:
            self.disconnecting = True
            if self._producer is None:
                self._close()

    def loseWriteConnection(self) -> None:
        """Close the direction to the other end."""
        if self.connected:
            self._end_writing()

    def abortConnection(self) -> None:
        """Close at once, for both; what is under way is lost."""
        if self.connected:
            self.disconnecting = True
            self._cut(ConnectionAborted())

    def getPeer(self) -> IPv4Address:
        """An address that is nobody's."""
        return self._peer

    def getHost(self) -> IPv4Address:
        """An address that is nobody's."""
        return self._host

    @property
    def unread(self) -> bool:
        """Whether the other end has written, or closed, what the protocol has not been told of."""
        return bool(self._incoming) or self._ended

    # -- delivery

    def _schedule(self) -> None:
        if not self._scheduled and self.connected:
            self._scheduled = True
            self._reactor.callLater(0, self._deliver)

    def _deliver(self) -> None:
        self._scheduled = False
        if not self.connected:
            return
        try:
            if self._reading and self._incoming:
                data = b"".join(self._incoming)
                self._incoming.clear()
                self._size = 0
                self.protocol.dataReceived(data)
                self.other._drained()
            if self._ended and not self._incoming and (self._reading or self._read_ended):
                self._ended = False
                self._end_reading()
        except Exception as fault:
            # as reactors do with those of sockets
            _log.failure("a protocol within the process failed")
            self._cut(fault)

    def _drained(self) -> None:
        producer = self._producer
        if producer is not None and (self._producer_paused or not self._streaming):
            self._producer_paused = False
            producer.resumeProducing()

    # -- the end

    def _end_writing(self) -> None:
        if not self._write_ended:
            self._write_ended = True
            self.other._ended = True
            self.other._schedule()

    def _end_reading(self) -> None:
        other = self.other
        if other.connected and not other.disconnecting and IHalfCloseableProtocol.providedBy(self.protocol):
            self._read_ended = True
            self.protocol.readConnectionLost()
        else:
            self._lost(ConnectionDone())

    def _close(self) -> None:
        # All was written, and is kept for the other end: this one need not wait for it.
        self._end_writing()
        self._reactor.callLater(0, self._lost, ConnectionDone())

    def _cut(self, reason: Exception) -> None:
        self._drop(reason)
        self.other._drop(ConnectionLost())

    def _drop(self, reason: Exception) -> None:
        self._write_ended = True
        self._incoming.clear()
        self._ended = False
        self._reactor.callLater(0, self._lost, reason)

    def _lost(self, reason: Exception) -> None:
        if not self.connected:
            return
        self.connected = False
        self._write_ended = True
        self._incoming.clear()
        # The other end gets what was written, and then learns of this as well.
        self.other._ended = True
        self.other._schedule()
        protocol, self.protocol = self.protocol, None
        producer, self._producer = self._producer, None
        try:
            if producer is not None:
                producer.stopProducing()
        finally:
            protocol.connectionLost(Failure(reason))


def connect_local(reactor: Any, server: Any, build: Callable[[], IProtocol]) -> Deferred[IProtocol]:
    """A protocol from ``build``, connected to one that ``server`` (an ``IProtocolFactory``) builds; a ``DialError`` if
    it builds none.
    """
    here, there = LocalTransport(reactor, _CLIENT, _SERVER), LocalTransport(reactor, _SERVER, _CLIENT)
    here.other, there.other = there, here
    try:
        there.protocol = server.buildProtocol(_CLIENT)
        if there.protocol is None:
            return fail(DialError("a server within the process takes no connections"))
        there.protocol.makeConnection(there)
    except Exception:
        _log.failure("a server within the process failed to take a connection")
        return fail(DialError("a server within the process takes no connections"))
    here.protocol = protocol = build()
    protocol.makeConnection(here)
    return succeed(protocol)
