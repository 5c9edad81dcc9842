"""What one side of HTTP/2 says of itself (RFC 9113 section 6.5)."""

from __future__ import annotations

from typing import Final

from txproxy.frozen_values import frozen
from txproxy.wire.http2 import frames
from txproxy.wire.http2.faults import ConnectionFault

# Of a connection's window an eighth is for those that begin when others have grown.
PART: Final = 8
_SWITCHES: Final = (frames.ENABLE_PUSH, frames.ENABLE_CONNECT_PROTOCOL, frames.NO_RFC7540_PRIORITIES)


@frozen
class Http2Settings:
    """What this side says of itself. ``streams`` is how many of the peer's there may be at once, ``stream_window`` and
    ``connection_window`` how much of bodies may be on its way (bytes). Of that of a stream, ``first_window`` is there
    from its beginning, all of it if that is 0, and the rest once it is widened. By ``growth`` all may grow together
    whose bodies are taken as they come.
    """

    streams: int = 100
    stream_window: int = 1 << 20
    connection_window: int = 16 << 20
    first_window: int = 0
    growth: int = 0

    def lines(self) -> list[tuple[int, int]]:
        """As SETTINGS has it, for both roles."""
        return [
            (frames.INITIAL_WINDOW_SIZE, self.first_window or self.stream_window),
            (frames.NO_RFC7540_PRIORITIES, 1),
        ]


DEFAULT_SETTINGS: Final = Http2Settings()


def grown_in(window: int) -> int:
    """Of a connection's ``window`` so much may be that of streams which have grown."""
    return window - window // PART


def growing_in(streams: int) -> int:
    """How large a connection's window has to be for ``streams`` with so much of it."""
    return streams * PART // (PART - 1)


def check_setting(name: int, value: int) -> None:
    """A ``ConnectionFault`` if the other side says what cannot be of itself. How large a window of a stream can be its
    windows know.
    """
    if name == frames.MAX_FRAME_SIZE:
        if not frames.DEFAULT_FRAME_SIZE <= value <= frames.LARGEST_FRAME_SIZE:
            raise ConnectionFault("a size of frames that there is not")
    elif name in _SWITCHES and value > 1:
        raise ConnectionFault("a setting that is neither 0 nor 1")
