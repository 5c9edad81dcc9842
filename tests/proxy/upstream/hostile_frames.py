"""What hostile upstreams of HTTP/2 answer a request with, for the tests in memory and those over sockets."""

from typing import NamedTuple

from tests.proxy.upstream.http2_peer import data_frame
from tests.wire.http2.taken_apart import frame
from txproxy.wire.http2 import frames
from txproxy.wire.http2.faults import ENHANCE_YOUR_CALM, PROTOCOL_ERROR

# A field of 4,000 bytes that goes into the table, and what names it again: each byte of it is one more of them.
LARGE = b"\x40\x01a\x7f\xa1\x1e" + b"x" * 4000
AGAIN = b"\xbe" * 10_000
HEAD = frame(frames.HEADERS, frames.END_HEADERS, 1, b"\x88")
HINT = frame(frames.HEADERS, frames.END_HEADERS, 1, b"\x08\x03103\x0f\x1e\x7f\xa1\x1e" + b"x" * 4000)


class Hostile(NamedTuple):
    """It begins with ``first``, and goes on with ``again``, ``count`` times: more often than time gives back on however
    slow a machine, before the request is too late. The connection ends with this ``code``, or
    goes on if there is none; the client gets this ``status``, of a response that is cut if that has ``begun``.
    """

    again: bytes
    first: bytes = b""
    count: int = 16_000
    code: int | None = ENHANCE_YOUR_CALM
    begun: bool = False

    def data(self) -> bytes:
        """All of it."""
        return self.first + self.again * self.count


HOSTILE = {
    "PING": Hostile(frames.ping(b"12345678")),
    "SETTINGS": Hostile(frames.settings([])),
    "PRIORITY": Hostile(frame(frames.PRIORITY, 0, 1, b"\0\0\0\0\0")),
    "WINDOW_UPDATE": Hostile(frames.window_update(0, 1)),
    "unknown frames": Hostile(frame(0xFA, 0, 0, b"x")),
    "empty DATA": Hostile(data_frame(1), HEAD, begun=True),
    "RST_STREAM of one that is over": Hostile(frames.rst_stream(1, 8)),
    "CONTINUATION without end": Hostile(
        frame(frames.CONTINUATION, 0, 1, b"\0\1a\1b" * 100), frame(frames.HEADERS, 0, 1, b"\x88"), 5000
    ),
    "a promise": Hostile(frame(frames.PUSH_PROMISE, 4, 1, b"\0\0\0\2\x82"), count=1, code=PROTOCOL_ERROR),
    "a head that expands": Hostile(frames.headers(1, b"\x88" + LARGE + AGAIN, True, 16384), count=1, code=None),
    "trailers that expand": Hostile(frames.headers(1, LARGE + AGAIN, True, 16384), HEAD, 1, None, begun=True),
    "hints without end": Hostile(HINT, count=1000, code=None),
}
