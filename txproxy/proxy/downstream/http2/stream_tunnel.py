"""A tunnel on a stream (RFC 9113 section 8.5, RFC 8441): what flows both ways is DATA, and a half-close is its end."""

from __future__ import annotations

from collections import deque
from typing import Any, Final

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IConsumer, IPushProducer, ITransport
from twisted.python.failure import Failure
from zope.interface import implementer

from txproxy.errors import ResponseError
from txproxy.interfaces.context import RequestContext, ResponseFilter
from txproxy.interfaces.streams import RawConnection
from txproxy.proxy.downstream.client_tunnel import begin_tunnel
from txproxy.proxy.exchanges.exchange import Exchange
from txproxy.proxy.tunnel_ends import TunnelEnd
from txproxy.proxy.tunnel_inspection import Gate
from txproxy.wire.http2.faults import CANCEL, CONNECT_ERROR
from txproxy.wire.message import EndOfMessage, ResponseHead, keep_waiting

# So much may wait for the client's window before the upstream has to wait with the rest.
_MOST_WAITING: Final = 65536


class _OnlyTunnels(ResponseFilter):
    """A success that makes no tunnel does not go to who asks for one: any would say that it stands (RFC 9110 section
    9.3.6, RFC 8441 section 5).
    """

    refusals = True

    def head(self, response: ResponseHead, context: RequestContext) -> ResponseHead:
        """See :class:`txproxy.interfaces.ResponseFilter`."""
        if 200 <= response.status < 300:
            raise ResponseError(f"a {response.status} that makes no tunnel, where one was asked for")
        return response


ONLY_TUNNELS: Final = _OnlyTunnels()


@implementer(ITransport, IConsumer, IPushProducer)
class StreamTunnel:
    """Holds what comes on a ``stream`` (:class:`txproxy.proxy.downstream.http2.request_stream.RequestStream`) that asks
    for a tunnel, until that stands; then it is the transport of the tunnel's end, and tells that what becomes of the
    stream. What the tunnel does not take yet the client gets no leave to send more of.
    """

    __slots__ = (
        "services", "tunnel", "client_ended", "closing", "_stream", "_parts", "_reading", "_told_end",
        "_full", "_giving",
    )  # fmt: skip

    disconnecting = False

    def __init__(self, stream: Any) -> None:
        self.services = stream.client.services
        self.tunnel: TunnelEnd | Gate | None = None
        self.client_ended = not stream.may_receive
        # all is said, and leaves when windows let it
        self.closing = False
        self._stream = stream
        self._parts: deque[bytes | bytearray] = deque()
        self._reading = True
        self._told_end = False
        self._full = False
        self._giving = False
        # RFC 9218 11: else one that has much to say keeps all others from saying anything.
        stream.incremental = True

    @property
    def transport(self) -> StreamTunnel:
        """That of the tunnel's end."""
        return self

    def begin(self, exchange: Exchange, upstream: RawConnection, asked_for: bool) -> None:
        """The tunnel stands."""
        early = b"".join(self._parts)
        self._parts.clear()
        self._told_end = self.client_ended
        begin_tunnel(self, exchange, upstream, early, asked_for=asked_for)
        session = self._stream.client.session
        session.widen(self._stream)
        session.consume(self._stream, len(early))

    # -- what the stream tells

    def came(self, part: bytes | EndOfMessage) -> None:
        """Bytes of the client's, or their end."""
        if type(part) is bytes:
            keep_waiting(self._parts, part)
        else:
            self.client_ended = True
        if self.tunnel is not None:
            self._give()

    def _give(self) -> None:
        if self._giving:
            return
        self._giving = True
        stream, parts = self._stream, self._parts
        while parts and self._reading and self.tunnel is not None:
            part = parts.popleft()
            self.tunnel.dataReceived(bytes(part))
            stream.client.session.consume(stream, len(part))
        self._giving = False
        if self.client_ended and not parts and not self._told_end and self.tunnel is not None:
            self._told_end = True
            self.tunnel.readConnectionLost()

    def writable(self) -> None:
        """The client has opened its window."""
        if self._full:
            self._full = False
            if self.tunnel is not None:
                self.tunnel.resumeProducing()

    def lost(self) -> None:
        """The stream is gone."""
        tunnel, self.tunnel = self.tunnel, None
        self._parts.clear()
        if tunnel is not None:
            tunnel.connectionLost(Failure(ConnectionDone() if self.closing else ConnectionLost()))

    # -- what the tunnel calls

    def write(self, data: bytes) -> None:
        """To the client."""
        stream = self._stream
        client = stream.client
        client.session.send_body(stream, data)
        if stream.waiting > _MOST_WAITING:
            if not self._full and self.tunnel is not None:
                self._full = True
                self.tunnel.pauseProducing()
        elif not stream.waiting:
            self.writable()
        client.want_out()

    def writeSequence(self, data: Any) -> None:
        """To the client."""
        self.write(b"".join(data))

    def pauseProducing(self) -> None:
        """No more of the client's just now."""
        self._reading = False

    def resumeProducing(self) -> None:
        """It may come again."""
        self._reading = True
        if self.tunnel is not None:
            self._give()
            self._stream.client.want_out()

    def stopProducing(self) -> None:
        """Nobody wants what the client sends."""
        self.abortConnection()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Who writes is the tunnel, which is told itself."""

    def unregisterProducer(self) -> None:
        """The same."""

    def loseWriteConnection(self) -> None:
        """The other side sends no more."""
        stream = self._stream
        stream.client.session.send_end(stream)
        stream.client.want_out()

    def loseConnection(self) -> None:
        """The tunnel is over, in good order: what waits goes out first."""
        stream = self._stream
        self.tunnel = None
        self.closing = True
        if stream.may_send:
            stream.client.session.send_end(stream)
        if stream.may_send:
            stream.wait_for_windows()
        else:
            stream.leave()
        stream.client.want_out()

    def abortConnection(self) -> None:
        """It is over, in none."""
        stream = self._stream
        self.tunnel = None
        # RFC 9113 8.5
        stream.client.session.reset(stream, CANCEL if stream.protocol else CONNECT_ERROR)
        stream.leave()
        stream.client.want_out()

    def getPeer(self) -> Any:
        """The connection's."""
        return self._stream.client.transport.getPeer()

    def getHost(self) -> Any:
        """The connection's."""
        return self._stream.client.transport.getHost()
