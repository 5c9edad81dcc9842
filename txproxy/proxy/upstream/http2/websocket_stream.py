"""A WebSocket to an upstream that speaks HTTP/2: a stream that extended CONNECT (RFC 8441) makes a tunnel of, where the
client has asked by an Upgrade of HTTP/1, or by what was made one of.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IConsumer, IPushProducer, ITransport
from twisted.python.failure import Failure
from zope.interface import implementer

from txproxy.errors import ConnectionFull, ExchangeError, RequestUnseen
from txproxy.net.deadlines import NEVER
from txproxy.proxy.upstream.http2.http2_stream import Http2Stream
from txproxy.proxy.upstream.upstream_states import Http2State
from txproxy.wire.extended_connect import WEBSOCKET, as_switch, without_key, without_upgrade
from txproxy.wire.headers import Headers
from txproxy.wire.http2.faults import NO_ERROR
from txproxy.wire.message import RequestHead, ResponseHead, keep_waiting

# So much may wait for the upstream's window before the client has to wait with the rest.
_MOST_WAITING: Final = 65536


@implementer(ITransport, IConsumer, IPushProducer)
class WebSocketStream(Http2Stream):
    """The stream of one, and the transport of the tunnel's end at the upstream, once that stands. As long as the
    upstream has not said what it can do, the request waits; where it does not know extended CONNECT, it is asked as
    before, without an Upgrade.
    """

    disconnecting = False
    # the end of the tunnel, once there is one; and whether the upstream has agreed to it
    _end: Any = None
    _asked: RequestHead | None = None
    _agreed = False
    _closing = False
    # how much waited when that was looked at last, of one that is closing
    _waited = 0
    _reading = True
    # what waits until the tunnel takes it, and the end after it
    _upstream_ended = False
    _told_end = False
    # whether the upstream takes nothing more either
    _upstream_left = False

    def __init__(self, connection: Any, reused: bool) -> None:
        super().__init__(connection, reused)
        self._parts: deque[bytes | bytearray] = deque()

    @property
    def transport(self) -> Any:
        """This, for a tunnel."""
        return self if self._agreed else self.connection.transport

    # -- what the exchange and the connection call

    def wait(self, exchange: Any, head: RequestHead, other: Http2Stream) -> None:
        """Ask for it, in place of ``other``, when the upstream has said whether it knows how to."""
        self.exchange = exchange
        self._asked = head
        self._limit = other._limit
        self.request_sent = True
        self.deadline = self._limit.ahead

    def ask(self, known: bool) -> None:
        """Ask for it where that is ``known``, and for what else there is where it is not."""
        head = self._asked
        assert head is not None
        if not self.placed:
            # Nobody wants it any more.
            return
        if known:
            self.connection.begin(self, without_key(head), ended=False, protocol=WEBSOCKET)
            self.connection.flush()
        else:
            self.begin(self.exchange, without_upgrade(head), self.exchange.plan.response_timeout)

    def _agrees(self, head: ResponseHead) -> bool:
        return self.open and self.method == b"CONNECT" and 200 <= head.status < 300

    def came_head(self, head: ResponseHead) -> None:
        """The upstream agrees, or answers."""
        if not self._agrees(head):
            super().came_head(head)
            return
        self._heard()
        self._agreed = True
        self.deadline = NEVER
        # It may wait with that, and hears until then what becomes of the stream.
        self.exchange.response_head(as_switch(self.exchange.request, head))

    def came_whole(self, head: ResponseHead, body: bytes) -> None:
        """All of a response at once, or of a WebSocket."""
        if not self._agrees(head):
            super().came_whole(head, body)
            return
        self.came_head(head)
        if body:
            self.came_body(body)
        self.came_end(Headers())

    def came_body(self, data: bytes) -> None:
        """Bytes of the upstream's, or part of a response."""
        if not self._agreed:
            super().came_body(data)
            return
        keep_waiting(self._parts, data)
        self._give()

    def came_end(self, trailers: Headers) -> None:
        """Their end."""
        if not self._agreed:
            super().came_end(trailers)
            return
        self._upstream_ended = True
        if self._closing:
            self._part()
        else:
            self._give()

    def writable(self) -> None:
        """The upstream has opened its window."""
        if not self._agreed:
            super().writable()
        elif self._full:
            self._full = False
            if self._end is not None:
                self._end.resumeProducing()

    def ends_with(self, code: int) -> bool:
        """RFC 9113 section 8.1: servers whose handler returns say their end, and that they take nothing more. What has
        come goes to the client as before any other end.
        """
        if code != NO_ERROR or not self._upstream_ended:
            return False
        self._upstream_left = True
        self.connection.left(self)
        self._give()
        return True

    def failed(self, fault: ExchangeError) -> None:
        """It will not be complete."""
        end, self._end = self._end, None
        super().failed(fault)
        if end is not None:
            end.connectionLost(Failure(ConnectionLost()))

    def late(self) -> None:
        """The upstream has not answered, or does not close its side."""
        if not self._closing:
            super().late()
        elif self.waiting < self._waited:
            # Slow, but taking it.
            self._linger()
        elif self._upstream_ended and not self.may_send:
            self.connection.left(self)
        else:
            self.deadline = NEVER
            self.connection.cancel(self)

    def _linger(self) -> None:
        self._closing = True
        self._waited = self.waiting
        self.deadline = self.connection.services.linger_limit.ahead

    def become_tunnel(self, end: Any) -> bytes:
        """The ``end`` of the tunnel has it from now on."""
        self.exchange = None
        self._end = end
        early = b"".join(self._parts)
        self._parts.clear()
        self._consume(len(early))
        if self._upstream_ended:
            # After what has come early.
            self.connection.services.reactor.callLater(0, self._give)
        return early

    def _consume(self, size: int) -> None:
        if size and self.open:
            self.connection.session.consume(self, size)
            self.connection.flush()

    def _give(self) -> None:
        parts = self._parts
        while parts and self._reading and self._end is not None:
            part = parts.popleft()
            self._end.dataReceived(bytes(part))
            self._consume(len(part))
        if parts or self._end is None:
            return
        if self._upstream_left:
            end, self._end = self._end, None
            end.connectionLost(Failure(ConnectionDone()))
        elif self._upstream_ended and not self._told_end:
            self._told_end = True
            self._end.readConnectionLost()

    # -- what the tunnel calls

    def write(self, data: bytes) -> None:
        """To the upstream."""
        connection = self.connection
        if not self.open:
            return
        connection.session.send_body(self, data)
        if self.waiting > _MOST_WAITING and not self._full:
            self._full = True
            self._end.pauseProducing()
        connection.flush()

    def writeSequence(self, data: Any) -> None:
        """To the upstream."""
        self.write(b"".join(data))

    def pauseProducing(self) -> None:
        """No more of the upstream's just now: its window says so."""
        self._reading = False

    def resumeProducing(self) -> None:
        """It may come again."""
        self._reading = True
        self._give()

    def stopProducing(self) -> None:
        """Nobody wants what the upstream sends."""
        self.abortConnection()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Who writes is the tunnel, which is told itself."""

    def unregisterProducer(self) -> None:
        """The same."""

    def loseWriteConnection(self) -> None:
        """The client sends no more."""
        if self.open:
            self.connection.session.send_end(self)
            self.connection.flush()
            if self._upstream_ended:
                self._part()

    def loseConnection(self) -> None:
        """The tunnel is over, in good order: what waits goes out, and the upstream closes its side in its turn."""
        self._end = None
        self._closing = True
        connection = self.connection
        if not self.open:
            return
        connection.session.send_end(self)
        connection.flush()
        if self._upstream_ended:
            self._part()
        else:
            self._linger()

    def _part(self) -> None:
        """Both sides have ended, as far as what waits has gone out."""
        if self.open and not self.may_send:
            self.connection.left(self)
        else:
            self._linger()

    def abortConnection(self) -> None:
        """It is over, in none."""
        self._end = None
        if self.open:
            self.connection.cancel(self)

    def getPeer(self) -> Any:
        """The connection's."""
        return self.connection.transport.getPeer()

    def getHost(self) -> Any:
        """The connection's."""
        return self.connection.transport.getHost()


def decide(undecided: list[WebSocketStream], connection: Any) -> None:
    """The upstream has said what it knows, or that it takes leave: go on with those that have waited for that."""
    waiting = undecided[:]
    undecided.clear()
    for one in waiting:
        if connection.state is not Http2State.OPEN:
            one.failed(RequestUnseen(f"{connection.address} takes leave"))
        elif connection.takes_one_more:
            one.ask(connection.session.takes_protocols)
        else:
            # As if it had been refused, but that others are refused with it where the upstream does so itself.
            full = ConnectionFull if connection.session.takes else RequestUnseen
            one.failed(full(f"{connection.address} takes fewer requests"))
