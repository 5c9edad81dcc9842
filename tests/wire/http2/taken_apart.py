"""What a side of HTTP/2 has written, as frames."""

from __future__ import annotations

from typing import Any

from txproxy.wire.http2 import frames
from txproxy.wire.http2.events import Event

NAMES = {
    frames.DATA: "DATA", frames.HEADERS: "HEADERS", frames.RST_STREAM: "RST_STREAM", frames.SETTINGS: "SETTINGS",
    frames.PING: "PING", frames.GOAWAY: "GOAWAY", frames.WINDOW_UPDATE: "WINDOW_UPDATE",
    frames.CONTINUATION: "CONTINUATION",
}  # fmt: skip


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return frames.header(len(payload), kind, flags, stream) + payload


def taken_apart(data: bytes) -> list[tuple[str, int, int, bytes]]:
    """Each frame: its name, flags, stream and payload."""
    found = []
    while data:
        high, low, kind, flags, stream = frames.read_header(data, 0)
        end = 9 + (high << 16 | low)
        assert end <= len(data), "half a frame was written"
        found.append((NAMES[kind], flags, stream, data[9:end]))
        data = data[end:]
    return found


def resets(data: bytes) -> list[tuple[int, int]]:
    """The streams that were reset, with the codes."""
    return [
        (stream, int.from_bytes(payload, "big"))
        for name, _, stream, payload in taken_apart(data)
        if name == "RST_STREAM"
    ]


def goaways(data: bytes) -> list[tuple[int, int]]:
    """The last stream and the code of each GOAWAY."""
    return [frames.read_goaway(payload) for name, _, _, payload in taken_apart(data) if name == "GOAWAY"]


def each_alone(events: list[Any]) -> list[Event]:
    """These ``events`` of a server's session, with one for each of the streams that have one together."""
    return [(one, what) for streams, what in events for one in (streams if type(streams) is list else [streams])]
