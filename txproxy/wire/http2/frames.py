"""Frames as they are on the wire (RFC 9113 sections 4 and 6)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from struct import Struct
from typing import Any, Final, TypeAlias

from txproxy.wire.http2.faults import FRAME_SIZE_ERROR, ConnectionFault

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA: Final = 0x0
HEADERS: Final = 0x1
PRIORITY: Final = 0x2
RST_STREAM: Final = 0x3
SETTINGS: Final = 0x4
PUSH_PROMISE: Final = 0x5
PING: Final = 0x6
GOAWAY: Final = 0x7
WINDOW_UPDATE: Final = 0x8
CONTINUATION: Final = 0x9
# RFC 9218 section 7.1
PRIORITY_UPDATE: Final = 0x10

ACK: Final = 0x1
END_STREAM: Final = 0x1
END_HEADERS: Final = 0x4
PADDED: Final = 0x8
WITH_PRIORITY: Final = 0x20

HEADER_TABLE_SIZE: Final = 0x1
ENABLE_PUSH: Final = 0x2
MAX_CONCURRENT_STREAMS: Final = 0x3
INITIAL_WINDOW_SIZE: Final = 0x4
MAX_FRAME_SIZE: Final = 0x5
MAX_HEADER_LIST_SIZE: Final = 0x6
# RFC 8441 section 3
ENABLE_CONNECT_PROTOCOL: Final = 0x8
# RFC 9218 section 2.1
NO_RFC7540_PRIORITIES: Final = 0x9

HEADER_SIZE: Final = 9
# What each endpoint takes without having said so.
DEFAULT_FRAME_SIZE: Final = 16384
DEFAULT_WINDOW: Final = 65535
LARGEST_WINDOW: Final = (1 << 31) - 1
LARGEST_FRAME_SIZE: Final = (1 << 24) - 1
LAST_STREAM: Final = (1 << 31) - 1
# To copy so much once more takes less time than to keep it in parts.
_SHORT: Final = 2048

# Length in two parts, type, flags and stream.
_HEADER: Final = Struct(">BHBBL")
read_header = _HEADER.unpack_from
# With the length in two parts, the first of which is 0 for frames of less than 64 KiB.
pack_header: Final = _HEADER.pack
# The same with length, type and flags as they are, for what is often the same in these.
read_start: Final = Struct(">5sL").unpack_from
# The same with type and flags as one number, and the reserved bit as the sign of the stream's: less than 0 is none.
read_signed: Final = Struct(">BHHl").unpack_from
pack_start: Final = Struct(">BHBB").pack
_NUMBER: Final = Struct(">L")
pack_number: Final = _NUMBER.pack
_SETTING: Final = Struct(">HL")
_TWO_NUMBERS: Final = Struct(">LL")


def header(length: int, kind: int, flags: int, stream: int) -> bytes:
    """The header of a frame."""
    return pack_header(length >> 16, length & 0xFFFF, kind, flags, stream)


def settings(values: Iterable[tuple[int, int]]) -> bytes:
    """A SETTINGS frame."""
    payload = b"".join([_SETTING.pack(*one) for one in values])
    return header(len(payload), SETTINGS, 0, 0) + payload


SETTINGS_ACK: Final = header(0, SETTINGS, ACK, 0)


def read_settings(payload: bytes) -> list[tuple[int, int]]:
    """What a SETTINGS frame says; a ``ConnectionFault`` if it is none."""
    if len(payload) % _SETTING.size:
        raise ConnectionFault("a SETTINGS frame of a wrong size", FRAME_SIZE_ERROR)
    return [*_SETTING.iter_unpack(payload)]


def rst_stream(stream: int, code: int) -> bytes:
    """A RST_STREAM frame."""
    return header(4, RST_STREAM, 0, stream) + _NUMBER.pack(code)


def window_update(stream: int, size: int) -> bytes:
    """A WINDOW_UPDATE frame; of the connection for ``stream`` 0."""
    return header(4, WINDOW_UPDATE, 0, stream) + _NUMBER.pack(size)


def ping(data: bytes, ack: bool = False) -> bytes:
    """A PING frame."""
    return header(8, PING, ACK if ack else 0, 0) + data


def goaway(last: int, code: int) -> bytes:
    """A GOAWAY frame, which says nothing but the ``code``."""
    return header(8, GOAWAY, 0, 0) + _TWO_NUMBERS.pack(last, code)


def read_number(payload: bytes) -> int:
    """The one number of a frame; a ``ConnectionFault`` if it has another size."""
    if len(payload) != _NUMBER.size:
        raise ConnectionFault("a frame of a wrong size", FRAME_SIZE_ERROR)
    number: int = _NUMBER.unpack(payload)[0]
    return number


def read_goaway(payload: bytes) -> tuple[int, int]:
    """The last stream and the code of a GOAWAY frame; a ``ConnectionFault`` if it is none."""
    if len(payload) < _TWO_NUMBERS.size:
        raise ConnectionFault("a GOAWAY frame of a wrong size", FRAME_SIZE_ERROR)
    last, code = _TWO_NUMBERS.unpack_from(payload)
    return last & LAST_STREAM, code


def headers(stream: int, block: bytes, ended: bool, most: int) -> bytes:
    """A field block: a HEADERS frame, and as many CONTINUATION frames as frames of ``most`` bytes want."""
    end = END_STREAM if ended else 0
    if len(block) <= most:
        return header(len(block), HEADERS, END_HEADERS | end, stream) + block
    pieces = [header(most, HEADERS, end, stream), block[:most]]
    for at in range(most, len(block), most):
        piece = block[at : at + most]
        pieces += header(len(piece), CONTINUATION, END_HEADERS if at + most >= len(block) else 0, stream), piece
    return b"".join(pieces)


# What writes, by `struct`, what stands around the numbers of a stream with these numbers.
Pack: TypeAlias = "Callable[..., bytes]"


@lru_cache(maxsize=1024)
def _pack_whole(middle: int, size: int) -> Pack:
    return Struct(f">5sL{middle}sL{size}s" if size else f">5sL{middle}s").pack


def around(block: bytes, size: int) -> tuple[bytes, bytes, Pack | None]:
    """What a whole message is written as, with a body of this ``size``: before and after the number of its stream, up
    to that number again where there is a body, which comes after it; and what puts all of that together, if it is
    short: a longer one is left in its parts, which are copied but once. Nothing if it takes more than one frame each.
    """
    length = len(block)
    if length > DEFAULT_FRAME_SIZE or size > DEFAULT_FRAME_SIZE:
        return b"", b"", None
    if size:
        begin, middle = header(length, HEADERS, END_HEADERS, 0)[:5], block + header(size, DATA, END_STREAM, 0)[:5]
    else:
        begin, middle = header(length, HEADERS, END_HEADERS | END_STREAM, 0)[:5], block
    return begin, middle, _pack_whole(len(middle), size) if len(middle) + size <= _SHORT else None


# How the frames of a whole response with a body begin, what lies between the numbers of its stream, the field block in
# that, how long the body and all of it are, and what takes apart several that lie one after the other.
Shape: TypeAlias = "tuple[bytes, bytes, bytes, int, int, Callable[[memoryview], Iterator[tuple[Any, ...]]]]"
# The types and flags of the frames of a response that has a body and no trailers, and is short.
_HEAD: Final = bytes((HEADERS, END_HEADERS))
_WHOLE_BODY: Final = bytes((DATA, END_STREAM))


@lru_cache(maxsize=1024)
def unpack_whole(middle: int, body: int) -> Callable[[memoryview], Iterator[tuple[Any, ...]]]:
    """What takes apart whole responses of a :data:`Shape`, with so much between the numbers of their streams."""
    return Struct(f">5sL{middle}sL{body}s").iter_unpack


def shape_at(data: bytes, at: int) -> Shape | None:
    """That of a response of which the whole head is there, and the header of its one DATA frame; None if it is none."""
    body_at, most = at + HEADER_SIZE, len(data) - HEADER_SIZE
    if body_at > most:
        return None
    begin, _ = read_start(data, at)
    length = int.from_bytes(begin[:3], "big")
    body_at += length
    if begin[3:] != _HEAD or length > DEFAULT_FRAME_SIZE or body_at > most:
        return None
    start, _ = read_start(data, body_at)
    size = int.from_bytes(start[:3], "big")
    if start[3:] != _WHOLE_BODY or not 0 < size <= DEFAULT_FRAME_SIZE:
        return None
    middle = data[at + HEADER_SIZE : body_at + len(start)]
    step = body_at + HEADER_SIZE + size - at
    return begin, middle, middle[:length], size, step, unpack_whole(len(middle), size)


@lru_cache(maxsize=1024)
def unpack_requests(block: int, count: int) -> Callable[[memoryview], tuple[Any, ...]]:
    """What takes apart so many whole requests without a body, each with a field ``block`` of this length."""
    # The reserved bit is the sign of the stream's number.
    return Struct(">" + f"5sl{block}s" * count).unpack


def count_alike(values: tuple[Any, ...], begin: bytes, block: bytes) -> int:
    """How many requests that :func:`unpack_requests` has taken apart are the same but for their numbers, from the first
    on, of which this is the beginning and the field ``block``.
    """
    for at in range(0, len(values), 3):
        if values[at] != begin or values[at + 2] != block:
            return at // 3
    return len(values) // 3


def without_padding(payload: bytes, flags: int) -> bytes:
    """The ``payload`` of a frame without its padding (RFC 9113 section 6.1)."""
    if not flags & PADDED:
        return payload
    if not payload or payload[0] >= len(payload):
        raise ConnectionFault("more padding than the frame has")
    return payload[1 : len(payload) - payload[0]]
