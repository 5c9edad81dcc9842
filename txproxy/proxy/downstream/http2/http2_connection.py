"""The protocol that clients talk to who speak HTTP/2: one connection, and an exchange for each of its streams.

Frames and windows are the session's (:mod:`txproxy.wire.http2.server`), requests and responses the streams' own
(:mod:`txproxy.proxy.downstream.http2.request_stream`). Here is what all of them share: the transport and what it takes,
and who serves it. What is written in a turn of the reactor leaves in one piece. For how long all that lasts is another
matter (:mod:`txproxy.proxy.downstream.http2.connection_lifetime`).
"""

from __future__ import annotations

from typing import Any, Final

from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocol, IPushProducer
from zope.interface import implementer

from txproxy.errors import RequestError
from txproxy.interfaces.connection import ClientConnection
from txproxy.net.deadlines import NEVER
from txproxy.net.transports.any_transports import set_tcp_options
from txproxy.proxy.downstream.client_states import ClientState, following
from txproxy.proxy.downstream.connection_age import watched_age
from txproxy.proxy.downstream.http2.alike_requests import begin_alike
from txproxy.proxy.downstream.http2.connection_lifetime import ConnectionLifetime
from txproxy.proxy.downstream.http2.connection_output import ConnectionOutput
from txproxy.proxy.downstream.http2.frames_ahead import FramesAhead
from txproxy.proxy.downstream.http2.request_stream import UNREAD, RequestStream
from txproxy.proxy.downstream.http2.stream_body import StreamBody
from txproxy.proxy.downstream.serving import ServingFactory, follow
from txproxy.wire.http2.field_blocks.request_heads import KnownRequest
from txproxy.wire.http2.flood_allowance import MOST
from txproxy.wire.http2.server import ServerSession
from txproxy.wire.message import RequestHead

# Below this what time has given back of the allowance is asked for.
_LOW: Final = MOST // 2
# There are no more numbers of streams than 2**31: with so many left it is time for another connection.
_LAST_NUMBER: Final = (1 << 31) - (1 << 20)
# A look-up in an Enum class costs on each event.
_OPEN: Final = ClientState.OPEN


@implementer(IProtocol, IHalfCloseableProtocol, IPushProducer)
class Http2Protocol(ConnectionLifetime):
    """One client connection that speaks HTTP/2. It has its place, and its transport, from who has found out that."""

    __slots__ = ("_touched", "_seen_at", "plain_fields")

    def __init__(self, factory: ServingFactory, connection: ClientConnection) -> None:
        self.factory, self.connection = factory, connection
        self.services = services = factory.services
        self.deadline = self._rest = NEVER
        self.state = ClientState.WAITING
        self.served_by = None
        self.session = ServerSession(services.wire_limits, services.limits.http2(), True, RequestStream)
        self._busy = self._leaving = self._begun = False
        # bodies of which something has come, or is wanted
        self._touched: list[StreamBody] = []
        self._response_rate = self._head_watch = self._half_closed = None
        self._ahead = FramesAhead(self)
        # when the allowance for floods was looked at; the fields of the last request of which nothing but the path is
        # to be looked at
        self._counted, self._seen_at, self.plain_fields = 0, services.seconds(), None

    # -- the beginning

    def makeConnection(self, transport: Any) -> None:
        """A client is there, and has a place."""
        self.transport = self.connection.transport = transport
        self.output = ConnectionOutput(self.session, transport, self.services.turn_writes, self._handle)
        set_tcp_options(transport)
        transport.registerProducer(self, True)
        self.services.deadlines.watch(self)
        self._age = watched_age(self)
        self.connectionMade()

    def connectionMade(self) -> None:
        """Say what is to be known here."""
        self.state = following(self.state, _OPEN)
        self._rest = self.deadline = self.factory.first_limit.ahead
        self.want_out()

    def admitted(self) -> None:
        """It was let in before it was one of HTTP/2."""

    # -- bytes in

    def dataReceived(self, data: bytes) -> None:
        """Frames."""
        session = self.session
        if self.state is not _OPEN or (session.reader.more and self._ahead.keep(data)):
            return
        if session.allowance.left < _LOW:
            now = self.services.seconds()
            passed = now - self._seen_at
            if passed >= 1:  # less may be good for nothing, each time
                session.allowance.seconds_passed(passed)
                self._seen_at = now
        self._handle(session.receive(data))
        if session.fault is not None:
            self.say_fault(session.fault.detail)
            if self.state is _OPEN:  # else the last stream of all has ended just before it
                self._end()
        elif session.reader.more:
            self._ahead.wait()
        elif (self._begun or not session.reader.clear) and session.begun is not self._begun and self.state is _OPEN:
            self._begun = not self._begun
            self._head_watch = None
            self._set_deadline()

    def _handle(self, events: list[Any]) -> None:
        self._busy, prepared = True, False
        streams = self.session.streams
        try:
            for stream, what in events:
                # The first of its stream. All that have come are there, but who was reset by what came with it.
                if type(what) is KnownRequest:
                    prepared = prepared or self._prepare()
                    begin_alike(self, stream, what)
                elif type(what) is RequestHead:
                    stream.client = self
                    if stream.id in streams:
                        prepared = prepared or self._prepare()
                        stream.begin(what)
                elif stream is None:
                    continue  # the client takes no streams of ours, of which there are none
                elif stream.client is None and isinstance(what, RequestError):
                    stream.client = self
                    if stream.id in streams:
                        prepared = prepared or self._prepare()
                        stream.refuse(what, UNREAD)
                else:
                    stream.client = self
                    stream.came(what)
            # Each may have others wanted.
            while self._touched:
                touched, self._touched = self._touched, []
                for body in touched:
                    body.pump()
        finally:
            self._busy = False
        self._count()
        if self.session.sending.out:
            self.want_out()
        if self._leaving:
            self._end_if_left()

    def _count(self) -> None:
        """Tell how many streams there are: after what has come, and when there is none."""
        services, more = self.services, self.session.active - self._counted
        if more:
            services.streams += more
            self._counted += more
            if more > 0:
                services.connections.expect(services.streams)

    def touch(self, body: StreamBody) -> None:
        """Have ``body`` given to its exchange, when all that has come is there."""
        if not self._busy:
            body.pump()
            self.want_out()
        elif body not in self._touched:
            self._touched.append(body)

    # -- requests

    def _prepare(self) -> bool:
        """There is a stream, or several; gives True."""
        if self.deadline != NEVER or self._begun:
            self._set_deadline()
        if self.factory.draining and not self._leaving:
            # Who serves the first request of a connection alone has said so to the others before they came.
            self._leaving = True
            self.session.drain_now()
        elif self.session.last_seen > _LAST_NUMBER:
            self.drain()
        return True

    def say_fault(self, detail: str) -> None:
        """A line in the log: what was wrong with what the client has sent, to which there is no answer but a code."""
        self.services.fault_log.say("http2", "HTTP/2 of {peer}: {detail}", peer=self.connection.peer_ip, detail=detail)

    def left(self, stream: RequestStream) -> None:
        """All is over with a stream."""
        self.session.leave(stream)
        if not self.session.active:
            self.rest()

    def rest(self) -> None:
        """There are no streams any more."""
        if self.state is _OPEN:
            self._count()
            self._rest = self.factory.rest_limit.ahead
            self._set_deadline()
            if self._leaving and not self._busy:
                self._end_if_left()

    # -- bytes out

    def write_part(self) -> None:
        """Have what there is leave at once, apart from what is to follow."""
        if self.state is _OPEN:
            self.output.write_part()

    def pauseProducing(self) -> None:
        """The client does not take what is written as fast as it comes."""
        if self.state is not _OPEN or self.output.held:
            # Transports say so with each write.
            return
        self.output.hold()
        self._watch_taking(known=True)

    def resumeProducing(self) -> None:
        """The client has taken what was waiting for it."""
        if self.state is not _OPEN:
            return
        self.output.held = False
        self._set_deadline()
        self.output.release()

    def stopProducing(self) -> None:
        """The transport will say connectionLost as well."""

    # -- who serves it

    def give(self) -> None:
        """It stays."""

    def retire(self) -> bool:
        """Another factory serves the listener: go there now if nothing runs, else leave when it has ended."""
        if self.factory.draining or self.state is not _OPEN:
            return False
        if not self.session.active and not self._leaving and follow(self):
            return True
        self.drain()
        return False

    def can_follow(self, factory: ServingFactory) -> bool:
        """See :class:`txproxy.proxy.downstream.serving.Client`."""
        spoken = factory.http2 if self.connection.peer_scheme == "https" else factory.h2c
        # What the client was told of streams and windows holds.
        same = factory.services.limits.http2() == self.services.limits.http2()
        return "http" in factory.protocols and spoken and same

    def belong_to(self, factory: ServingFactory) -> None:
        """See :class:`txproxy.proxy.downstream.serving.Client`."""
        self._count()
        self.factory, self.services, self.plain_fields = factory, factory.services, None
        self.session.use_limits(factory.services.wire_limits)
        self.output.use_turn(factory.services.turn_writes)
