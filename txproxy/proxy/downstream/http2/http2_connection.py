"""The protocol that clients talk to who speak HTTP/2: one connection, and an exchange for each of its streams.

Frames and windows are the session's (:mod:`txproxy.wire.http2.server`), requests and responses the streams' own
(:mod:`txproxy.proxy.downstream.http2.request_stream`). Here is what all of them share: the transport and what it takes,
the connection's time, and its end. What is written in a turn of the reactor leaves in one piece.
"""

from __future__ import annotations

from typing import Any, Final

from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocol, IPushProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from txproxy.errors import RequestError
from txproxy.interfaces.connection import ClientConnection
from txproxy.net.deadlines import NEVER
from txproxy.net.transports.any_transports import half_close, set_tcp_options
from txproxy.net.transports.unread import unread_function
from txproxy.proxy.downstream.client_states import ClientState, following
from txproxy.proxy.downstream.connection_age import forget_age, watched_age
from txproxy.proxy.downstream.http2.alike_requests import begin_alike
from txproxy.proxy.downstream.http2.connection_output import ConnectionOutput
from txproxy.proxy.downstream.http2.frames_ahead import FramesAhead
from txproxy.proxy.downstream.http2.half_closed import HalfClosed
from txproxy.proxy.downstream.http2.head_watch import HeadWatch
from txproxy.proxy.downstream.http2.request_stream import UNREAD, RequestStream
from txproxy.proxy.downstream.http2.stream_body import StreamBody
from txproxy.proxy.downstream.serving import ServedBy, ServingFactory, follow
from txproxy.proxy.exchanges.exchange import Exchange
from txproxy.proxy.minimum_rate import SLOW_RESPONSE, ResponseRate
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
_CLOSED: Final = ClientState.CLOSED


@implementer(IProtocol, IHalfCloseableProtocol, IPushProducer)
class Http2Protocol:
    """One client connection that speaks HTTP/2. It has its place, and its transport, from who has found out that."""

    __slots__ = (
        "factory", "services", "transport", "connection", "deadline", "state", "served_by", "session", "output",
        "_busy", "_touched", "_response_rate", "_leaving", "_rest", "_begun", "_head_watch", "_ahead", "_seen_at",
        "_counted", "_age", "plain_fields", "_half_closed",
    )  # fmt: skip

    def __init__(self, factory: ServingFactory, connection: ClientConnection) -> None:
        self.factory, self.connection = factory, connection
        self.services = services = factory.services
        # the next one; and until when there may be no stream
        self.deadline = self._rest = NEVER
        self.state = ClientState.WAITING
        self.served_by: ServedBy | None = None
        self.session = ServerSession(services.wire_limits, services.limits.http2(), True, RequestStream)
        # whether events are being handled, after which all that they have led to is written
        self._busy = False
        # bodies of which something has come, or is wanted
        self._touched: list[StreamBody] = []
        # how fast what waits for the client is taken
        self._response_rate: ResponseRate | None = None
        # no new streams are taken, or soon none will be; and whether part of something has come
        self._leaving = self._begun = False
        self._head_watch: HeadWatch | None = None
        self._half_closed: HalfClosed | None = None
        self._ahead = FramesAhead(self)
        # how many streams of it the services know of, and when the allowance for floods was looked at; the fields of
        # the last request of which nothing but the path is to be looked at
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

    def want_out(self) -> None:
        """Have what is to be written leave: at the end of the turn, or of what is being handled."""
        if not self._busy and self.state is _OPEN:
            self.output.want()

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

    # -- its time

    def _set_deadline(self) -> None:
        if self.output.held or (self._leaving and not self.session.draining):
            # The client has to take what waits, or to answer.
            return
        until = NEVER if self.session.active else self._rest
        self.deadline = min(until, self.services.head_limit.ahead) if self._begun else until

    def _watch_taking(self, known: bool) -> None:
        services = self.services
        self._response_rate = ResponseRate(self.transport, services.min_response_rate, services.idle_limit, known)
        self.deadline = services.idle_limit.ahead

    def deadline_passed(self) -> None:
        """Too slow, or idle for long enough."""
        if self.state is not _OPEN or self.output.held:
            if self._response_rate is not None and self._response_rate.goes_on():
                # slow, but taking it
                self.deadline = self.services.idle_limit.ahead
            else:
                self._lose_streams(SLOW_RESPONSE)
                self.abort()
        elif self._leaving and not self.session.draining:
            # It does not answer, or what it has sent is still on its way.
            self._drain_now()
        elif self._begun:
            self._head_late()
        elif self.session.active:
            self.deadline = NEVER
        elif not self._begun and unread_function(self.transport)():
            # What comes just now is read in this turn.
            self.deadline = self.factory.first_limit.ahead
        else:
            self.session.drain_now()
            self._end()

    def _head_late(self) -> None:
        """What has begun to come is not there."""
        if self._head_watch is None:
            self._head_watch = HeadWatch(self)
        until = self._head_watch.until(self._rest)
        if until:
            self.deadline = until
        else:
            self.session.drain_now()
            self._end()

    # -- who serves it

    def drain(self) -> None:
        """Finish what runs, then leave: the client is told in two steps, as RFC 9113 section 6.8 has it."""
        if self.state is _OPEN and not self._leaving:
            self._leaving = True
            self.session.drain()
            if not self.output.held:
                self.deadline = self.services.gone_limit.ahead
            self.want_out()

    grow_old = drain

    def _drain_now(self) -> None:
        self.session.drain_now()
        self._set_deadline()
        self.want_out()
        self._end_if_left()

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

    # -- the end

    def readConnectionLost(self) -> None:
        """The client has closed its side: it opens no window any more, and no stream."""
        if self.state is not _OPEN or not self.session.active or self.session.reader.more:
            if self.state is _OPEN:
                self._lose_streams()
            self._close()
        elif self._half_closed is None:
            self._leaving = True
            self._half_closed = HalfClosed(self)
            self.want_out()
            self._end_if_left()

    def writeConnectionLost(self) -> None:
        """Our own half-close, before lingering, went out."""

    def connectionLost(self, reason: Failure) -> None:
        """The client is gone."""
        self.state = following(self.state, _CLOSED)
        self._ahead.cancel()
        self.services.deadlines.forget(self)
        forget_age(self._age)
        self._age = self._head_watch = None
        self.services.streams -= self._counted
        self._counted = 0
        if self._half_closed is not None:
            self._half_closed.forget()
            self._half_closed = None
        self._lose_streams()
        for stream in self.session.streams.values():
            # Some may have been at hand for whoever has ended this, and are begun no more, or in vain.
            stream.finish()
        self.session.streams.clear()
        self.output.forget()
        self.factory.admission.left(self)

    def exchanges(self) -> list[Exchange]:
        """See :class:`txproxy.proxy.downstream.admission.Admitted`."""
        streams: Any = self.session.streams.values()
        return [one for stream in streams for one in stream.exchanges()]

    def _lose_streams(self, outcome: str = "") -> None:
        streams: Any = [*self.session.streams.values()]
        for stream in streams:
            if stream.client is not None:
                stream.lost(outcome)

    def _end_if_left(self) -> None:
        """When the last stream of those that were taken is over, all is."""
        no_more = self._leaving and (self.session.draining or self._half_closed is not None)
        if no_more and not self.session.active and self.state is _OPEN:
            self._end()

    def _end(self) -> None:
        """Say the last word, and close so that the client gets to see it, which may still be sending."""
        self._lose_streams()
        self.output.write()
        self.state = following(self.state, ClientState.LINGERING)
        self._watch_taking(known=False)
        self.deadline = self.services.linger_limit.ahead
        self.transport.unregisterProducer()
        self.services.turn_writes.flush()
        if self._half_closed is None and half_close(self.transport):
            self.transport.resumeProducing()
        else:
            self._close()

    def _close(self) -> None:
        if self.state is not _CLOSED:
            self.output.write()
            self.state = following(self.state, _CLOSED)
            self.services.turn_writes.flush()
            self._watch_taking(known=False)
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    def abort(self) -> None:
        """Close at once, whatever is under way."""
        self.state = following(self.state, _CLOSED)
        self._lose_streams()
        self.deadline = NEVER
        self.transport.unregisterProducer()
        self.transport.abortConnection()

    turn_away = abort
