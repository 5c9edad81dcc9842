"""The ends of a tunnel, where bytes pass through this process: each hands on what its peer sends to the other."""

from __future__ import annotations

from typing import Any, Final, Protocol

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocol, IPushProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from txproxy.net.transports.tls_transports import tls_connection
from txproxy.net.transports.turn_writes import write_function
from txproxy.proxy.handover.carried import CarriedTunnel
from txproxy.proxy.throttle import Lane, Valve


class Joining(Protocol):
    """A tunnel: for what it has see :class:`txproxy.proxy.tunnel.Tunnel`."""

    exchange: Any

    @property
    def said(self) -> str:
        """What has ended it, if both peers have not closed it."""

    @property
    def client(self) -> TunnelEnd:
        """One of them."""

    @property
    def upstream(self) -> TunnelEnd:
        """And the other."""

    def moved(self) -> None:
        """Bytes have moved."""

    def half_closed(self, end: TunnelEnd) -> None:
        """``end``'s peer sends no more."""

    def half_closing(self) -> None:
        """From now on, silence is limited."""

    def lost(self, end: TunnelEnd, clean: bool, by_peer: bool = False) -> None:
        """``end`` is gone; its peer may have cut it off."""

    def stand_still(self) -> CarriedTunnel | None:
        """Let nothing pass any more."""


class _Nobody:
    """What an end has for its tunnel, the other end and that one's transport when all is over: so it leaves no circle,
    which would wait for the collector. What still comes is for nobody.
    """

    exchange = None
    read_closed = True

    @property
    def transport(self) -> _Nobody:
        """Nor is there one."""
        return self

    def _nothing(self, *_: Any, **__: Any) -> None:
        pass

    send = moved = half_closed = half_closing = lost = pauseProducing = resumeProducing = _nothing


_NOBODY: Final[Any] = _Nobody()


@implementer(IProtocol, IHalfCloseableProtocol, IPushProducer)
class TunnelEnd:
    """One end: hands on what its transport receives to the other end's. A protocol, or what one delegates to."""

    __slots__ = ("tunnel", "transport", "other", "received", "read_closed", "_write")

    other: TunnelEnd

    def __init__(self, tunnel: Joining, transport: Any) -> None:
        self.tunnel = tunnel
        self.transport = transport
        self.received = 0
        self.read_closed = False
        self._write = write_function(transport)

    @property
    def waiting(self) -> bool:
        """Whether bytes of its peer are held back, and the other end's is not to blame."""
        return False

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
        # Of TLS, many close without a word, which cannot be told from a connection that was cut off.
        by_peer = tls_connection(self.transport) is None
        self.tunnel.lost(self, clean=reason.check(ConnectionDone) is not None, by_peer=by_peer)

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

    def take_held(self) -> bytes:
        """What has come of this end's peer, and is held back here."""
        return b""

    def go_on(self, waiting: bytes, received: int, ended: bool) -> None:
        """Its peer has sent so many bytes, of which those that are ``waiting`` have not been handed on, and may have
        ``ended``.
        """
        self.received = received - len(waiting)
        if not ended:
            self.transport.resumeProducing()
        if waiting:
            # That may be more than can be taken now, and stops it again.
            self.dataReceived(waiting)
        if ended:
            self.readConnectionLost()

    def close(self) -> None:
        """The tunnel is over."""

    def forget(self) -> None:
        """All who are told of that have been."""
        self.tunnel = self.other = _NOBODY


class ShapedEnd(TunnelEnd):
    """One end of a tunnel whose speed is bounded: what its transport receives passes through a valve."""

    __slots__ = ("_valve",)

    other: ShapedEnd

    def __init__(self, tunnel: Joining, transport: Any, lane: Lane) -> None:
        super().__init__(tunnel, transport)
        self._valve = Valve(lane, self._passed, transport.pauseProducing, self._read_on)

    @property
    def waiting(self) -> bool:
        """Whether bytes of its peer are held back, and the other end's is not to blame."""
        return self._valve.waiting

    def _passed(self, data: bytes) -> None:
        super().dataReceived(data)

    def _read_on(self) -> None:
        if not self.read_closed:
            self.transport.resumeProducing()

    def dataReceived(self, data: bytes) -> None:
        """Hand on, or hold."""
        self._valve.pass_on(data)

    def readConnectionLost(self) -> None:
        """What this end's peer sent goes before its end."""
        self.read_closed = True
        self._valve.after(super().readConnectionLost)

    def connectionLost(self, reason: Failure) -> None:
        """This end is gone."""
        if self._valve.holding and reason.check(ConnectionDone) is not None:
            self.read_closed = True
            gone = super().connectionLost
            self._valve.after(lambda: gone(reason))
            self.tunnel.half_closing()
        else:
            super().connectionLost(reason)

    def pauseProducing(self) -> None:
        """This end's peer is slow: let the other's wait."""
        self.other._valve.pause()

    def resumeProducing(self) -> None:
        """This end's peer takes more."""
        self.other._valve.resume()

    def take_held(self) -> bytes:
        """What has come of this end's peer, and is held back here."""
        held = self._valve.take_held()
        self.received += len(held)
        return held

    def close(self) -> None:
        """The tunnel is over."""
        self._valve.close()
