"""The client's role in HTTP/2: writes requests, reads responses."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, TypeAlias

from txproxy.errors import ExchangeError
from txproxy.wire.headers import Headers
from txproxy.wire.http2 import frames
from txproxy.wire.http2.events import Event, StreamReset
from txproxy.wire.http2.faults import CANCEL, NO_ERROR, REFUSED_STREAM, ConnectionFault, StreamFault
from txproxy.wire.http2.field_blocks.block_writer import fields_block, request_block
from txproxy.wire.http2.field_blocks.request_framing import framing_of, remember_framing
from txproxy.wire.http2.field_blocks.response_heads import ResponseFields, ResponseReader
from txproxy.wire.http2.flood_allowance import ANSWERED, MOST, RESET
from txproxy.wire.http2.frames import HEADER_SIZE, PREFACE, Shape, pack_number, shape_at, unpack_whole
from txproxy.wire.http2.own_settings import DEFAULT_SETTINGS, Http2Settings
from txproxy.wire.http2.session import TURN, Session
from txproxy.wire.http2.stream import Stream, StreamState
from txproxy.wire.message import END, RequestHead, SharedRequest
from txproxy.wire.size_limits import DEFAULT_LIMITS, WireLimits

# RFC 9113 6.5.2: as long as the peer has said nothing, it is well not to open more.
_DEFAULT_STREAMS: Final = 100
_MOST_INFORMATIONAL: Final = 16
_OPEN: Final = StreamState.OPEN
_WE_ENDED: Final = StreamState.WE_ENDED
_CLOSED: Final = StreamState.CLOSED
_LONGEST: Final = frames.DEFAULT_FRAME_SIZE
# The length of the body of a response to these is not that of what has come (RFC 9110 sections 9.3.2 and 9.3.6).
_OTHER_LENGTH: Final = frozenset((b"HEAD", b"CONNECT"))
# Responses that came whole one after the other, with the same head: each stream with the body.
Alike: TypeAlias = "tuple[ResponseFields, list[tuple[Any, bytes]]]"


class ClientSession(Session):
    """A connection to a server. ``answered`` are the responses, each like some before, that have come whole when
    something was received last, before the events that ``receive`` gave: their streams are left already.

    ``head_waits`` says that the last that has come is a head, and not all of the body that such have had: it is on its
    way, as many servers write it just after that. With it, it is read as a whole, when something is received; without
    it, by ``go_on``.
    """

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
        self.answered: list[Alike] = []
        self.head_waits = False
        # whether there may be streams more: nobody has said that the connection ends
        self._may_open = True
        # the same, and the next field block is as others are
        self._plain = True
        # that of the last response that was read as a whole
        self._shape: Shape = (b"", b"", b"", 1, 1 << 62, unpack_whole(0, 1))

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

    def send_request(
        self, request: RequestHead, scheme: bytes, ended: bool, protocol: bytes = b"", stream: Stream | None = None
    ) -> Stream:
        """Open a stream for a request, which has ``ended`` with its head or goes on; there has to be capacity for it.
        ``request.headers`` has Host, and of the hop-by-hop fields at most TE. ``protocol`` makes an extended CONNECT.
        The ``stream`` may be one that was made before, and not opened.
        """
        if stream is None:
            stream = Stream()
        if ended and not protocol and self.send_again(stream, request, scheme):
            return stream
        self._open(stream, b"CONNECT" if protocol else request.method)
        block = request_block(request, scheme, protocol)
        self.sending.head(stream, block, ended)
        if not self._plain:
            self._plain = self._may_open
        if ended and not protocol and len(block) <= _LONGEST:
            remember_framing(request, scheme, block)
        return stream

    def send_again(self, stream: Stream, request: RequestHead, scheme: bytes) -> bool:
        """The same in fewer steps for a request without a body, with the fields of one before; False if it is none."""
        framed = request.framed if type(request) is SharedRequest else None
        if framed is None or framed[0] is not scheme:
            framed = framing_of(request, scheme)
            if framed is None:
                return False
        # What _open does, written out for speed.
        if not self._plain:
            return False
        _, method, begin, block, pack = framed
        self.last_made = stream.id = number = self.last_made + 2 if self.last_made else 1
        sending = self.sending
        if pack is not None:
            sending.out.append(pack(begin, number, block))
        else:
            sending.out += begin, pack_number(number), block
        stream.state = _WE_ENDED
        # What a class has for its instances takes longer to look up, and each response asks for it.
        stream.headed = False
        stream.receive_window = self.receiving.of_streams
        stream.send_window = sending.initial_window
        stream.method = method
        self.streams[number] = stream
        self.active += 1
        return True

    def send_alike(self, make: Callable[[], Stream], count: int, request: RequestHead, scheme: bytes) -> list[Any]:
        """The same as ``send_again`` for so many of the same ``request``, on streams that are made by ``make``; none
        where it is to be done for each of them.
        """
        framed = request.framed if type(request) is SharedRequest else None
        if framed is None or framed[0] is not scheme:
            framed = framing_of(request, scheme)
        if framed is None or not self._plain:
            return []
        _, method, begin, block, pack = framed
        if pack is None:
            return []
        opened, sending = self.streams, self.sending
        out, send_window, receive_window = sending.out, sending.initial_window, self.receiving.of_streams
        first = self.last_made + 2 if self.last_made else 1
        made = []
        for number in range(first, first + 2 * count, 2):
            stream = opened[number] = make()
            stream.id = number
            stream.state = _WE_ENDED
            stream.headed = False
            stream.receive_window = receive_window
            stream.send_window = send_window
            stream.method = method
            made.append(stream)
            out.append(pack(begin, number, block))
        self.last_made = first + 2 * count - 2
        self.active += count
        return made

    def go_away(self, code: int = NO_ERROR, last: int | None = None) -> None:
        """See :class:`txproxy.wire.http2.session.Session`."""
        self._may_open = self._plain = False
        super().go_away(code, last)

    def _open(self, stream: Stream, method: bytes) -> None:
        """Give a stream the next number."""
        assert self._may_open, "no stream more"
        self.last_made = number = self.last_made + 2 if self.last_made else 1
        stream.id = number
        stream.state = _OPEN
        stream.receive_window = self.receiving.of_streams
        stream.send_window = self.sending.initial_window
        stream.method = method
        self.streams[number] = stream
        self.active += 1

    def cancel(self, stream: Stream) -> None:
        """Nobody waits for its response, of which much may be on its way."""
        if stream.may_receive:
            self.allowance.ended_early(stream.receive_window)
        self.reset(stream, CANCEL)

    def withdraw(self, last: int) -> list[Event]:
        """Nothing of the streams after the ``last`` goes out any more; gives events as ``receive`` does."""
        self._withdraw(last)
        self._tell_drained()
        events, self._events = self._events, []
        return events

    def send_trailers(self, stream: Stream, trailers: Headers) -> None:
        """The request is complete, and these come after it."""
        self.send_end(stream, fields_block(trailers))

    # -- what is read

    def receive(self, data: bytes) -> list[Event]:
        """See :class:`txproxy.wire.http2.session.Session`."""
        if self.answered:
            self.answered = []
        self.head_waits = False
        if not self.reader.clear:
            joined = self.reader.joined(data) if self.fault is None else None
            if joined is None:
                return super().receive(data)
            data = joined
        at = self._read_whole(data)
        if at == len(data):
            return []
        rest = data[at:]
        begin, _, block, _, step, _ = self._shape
        if self.answered and HEADER_SIZE + len(block) <= len(rest) < step and rest.startswith(begin):
            self.reader.keep(rest)
            self.head_waits = True
            return []
        return super().receive(rest)

    def go_on(self) -> list[Event]:
        """Read the head that waits, without its body; gives events as ``receive`` does."""
        if not self.head_waits:
            return []
        self.head_waits = False
        return super().receive(b"")

    def _read_whole(self, data: bytes) -> int:
        """Read what ``data`` begin with of responses that are all there, each in two frames, and whose heads are like
        some before: most are. The same as is done for all others, in a third of the steps, and their streams are left.
        Gives where they end.
        """
        at = end = self._read_alike(data, 0)
        while end < len(data):
            shape = shape_at(data, at)
            if shape is None:
                break
            self._shape = shape
            end = self._read_alike(data, at)
            if end == at:
                break
            at = end
        if self.answered:
            count = sum([len(alike) for _, alike in self.answered])
            self.active -= count
            if self.allowance.left < MOST:
                self.allowance.earn(count * ANSWERED)
        return at

    def _read_alike(self, data: bytes, at: int) -> int:
        """Read from there on the responses that are like the last, but for their bodies; gives where they end."""
        begin, middle, block, size, step, unpack = self._shape
        receiving = self.receiving
        # There is no more room for some that there may be: the general way says so.
        count = min((len(data) - at) // step, receiving.left // size)
        if count <= 0 or size > receiving.of_streams:
            return at
        known = self._heads.known(block)
        if known is None or 0 <= known.length != size:
            return at
        streams, alike = self.streams, []
        for start, number, its_middle, its_number, body in unpack(memoryview(data)[at : at + count * step]):
            if its_middle != middle or its_number != number or start != begin:
                break
            stream = streams.get(number)
            # Where no head has come, the window is as it was.
            if stream is None or stream.state is not _WE_ENDED or stream.headed or stream.method in _OTHER_LENGTH:
                break
            stream.state = _CLOSED
            stream.counted = False
            del streams[number]
            alike.append((stream, body))
        if alike:
            self.answered.append((known, alike))
            taken = len(alike) * size
            receiving.came(taken)
            # Nobody is kept waiting by what is there as a whole.
            receiving.gone(taken)
        return at + len(alike) * step

    def _is_idle(self, number: int) -> bool:
        return number % 2 == 0 or number > self.last_made

    def _rst_stream(self, number: int, flags: int, payload: bytes) -> None:
        stream = self.streams.get(number)
        if stream is not None and not stream.may_receive:
            # RFC 9113 8.1: who has answered before all of the request was there resets the rest, which costs nothing.
            self.allowance.earn(RESET)
        bulk = stream is not None and self.sending.bulk
        if stream is not None and bulk:
            # RFC 9113 6.4: nothing more goes out on it.
            self._take_back(self.last_made, {number: stream})
        super()._rst_stream(number, flags, payload)
        if bulk:
            self.sending.go_on(TURN)

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
        if self.sending.shrinks:
            self._plain = False

    def _settings(self, number: int, flags: int, payload: bytes) -> None:
        super()._settings(number, flags, payload)
        self.takes = self.peer.get(frames.MAX_CONCURRENT_STREAMS, _DEFAULT_STREAMS)

    def _goaway(self, number: int, flags: int, payload: bytes) -> None:
        super()._goaway(number, flags, payload)
        self.going_away = True
        self._may_open = self._plain = False
        last, _ = frames.read_goaway(payload)
        self._withdraw(last)

    def _withdraw(self, last: int) -> None:
        above = {one.id: one for one in self.streams.values() if one.id > last}
        if self.last_made > last:
            self._take_back(last, above)
        for stream in above.values():
            self._close(stream)
            # RFC 9113 6.8: those were not seen, and may be sent elsewhere.
            reset: Any = StreamReset(REFUSED_STREAM, "the server goes away", by_peer=True, full=last > 0)
            self._events.append((stream, reset))
        # Others may have waited for what these have taken of the window.
        self.sending.go_on(TURN)

    def _take_back(self, last: int, streams: dict[int, Stream]) -> None:
        for number, parts in self.sending.withdraw(last, streams).items():
            stream = streams.get(number)
            if stream is not None:
                stream.unsent = (*parts, *stream.unsent)
        if self.sending.shrinks:
            self._plain = False

    def _close(self, stream: Stream) -> None:
        pending = stream.pending
        super()._close(stream)
        if pending:
            stream.unsent = (*stream.unsent, *pending)
