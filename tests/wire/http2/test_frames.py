"""Frames as they are on the wire."""

from __future__ import annotations

import pytest
from hyperframe.frame import (
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from txproxy.wire.http2 import frames
from txproxy.wire.http2.faults import ConnectionFault


def parsed(data: bytes) -> Frame:
    frame, length = Frame.parse_frame_header(memoryview(data[:9]))
    assert length == len(data) - 9
    frame.parse_body(memoryview(data[9:]))
    return frame


def test_others_read_them() -> None:
    settings = parsed(frames.settings([(3, 100), (4, 1 << 20)]))
    assert isinstance(settings, SettingsFrame) and settings.settings == {3: 100, 4: 1 << 20}
    ack = parsed(frames.SETTINGS_ACK)
    assert isinstance(ack, SettingsFrame) and "ACK" in ack.flags
    reset = parsed(frames.rst_stream(5, 8))
    assert isinstance(reset, RstStreamFrame) and (reset.stream_id, reset.error_code) == (5, 8)
    window = parsed(frames.window_update(7, 1000))
    assert isinstance(window, WindowUpdateFrame) and (window.stream_id, window.window_increment) == (7, 1000)
    for ack_too in (False, True):
        ping = parsed(frames.ping(b"12345678", ack_too))
        assert isinstance(ping, PingFrame) and ping.opaque_data == b"12345678" and ("ACK" in ping.flags) is ack_too
    away = parsed(frames.goaway(9, 11))
    assert isinstance(away, GoAwayFrame) and (away.last_stream_id, away.error_code) == (9, 11)


@pytest.mark.parametrize("size", [0, 1, 99, 100, 101, 199, 200, 201, 1000])
@pytest.mark.parametrize("ended", [False, True])
def test_a_large_block_goes_in_several(size: int, ended: bool) -> None:
    block = bytes(range(256)) * 4
    data = frames.headers(3, block[:size], ended, 100)
    found, kinds = b"", []
    while data:
        high, low, kind, flags, stream = frames.read_header(data, 0)
        length = high << 16 | low
        kinds.append((kind, flags))
        found += data[9 : 9 + length]
        assert stream == 3 and length <= 100
        data = data[9 + length :]
    assert found == block[:size]
    assert kinds[0][0] == frames.HEADERS and bool(kinds[0][1] & frames.END_STREAM) is ended
    assert all(kind == frames.CONTINUATION for kind, _ in kinds[1:])
    assert [bool(flags & frames.END_HEADERS) for _, flags in kinds] == [False] * (len(kinds) - 1) + [True]


def test_one_block_alone_is_one_that_others_read() -> None:
    head = parsed(frames.headers(3, b"abc", True, 100))
    assert isinstance(head, HeadersFrame) and head.data == b"abc" and head.flags == {"END_STREAM", "END_HEADERS"}


def test_wrong_sizes() -> None:
    for read, payload in (
        (frames.read_settings, b"12345"),
        (frames.read_number, b"123"),
        (frames.read_number, b"12345"),
        (frames.read_goaway, b"1234567"),
    ):
        with pytest.raises(ConnectionFault):
            read(payload)


def test_what_is_read() -> None:
    assert frames.read_settings(bytes.fromhex("000300000064")) == [(3, 100)]
    assert frames.read_goaway(bytes.fromhex("8000000500000002") + b"debug") == (5, 2)


@pytest.mark.parametrize(
    ("payload", "flags", "data"),
    [(b"abc", 0, b"abc"), (b"\x00abc", 8, b"abc"), (b"\x02a\0\0", 8, b"a"), (b"\x03\0\0\0", 8, b""), (b"\x00", 8, b"")],
)
def test_padding(payload: bytes, flags: int, data: bytes) -> None:
    assert frames.without_padding(payload, flags) == data


@pytest.mark.parametrize("payload", [b"", b"\x01", b"\x03ab"])
def test_more_padding_than_there_is(payload: bytes) -> None:
    with pytest.raises(ConnectionFault):
        frames.without_padding(payload, frames.PADDED)
