"""How much of bodies a peer may send, and when it is told of more (RFC 9113 section 5.2).

What has come counts until it is gone from here: who takes it slowly has the peer wait, and nobody else of the
connection, as long as the windows of a few streams do not fill that of the connection. What these have of it is no part
of what the others may use: of that, half has to be gone before the peer is told.

On a long way a window is a bound to how fast a body may come: one window in each round trip. So that of a stream of
which all is taken as it comes grows by as much as is taken, as that of TCP does at its start, and with that doubles in
each round trip; that of one which is taken slowly is told of nothing until it is as it was. What all have grown by is
bounded, and leaves each stream its own window within that of the connection, and an eighth of that beside.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from txproxy.wire.http2 import frames
from txproxy.wire.http2.faults import FLOW_CONTROL_ERROR, ConnectionFault, StreamFault
from txproxy.wire.http2.own_settings import PART, grown_in
from txproxy.wire.http2.stream import Stream

# More of a window is told of when half of it has gone. Of a large one the other half may not last for a round trip: so
# much of it is not waited with, of a stream's these bytes, and of the connection's a PART, or as much if that is less.
_STEP: Final = 1 << 19


class Receiving:
    """The windows of a connection (of ``connection_window`` bytes) and its ``streams`` (``stream_window``, of which
    ``first_window`` is all before one is widened, if it is not 0), whose updates are put ``out``. All together may grow
    by ``growth`` where all is taken as it comes.
    """

    __slots__ = (
        "left", "_out", "_window", "_part", "_gone", "_stream_window", "_step", "_first_window", "of_streams",
        "_growth", "_grown", "_streams",
    )  # fmt: skip

    def __init__(
        self,
        connection_window: int,
        stream_window: int,
        out: list[bytes],
        first_window: int = 0,
        growth: int = 0,
        streams: Mapping[int, Stream] = MappingProxyType({}),
    ) -> None:
        self._out = out
        self._window = max(connection_window, frames.DEFAULT_WINDOW)
        # how much of it has gone when that is told, at the latest
        self._part = max(self._window // PART, _STEP)
        self._stream_window = stream_window
        # the same of a stream's, however large it is by now
        self._step = min((stream_window + 1) // 2, _STEP)
        self._first_window = first_window or stream_window
        # of each stream that will be: as long as the peer has not acknowledged ours, it may know nothing of it
        self.of_streams = frames.DEFAULT_WINDOW
        # how much may come of all streams together
        self.left = frames.DEFAULT_WINDOW
        # what has gone of it, and is not yet told
        self._gone = 0
        # by how much all may grow, and each has, by its number: less than 0 as long as that is taken back
        self._growth = growth
        self._grown: dict[int, int] = {}
        self._streams = streams

    def open(self) -> None:
        """Say how large that of the connection is: no setting does."""
        more = self._window - self.left
        if more:
            self._out.append(frames.window_update(0, more))
            self.left = self._window

    def acknowledged(self, streams: Iterable[Stream]) -> None:
        """The peer knows how large those of ``streams`` are (RFC 9113 section 6.9.3)."""
        change = self._first_window - self.of_streams
        self.of_streams = self._first_window
        for stream in streams:
            stream.receive_window += change

    def came(self, size: int) -> None:
        """So much has come, on whatever stream; ``ConnectionFault`` if that is more than may."""
        self.left = left = self.left - size
        if left <= self._gone:
            if left < 0:
                raise ConnectionFault("more than the connection's window", FLOW_CONTROL_ERROR)
            self._tell()

    def came_on(self, stream: Stream, size: int, padding: int) -> None:
        """So much of that was of a ``stream``, and ``padding`` of it is of no use; ``StreamFault`` as above."""
        stream.receive_window -= size
        stream.unconsumed += size
        if stream.receive_window < 0:
            raise StreamFault("more than the stream's window", FLOW_CONTROL_ERROR)
        if padding:
            self.gone_on(stream, padding)

    def gone(self, size: int) -> None:
        """So much is gone, of a stream that there may not be any more."""
        self._gone = gone = self._gone + size
        if gone >= self.left or gone >= self._part:
            self._tell()

    def _tell(self) -> None:
        """The peer has no more left than what is gone: others may never be, and it may wait for just that. Or it is
        much.
        """
        if self._gone:
            self._out.append(frames.window_update(0, self._gone))
            self.left += self._gone
            self._gone = 0

    def gone_on(self, stream: Stream, size: int) -> None:
        """So much of a ``stream`` is gone."""
        lay = stream.unconsumed
        if size > lay:
            size = lay
        stream.unconsumed = lay - size
        self.gone(size)
        stream.consumed = consumed = stream.consumed + size
        if consumed >= self._step and stream.may_receive:
            if self._growth:
                consumed += self._change(stream, lay, size)
                if consumed <= 0:
                    stream.consumed = consumed
                    return
            self._out.append(frames.window_update(stream.id, consumed))
            stream.receive_window += consumed
            stream.consumed = 0

    def _change(self, stream: Stream, lay: int, size: int) -> int:
        """By how much the window of a ``stream`` is to grow, of which so much ``lay`` here, and this ``size`` is gone;
        less than 0 where it is to be smaller.
        """
        number, grown = stream.id, self._grown
        has = grown.get(number, 0)
        if has < 0:
            # It has gone back.
            del grown[number]
            has = 0
        if lay >= self._stream_window:
            # It is taken slowly, and what it has grown by would only lie here.
            if has:
                grown[number] = -has
            return -has
        if lay > self._step or stream.consumed - size >= self._step:
            # What was just widened is told with this, and has not been of use yet.
            return 0
        if grown:
            self._grown = grown = {one: by for one, by in grown.items() if one in self._streams}
        # Each has room for its own window, whatever others have grown by.
        room = grown_in(self._window) - len(self._streams) * self._stream_window
        more = min(min(self._growth, room) - sum(map(abs, grown.values())), stream.consumed)
        if more <= 0:
            return 0
        grown[number] = has + more
        return more

    def widen(self, stream: Stream) -> None:
        """More is taken of a ``stream`` than the first: the peer is told with what goes next of it."""
        stream.consumed += self._stream_window - self._first_window

    def forget(self, stream: Stream) -> None:
        """Nobody will read what is left of a ``stream``."""
        self.gone(stream.unconsumed)
        stream.unconsumed = 0


def count_body(stream: Stream, size: int, ended: bool) -> None:
    """So much of a body has come, with which it has ``ended`` or goes on; ``StreamFault`` if its length is another."""
    if not stream.headed:
        raise StreamFault("a body before its head")
    if stream.expected >= 0:
        stream.expected -= size
        if stream.expected < 0 or (ended and stream.expected):
            raise StreamFault("a body of another length than was said")
