"""Taking bytes apart into frames."""

from __future__ import annotations

import pytest

from txproxy.wire.http2 import frames
from txproxy.wire.http2.faults import ENHANCE_YOUR_CALM, FRAME_SIZE_ERROR, PROTOCOL_ERROR, ConnectionFault
from txproxy.wire.http2.flood_allowance import MOST, FloodAllowance
from txproxy.wire.http2.frame_reader import Frame, FrameReader

SETTINGS = frames.settings([])
FIRST: Frame = (frames.SETTINGS, 0, 0, b"")


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return frames.header(len(payload), kind, flags, stream) + payload


def reader(preface: bytes = b"", most_block: int = 1000, share: int = 1 << 30) -> FrameReader:
    return FrameReader(preface, most_block, FloodAllowance(), share)


def refused(data: bytes, code: int, most_block: int = 1000) -> None:
    one = reader(most_block=most_block)
    assert [*one.read(SETTINGS)] == [FIRST]
    with pytest.raises(ConnectionFault) as found:
        list(one.read(data))
    assert found.value.code == code


STREAM = (
    frames.PREFACE + SETTINGS + frame(frames.HEADERS, 0, 1, b"ab") + frame(frames.CONTINUATION, 0, 1, b"")
    + frame(frames.CONTINUATION, frames.END_HEADERS, 1, b"c") + frame(frames.DATA, frames.END_STREAM, 1, b"body")
    + frame(0x77, 0, 9, b"?") + frame(frames.HEADERS, frames.END_HEADERS | frames.PADDED | frames.WITH_PRIORITY, 3,
                                      b"\x02\0\0\0\0\x10x\0\0")
)  # fmt: skip
FOUND: list[Frame] = [
    FIRST,
    (frames.HEADERS, 0, 1, b"abc"),
    (frames.DATA, frames.END_STREAM, 1, b"body"),
    (0x77, 0, 9, b"?"),
    (frames.HEADERS, frames.END_HEADERS | frames.PADDED | frames.WITH_PRIORITY, 3, b"x"),
]


@pytest.mark.parametrize("size", [1, 2, 7, 9, 10, 23, len(STREAM)])
def test_frames_come_however_bytes_do(size: int) -> None:
    one = reader(frames.PREFACE)
    found: list[Frame] = []
    for at in range(0, len(STREAM), size):
        found += one.read(STREAM[at : at + size])
    assert found == FOUND


@pytest.mark.parametrize("size", [1, 9, 100])
def test_an_answer_of_http1_is_called_one(size: int) -> None:
    one, data = reader(), b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"
    with pytest.raises(ConnectionFault, match="an answer of HTTP/1, where HTTP/2 is to be spoken"):
        for at in range(0, len(data), size):
            list(one.read(data[at : at + size]))


def test_what_looks_like_one_later_is_a_frame() -> None:
    one = reader()
    assert [*one.read(SETTINGS)] == [FIRST]
    with pytest.raises(ConnectionFault, match="too large"):
        list(one.read(b"HTTP/1.1 400"))


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n", b"PRX", frames.PREFACE[:-1] + b"x"])
def test_what_does_not_begin_as_it_has_to(data: bytes) -> None:
    with pytest.raises(ConnectionFault):
        list(reader(frames.PREFACE).read(data))


@pytest.mark.parametrize("first", [frames.SETTINGS_ACK, frames.ping(b"12345678"), frame(1, 4, 1, b"x"), frame(0, 0, 1)])
def test_settings_come_first(first: bytes) -> None:
    with pytest.raises(ConnectionFault):
        list(reader().read(first))


def test_what_is_no_frame() -> None:
    refused(frames.header(16385, frames.DATA, 0, 1), FRAME_SIZE_ERROR)
    refused(frame(frames.HEADERS, 4, 0, b"x"), PROTOCOL_ERROR)
    refused(frame(frames.HEADERS, 4 | frames.WITH_PRIORITY, 1, b"\0\0\0\0"), FRAME_SIZE_ERROR)
    refused(frame(frames.HEADERS, 4 | frames.WITH_PRIORITY, 1, b"\0\0\0\1\0"), PROTOCOL_ERROR)
    refused(frame(frames.HEADERS, 4 | frames.PADDED, 1, b"\x09ab"), PROTOCOL_ERROR)


@pytest.mark.parametrize(
    "other", [frame(9, 4, 3), frame(0, 0, 1), frame(1, 4, 1), frames.SETTINGS_ACK, frame(0x77, 0, 1)]
)
def test_nothing_comes_within_a_block(other: bytes) -> None:
    refused(frame(frames.HEADERS, 0, 1, b"x") + other, PROTOCOL_ERROR)


def test_blocks_without_end() -> None:
    refused(frame(frames.HEADERS, 0, 1) + frame(frames.CONTINUATION, 0, 1) * 100, ENHANCE_YOUR_CALM)
    refused(frame(frames.HEADERS, 0, 1) + frame(frames.CONTINUATION, 0, 1, b"x" * 600) * 2, ENHANCE_YOUR_CALM)


def test_continuations_cost() -> None:
    allowance = FloodAllowance()
    one = FrameReader(b"", 1000, allowance, 1 << 30)
    list(one.read(SETTINGS + frame(frames.HEADERS, 0, 1) + frame(frames.CONTINUATION, 0, 1) * 5))
    assert allowance.left == MOST - 5


def kinds(data: bytes, share: int) -> list[list[int]]:
    one = reader(share=share)
    found = [[kind for kind, *_ in one.read(SETTINGS + data)]]
    while one.more:
        found.append([kind for kind, *_ in one.read(b"")])
    assert not one.begun
    return found


def test_so_much_is_read_at_once() -> None:
    ping = frame(frames.PING, 0, 0, b"12345678")
    head = frame(frames.HEADERS, frames.END_HEADERS, 1, b"x")
    found = kinds(ping * 100, share=20)
    # what is no head has some more
    assert [len(part) for part in found] == [37, 37, 27]
    assert [len(part) for part in kinds(head * 9, share=48)] == [1 + 3, 3, 3]
    reset = frame(frames.RST_STREAM, 0, 1, b"\0\0\0\x08")
    assert all(part[-1] == frames.RST_STREAM for part in kinds((head + reset) * 9, share=48))


def test_what_comes_meanwhile_is_read_after_it() -> None:
    one = reader(share=1)
    ping = frame(frames.PING, 0, 0, b"12345678")
    head = frame(frames.HEADERS, frames.END_HEADERS, 1, b"x")
    assert [kind for kind, *_ in one.read(SETTINGS + head + head[:4])] == [frames.SETTINGS]
    assert one.more and one.keep(head[4:] + ping) == 2 * len(head) + len(ping)
    assert [kind for kind, *_ in one.read(b"")] == [frames.HEADERS]
    assert [kind for kind, *_ in one.read(b"")] == [frames.HEADERS, frames.PING]
    assert not one.more
