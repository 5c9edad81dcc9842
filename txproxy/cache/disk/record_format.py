"""Records of a segment: how they are written, and what is believed of them.

A record begins at a multiple of 16 bytes with a header: magic, state, kind, the lengths of its packed part and of all
of it, its own place, and a digest of all this but the state, and of the packed part. A response's packed part is its
key, where its body is, and its head; a body below 32 kB follows. One whose body stands in several rooms, or not all of
whose body is there, is of another kind: its packed part says where each part of the body is, and has a checksum for
each. A room's packed part is the key of the response whose body stands in the room, from the next page boundary on.

The state alone changes after that: what is no zero there says that the response is gone.
"""

from __future__ import annotations

import struct
from hashlib import blake2b
from typing import Final, NamedTuple

from txproxy.cache.disk.head_format import pack_head, unpack_head
from txproxy.cache.stored import StoredHead

PAGE: Final = 4096
ALIGNED: Final = 16
_MAGIC: Final = b"TxR1"
# Magic, state, kind, length of the packed part, length of the record, segment, offset.
_HEADER: Final = struct.Struct("<4sIIIQQQ")
_DIGEST: Final = 16
HEADER_SIZE: Final = _HEADER.size + _DIGEST
RESPONSE: Final = 1
ROOM: Final = 2
PARTS: Final = 3
RESPONSES: Final = frozenset({RESPONSE, PARTS})
# Where the state is within a record, and what it is when the response is gone: no single error makes a zero of it.
STATE_OFFSET: Final = 4
GONE: Final = b"GONE"
KEY_SIZE: Final = 32
MOST_PACKED: Final = 1 << 20

# Key, length of the body, its checksum, the number of its extents.
_BODY: Final = struct.Struct("<32sQII")
_EXTENT: Final = struct.Struct("<QQQ")
# Where a part begins in the body, its checksum, and where it is.
_PART: Final = struct.Struct("<QIQQQ")


class Extent(NamedTuple):
    """A piece of a body: ``size`` bytes from ``offset`` of the segment of that number."""

    segment: int
    offset: int
    size: int


class StoredPart(NamedTuple):
    """A part of a body, which begins there at ``start``: where it is, and its checksum."""

    start: int
    crc: int
    extent: Extent


class RecordHeader(NamedTuple):
    """What the header of a record says: whether it is ``alive``, of which ``kind`` it is, the ``packed`` part's length
    and the ``total`` of the record, with what follows, and its digest.
    """

    alive: bool
    kind: int
    packed: int
    total: int
    digest: bytes


class Response(NamedTuple):
    """The packed part of a response: ``length`` and checksum (``crc``) are those of its body, which stands behind it if
    there are neither ``extents`` nor ``parts``. Parts have checksums of their own; what is in none of them is missing.
    """

    key: bytes
    head: StoredHead
    length: int
    crc: int
    extents: tuple[Extent, ...] = ()
    parts: tuple[StoredPart, ...] = ()

    @property
    def kind(self) -> int:
        """The kind of its record."""
        return PARTS if self.parts else RESPONSE


def aligned(size: int, unit: int = ALIGNED) -> int:
    """``size`` with what is missing to a multiple of ``unit``."""
    return -(-size // unit) * unit


def _digest(header: bytes, packed: bytes) -> bytes:
    digest = blake2b(header[:STATE_OFFSET], digest_size=_DIGEST)
    digest.update(header[STATE_OFFSET + 4 :])
    digest.update(packed)
    return digest.digest()


def _record(kind: int, packed: bytes, total: int, segment: int, offset: int) -> bytes:
    header = _HEADER.pack(_MAGIC, 0, kind, len(packed), total, segment, offset)
    return header + _digest(header, packed) + packed


def pack_response(response: Response) -> bytes:
    """The packed part of a response."""
    key, head, length, crc, extents, parts = response
    body = _BODY.pack(key, length, crc, len(extents) + len(parts))
    places = [_EXTENT.pack(*extent) for extent in extents]
    places += [_PART.pack(start, crc, *extent) for start, crc, extent in parts]
    return body + b"".join(places) + pack_head(head)


def response_record(packed: bytes, body: bytes, segment: int, offset: int, kind: int = RESPONSE) -> bytes:
    """A whole record for that place, with what fills it up."""
    size = HEADER_SIZE + len(packed) + len(body)
    total = aligned(size)
    return _record(kind, packed, total, segment, offset) + body + bytes(total - size)


def room_record(key: bytes, size: int, segment: int, offset: int) -> tuple[bytes, int, int]:
    """The beginning of a room for ``size`` bytes at that place, where its body begins, and where the record ends."""
    start = aligned(offset + HEADER_SIZE + len(key), PAGE)
    end = aligned(start + size)
    return _record(ROOM, key, end - offset, segment, offset), start, end


def read_header(data: bytes, segment: int, offset: int) -> RecordHeader | None:
    """What the header at the beginning of ``data`` says, which was read from that place; None if it is none of it."""
    if len(data) < HEADER_SIZE:
        return None
    magic, state, kind, packed, total, its_segment, its_offset = _HEADER.unpack_from(data)
    if magic != _MAGIC or its_segment != segment or its_offset != offset or packed > MOST_PACKED:
        return None
    if total < HEADER_SIZE + packed or total % ALIGNED:
        return None
    return RecordHeader(not state, kind, packed, total, data[_HEADER.size : HEADER_SIZE])


def read_packed(header: RecordHeader, data: bytes) -> bytes | None:
    """The packed part of the record that ``data`` begins with; None if it is not what was written."""
    packed = data[HEADER_SIZE : HEADER_SIZE + header.packed]
    if len(packed) < header.packed or _digest(data[: _HEADER.size], packed) != header.digest:
        return None
    return packed


def unpack_response(packed: bytes, kind: int = RESPONSE) -> Response | None:
    """The response of a packed part that is what was written; None if that is of another version."""
    try:
        key, length, crc, count = _BODY.unpack_from(packed)
        place = _BODY.size
        extents: list[Extent] = []
        parts: list[StoredPart] = []
        for _ in range(count):
            if kind == PARTS:
                start, its_crc, *where = _PART.unpack_from(packed, place)
                parts.append(StoredPart(start, its_crc, Extent(*where)))
                place += _PART.size
            else:
                extents.append(Extent(*_EXTENT.unpack_from(packed, place)))
                place += _EXTENT.size
        head = unpack_head(packed[place:])
    except (ValueError, struct.error):
        return None
    if extents and sum(extent.size for extent in extents) != length:
        return None
    if kind == PARTS and not _are_in_order(parts, length):
        return None
    return Response(key, head, length, crc, tuple(extents), tuple(parts))


def _are_in_order(parts: list[StoredPart], length: int) -> bool:
    """Whether there are any, and each stands behind the one before it, within a body of that ``length``."""
    at = 0
    for start, _, extent in parts:
        if start < at or not extent.size:
            return False
        at = start + extent.size
    return 0 < at <= length
