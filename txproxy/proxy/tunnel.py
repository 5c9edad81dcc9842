"""CONNECT, Upgrade and raw TCP: bytes both ways, until both sides have closed.

Where both ends are plain sockets, :mod:`txproxy.net.splice` moves the bytes in the kernel. Else they pass through
here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocol, IPushProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from txproxy.interfaces.allowances import Bounds, Shaper
from txproxy.net import splice
from txproxy.net.deadlines import NEVER, Deadlines, TimeLimit
from txproxy.net.transports.any_transports import half_close
from txproxy.net.transports.plain_transports import plain_socket
from txproxy.net.transports.turn_writes import write_function
from txproxy.proxy.limits import Limits
from txproxy.proxy.throttle import Lane, Valve


class Home(Protocol):
    """What a tunnel needs of the factory that it belongs to."""

    reactor: Any
    limits: Limits
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

    def close(self) -> None:
        """The tunnel is over."""


class ShapedEnd(TunnelEnd):
    """One end of a tunnel whose speed is bounded: what its transport receives passes through a valve."""

    __slots__ = ("_valve",)

    other: ShapedEnd

    def __init__(self, tunnel: Tunnel, transport: Any, lane: Lane) -> None:
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

    def close(self) -> None:
        """The tunnel is over."""
        self._valve.close()


class Tunnel:
    """Two ends. ``closed`` is called once, with the tunnel, which then knows the bytes ``received`` from the client and
    those ``sent`` to it.

    How long it is open and silent is bounded by ``bounds``, else by ``timeout`` (of silence), else by its home's
    limits; keep-alive probes of TCP find peers that have vanished long before. Once one side has closed, the other may
    not be silent for longer than the idle timeout. ``why`` says what ended it, if that was no peer. ``exchange`` is
    what has become it, as long as it lasts.
    """

    __slots__ = (
        "client", "upstream", "deadline", "why", "_home", "_closed", "_spliced", "_shaped", "_age", "_idle", "_oldest",
        "_silence", "exchange",
    )  # fmt: skip

    def __init__(
        self,
        home: Home,
        client: Any,
        upstream: Any,
        closed: Callable[[Tunnel], None],
        bounds: Bounds | None = None,
        timeout: float | None = None,
    ) -> None:
        shaper = bounds.shaper if bounds is not None else None
        self._shaped = shaper is not None
        self.client: TunnelEnd
        self.upstream: TunnelEnd
        self.client, self.upstream = self._ends(client, upstream, shaper)
        self.client.other = self.upstream
        self.upstream.other = self.client
        self.deadline = NEVER
        self.why = ""
        self.exchange: Any = None
        self._home = home
        self._closed: Callable[[Tunnel], None] | None = closed
        self._spliced: splice.Splice | None = None
        self._age = home.limits.tunnel_age
        self._idle = timeout if timeout is not None else home.limits.tunnel_timeout
        if bounds is not None:
            self._age = bounds.tunnel_age if bounds.tunnel_age is not None else self._age
            self._idle = bounds.tunnel_timeout if bounds.tunnel_timeout is not None else self._idle
        # when it has been open for long enough
        self._oldest = NEVER
        # for how long nothing may pass
        self._silence: TimeLimit | None = None

    def _ends(self, client: Any, upstream: Any, shaper: Shaper | None) -> tuple[TunnelEnd, TunnelEnd]:
        if shaper is None:
            return TunnelEnd(self, client), TunnelEnd(self, upstream)
        return ShapedEnd(self, client, shaper.up), ShapedEnd(self, upstream, shaper.down)

    @property
    def received(self) -> int:
        """Bytes from the client."""
        spliced = self._spliced
        return self.client.received + (spliced.moved_from_first if spliced is not None else 0)

    @property
    def sent(self) -> int:
        """Bytes to the client."""
        spliced = self._spliced
        return self.upstream.received + (spliced.moved_from_second if spliced is not None else 0)

    def start(self, from_client: bytes, from_upstream: bytes, client_ended: bool = False) -> None:
        """Begin, with the bytes that came before the tunnel was one; the client may have closed its side since then."""
        deadlines = self._home.deadlines
        deadlines.watch(self)
        if self._age is not None:
            self._oldest = self.deadline = self._home.reactor.seconds() + self._age
        if self._idle is not None:
            self._silence = deadlines.limit(self._idle)
            self.moved()
        if from_client:
            self.client.dataReceived(from_client)
        if from_upstream:
            self.upstream.dataReceived(from_upstream)
        if splice.AVAILABLE and not self._shaped:
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
        silence = self._silence
        if silence is not None:
            ahead = silence.ahead
            self.deadline = ahead if ahead < self._oldest else self._oldest

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
        silence, usual = self._silence, self._home.idle_limit
        if silence is None or silence.seconds > usual.seconds:
            self._silence = usual
        self.moved()

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
        """Open or silent for too long."""
        if self.deadline >= self._oldest:
            self.end(f"it was open for {self._age:g} s, which is as long as may be")
        elif self.client.waiting or self.upstream.waiting:
            # It is we who hold back what would pass.
            self.moved()
        else:
            assert self._silence is not None
            self.end(f"nothing passed for {self._silence.seconds:g} s")

    def end(self, why: str) -> None:
        """End the tunnel, for both peers."""
        self.why = why
        self.lost(self.client, clean=False)

    def _finish(self) -> None:
        closed, self._closed = self._closed, None
        self.exchange = None
        self._home.deadlines.forget(self)
        if self._spliced is not None:
            self._spliced.stop()
        self.client.close()
        self.upstream.close()
        if closed is not None:
            closed(self)
