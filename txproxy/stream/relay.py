"""Both sides of a raw stream, until and after there is a tunnel between them."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocol, IPushProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from txproxy.net.transports.any_transports import set_tcp_options
from txproxy.proxy.tunnel import TunnelEnd


class Relay:
    """Twisted's callbacks, handed to a tunnel's end once there is one."""

    def __init__(self) -> None:
        self.transport: Any = None
        self.end: TunnelEnd | None = None

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
class StreamUpstream(Relay):
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
