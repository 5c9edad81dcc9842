"""A stored head as bytes, and back. Whoever has read them knows by a digest that they are what was written."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

from txproxy.cache.stored import Freshness, StoredHead, VaryValues
from txproxy.wire.headers import Headers

# Status, flags; times of request and response; lifetime, initial age, windows of RFC 5861; the mark.
_FIXED: Final = struct.Struct("<HHdddddd q")
_LENGTH: Final = struct.Struct("<I")
_EXPLICIT: Final = 1
_VALIDATE: Final = 2
_NEVER_STALE: Final = 4
_IMMUTABLE: Final = 8
_IF_ERROR: Final = 16
_FLAGS: Final = _EXPLICIT | _VALIDATE | _NEVER_STALE | _IMMUTABLE | _IF_ERROR
# Stands for the length of a value that is not there.
_NONE: Final = 0xFFFFFFFF


def pack_head(head: StoredHead) -> bytes:
    """``head`` as bytes."""
    fresh = head.freshness
    flags = (
        _EXPLICIT * fresh.explicit
        | _VALIDATE * fresh.validate
        | _NEVER_STALE * fresh.never_stale
        | _IMMUTABLE * fresh.immutable
        | _IF_ERROR * (fresh.if_error is not None)
    )
    fixed = _FIXED.pack(
        head.status,
        flags,
        head.request_time,
        head.response_time,
        fresh.lifetime,
        fresh.initial_age,
        fresh.while_revalidate,
        fresh.if_error or 0.0,
        head.mark,
    )
    vary = [part for field in head.vary for part in field]
    texts = [head.reason, b"\r\n".join(head.headers.lines), head.url]
    return fixed + _counted(texts) + _counted(vary) + _counted(sorted(head.tags)) + _counted(sorted(head.groups))


def _counted(texts: Sequence[bytes | None]) -> bytes:
    parts = [_LENGTH.pack(len(texts))]
    for text in texts:
        parts.append(_LENGTH.pack(_NONE if text is None else len(text)))
        parts.append(text or b"")
    return b"".join(parts)


def unpack_head(data: bytes) -> StoredHead:
    """The head whose bytes these are; a ValueError if they are none's."""
    try:
        status, flags, *times, mark = _FIXED.unpack_from(data)
        texts, place = _texts(data, _FIXED.size)
        vary, place = _texts(data, place)
        tags, place = _texts(data, place)
        groups, place = _texts(data, place)
    except struct.error as error:
        raise ValueError(f"cut short: {error}") from None
    # Those that were written before have no URL.
    if place != len(data) or len(texts) not in (2, 3) or flags & ~_FLAGS:
        raise ValueError("not a stored head")
    reason, block, url = (*map(_there, texts), b"")[:3]
    request_time, response_time, lifetime, initial_age, while_revalidate, if_error = times
    freshness = Freshness(
        lifetime,
        initial_age,
        bool(flags & _EXPLICIT),
        bool(flags & _VALIDATE),
        bool(flags & _NEVER_STALE),
        while_revalidate,
        if_error if flags & _IF_ERROR else None,
        bool(flags & _IMMUTABLE),
    )
    return StoredHead(
        status,
        reason,
        Headers.of_block(block) if block else Headers.from_lines([]),
        request_time,
        response_time,
        freshness,
        _pairs(vary),
        frozenset(map(_there, tags)),
        frozenset(map(_there, groups)),
        mark,
        url,
    )


def _texts(data: bytes, place: int) -> tuple[list[bytes | None], int]:
    """Texts that were counted, from ``place`` on, and where they end."""
    (count,) = _LENGTH.unpack_from(data, place)
    place += _LENGTH.size
    if count > len(data):
        raise ValueError("too many")
    texts: list[bytes | None] = []
    for _ in range(count):
        (length,) = _LENGTH.unpack_from(data, place)
        place += _LENGTH.size
        if length == _NONE:
            texts.append(None)
            continue
        if place + length > len(data):
            raise ValueError("cut short")
        texts.append(data[place : place + length])
        place += length
    return texts, place


def _there(text: bytes | None) -> bytes:
    if text is None:
        raise ValueError("a text is missing")
    return text


def _pairs(texts: list[bytes | None]) -> VaryValues:
    if len(texts) % 2:
        raise ValueError("a field without a value")
    return tuple((_there(name), value) for name, value in zip(texts[::2], texts[1::2], strict=True))
