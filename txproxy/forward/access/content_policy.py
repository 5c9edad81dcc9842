"""What responses may bring: by content type and by size."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

import attrs

from txproxy.errors import ConfigError
from txproxy.wire.message import ResponseHead

_TYPE: Final = re.compile(r"(?:\*|[A-Za-z0-9!#$&^_.+-]+)/(?:\*|[A-Za-z0-9!#$&^_.+-]+)")
# RFC 9110 14.4: the position of the last byte, and how long the whole is, or a star
_RANGE: Final = re.compile(rb"\s*bytes\s+[0-9]{1,18}-([0-9]{1,18})/([0-9]{1,18}|\*)\s*", re.I)
_PARTIAL_CONTENT: Final = 206
_NOT_MODIFIED: Final = 304


def media_range(text: str) -> str:
    """``text`` if it is a content type, or stands for several; else ``ConfigError``."""
    if not isinstance(text, str) or not _TYPE.fullmatch(text) or text.startswith("*/") != (text == "*/*"):
        raise ConfigError(f"{text!r} is no content type", "accepted are image/png, image/* and */*")
    return text.lower()


def _media_ranges(values: Iterable[str] | str) -> tuple[str, ...]:
    return tuple(map(media_range, (values,) if isinstance(values, str) else values))


def _size(value: int | None) -> int | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
        raise ConfigError(f"{value!r} is no size", "accepted is a number of bytes")
    return value


@attrs.frozen(kw_only=True)
class ContentRules:
    """``deny_types``: content types (``application/x-msdownload``, ``image/*``) that do not pass. ``max_size``: of one
    response in bytes, or None for any. ``ConfigError`` for what is neither.

    The type is what the origin says that it is; a response that does not say has none of them.
    """

    deny_types: tuple[str, ...] = attrs.field(default=(), converter=_media_ranges)
    max_size: int | None = attrs.field(default=None, converter=_size)

    def judge(self, head: ResponseHead) -> str | None:
        """Why a response may not pass, as a sentence; None if its head is in order. Where ``max_size`` is set, its body
        is still to be counted (see :meth:`too_large`): it may be longer than it says, or not say.
        """
        index = head.headers.index
        if self.deny_types and b"content-type" in index:
            denied = _denied_type(self.deny_types, index[b"content-type"])
            if denied is not None:
                return f"content of the type {denied} is not allowed"
        if self.max_size is not None and head.status != _NOT_MODIFIED:
            size = _told_size(head)
            if size is None:
                return f"it is a part of something that does not say how long it is, and {self.max_size} are allowed"
            if self.too_large(size):
                return f"it is {size} bytes long, and {self.max_size} are allowed"
        return None

    def too_large(self, received: int) -> bool:
        """Whether a body is too large of which so many bytes have come."""
        return self.max_size is not None and received > self.max_size


def _told_size(head: ResponseHead) -> int | None:
    """Content-Length, or the length of the whole of which this is a range, as far as it is known: parts of what is too
    large are too, or else it would come part by part. None for parts of which it is not said where they stand, such as
    several at once (RFC 9110 section 15.3.7.2).
    """
    index = head.headers.index
    size = max(head.body, 0)
    length = index.get(b"content-length")
    if length is not None and length.isdigit() and len(length) <= 18:
        size = max(size, int(length))
    if head.status == _PARTIAL_CONTENT or b"content-range" in index:
        match = _RANGE.fullmatch(index.get(b"content-range", b""))
        if match is not None:
            size = max(size, int(match[1]) + 1, 0 if match[2] == b"*" else int(match[2]))
        elif head.status == _PARTIAL_CONTENT:
            return None
    return size


@lru_cache(maxsize=1024)
def _denied_type(denied: tuple[str, ...], value: bytes) -> str | None:
    # A field that came twice is joined by a comma in the index; which of the two a browser believes, nobody knows.
    for member in value.decode("latin-1").lower().split(","):
        kind = member.partition(";")[0].strip()
        if kind and ("*/*" in denied or kind in denied or f"{kind.partition('/')[0]}/*" in denied):
            return kind
    return None
