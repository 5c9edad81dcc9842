"""What both roles of HTTP/2 share, sans-I/O (RFC 9113).

Feed a connection with ``receive``, which gives events: pairs of a stream and what has come on it, which is a head,
``bytes`` of a body, an ``EndOfMessage``, a ``StreamReset``, ``WRITABLE`` or ``ALL_SENT``; and without a stream a
``GoingAway``. What is to be written lies in ``take_output``, also after ``receive``: acknowledgements, windows, resets.
Where ``fault`` is there, the connection is of no use any more: what lies to be written ends with the GOAWAY that says
so.

What has come of a body is counted until ``consume`` says that it is gone: only then does the peer get leave to send
more of it. A stream counts as one of those that there may be until ``leave`` says that all is over with it.
"""

from __future__ import annotations

from typing import Final

from txproxy.errors import ExchangeError
from txproxy.wire.headers import Headers
from txproxy.wire.http2 import frames
from txproxy.wire.http2.events import ALL_SENT, WRITABLE, Event, GoingAway, StreamReset
from txproxy.wire.http2.faults import (
    CANCEL,
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
    NO_ERROR,
    STREAM_CLOSED,
    ConnectionFault,
    StreamFault,
)
from txproxy.wire.http2.flood_allowance import ANSWERED, FRAME, MOST, RESET, FloodAllowance
from txproxy.wire.http2.frame_reader import FrameReader
from txproxy.wire.http2.own_settings import DEFAULT_SETTINGS, Http2Settings, check_setting
from txproxy.wire.http2.priorities import check_priority_frame
from txproxy.wire.http2.receiving import Receiving, count_body
from txproxy.wire.http2.sending import Sending
from txproxy.wire.http2.stream import ResetStreams, Stream, StreamState
from txproxy.wire.message import END, UNTIL_CLOSE, EndOfMessage
from txproxy.wire.size_limits import DEFAULT_LIMITS, WireLimits

_CLOSED: Final = StreamState.CLOSED
# Of what waits, so much goes out at once.
TURN: Final = 256 * 1024


class Session:
    """One side of a connection. ``WireLimits`` bound heads and bodies."""

    # what the peer begins with
    _preface = b""
    # how much of what has come is read at once
    _share = 1 << 62
    # whether it is told that the last of a message has gone out which had to wait
    _tells_all_sent = False

    def __init__(self, limits: WireLimits = DEFAULT_LIMITS, settings: Http2Settings = DEFAULT_SETTINGS) -> None:
        self.limits = limits
        self.settings = settings
        self.fault: ConnectionFault | None = None
        self.streams: dict[int, Stream] = {}
        # how many of them count
        self.active = 0
        self.allowance = FloodAllowance()
        self.sending = Sending(self.allowance)
        # the last stream of the peer's, and the last of ours
        self.last_seen = self.last_made = 0
        # of the peer: what it says of itself, by the numbers of SETTINGS
        self.peer: dict[int, int] = {}
        self.receiving = Receiving(
            settings.connection_window, settings.stream_window, self.sending.out,
            settings.first_window, settings.growth, self.streams,
        )  # fmt: skip
        self.reader = FrameReader(self._preface, 2 * limits.max_head, self.allowance, self._share)
        self._events: list[Event] = []
        self._were_reset = ResetStreams()

    # -- what is written

    def take_output(self) -> bytes:
        """What is to be written now."""
        return self.sending.take()

    def hold(self) -> None:
        """The transport takes no more: bodies wait."""
        self.sending.hold(True)

    def release(self) -> list[Event]:
        """It takes more; gives events as ``receive`` does."""
        self.sending.hold(False)
        self.sending.go_on(TURN)
        self._tell_drained()
        events, self._events = self._events, []
        return events

    @property
    def begun(self) -> bool:
        """Whether part of a frame has come, or of a field block, of which the rest is to come."""
        return self.reader.begun

    def send_body(self, stream: Stream, data: bytes) -> None:
        """Part of a body. What windows do not let go yet waits: ``stream.waiting`` says how much."""
        if stream.may_send:
            self.sending.body(stream, data)

    def send_end(self, stream: Stream, block: bytes = b"") -> None:
        """The message is complete, with a block of trailers if it has any."""
        if stream.may_send:
            self.sending.body(stream, b"", block)

    def reset(self, stream: Stream, code: int) -> None:
        """End a stream, whatever it is doing."""
        if stream.id in self.streams:
            self.sending.out.append(frames.rst_stream(stream.id, code))
            self._were_reset.add(stream.id)
            self._close(stream)

    def ping(self, data: bytes) -> None:
        """Ask whether the peer is there: ``pong`` says when it is."""
        self.sending.out.append(frames.ping(data))

    def go_away(self, code: int = NO_ERROR, last: int | None = None) -> None:
        """Say that no stream after the ``last`` is taken: the last that has come, if it is not said."""
        self.sending.out.append(frames.goaway(self.last_seen if last is None else last, code))

    # -- what is read

    def receive(self, data: bytes) -> list[Event]:
        """Bytes from the peer; gives what they mean."""
        if self.fault is not None:
            return []
        try:
            for kind, flags, number, payload in self.reader.read(data):
                if kind == frames.HEADERS:
                    self._head(number, payload, bool(flags & frames.END_STREAM))
                elif kind == frames.DATA:
                    self._data(number, flags, payload)
                else:
                    getattr(self, _OTHERS.get(kind, "_unknown"))(number, flags, payload)
        except ConnectionFault as fault:
            # Its frames have this session.
            self.fault = fault.with_traceback(None)
            self.reader.clear = False
            self.go_away(fault.code)
        if self.sending.drained:
            self._tell_drained()
        events, self._events = self._events, []
        return events

    # -- bodies

    def _data(self, number: int, flags: int, payload: bytes) -> None:
        size = len(payload)
        self.receiving.came(size)
        data = frames.without_padding(payload, flags) if flags & frames.PADDED else payload
        stream = self.streams.get(number)
        if stream is None or not stream.may_receive:
            self._check_gone(number)
            self.receiving.gone(size)
            return
        taken = len(data)
        ended = flags & frames.END_STREAM
        try:
            self.receiving.came_on(stream, size, size - taken)
            count_body(stream, taken, bool(ended))
        except StreamFault as fault:
            self._break(stream, fault)
            return
        if taken:
            self._events.append((stream, data))
            self._check_body(stream, taken)
        elif not ended:
            self.allowance.spend(FRAME)
        if ended:
            self._ended(stream, END)

    def _check_body(self, stream: Stream, size: int) -> None:
        """Whether a body is too large by now."""

    def _ended(self, stream: Stream, end: EndOfMessage) -> None:
        stream.peer_ends()
        self._events.append((stream, end))

    def consume(self, stream: Stream, size: int) -> None:
        """So much of what has come on a stream is gone from here."""
        self.receiving.gone_on(stream, size)

    def widen(self, stream: Stream) -> None:
        """All of the window of a stream may come, of which there was but the first part. It is said once."""
        self.receiving.widen(stream)

    # -- heads

    def _head(self, number: int, block: bytes, ended: bool) -> None:
        """A field block that is complete."""
        raise NotImplementedError

    def _trailers(self, stream: Stream, block: bytes, ended: bool) -> None:
        """One that comes after a head."""
        try:
            fields = self._read_trailers(block)
            if not ended:
                raise StreamFault("a second head")
            if stream.expected > 0:
                raise StreamFault("a body of another length than was said")
            if stream.expected == UNTIL_CLOSE:
                # RFC 9113 8.5
                raise StreamFault("a field block in a tunnel")
        except StreamFault as fault:
            self._break(stream, fault)
        except ExchangeError as fault:
            self._events.append((stream, fault))
        else:
            self._ended(stream, EndOfMessage(fields))

    def _read_trailers(self, block: bytes) -> Headers:
        raise NotImplementedError

    # -- the other frames

    def _priority(self, number: int, flags: int, payload: bytes) -> None:
        check_priority_frame(number, payload)
        self.allowance.spend(FRAME)

    def _rst_stream(self, number: int, flags: int, payload: bytes) -> None:
        code = frames.read_number(payload)
        if not number or self._is_idle(number):
            raise ConnectionFault("a RST_STREAM frame of no stream")
        stream = self.streams.get(number)
        if stream is None:
            # Nothing may come after it, though we had reset the stream as well (RFC 9113 section 5.1).
            self._were_reset.pop(number, None)
            self.allowance.came_late()
            return
        self.allowance.spend(RESET)
        self._close(stream)
        self._events.append((stream, StreamReset(code, f"it was reset with code {code}", by_peer=True)))

    def _settings(self, number: int, flags: int, payload: bytes) -> None:
        if number:
            raise ConnectionFault("a SETTINGS frame of a stream")
        self.allowance.spend(FRAME)
        if flags & frames.ACK:
            if payload:
                raise ConnectionFault("a SETTINGS frame of a wrong size", FRAME_SIZE_ERROR)
            self.receiving.acknowledged(self.streams.values())
            return
        for name, value in frames.read_settings(payload):
            self._setting(name, value)
        self.sending.out.append(frames.SETTINGS_ACK)
        self.sending.go_on(TURN)

    def _setting(self, name: int, value: int) -> None:
        self.allowance.spend(FRAME)
        check_setting(name, value)
        if name == frames.INITIAL_WINDOW_SIZE:
            self.sending.windows_change([*self.streams.values()], value)
        elif name == frames.HEADER_TABLE_SIZE:
            self.sending.table_changes(value)
        # Frames as large as the peer takes them would only hold up the others.
        if name <= frames.NO_RFC7540_PRIORITIES:
            self.peer[name] = value

    def _push_promise(self, number: int, flags: int, payload: bytes) -> None:
        # RFC 9113 8.4: a client cannot push, and a server has been told that it must not.
        raise ConnectionFault("a PUSH_PROMISE frame")

    def _ping(self, number: int, flags: int, payload: bytes) -> None:
        if number:
            raise ConnectionFault("a PING frame of a stream")
        if len(payload) != 8:
            raise ConnectionFault("a PING frame of a wrong size", FRAME_SIZE_ERROR)
        self.allowance.taken_note_of()
        if flags & frames.ACK:
            self.pong(payload)
        else:
            self.sending.out.append(frames.ping(payload, ack=True))

    def pong(self, data: bytes) -> None:
        """The peer has answered a ``ping`` of these ``data``."""

    def _goaway(self, number: int, flags: int, payload: bytes) -> None:
        if number:
            raise ConnectionFault("a GOAWAY frame of a stream")
        last, code = frames.read_goaway(payload)
        self.allowance.spend(FRAME)
        self._events.append((None, GoingAway(last, code)))

    def _window_update(self, number: int, flags: int, payload: bytes) -> None:
        size = frames.read_number(payload) & frames.LARGEST_WINDOW
        self.allowance.taken_note_of()
        if not number:
            if not size:
                raise ConnectionFault("a window that grows by nothing")
            self.sending.window_grows(None, size)
            self.sending.go_on(TURN)
            return
        stream = self.streams.get(number)
        if stream is None:
            if self._is_idle(number):
                raise ConnectionFault("a WINDOW_UPDATE frame of no stream")
            return
        if not size:
            self._break(stream, StreamFault("a window that grows by nothing"))
            return
        self.sending.window_grows(stream, size)
        if stream.send_window > frames.LARGEST_WINDOW:
            self._break(stream, StreamFault("a window that is too large", FLOW_CONTROL_ERROR))
        elif stream.waiting or stream.pending:
            self.sending.go_on(TURN)

    def _lone_continuation(self, number: int, flags: int, payload: bytes) -> None:
        raise ConnectionFault("a CONTINUATION frame after no field block")

    def _priority_update(self, number: int, flags: int, payload: bytes) -> None:
        # RFC 9218 7.1: servers send none.
        raise ConnectionFault("a PRIORITY_UPDATE frame of a server")

    def _unknown(self, number: int, flags: int, payload: bytes) -> None:
        # RFC 9113 5.5
        self.allowance.spend(FRAME)

    # -- the end of streams, and of the connection

    def leave(self, stream: Stream) -> None:
        """All is over with a stream: it counts no more. One that is not closed by then is reset, and what waits of it
        is not sent.
        """
        if not stream.counted:
            return
        stream.counted = False
        self.active -= 1
        if stream.state is _CLOSED:
            if self.streams.pop(stream.id, None) is None:
                # It was reset, which has cost, and earns nothing.
                return
            if stream.unconsumed:
                self.receiving.forget(stream)
            if self.allowance.left < MOST:
                self.allowance.earn(ANSWERED)
        else:
            # RFC 9113 8.1: a response that is complete may come before its request is, which is then not wanted.
            if stream.may_receive:
                self.allowance.ended_early(stream.receive_window)
            self.reset(stream, CANCEL if stream.may_send else NO_ERROR)

    def _uncount(self, stream: Stream) -> None:
        stream.counted = False
        self.active -= 1

    def _close(self, stream: Stream) -> None:
        """Nothing comes and nothing goes on it any more."""
        self.streams.pop(stream.id, None)
        self.sending.forget(stream)
        stream.finish()
        self.receiving.forget(stream)

    def _break(self, stream: Stream, fault: StreamFault) -> None:
        """What the peer has sent on a stream is wrong."""
        self.reset(stream, fault.code)
        self._events.append((stream, StreamReset(fault.code, fault.detail, by_peer=False)))
        self.allowance.spend(RESET)

    def _is_idle(self, number: int) -> bool:
        """Whether there has been no stream of that number (RFC 9113 section 5.1.1)."""
        raise NotImplementedError

    def _check_gone(self, number: int) -> None:
        """A frame has come on a stream that there is not, or on which nothing may come."""
        if not number or self._is_idle(number):
            raise ConnectionFault("a frame of no stream")
        # RFC 9113 5.1: it may have been on its way when we reset the stream.
        if number not in self._were_reset:
            raise ConnectionFault("a frame on a stream that is closed", STREAM_CLOSED)
        self.allowance.came_late()

    def _tell_drained(self) -> None:
        drained = self.sending.drained
        if drained:
            for stream in drained:
                if stream.may_send:
                    self._events.append((stream, WRITABLE))
                elif self._tells_all_sent and stream.id in self.streams:
                    self._events.append((stream, ALL_SENT))
            drained.clear()


# What becomes of the other frames; a role may do more with some.
_OTHERS: Final = {
    frames.PRIORITY: "_priority",
    frames.RST_STREAM: "_rst_stream",
    frames.SETTINGS: "_settings",
    frames.PUSH_PROMISE: "_push_promise",
    frames.PING: "_ping",
    frames.GOAWAY: "_goaway",
    frames.WINDOW_UPDATE: "_window_update",
    frames.CONTINUATION: "_lone_continuation",
    frames.PRIORITY_UPDATE: "_priority_update",
}
