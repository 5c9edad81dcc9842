"""CONNECT, Upgrade and raw TCP: bytes both ways, until both sides have closed.

Where both ends are plain sockets, :mod:`txproxy.proxy.splice` moves the bytes in the kernel. Else they pass through
here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocol, IPushProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from txproxy.proxy import splice
from txproxy.proxy.deadlines import NEVER, Deadlines, TimeLimit
from txproxy.proxy.transports import half_close, plain_socket, write_function


class Home(Protocol):
    """What a tunnel needs of the factory that it belongs to."""

    reactor: Any
    deadlines: Deadlines
    pipes: splice.PipePool
    idle_limit: TimeLimit


@implementer(IProtocol, IHalfCloseableProtocol, IPushProducer)
class TunnelEnd:
    """One end: hands on what its transport receives to the other end's. A protocol, or what one delegates to."""

    __slots__ = ("tunnel", "transport", "other", "received", "read_closed", "_write")

    other: TunnelEnd

    def __init__(self, tunnel: Tunnel, transport: Any) -> None:
        self.tunnel = tunnel
        self.transport = transport
        self.received = 0
        self.read_closed = False
        self._write = write_function(transport)

    def makeConnection(self, transport: Any) -> None:
        """The transport was there before the tunnel."""

    def connectionMade(self) -> None:
        """The connection was there before the tunnel."""

    def send(self, data: bytes) -> None:
        """Write to this end's peer."""
        self._write(self.transport, data)

    def dataReceived(self, data: bytes) -> None:
        """Hand on."""
        self.received += len(data)
        self.tunnel.moved()
        self.other.send(data)

    def readConnectionLost(self) -> None:
        """This end's peer sends no more: say so to the other's."""
        self.read_closed = True
        self.tunnel.half_closed(self)

    def writeConnectionLost(self) -> None:
        """Our half-close went out."""

    def connectionLost(self, reason: Failure) -> None:
        """This end is gone."""
        self.tunnel.lost(self, clean=reason.check(ConnectionDone) is not None)

    def abort(self) -> None:
        """End the tunnel at once."""
        self.tunnel.lost(self, clean=False)

    def pauseProducing(self) -> None:
        """This end's peer is slow: let the other's wait."""
        self.other.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """This end's peer takes more."""
        if not self.other.read_closed:
            self.other.transport.resumeProducing()

    def stopProducing(self) -> None:
        """The transport will say connectionLost as well."""


class Tunnel:
    """Two ends. ``closed(received, sent)`` is called once, with the bytes from the client and to it.

    A tunnel has no time limit of its own while both sides are open: keep-alive probes of TCP find peers that vanished.
    Once one side has closed, the other may not be silent for longer than the idle timeout.
    """

    __slots__ = ("client", "upstream", "deadline", "_home", "_closed", "_spliced", "_half")

    def __init__(self, home: Home, client: Any, upstream: Any, closed: Callable[[int, int], None]) -> None:
        self.client = TunnelEnd(self, client)
        self.upstream = TunnelEnd(self, upstream)
        self.client.other = self.upstream
        self.upstream.other = self.client
        self.deadline = NEVER
        self._home = home
        self._closed: Callable[[int, int], None] | None = closed
        self._spliced: splice.Splice | None = None
        self._half = False

    def start(self, from_client: bytes, from_upstream: bytes, client_ended: bool = False) -> None:
        """Begin, with the bytes that came before the tunnel was one; the client may have closed its side since then."""
        self._home.deadlines.watch(self)
        for transport in (self.client.transport, self.upstream.transport):
            set_keep_alive = getattr(transport, "setTcpKeepAlive", None)
            if set_keep_alive is not None:
                set_keep_alive(True)
        if from_client:
            self.client.dataReceived(from_client)
        if from_upstream:
            self.upstream.dataReceived(from_upstream)
        if splice.AVAILABLE:
            here, there = plain_socket(self.client.transport), plain_socket(self.upstream.transport)
            if here is not None and there is not None:
                self._spliced = splice.Splice(self._home.reactor, here, there, self._home.pipes, self)
                self.client.transport.stopReading()
                self.upstream.transport.stopReading()
                self._spliced.start()
        if client_ended and self._spliced is None:
            # A splice reads the end from the socket once more; nobody else is told of it again.
            self.client.readConnectionLost()

    def moved(self) -> None:
        """Bytes have moved."""
        if self._half:
            self.deadline = self._home.idle_limit.ahead

    def half_closed(self, end: TunnelEnd) -> None:
        """``end``'s peer sends no more."""
        if end.other.read_closed:
            self.lost(end, clean=True)
            return
        if half_close(end.other.transport):
            self.half_closing()
        else:
            # TLS by memory BIOs cannot close one direction.
            self.lost(end, clean=True)

    def half_closing(self) -> None:
        """From now on, silence is limited."""
        self._half = True
        self.deadline = self._home.idle_limit.ahead

    def lost(self, end: TunnelEnd, clean: bool) -> None:
        """``end`` is gone, and so must the other be: with a reset if it was no clean end."""
        if self._closed is None:
            return
        self._finish()
        for transport in (end.transport, end.other.transport):
            # A transport with a producer may wait for it before it closes.
            transport.unregisterProducer()
            if clean:
                transport.loseConnection()
            else:
                transport.abortConnection()

    def splice_ended(self, clean: bool) -> None:
        """The kernel has moved the last byte, or met an error."""
        self.lost(self.client, clean)

    def deadline_passed(self) -> None:
        """Half closed, and silent for too long."""
        self.lost(self.client, clean=False)

    def _finish(self) -> None:
        closed, self._closed = self._closed, None
        self._home.deadlines.forget(self)
        spliced, self._spliced = self._spliced, None
        received, sent = self.client.received, self.upstream.received
        if spliced is not None:
            spliced.stop()
            received += spliced.moved_from_first
            sent += spliced.moved_from_second
        if closed is not None:
            closed(received, sent)
