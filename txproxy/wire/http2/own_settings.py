"""What one side of HTTP/2 says of itself (RFC 9113 section 6.5)."""

from __future__ import annotations

from typing import Final

from txproxy.frozen_values import frozen
from txproxy.wire.http2 import frames


@frozen
class Http2Settings:
    """What this side says of itself. ``streams`` is how many of the peer's there may be at once, ``stream_window`` and
    ``connection_window`` how much of bodies may be on its way (bytes). Of that of a stream, ``first_window`` is there
    from its beginning, all of it if that is 0, and the rest once it is widened.
    """

    streams: int = 100
    stream_window: int = 1 << 20
    connection_window: int = 16 << 20
    first_window: int = 0

    def lines(self) -> list[tuple[int, int]]:
        """As SETTINGS has it, for both roles."""
        return [
            (frames.INITIAL_WINDOW_SIZE, self.first_window or self.stream_window),
            (frames.NO_RFC7540_PRIORITIES, 1),
        ]


DEFAULT_SETTINGS: Final = Http2Settings()
