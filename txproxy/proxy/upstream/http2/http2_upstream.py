"""A connection to an upstream that speaks HTTP/2: the streams of many clients' requests on one socket."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from twisted.internet.interfaces import IHandshakeListener, IProtocol, IPushProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from txproxy.errors import ResponseError
from txproxy.interfaces.address import Address
from txproxy.net.deadlines import NEVER
from txproxy.net.transports.any_transports import set_tcp_options, unwrap
from txproxy.net.transports.tls_record_transports import read_records
from txproxy.net.transports.unread import has_ended, read_before_lost, read_more, read_waiting
from txproxy.proxy.services import Services
from txproxy.proxy.upstream.http2.http2_lifetime import Http2Lifetime
from txproxy.proxy.upstream.http2.http2_stream import Http2Stream, StartedStream, WithLength
from txproxy.proxy.upstream.http2.liveness import Liveness
from txproxy.proxy.upstream.http2.stream_events import deliver, deliver_alike
from txproxy.proxy.upstream.http2.upstream_output import UpstreamOutput
from txproxy.proxy.upstream.http2.websocket_stream import WebSocketStream, decide
from txproxy.proxy.upstream.upstream_states import Http2State, next_http2_state
from txproxy.wire.http2 import frames
from txproxy.wire.http2.client import ClientSession
from txproxy.wire.http2.events import Event, GoingAway
from txproxy.wire.http2.faults import NO_ERROR
from txproxy.wire.message import RequestHead

# After so many streams another connection is made, before there are no numbers left. As many as there may be at once
# (10000, by a configuration) may begin before one has ended, and each takes two.
_LAST: Final = frames.LAST_STREAM - 2 * 10_000
_new: Final = object.__new__
# A look-up in an Enum class costs on each event.
_OPEN: Final = Http2State.OPEN
_CLOSED: Final = Http2State.CLOSED


@implementer(IProtocol, IHandshakeListener, IPushProducer)
class Http2Upstream(Http2Lifetime):
    """One connection to an upstream. It is kept where others find it as long as it takes more streams."""

    spoke_early = False  # a server of HTTP/2 may speak first

    __slots__ = ("key", "scheme", "handshake_done", "with_length", "facts", "_said", "_most", "_near", "_reads_more")

    def __init__(self, services: Services, address: Address) -> None:
        self.services = services
        self.address = address
        self.key = address.key
        self.session = ClientSession(services.wire_limits, services.limits.http2_upstream())
        self.scheme = b"https" if address.tls is not None else b"http"
        self.transport: Any = None
        self.facts: Any = None
        self.state = _OPEN
        self.handshake_done: Callable[[Failure | None], None] | None = None
        # how many places were taken on which nothing has begun yet, and whether a stream has ended here
        self._opened, self._reused = 0, False
        # how many streams there may be, and how many more now: as long as it has not said, as one there took before;
        # the last one of all, and from where on that has to be looked at
        dials = services.shared_dials
        self._most = dials.streams_of(address.key)
        self._last = min(dials.last_of(address.key), _LAST)
        self._near = self._last - 2 * self.session.settings.streams if self._last < _LAST else _LAST
        self.capacity = self._free()
        # whether more is read of what has just come
        self._reads_more = False
        self._deadline = NEVER
        self._liveness = Liveness(services.deadlines, services.response_limit.seconds)
        # who finds it, and whether it is to be found there
        self._kept_by = services.connections
        self._kept = False
        # how many streams the upstream has said that it takes, and what waits for its words
        self._said = -1
        self._undecided: list[WebSocketStream] = []
        self.with_length = WithLength()

    # -- what Twisted calls

    def makeConnection(self, transport: Any) -> None:
        """The connection is there (its TLS handshake may not be)."""
        self.transport = transport
        self.connectionMade()

    def connectionMade(self) -> None:
        """Nothing is said before there is a request: a header of the PROXY protocol may have to go out first."""
        transport = self.transport
        self.output = UpstreamOutput(self.session, transport, self.services.turn_writes, self.has_gone)
        unwrap(transport, self)
        read_before_lost(transport)
        transport.registerProducer(self, True)
        set_tcp_options(transport)
        self.services.deadlines.watch(self)

    def handshakeCompleted(self) -> None:
        """The TLS handshake is over, and the certificate was verified."""
        read_records(self.transport)
        if self.handshake_done is not None:
            self.handshake_done(None)

    def dataReceived(self, data: bytes) -> None:
        """Frames."""
        if self.state is _CLOSED:
            return
        session = self.session
        rest = session.reader.rest_of_body(data)
        if rest:  # what comes after it may be read as a whole
            self.dataReceived(data[:rest])
            self.dataReceived(data[rest:])
            return
        ahead = self._liveness.heard()
        if session.active:
            if ahead > self._deadline:
                session.allowance.seconds_passed(ahead - self._deadline)
            self._deadline = ahead
        events = session.receive(data)
        # What it says of itself holds for all that has come with it: nobody is to begin anything that cannot go out.
        fault = session.fault
        if fault is not None or session.going_away or session.takes != self._said:
            self._heed(events)
        if session.answered:
            self._reused = True
            self._has_room()
            deliver_alike(session.answered, self.with_length)
        if session.head_waits and not self._reads_more and self._still_waits():
            events = session.go_on()
            fault = session.fault
            self._heed(events)
        if events:
            deliver(events)
        if fault is not None:
            self._fail_all(ResponseError(f"{self.address}: {fault.detail}"))
            # A request that has not gone out was asked elsewhere just now, and would be done here as well.
            session.take_output()
            session.go_away(fault.code)
            self._say_last()
            return
        if self.state is not _OPEN:
            self.close()
        if session.sending.out:
            self.flush()

    def _heed(self, events: list[Event]) -> None:
        """What the upstream says of itself with these ``events``."""
        session, takes = self.session, self.session.takes
        if session.fault is not None:
            self._close_to_others()
        elif session.going_away:
            if self.state is _OPEN:
                self._ends_by(events)
                self._leave()
                # RFC 9113 6.8: no stream is opened any more, and those are not that have not gone out.
                events += session.withdraw(self.output.last)
        elif takes is not None and takes != self._said and self.state is _OPEN:
            self._takes_others(takes)

    def _still_waits(self) -> bool:
        """Read what has come by now of the body of a head that waits: whether that is to be read alone. It is done once
        in a turn, as others have theirs.
        """
        if self.state is _OPEN:
            self._reads_more = True
            read_more(self.transport)
            self._reads_more = False
        return self.session.head_waits and self.state is not _CLOSED

    def connectionLost(self, reason: Failure) -> None:
        """The connection is gone."""
        self.services.deadlines.forget(self)
        self._close_to_others()
        if self.handshake_done is not None:
            self.handshake_done(reason)
        self._fail_all(None)

    def pauseProducing(self) -> None:
        """The upstream takes nothing: bodies wait."""
        self.session.hold()

    def resumeProducing(self) -> None:
        """The upstream has taken what was waiting for it."""
        deliver(self.session.release())
        self.flush()

    def stopProducing(self) -> None:
        """The transport will say connectionLost as well."""

    # -- what the upstream says of itself

    def _takes_others(self, streams: int) -> None:
        """The upstream has said how many streams it takes."""
        self._said = streams
        self._most = min(streams, self.session.settings.streams)
        self.services.shared_dials.remember(self.key, self._most)
        self.capacity = self._free()
        if not self.capacity:
            self._hide()
        decide(self._undecided, self)
        self.offer()

    @property
    def takes_one_more(self) -> bool:
        """Whether one of those that have a place may begin (RFC 9113 section 5.1.2)."""
        return self.session.active < self._most

    def _free(self) -> int:
        """How many more streams there may be now."""
        free = min(self._most - self.session.active, (self._last - self.session.last_made + 1) // 2)
        return max(0, free - self._opened)

    def _ends_soon(self) -> bool:
        """There are not many streams more: whether there are none."""
        self.capacity = self._free()
        return self.session.last_made >= self._last

    def _ends_by(self, events: Sequence[Event]) -> None:
        """The upstream has said, among other things, that it takes no more streams: after some that it has taken, which
        others have followed.
        """
        last, code = next((what.last, what.code) for _, what in events if type(what) is GoingAway)
        if code == NO_ERROR and 0 < last < self.session.last_made:
            self.services.shared_dials.ended_after(self.key, last)

    def _leave(self) -> None:
        """There are no new streams."""
        self.state = next_http2_state(self.state, Http2State.LEAVING)
        self.capacity = 0
        self._hide()
        decide(self._undecided, self)

    # -- what is written

    def flush(self) -> None:
        """Have what there is go out at the end of this turn."""
        self.output.want()

    def has_gone(self) -> bool:
        """Whether the upstream has closed the connection just now, or has said that it will, which is read before; or
        that it takes fewer streams than there are places by now.
        """
        if self.state is _OPEN and self.output.is_spoken_to():
            read_waiting(self.transport)
            if self.state is _OPEN and has_ended(self.transport):
                self._abort(None)
        return self.state is not _OPEN or self.session.active + self._opened > self._most

    # -- streams

    @property
    def shared(self) -> bool:
        """See :class:`txproxy.proxy.upstream.http2.http2_stream.Http2Stream`."""
        return (self._reused or len(self.session.streams) > 0) and self._kept_by is self.services.connections

    def open(self) -> Http2Stream:
        """The stream of one request."""
        one = _new(Http2Stream)  # to call the class takes three times as long
        one.connection = self
        one.reused = self._reused or len(self.session.streams) > 0
        self._opened += 1
        self.capacity -= 1
        if not self.capacity:
            self._hide()
        return one

    def start(self, exchange: Any, head: RequestHead, seconds: float | None = None) -> None:
        """See :class:`txproxy.interfaces.streams.UpstreamConnection`. Among others it takes fewer steps."""
        session = self.session
        if session.streams and self.capacity > 1 and seconds is None:
            one = StartedStream()
            if session.send_again(one, head, self.scheme):
                self.capacity -= 1
                one.connection = self
                one.exchange = exchange
                one.open = True
                one.deadline = self.services.response_limit.ahead
                exchange.upstream = one
                if exchange.started is not None:
                    exchange.kept = one
                if not self.output.wanted:
                    self.output.want()
                return
        placed = exchange.upstream = self.open()
        if exchange.started is not None:
            exchange.kept = placed
        placed.begin(exchange, head, seconds)

    @property
    def room(self) -> int:
        """See :class:`txproxy.interfaces.streams.UpstreamConnection`. The last one is hidden from others."""
        return self.capacity - 1 if self.session.streams else 0

    def start_alike(self, exchanges: Sequence[Any], head: RequestHead) -> int:
        """See :class:`txproxy.interfaces.streams.SharedConnection`."""
        count = min(len(exchanges), self.room)
        streams = self.session.send_alike(StartedStream, count, head, self.scheme) if count > 0 else []
        deadline = self.services.response_limit.ahead
        for one, exchange in zip(streams, exchanges, strict=False):
            one.connection = self
            one.exchange = exchange
            one.open = True
            one.deadline = deadline
            exchange.upstream = one
            if exchange.started is not None:
                exchange.kept = one
        self.capacity -= len(streams)
        if streams and not self.output.wanted:
            self.output.want()
        return len(streams)

    def change(self, one: Http2Stream, exchange: Any, head: RequestHead) -> None:
        """Ask for a WebSocket in place of ``one``, once the upstream has said whether it knows of them on streams."""
        other = exchange.upstream = WebSocketStream(self, one.reused)
        other.wait(exchange, head, one)
        self._undecided.append(other)
        if self.session.takes is not None:
            decide(self._undecided, self)
        self.flush()

    def begin(self, one: Http2Stream, head: RequestHead, ended: bool, protocol: bytes = b"") -> None:
        """Send the ``head`` of its request."""
        self.session.send_request(head, self.scheme, ended, protocol, one)
        self.begun(one)

    def begun(self, one: Http2Stream) -> None:
        """The session has the head of its request."""
        if len(self.session.streams) == 1:
            self._deadline = self._liveness.silence.ahead
        self._opened -= 1
        one.placed = False
        one.open = True

    def cancel(self, one: Http2Stream) -> None:
        """Nobody wants to hear of it any more."""
        if one.open:
            if one.id >= self._last and self.state is _OPEN:
                # That it says nothing more does not tell that it would have taken another.
                self._last = frames.LAST_STREAM
                self._leave()
            self.session.cancel(one)
            self.left(one)
            self.flush()
            if self._kept_by is not self.services.connections:
                # The client to which all of it belongs may be gone.
                self.close()
        elif one.placed:
            one.placed = False
            if one in self._undecided:
                self._undecided.remove(one)
            self._opened -= 1
            self._has_room()

    def left(self, one: Http2Stream) -> None:
        """All is over on a stream."""
        one.open = False
        self._reused = True
        self.session.leave(one)
        if self.session.sending.out:
            self.flush()
        self._has_room()

    def _has_room(self) -> None:
        """A stream has gone, or several."""
        if self.state is not _OPEN:
            self.close()
            return
        self.capacity = max(0, self._most - self.session.active - self._opened)
        if self.session.last_made > self._near and self._ends_soon():
            self._leave()
            self.close()
        elif not self._kept or not self.session.streams or self.services.shared_dials.waiting:
            self.offer()

    def offer(self) -> None:
        """Let others have what there is room for: those who wait first."""
        given = self._kept_by is self.services.connections and self.services.shared_dials.room(self)
        if self.state is not _OPEN:
            return
        # Who has dialled it may open a stream only once that has told him, where it takes no time.
        idle = self._is_idle and not given
        if not self.capacity:
            if idle:
                # It takes no stream, and will hardly come to.
                self.close()
            return
        if idle:
            self._deadline = self.services.keep_limit.ahead
        self._kept = True
        surplus = self._kept_by.give_back(self, idle)
        if surplus is not None:
            surplus.close()

    def become_tunnel(self, end: Any) -> bytes:
        """See :class:`txproxy.proxy.upstream.http2.http2_stream.Http2Stream`."""
        raise AssertionError("a connection of HTTP/2 changes no protocols")
