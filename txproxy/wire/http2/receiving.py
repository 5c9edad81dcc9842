"""How much of bodies a peer may send, and when it is told of more (RFC 9113 section 5.2).

What has come counts until it is gone from here: who takes it slowly has the peer wait, and nobody else of the
connection, as long as the windows of a few streams do not fill that of the connection. What these have of it is no part
of what the others may use: of that, half has to be gone before the peer is told.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from txproxy.wire.http2 import frames
from txproxy.wire.http2.faults import FLOW_CONTROL_ERROR, ConnectionFault, StreamFault
from txproxy.wire.http2.stream import Stream

# Of a stream's window that half has gone.
_PART: Final = 2


class Receiving:
    """The windows of a connection (of ``connection_window`` bytes) and its streams (``stream_window``, of which
    ``first_window`` is all before one is widened, if it is not 0), whose updates are put ``out``.
    """

    __slots__ = ("left", "_out", "_window", "_gone", "_stream_window", "_first_window", "of_streams")

    def __init__(self, connection_window: int, stream_window: int, out: list[bytes], first_window: int = 0) -> None:
        self._out = out
        self._window = max(connection_window, frames.DEFAULT_WINDOW)
        self._stream_window = stream_window
        self._first_window = first_window or stream_window
        # of each stream that will be: as long as the peer has not acknowledged ours, it may know nothing of it
        self.of_streams = frames.DEFAULT_WINDOW
        # how much may come of all streams together
        self.left = frames.DEFAULT_WINDOW
        # what has gone of it, and is not yet told
        self._gone = 0

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
        self._gone += size
        if self._gone >= self.left:
            self._tell()

    def _tell(self) -> None:
        """The peer has no more left than what is gone: others may never be, and it may wait for just that."""
        if self._gone:
            self._out.append(frames.window_update(0, self._gone))
            self.left += self._gone
            self._gone = 0

    def gone_on(self, stream: Stream, size: int) -> None:
        """So much of a ``stream`` is gone."""
        size = min(size, stream.unconsumed)
        stream.unconsumed -= size
        self.gone(size)
        stream.consumed += size
        if stream.consumed * _PART >= self._stream_window and stream.may_receive:
            self._out.append(frames.window_update(stream.id, stream.consumed))
            stream.receive_window += stream.consumed
            stream.consumed = 0

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
