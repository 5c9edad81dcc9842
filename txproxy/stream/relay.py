"""Both sides of a raw stream, until and after there is a tunnel between them."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocol, IPushProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from txproxy.net.transports.any_transports import set_tcp_options
from txproxy.proxy.tunnel_ends import TunnelEnd
from txproxy.proxy.tunnel_inspection import Gate


class Relay:
    """Twisted's callbacks, handed to the end of a ``tunnel`` once there is one."""

    def __init__(self) -> None:
        self.transport: Any = None
        self.tunnel: TunnelEnd | Gate | None = None

    def makeConnection(self, transport: Any) -> None:
        """Connected."""
        self.transport = transport
        set_tcp_options(transport)
        transport.registerProducer(self, True)
        self.connectionMade()

    def connectionMade(self) -> None:
        """What the two sides do differently."""

    def dataReceived(self, data: bytes) -> None:
        """Bytes for the tunnel."""
        if self.tunnel is not None:
            self.tunnel.dataReceived(data)

    def readConnectionLost(self) -> None:
        """The peer sends no more."""
        if self.tunnel is not None:
            self.tunnel.readConnectionLost()

    def writeConnectionLost(self) -> None:
        """Our half-close went out."""

    def connectionLost(self, reason: Failure) -> None:
        """Gone."""
        if self.tunnel is not None:
            self.tunnel.connectionLost(reason)

    def pauseProducing(self) -> None:
        """The peer is slow."""
        if self.tunnel is not None:
            self.tunnel.pauseProducing()

    def resumeProducing(self) -> None:
        """The peer takes more."""
        if self.tunnel is not None:
            self.tunnel.resumeProducing()

    def stopProducing(self) -> None:
        """The transport will say connectionLost as well."""


@implementer(IProtocol, IHalfCloseableProtocol, IPushProducer)
class StreamUpstream(Relay):
    """The upstream's side of a stream (:class:`txproxy.interfaces.streams.RawConnection`). What it says before the
    tunnel stands is kept for it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._early = b""

    def dataReceived(self, data: bytes) -> None:
        """Bytes from the upstream."""
        if self.tunnel is None:
            self._early += data
        else:
            self.tunnel.dataReceived(data)

    def become_tunnel(self, end: TunnelEnd) -> bytes:
        """Hand the connection over to the ``end`` of a tunnel; gives the bytes that came early."""
        self.tunnel = end
        early, self._early = self._early, b""
        return early

    def close(self) -> None:
        """Nobody wants it any more."""
        self.transport.abortConnection()
