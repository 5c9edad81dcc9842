"""The server's role in HTTP/2: reads requests, writes responses."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from txproxy.errors import ExchangeError, RequestError
from txproxy.wire.headers import Headers
from txproxy.wire.http2 import frames
from txproxy.wire.http2.events import Event
from txproxy.wire.http2.faults import NO_ERROR, REFUSED_STREAM, STREAM_CLOSED, ConnectionFault, StreamFault
from txproxy.wire.http2.field_blocks.block_writer import fields_block, response_block
from txproxy.wire.http2.field_blocks.request_heads import KnownRequest, RequestReader
from txproxy.wire.http2.flood_allowance import ANSWERED, FRAME, MOST, RESET
from txproxy.wire.http2.frame_reader import HEAD_SHARE
from txproxy.wire.http2.frames import DEFAULT_FRAME_SIZE, HEADER_SIZE, PREFACE, read_signed
from txproxy.wire.http2.own_settings import DEFAULT_SETTINGS, Http2Settings
from txproxy.wire.http2.priorities import read_priority, remember_priority, updated_stream
from txproxy.wire.http2.session import Session
from txproxy.wire.http2.stream import Stream, StreamState
from txproxy.wire.message import RequestHead, ResponseHead, SharedHead
from txproxy.wire.size_limits import DEFAULT_LIMITS, WireLimits

_OPEN: Final = StreamState.OPEN
_PEER_ENDED: Final = StreamState.PEER_ENDED
_CLOSED: Final = StreamState.CLOSED
# A client may send 64 kB in frames of ten bytes: so much of it is read before others have their turn, which is 16
# requests, or 256 frames of other kinds.
SHARE: Final = 256
_MOST_HEADS: Final = SHARE // HEAD_SHARE
# The type of a frame with a whole request in it, and its flags.
_WHOLE_REQUEST: Final = frames.HEADERS << 8 | frames.END_HEADERS | frames.END_STREAM
# Of the header of a frame, what is before the number of its stream.
_BEFORE_NUMBER: Final = HEADER_SIZE - 4
# What the PING has in it that follows the first GOAWAY of a drain.
_DRAINING: Final = b"draining"


class ServerSession(Session):
    """A connection from a client. An event of a stream that is new has its ``RequestHead``, or the ``RequestError`` of
    one that is to be answered and cannot go on. Streams whose requests are whole, and like some before, have an event
    together: the list of those that came one after the other in the same bytes, with what is known of them.

    ``connect_protocol`` says that extended CONNECT (RFC 8441) is spoken; ``make_stream`` makes a bare :class:`Stream`
    of the caller's own kind.
    """

    _preface = PREFACE
    _share = SHARE
    _tells_all_sent = True

    def __init__(
        self,
        limits: WireLimits = DEFAULT_LIMITS,
        settings: Http2Settings = DEFAULT_SETTINGS,
        connect_protocol: bool = False,
        make_stream: Callable[[], Stream] = Stream,
    ) -> None:
        super().__init__(limits, settings)
        self._heads = RequestReader(limits)
        # After it there is none: the last stream that is taken.
        self._last_taken = frames.LAST_STREAM
        # so many are taken at once where nothing else is to be looked at
        self._most_active = settings.streams
        said = [
            (frames.MAX_CONCURRENT_STREAMS, settings.streams),
            (frames.MAX_HEADER_LIST_SIZE, limits.max_head),
            *settings.lines(),
        ]
        if connect_protocol:
            said.append((frames.ENABLE_CONNECT_PROTOCOL, 1))
        self._connect_protocol = connect_protocol
        # what was said of streams that are to come
        self._priorities: dict[int, tuple[int, bool]] = {}
        self._make_stream = make_stream
        self.sending.out.append(frames.settings(said))
        self.receiving.open()

    # -- what is written

    def send_head(self, stream: Stream, response: ResponseHead, ended: bool = False) -> None:
        """The head of a response, or of an informational one (``status`` under 200). ``response.headers`` has no
        hop-by-hop fields.
        """
        if stream.may_send:
            self.sending.head(stream, response_block(response.status, response.headers), ended)

    def send_whole(self, stream: Stream, response: ResponseHead, body: bytes) -> None:
        """A whole response, which has no trailers."""
        sending, size = self.sending, len(body)
        if type(response) is SharedHead:
            known = response.framed
            if known is None or known[0] != size:
                known = response.framed = size, response.status, *_around(response, size)
        else:
            known = response.headers.around
            if known is None or known[0] != size or known[1] != response.status:
                known = response.headers.around = size, response.status, *_around(response, size)
        _, _, begin, middle, pack = known
        if (
            pack is None
            or stream.state is not _PEER_ENDED
            or size > stream.send_window
            or size > sending.window
            or sending.apart
        ):
            if stream.may_send:
                sending.whole(stream, response_block(response.status, response.headers), body)
            return
        # The same in fewer steps, of one that is short, after which all is over.
        stream.state = _CLOSED
        number = stream.id
        if size:
            sending.window -= size
            sending.out.append(pack(begin, number, middle, number, body))
        else:
            sending.out.append(pack(begin, number, middle))

    def send_last(self, stream: Stream, response: SharedHead, body: bytes) -> bool:
        """The same as ``send_whole`` and then ``leave``, of a stream whose request has no body; whether that was done,
        as it is with most: else it is to be done in two steps.
        """
        sending, size, known = self.sending, len(body), response.framed
        if known is None or stream.state is not _PEER_ENDED or sending.apart:
            return False
        whole, _, begin, middle, pack = known
        if whole != size or pack is None or size > stream.send_window or size > sending.window or not size:
            return False
        number = stream.id
        sending.window -= size
        sending.out.append(pack(begin, number, middle, number, body))
        stream.state = _CLOSED
        stream.counted = False
        del self.streams[number]
        self.active -= 1
        allowance = self.allowance
        if allowance.left < MOST:
            allowance.earn(ANSWERED)
        return True

    def most_last(self, response: SharedHead, size: int) -> int:
        """How many of those with bodies of this ``size`` go by ``send_all_last`` at the most."""
        sending, known = self.sending, response.framed
        if known is None or known[0] != size or known[-1] is None or sending.apart or not size:
            return 0
        return sending.window // size

    def send_all_last(self, answered: list[tuple[Stream, bytes]], response: SharedHead) -> int:
        """The same for each of these streams, with bodies that are of one length, and no more of them than
        ``most_last`` says; gives for how many of them it was done, from the first on.
        """
        sending, size = self.sending, len(answered[0][1])
        _, _, begin, middle, pack = response.framed
        streams, out, count = self.streams, sending.out, 0
        for stream, body in answered:
            if stream.state is not _PEER_ENDED or size > stream.send_window:
                break
            number = stream.id
            out.append(pack(begin, number, middle, number, body))
            stream.state = _CLOSED
            stream.counted = False
            del streams[number]
            count += 1
        sending.window -= count * size
        self.active -= count
        allowance = self.allowance
        if allowance.left < MOST:
            allowance.earn(count * ANSWERED)
        return count

    def leave(self, stream: Stream) -> None:
        """See :class:`txproxy.wire.http2.session.Session`."""
        if stream.state is not _CLOSED or self.streams.pop(stream.id, None) is None:
            super().leave(stream)
            return
        # The same in fewer steps, as it is the end of most.
        stream.counted = False
        self.active -= 1
        if stream.unconsumed:
            self.receiving.forget(stream)
        if self.allowance.left < MOST:
            self.allowance.earn(ANSWERED)

    def send_trailers(self, stream: Stream, trailers: Headers) -> None:
        """The response is complete, and these come after it."""
        self.send_end(stream, fields_block(trailers))

    def go_away(self, code: int = NO_ERROR, last: int | None = None) -> None:
        """See :class:`txproxy.wire.http2.session.Session`."""
        # RFC 9113 6.8: it may never be more than was said, as those after it may have been asked for elsewhere by now.
        super().go_away(code, min(self.last_seen, self._last_taken) if last is None else last)

    def drain(self) -> None:
        """Take no new streams soon: those that are on their way still are (RFC 9113 section 6.8)."""
        self.go_away(last=frames.LAST_STREAM)
        self.ping(_DRAINING)

    def pong(self, data: bytes) -> None:
        """The peer has answered a ``ping`` of these ``data``."""
        if data == _DRAINING:
            self.drain_now()

    def drain_now(self) -> None:
        """Take no new streams from now on."""
        if self._last_taken == frames.LAST_STREAM:
            self._last_taken = self.last_seen
            self._most_active = 0
            self.go_away()

    @property
    def draining(self) -> bool:
        """Whether it was said that no new streams are taken from some one on."""
        return self._last_taken != frames.LAST_STREAM

    def use_limits(self, limits: WireLimits) -> None:
        """Others from now on."""
        self.limits = limits
        self._heads.use_limits(limits)

    # -- what is read

    def receive(self, data: bytes) -> list[Event]:
        """The same as others do with it; whole requests like some before, as most are, in a third of the steps."""
        reader = self.reader
        if not reader.clear and self.fault is None:
            data = reader.joined(data) or data
        size = len(data)
        most = size - HEADER_SIZE
        room = self._most_active - self.active
        if most < 0 or room <= 0 or not reader.clear or self._priorities:
            return super().receive(data)
        heads, streams, make_stream = self._heads, self.streams, self._make_stream
        known, last = heads.known, self.last_seen or -1
        whole = room = room if room < _MOST_HEADS else _MOST_HEADS
        at = 0
        events: list[Any] = []
        while at <= most and room > 0:
            high, length, kind, number = read_signed(data, at)
            end = at + HEADER_SIZE + length
            if end > size or kind != _WHOLE_REQUEST or high or length > DEFAULT_FRAME_SIZE:
                break
            # As odd as all of them. Most are the next one.
            if number != last + 2 and (number <= last or not number & 1):
                break
            block = data[at + HEADER_SIZE : end]
            found = known.get(block)
            if found is not None and end + end - at <= size:
                alike = self._read_alike(memoryview(data)[at:], found, block, number, room)
                count = len(alike)
                events.append((alike, found))
                last, room, at = number + 2 * count - 2, room - count, at + count * (end - at)
                continue
            what: KnownRequest | RequestHead | None = found or heads.known_by_rest(block)
            if what is None:
                break
            last = number
            stream = streams[number] = make_stream()
            stream.id, stream.state, stream.unconsumed = number, _PEER_ENDED, 0
            stream.send_window = self.sending.initial_window
            stream.method = what.method
            events.append((stream if found is None else [stream], what))
            room, at = room - 1, end
        if events:
            self.last_seen = last
            self.active += whole - room
            if at < size:
                reader.spent = (whole - room) * HEAD_SHARE
        if at == size:
            return events
        return events + super().receive(data[at:])

    def _read_alike(self, data: memoryview, found: KnownRequest, block: bytes, number: int, room: int) -> list[Stream]:
        """Read the request with which ``data`` begin, that has this ``number`` and is ``found`` to be known; and those
        after it that are the next ones, in the very same ``block``. Gives their streams.
        """
        size = HEADER_SIZE + len(block)
        count = min(len(data) // size, room)
        begin = bytes(data[:_BEFORE_NUMBER])
        frames_of = frames.unpack_requests(len(block), count)
        values = frames_of(data[: count * size])
        if values[2::3] != (block,) * count or values[::3] != (begin,) * count:
            count = frames.count_alike(values, begin, block)
        numbers = range(number, number + 2 * count, 2)
        if values[1 : 3 * count : 3] != tuple(numbers):
            count = next(at for at, one in enumerate(numbers) if values[3 * at + 1] != one)
            numbers = numbers[:count]
        streams, make_stream = self.streams, self._make_stream
        window, method = self.sending.initial_window, found.method
        alike = []
        for number in numbers:
            stream = streams[number] = make_stream()
            stream.id = number
            stream.state = _PEER_ENDED
            stream.send_window = window
            stream.method = method
            alike.append(stream)
        return alike

    def _is_idle(self, number: int) -> bool:
        return number % 2 == 0 or number > self.last_seen

    def _check_gone(self, number: int) -> None:
        if number > self._last_taken:
            # RFC 9113 6.8: it was sent before the client knew, and is not looked at.
            self.allowance.spend(FRAME)
        else:
            super()._check_gone(number)

    def _head(self, number: int, block: bytes, ended: bool) -> None:
        if number <= self.last_seen or number % 2 == 0:
            self._late_head(number, block, ended)
            return
        self.last_seen = number
        if number > self._last_taken:
            self._read_lost(block)
            return
        if self.active >= self.settings.streams:
            self._read_lost(block)
            self.sending.out.append(frames.rst_stream(number, REFUSED_STREAM))
            self._were_reset.add(number)
            self.allowance.spend(RESET)
            return
        stream = self.streams[number] = self._make_stream()
        stream.id = number
        stream.state = _OPEN
        stream.receive_window = self.receiving.of_streams
        stream.send_window = self.sending.initial_window
        self.active += 1
        head: RequestHead | RequestError
        try:
            head = self._heads.read(block, ended)
            if self._heads.protocol and not self._connect_protocol:
                raise StreamFault(":protocol, which is not spoken here")
        except StreamFault as fault:
            self._break(stream, fault)
            self._uncount(stream)
            return
        except RequestError as fault:
            head = fault
        else:
            stream.method = head.method
            if self._heads.protocol:
                stream.protocol = self._heads.protocol
            stream.expected = head.body
            index = head.headers.index
            if b"priority" in index:
                stream.urgency, stream.incremental = read_priority(index[b"priority"])
            if self._priorities and number in self._priorities:
                stream.urgency, stream.incremental = self._priorities.pop(number)
        stream.headed = True
        self._events.append((stream, head))
        if ended:
            stream.state = _PEER_ENDED

    def _priority_update(self, number: int, flags: int, payload: bytes) -> None:
        about = updated_stream(number, payload)
        self.allowance.spend(FRAME)
        stream = self.streams.get(about)
        if stream is not None:
            stream.urgency, stream.incremental = read_priority(payload[4:])
        elif about > self.last_seen:
            remember_priority(self._priorities, about, payload[4:])

    def _late_head(self, number: int, block: bytes, ended: bool) -> None:
        """One on a stream that there is, has been, or cannot be."""
        stream = self.streams.get(number)
        if stream is not None and stream.may_receive:
            self._trailers(stream, block, ended)
            return
        # What it says of the table holds, whatever becomes of it.
        self._read_lost(block)
        if stream is not None:
            self._break(stream, StreamFault("a field block on a stream that is closed", STREAM_CLOSED))
        elif number % 2 == 0:
            raise ConnectionFault("a stream of a client's with an even number")
        else:
            self._check_gone(number)

    def _read_lost(self, block: bytes) -> None:
        with suppress(StreamFault, ExchangeError):
            self._heads.read(block, ended=False)

    def _read_trailers(self, block: bytes) -> Headers:
        return self._heads.read_trailers(block)

    def _check_body(self, stream: Stream, size: int) -> None:
        stream.received += size
        limit = self.limits.max_body
        if limit is not None and stream.received > limit >= stream.received - size:
            # Once: what still comes has its answer.
            self._events.append((stream, RequestError("the body is too large", status=413)))


def _around(response: ResponseHead, size: int) -> tuple[bytes, bytes, frames.Pack | None]:
    return frames.around(response_block(response.status, response.headers), size)
