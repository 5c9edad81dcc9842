"""CONNECT, Upgrade and raw TCP: bytes both ways, until both sides have closed.

Where both ends are plain sockets, :mod:`txproxy.net.splice` moves the bytes in the kernel. Else they pass through
here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from txproxy.interfaces.allowances import Bounds, Shaper
from txproxy.net import splice
from txproxy.net.deadlines import NEVER, Deadlines, TimeLimit
from txproxy.net.transports.any_transports import half_close
from txproxy.net.transports.handed_transports import can_leave, take_unsent
from txproxy.net.transports.plain_transports import plain_socket
from txproxy.proxy.handover.carried import CarriedTunnel
from txproxy.proxy.limits import Limits
from txproxy.proxy.tunnel_ends import ShapedEnd, TunnelEnd


class Home(Protocol):
    """What a tunnel needs of the factory that it belongs to."""

    reactor: Any
    limits: Limits
    deadlines: Deadlines
    pipes: splice.PipePool
    idle_limit: TimeLimit


class Tunnel:
    """Two ends. ``closed`` is called once, with the tunnel, which then knows the bytes ``received`` from the client and
    those ``sent`` to it.

    How long it is open and silent is bounded by ``bounds``, else by ``timeout`` (of silence), else by its home's
    limits; keep-alive probes of TCP find peers that have vanished long before. Once one side has closed, the other may
    not be silent for longer than the idle timeout. ``why`` says what ended it, if that was no peer. ``exchange`` is
    what has become it, as long as it lasts.
    """

    __slots__ = (
        "client", "upstream", "deadline", "why", "cut_by", "_home", "_closed", "_spliced", "_shaped", "_age", "_idle",
        "_oldest", "_silence", "exchange", "before",
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
        # whose peer has cut it off, before either had closed its side
        self.cut_by: TunnelEnd | None = None
        self.exchange: Any = None
        # how many bytes another process has carried
        self.before = 0
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
    def said(self) -> str:
        """What has ended it, if both peers have not closed it."""
        if self.cut_by is None:
            return self.why
        return f"the {'client' if self.cut_by is self.client else 'upstream'} has cut it off"

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
        self._spliced = self._splice()
        if self._spliced is not None:
            self._spliced.start()
        if client_ended and self._spliced is None:
            # A splice reads the end from the socket once more; nobody else is told of it again.
            self.client.readConnectionLost()

    def _splice(self) -> splice.Splice | None:
        """What moves the bytes past us, if that can be."""
        if not splice.AVAILABLE or self._shaped:
            return None
        here, there = plain_socket(self.client.transport), plain_socket(self.upstream.transport)
        if here is None or there is None:
            return None
        self.client.transport.stopReading()
        self.upstream.transport.stopReading()
        return splice.Splice(self._home.reactor, here, there, self._home.pipes, self)

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

    # -- from one process to another

    def stand_still(self) -> CarriedTunnel | None:
        """Let nothing pass any more, and give all that another process needs to go on; this tunnel is over then, of
        which nobody is told. None if it cannot be: it goes on here.
        """
        ends = client, upstream = self.client, self.upstream
        if self._closed is None or not all(can_leave(end.transport) for end in ends):
            return None
        home, spliced = self._home, self._spliced
        now = home.reactor.seconds()
        silence = self._silence.seconds if self._silence is not None else None
        # Whichever of both it is that ends first.
        left = self.deadline - now if self.deadline != NEVER else None
        oldest = self._oldest - now if self._oldest != NEVER else None
        from_client = from_upstream = splice.Standing()
        if spliced is not None:
            from_client, from_upstream = spliced.stand_still()
            self._spliced = None
            client.received += spliced.moved_from_first
            upstream.received += spliced.moved_from_second
        # The end of a side that was read comes again, as long as the other was not told of it.
        held = [take_unsent(end.other.transport) + end.take_held() for end in ends]
        self._closed = self.exchange = None
        home.deadlines.forget(self)
        client.close()
        upstream.close()
        return CarriedTunnel(
            received=client.received,
            sent=upstream.received,
            from_client=held[0] + from_client.waiting,
            from_upstream=held[1] + from_upstream.waiting,
            client_ended=from_client.ended,
            upstream_ended=from_upstream.ended,
            silence=silence,
            left=left,
            age=self._age,
            oldest=oldest,
        )

    def go_on(self, carried: CarriedTunnel) -> None:
        """Begin where another has stood still."""
        home, now = self._home, self._home.reactor.seconds()
        home.deadlines.watch(self)
        self.before = carried.received + carried.sent
        self._silence = home.deadlines.limit(carried.silence) if carried.silence is not None else None
        self._age = carried.age
        self._oldest = now + carried.oldest if carried.oldest is not None else NEVER
        client, upstream = self.client, self.upstream
        spliced = self._spliced = self._splice()
        if spliced is None:
            client.go_on(carried.from_client, carried.received, carried.client_ended)
            upstream.go_on(carried.from_upstream, carried.sent, carried.upstream_ended)
        else:
            client.received, upstream.received = carried.received, carried.sent
            spliced.start(
                splice.Standing(carried.from_client, carried.client_ended),
                splice.Standing(carried.from_upstream, carried.upstream_ended),
            )
        if self._closed is not None:
            self.deadline = now + carried.left if carried.left is not None else NEVER

    # -- the end

    def lost(self, end: TunnelEnd, clean: bool, by_peer: bool = False) -> None:
        """``end`` is gone, and so must the other be: with a reset if it was no clean end, which may be ``by_peer``."""
        if self._closed is None:
            return
        if by_peer and not clean and not end.read_closed and not end.other.read_closed:
            self.cut_by = end
        transports = end.transport, end.other.transport
        self._finish()
        for transport in transports:
            # A transport with a producer may wait for it before it closes.
            transport.unregisterProducer()
            if clean:
                transport.loseConnection()
            else:
                transport.abortConnection()

    def splice_ended(self, clean: bool, by_first: bool | None = None) -> None:
        """The kernel has moved the last byte, or met an error."""
        self.lost(self.upstream if by_first is False else self.client, clean, by_peer=by_first is not None)

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
        spliced, self._spliced = self._spliced, None
        if spliced is not None:
            spliced.stop()
            self.client.received += spliced.moved_from_first
            self.upstream.received += spliced.moved_from_second
        self.client.close()
        self.upstream.close()
        if closed is not None:
            closed(self)
        self.client.forget()
        self.upstream.forget()
