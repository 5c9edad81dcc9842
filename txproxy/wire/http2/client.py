"""The client's role in HTTP/2: writes requests, reads responses."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from txproxy.errors import ExchangeError
from txproxy.wire.headers import Headers
from txproxy.wire.http2 import frames
from txproxy.wire.http2.events import Event, StreamReset
from txproxy.wire.http2.faults import CANCEL, REFUSED_STREAM, ConnectionFault, StreamFault
from txproxy.wire.http2.field_blocks.block_writer import fields_block, request_block
from txproxy.wire.http2.field_blocks.response_heads import ResponseReader
from txproxy.wire.http2.flood_allowance import RESET
from txproxy.wire.http2.frames import HEADER_SIZE, PREFACE, pack_number, read_start
from txproxy.wire.http2.own_settings import DEFAULT_SETTINGS, Http2Settings
from txproxy.wire.http2.session import Session
from txproxy.wire.http2.stream import Stream, StreamState
from txproxy.wire.message import END, RequestHead, ResponseHead
from txproxy.wire.size_limits import DEFAULT_LIMITS, WireLimits

# RFC 9113 6.5.2: as long as the peer has said nothing, it is well not to open more.
_DEFAULT_STREAMS: Final = 100
_MOST_INFORMATIONAL: Final = 16
_WE_ENDED: Final = StreamState.WE_ENDED
_CLOSED: Final = StreamState.CLOSED
# The types and flags of the frames of a response that has a body and no trailers, and is short.
_HEAD: Final = bytes((frames.HEADERS, frames.END_HEADERS))
_WHOLE_BODY: Final = bytes((frames.DATA, frames.END_STREAM))
_LONGEST: Final = frames.DEFAULT_FRAME_SIZE
# The length of the body of a response to these is not that of what has come (RFC 9110 sections 9.3.2 and 9.3.6).
_OTHER_LENGTH: Final = frozenset((b"HEAD", b"CONNECT"))


class ClientSession(Session):
    """A connection to a server. An event may have all of a response: a pair of its head and its body."""

    def __init__(self, limits: WireLimits = DEFAULT_LIMITS, settings: Http2Settings = DEFAULT_SETTINGS) -> None:
        super().__init__(limits, settings)
        self._heads = ResponseReader(limits)
        # whether the server has said that it takes no more streams
        self.going_away = False
        # how many streams the server has said that it takes; None before it has said anything
        self.takes: int | None = None
        said = [(frames.ENABLE_PUSH, 0), (frames.MAX_HEADER_LIST_SIZE, limits.max_head), *settings.lines()]
        self.sending.out.append(PREFACE + frames.settings(said))
        self.receiving.open()
        # how the frames of the last response that was read as a whole have begun, and how long they were
        self._head_begin = self._body_begin = b""
        self._head_step = self._body_step = HEADER_SIZE

    # -- what is written

    @property
    def capacity(self) -> int:
        """How many more requests it takes now."""
        if self.going_away or self.fault is not None or self.last_made >= frames.LAST_STREAM - 2:
            return 0
        theirs = self.peer.get(frames.MAX_CONCURRENT_STREAMS, _DEFAULT_STREAMS)
        return max(0, min(theirs, self.settings.streams) - self.active)

    @property
    def takes_protocols(self) -> bool:
        """Whether the server speaks extended CONNECT (RFC 8441)."""
        return self.peer.get(frames.ENABLE_CONNECT_PROTOCOL) == 1

    def send_request(self, request: RequestHead, scheme: bytes, ended: bool, protocol: bytes = b"") -> Stream:
        """Open a stream for a request, which has ``ended`` with its head or goes on; there has to be capacity for it.
        ``request.headers`` has Host, and of the hop-by-hop fields at most TE. ``protocol`` makes an extended CONNECT.
        """
        assert self.fault is None and not self.going_away, "no stream more"
        number = self.last_made + 2 if self.last_made else 1
        self.last_made = number
        stream = self.streams[number] = Stream(number, self.receiving.of_streams, self.sending.initial_window)
        stream.method = b"CONNECT" if protocol else request.method
        self.active += 1
        headers, sending = request.headers, self.sending
        known = headers.around
        if (
            known is not None
            and ended
            and known[0] is scheme
            and known[1] == request.path
            and known[2] == request.method
            and not protocol
        ):
            # The same in fewer steps.
            sending.out += known[3], pack_number(number), known[4]
            stream.state = _WE_ENDED
            return stream
        block = request_block(request, scheme, protocol)
        sending.head(stream, block, ended)
        if ended and not protocol and len(block) <= _LONGEST:
            headers.around = scheme, request.path, request.method, *frames.around(block, 0)
        return stream

    def cancel(self, stream: Stream) -> None:
        """Nobody waits for its response, of which much may be on its way."""
        if stream.may_receive:
            self.allowance.ended_early(stream.receive_window)
        self.reset(stream, CANCEL)

    def send_trailers(self, stream: Stream, trailers: Headers) -> None:
        """The request is complete, and these come after it."""
        self.send_end(stream, fields_block(trailers))

    # -- what is read

    def receive(self, data: bytes) -> list[Event]:
        """See :class:`txproxy.wire.http2.session.Session`."""
        if not self.reader.clear:
            return super().receive(data)
        at = self._read_whole(data)
        if at < len(data):
            return super().receive(data[at:])
        events, self._events = self._events, []
        return events

    def _read_whole(self, data: bytes) -> int:
        """Read what ``data`` begin with of responses that are all there, each in two frames, and whose heads are like
        some before: most are. The same as is done for all others, in a third of the steps. Gives where they end.
        """
        streams, events = self.streams, self._events
        begin, step, body_begin, body_step = self._head_begin, self._head_step, self._body_begin, self._body_step
        at, taken, most = 0, 0, len(data) - 2 * HEADER_SIZE
        known, block = None, b""
        while at <= most:
            start, number = read_start(data, at)
            if start != begin:
                if start[3:] != _HEAD or (size := int.from_bytes(start[:3], "big")) > _LONGEST:
                    break
                begin, step = start, HEADER_SIZE + size
            body_at = at + step
            if body_at > len(data) - HEADER_SIZE:
                break
            start, its_number = read_start(data, body_at)
            if start != body_begin:
                if start[3:] != _WHOLE_BODY or not 0 < (size := int.from_bytes(start[:3], "big")) <= _LONGEST:
                    break
                body_begin, body_step = start, HEADER_SIZE + size
            end = body_at + body_step
            stream = streams.get(number)
            if end > len(data) or its_number != number or stream is None:
                break
            if stream.state is not _WE_ENDED or stream.headed or stream.method in _OTHER_LENGTH:
                break
            size = body_step - HEADER_SIZE
            if size > stream.receive_window or taken + size > self.receiving.left:
                break
            if known is None or data[at + HEADER_SIZE : body_at] != block:
                block = data[at + HEADER_SIZE : body_at]
                known = self._heads.known(block)
                if known is None:
                    break
            status, headers, length = known
            if length != size and length >= 0:
                break
            stream.state = _CLOSED
            taken += size
            events.append((stream, (ResponseHead(status, headers, b"", length), data[body_at + HEADER_SIZE : end])))
            at = end
        if taken:
            self._head_begin, self._head_step, self._body_begin, self._body_step = begin, step, body_begin, body_step
            self.receiving.came(taken)
            # Nobody is kept waiting by what is there as a whole.
            self.receiving.gone(taken)
        return at

    def _is_idle(self, number: int) -> bool:
        return number % 2 == 0 or number > self.last_made

    def _rst_stream(self, number: int, flags: int, payload: bytes) -> None:
        stream = self.streams.get(number)
        if stream is not None and not stream.may_receive:
            # RFC 9113 8.1: who has answered before all of the request was there resets the rest, which costs nothing.
            self.allowance.earn(RESET)
        super()._rst_stream(number, flags, payload)

    def _head(self, number: int, block: bytes, ended: bool) -> None:
        stream = self.streams.get(number)
        if stream is None or not stream.may_receive:
            # What it says of the table holds, whatever becomes of it.
            with suppress(StreamFault, ExchangeError):
                self._heads.read_trailers(block)
            self._check_gone(number)
        elif stream.headed:
            self._trailers(stream, block, ended)
        else:
            self._response(stream, block, ended)

    def _response(self, stream: Stream, block: bytes, ended: bool) -> None:
        try:
            head = self._heads.read(block, stream.method, ended)
            if head.status < 200:
                stream.received -= 1
                if stream.received < -_MOST_INFORMATIONAL:
                    raise StreamFault("too many informational responses")
        except StreamFault as fault:
            self._break(stream, fault)
            return
        except ExchangeError as fault:
            self._events.append((stream, fault))
            return
        if head.status >= 200:
            stream.headed = True
            stream.received = 0
            stream.expected = head.body
        self._events.append((stream, head))
        if ended:
            self._ended(stream, END)

    def _read_trailers(self, block: bytes) -> Headers:
        return self._heads.read_trailers(block)

    def _setting(self, name: int, value: int) -> None:
        if name == frames.ENABLE_PUSH and value:
            # RFC 9113 6.5.2
            raise ConnectionFault("a server that says that it is pushed to")
        super()._setting(name, value)

    def _settings(self, number: int, flags: int, payload: bytes) -> None:
        super()._settings(number, flags, payload)
        self.takes = self.peer.get(frames.MAX_CONCURRENT_STREAMS, _DEFAULT_STREAMS)

    def _goaway(self, number: int, flags: int, payload: bytes) -> None:
        super()._goaway(number, flags, payload)
        self.going_away = True
        last, _ = frames.read_goaway(payload)
        # RFC 9113 6.8: those were not seen, and may be sent elsewhere.
        for stream in [one for one in self.streams.values() if one.id > last]:
            self._close(stream)
            reset: Any = StreamReset(REFUSED_STREAM, "the server goes away", by_peer=True, full=last > 0)
            self._events.append((stream, reset))
