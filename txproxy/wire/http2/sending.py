"""What goes out on a connection: frames in the order in which they are written, bodies as far as windows let them
(RFC 9113 section 5.2), the more urgent first where several wait (RFC 9218 section 10).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container
from operator import attrgetter
from typing import Any, Final

from txproxy.wire.http2 import frames
from txproxy.wire.http2.faults import FLOW_CONTROL_ERROR, ConnectionFault
from txproxy.wire.http2.field_blocks.block_reader import DEFAULT_TABLE_SIZE
from txproxy.wire.http2.flood_allowance import FloodAllowance
from txproxy.wire.http2.frames import (
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADER_SIZE,
    HEADERS,
    PREFACE,
    pack_header,
    read_header,
)
from txproxy.wire.http2.stream import Stream, StreamState
from txproxy.wire.message import keep_waiting

# So much is put together at once where there is much: the same little memory serves for one part after the other, where
# as much as there is would have to be found anew each time, and is in no cache of the processor's.
PART: Final = 65536
_by_urgency: Final = attrgetter("urgency", "incremental", "id")
_END: Final = b""
_OPEN: Final = StreamState.OPEN
_WE_ENDED: Final = StreamState.WE_ENDED
_CLOSED: Final = StreamState.CLOSED
_WHOLE: Final = END_HEADERS | END_STREAM
# The table of RFC 7541 has no bytes from now on, of which nothing is written anyway.
_NO_TABLE: Final = b"\x20"


class Sending:
    """The way out. ``held`` says that the transport takes no more: what is of a body waits. ``apart`` says that no
    message may go out in one without being looked at: it is held, or the next field block is not as others are.
    """

    __slots__ = (
        "out", "bulk", "window", "initial_window", "granted", "frame_size", "held", "apart", "drained", "shrinks",
        "_table_size", "_waiting", "_last_turn", "_allowance",
    )  # fmt: skip

    def __init__(self, allowance: FloodAllowance) -> None:
        # bytes, and views of such
        self.out: list[Any] = []
        # how much of it is of bodies that did not go out as part of a whole message
        self.bulk = 0
        self.window = frames.DEFAULT_WINDOW
        # how much the window of the connection has grown by, in all
        self.granted = 0
        # of each stream that will be
        self.initial_window = frames.DEFAULT_WINDOW
        self.frame_size = frames.DEFAULT_FRAME_SIZE
        self.held = self.apart = False
        # whether the next field block has to say that the table has become smaller, and what the peer last said of it
        self.shrinks = False
        self._table_size = DEFAULT_TABLE_SIZE
        # streams of which nothing waits any more
        self.drained: list[Stream] = []
        self._waiting: dict[Stream, None] = {}
        # which of those that take turns had the last one
        self._last_turn = 0
        self._allowance = allowance

    def take(self) -> bytes:
        """What is to be written now."""
        out = self.out
        self.bulk = 0
        data = b"".join(out)
        out.clear()
        return data

    def take_part(self) -> bytes:
        """About ``PART`` bytes of that, where there is more in ``bulk``."""
        out, count, size = self.out, 0, 0
        while size < PART and count < len(out):
            size += len(out[count])
            count += 1
        data = b"".join(out[:count])
        del out[:count]
        self.bulk -= size
        return data

    def withdraw(self, last: int, numbers: Container[int]) -> dict[int, list[bytes]]:
        """Take back the frames that lie here of streams after the ``last``, and of those of these ``numbers``; gives
        what was in them of bodies, for which the window of the connection is as it was.
        """
        data, out = self.take(), self.out
        bodies: dict[int, list[bytes]] = {}
        begin, at = 0, len(PREFACE) if data.startswith(PREFACE) else 0
        while at < len(data):
            high, low, kind, _, number = read_header(data, at)
            size = high << 16 | low
            body = at + HEADER_SIZE
            if number > last or number in numbers:
                out.append(data[begin:at])
                begin = body + size
                if kind == DATA:
                    self.window += size
                    bodies.setdefault(number, []).append(data[body:begin])
                elif kind == HEADERS and data.startswith(_NO_TABLE, body):
                    # It is for the next one to say.
                    self.shrinks = self.apart = True
            elif kind == DATA:
                self.bulk += size
            at = body + size
        out.append(data[begin:])
        return bodies

    @property
    def waits(self) -> bool:
        """Whether more of bodies may go out at once: the transport takes it, and so does the connection's window."""
        return bool(self._waiting) and not self.held and self.window > 0

    # -- messages

    def head(self, stream: Stream, block: bytes, ended: bool) -> None:
        """A field block of a message that ends with it, or goes on."""
        if self.shrinks:
            self.shrinks = False
            self.apart = self.held
            block = _NO_TABLE + block
        length = len(block)
        if length <= self.frame_size:
            self.out += pack_header(0, length, HEADERS, _WHOLE if ended else END_HEADERS, stream.id), block
        else:
            self.out.append(frames.headers(stream.id, block, ended, self.frame_size))
        if ended:
            stream.we_end()

    def whole(self, stream: Stream, block: bytes, body: bytes) -> None:
        """A message in one."""
        size, length = len(body), len(block)
        most = self.frame_size
        if size > stream.send_window or size > self.window or size > most or length > most or self.apart:
            self.head(stream, block, not body)
            if body:
                self.body(stream, body, _END)
            return
        number = stream.id
        if body:
            self.window -= size
            stream.send_window -= size
            self.out += (
                pack_header(0, length, HEADERS, END_HEADERS, number), block,
                pack_header(0, size, DATA, END_STREAM, number), body,
            )  # fmt: skip
        else:
            self.out += pack_header(0, length, HEADERS, _WHOLE, number), block
        stream.state = _WE_ENDED if stream.state is _OPEN else _CLOSED

    def body(self, stream: Stream, data: bytes, ending: bytes | None = None) -> None:
        """Part of a body; ``ending`` is what comes after it: a block of trailers, or nothing. None for more of it."""
        size = len(data)
        stream.ending = ending
        if stream.pending or self.held or size > stream.send_window or size > self.window:
            if size:
                if stream.pending is None:
                    stream.pending = deque()
                keep_waiting(stream.pending, data)
                stream.waiting += size
            if self.held:
                self._waiting[stream] = None
            else:
                self._go(stream, 0)
            return
        if size > self.frame_size:
            self._frame(stream, self._frames(stream, memoryview(data)), ending == _END)
        elif size or ending == _END:
            self._frame(stream, data, ending == _END)
        if ending:
            self.head(stream, ending, ended=True)

    def _frames(self, stream: Stream, data: memoryview) -> memoryview:
        """Frames as large as they may be, of ``data`` that windows let go; gives what is left, which is not nothing."""
        most = self.frame_size
        count = (len(data) - 1) // most
        out, begin = self.out, frames.header(most, DATA, 0, stream.id)
        for at in range(0, count * most, most):
            out += begin, data[at : at + most]
        sent = count * most
        self.bulk += sent
        self.window -= sent
        stream.send_window -= sent
        self._allowance.frames_sent(count, most)
        return data[sent:]

    def _frame(self, stream: Stream, data: bytes | bytearray | memoryview, ended: bool) -> None:
        size = len(data)
        self.bulk += size
        self.window -= size
        stream.send_window -= size
        self.out += frames.header(size, DATA, END_STREAM if ended else 0, stream.id), data
        self._allowance.frames_sent(1, size)
        if ended:
            stream.we_end()

    def _go(self, stream: Stream, most: int) -> int:
        """Send what waits of one stream as far as its windows let it, and ``most`` frames if that is not 0; gives how
        many bytes.
        """
        pending = stream.pending
        sent = count = 0
        while pending and not (most and count == most):
            data = pending[0]
            size = min(len(data), stream.send_window, self.window, self.frame_size)
            if size <= 0:
                break
            if size < len(data):
                # To cut it costs more than all else that is done with it: what goes out are views of it.
                if type(data) is not memoryview:
                    data = memoryview(data)
                pending[0] = data[size:]
                data = data[:size]
            else:
                del pending[0]
            stream.waiting -= size
            sent += size
            count += 1
            self._frame(stream, data, not pending and stream.ending == _END)
        if pending:
            self._waiting[stream] = None
            return sent
        self._waiting.pop(stream, None)
        if stream.ending and stream.may_send:
            self.head(stream, stream.ending, ended=True)
        elif stream.ending == _END and stream.may_send:
            self._frame(stream, b"", ended=True)
        return sent

    def go_on(self, most: int) -> None:
        """Send what waits: about ``most`` bytes, the most urgent first. Of streams of the same urgency those that are
        of use in parts take turns, and the others go one after the other.
        """
        if self.held:
            return
        while most > 0 and self._waiting:
            sent = self._round(most)
            if not sent:
                return
            most -= sent

    def _round(self, most: int) -> int:
        sent = 0
        urgency = None
        alone = len(self._waiting) == 1
        waiting = self._in_turn() if self._last_turn else sorted(self._waiting, key=_by_urgency)
        for stream in waiting:
            if urgency is not None and stream.urgency > urgency:
                break
            if stream.incremental and not alone:
                went = self._go(stream, 1)
                if went and (self.window > 0 or not sent):
                    # Else it is what was left of the connection's window for it, and no whole turn.
                    self._last_turn = stream.id
                sent += went
            else:
                sent += self._go(stream, -(-most // self.frame_size))
            if not stream.pending:
                self.drained.append(stream)
            if sent:
                urgency = stream.urgency
                if sent >= most or not stream.incremental:
                    break
        return sent

    def _in_turn(self) -> list[Stream]:
        # What goes at once may be less than one turn of all, however often.
        last = self._last_turn

        def place(stream: Stream) -> tuple[int, bool, bool, int]:
            return stream.urgency, stream.incremental, stream.incremental and stream.id <= last, stream.id

        return sorted(self._waiting, key=place)

    def forget(self, stream: Stream) -> None:
        """Nothing goes out on it any more."""
        self._waiting.pop(stream, None)

    def hold(self, held: bool) -> None:
        """The transport takes no more, or does again."""
        self.held = held
        self.apart = held or self.shrinks

    # -- what the peer says of its table

    def table_changes(self, size: int) -> None:
        """By SETTINGS. The first block after one that makes it smaller has to begin with saying so, though it was not
        used (RFC 9113 section 4.3.1).
        """
        if size < self._table_size:
            self.shrinks = self.apart = True
        self._table_size = size

    # -- what the peer says of its windows

    def window_grows(self, stream: Stream | None, size: int) -> None:
        """By WINDOW_UPDATE: of one stream, or of the connection. ``ConnectionFault`` where that of this overflows."""
        if stream is None:
            self.window += size
            self.granted += size
            if self.window > frames.LARGEST_WINDOW:
                raise ConnectionFault("a window that is too large", FLOW_CONTROL_ERROR)
        else:
            stream.send_window += size

    def windows_change(self, streams: list[Stream], size: int) -> None:
        """By SETTINGS: those of all streams, which may come to be less than nothing (RFC 9113 section 6.9.2)."""
        if size > frames.LARGEST_WINDOW:
            raise ConnectionFault("an initial window that is too large", FLOW_CONTROL_ERROR)
        change = size - self.initial_window
        self.initial_window = size
        for stream in streams:
            stream.send_window += change
            if stream.send_window > frames.LARGEST_WINDOW:
                raise ConnectionFault("a window that is too large", FLOW_CONTROL_ERROR)
