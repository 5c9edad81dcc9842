"""Parts of a body: what Range and If-Range ask for, and 206 and 416 in answer (RFC 9110 sections 13.1.5 and 14)."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from itertools import pairwise
from typing import Final, TypeAlias

import attrs

from txproxy.cache.answering.conditional import entity_tag, strongly_equal
from txproxy.cache.dates import http_date
from txproxy.cache.stored import StoredHead
from txproxy.wire.headers import Headers

# Of a body, from the first byte up to the one that is no more part of it; or bytes to be sent between such parts.
Piece: TypeAlias = "bytes | tuple[int, int]"

# RFC 9110 14.2: whoever asks for more, or for the same again and again, is mistaken or attacks, and gets the whole.
MOST_RANGES: Final = 16
_LONGEST_RANGE: Final = 2048
# RFC 9110 14.1.1 and 14.1.2. No body has a place of more digits; nor is a number of any length read for nothing.
_SPEC: Final = re.compile(rb"[ \t]*(?:([0-9]{1,18})-([0-9]{1,18})?|-([0-9]{1,18}))[ \t]*")
# RFC 9110 8.8.2.2: from when on nothing is changed twice in what a date tells.
_SAFELY_PAST: Final = 60.0

# What is of the whole body alone.
_OF_THE_WHOLE: Final = frozenset({b"content-length", b"content-range", b"content-md5", b"content-digest"})
# What is left of a response that cannot be: no freshness, or a cache on the way might keep it for the whole.
_IN_416: Final = frozenset({b"date", b"etag", b"vary"})


@attrs.frozen
class PartialAnswer:
    """An answer to a request for parts: its ``status``, 206 or 416, its ``lines`` with Content-Length, and the
    ``pieces`` of its body in order, ``length`` bytes in all.
    """

    status: int
    lines: list[bytes]
    pieces: tuple[Piece, ...]
    length: int


def new_boundary() -> bytes:
    """A boundary between parts that nobody can have put into a body."""
    return secrets.token_hex(16).encode("ascii")


def partial_answer(
    request: Headers,
    head: StoredHead,
    lines: list[bytes],
    length: int,
    now: float,
    boundary: Callable[[], bytes] = new_boundary,
) -> PartialAnswer | None:
    """What a GET gets at ``now`` in place of a stored 200 with these ``lines`` and a body of ``length`` bytes; None if
    it gets the whole, since it asks for no part, or not in a way that counts.
    """
    wanted = request.index.get(b"range")
    if wanted is None or head.status != 200 or not is_unchanged(request, head, now):
        return None
    ranges = read_ranges(wanted, length)
    if ranges is None:
        return None
    if not ranges:
        kept = [line for line in lines if line.partition(b":")[0].lower() in _IN_416]
        return PartialAnswer(416, [*kept, b"Content-Range: bytes */%d" % length, b"Content-Length: 0"], (), 0)
    kept = [line for line in lines if line.partition(b":")[0].lower() not in _OF_THE_WHOLE]
    if len(ranges) > 1:
        return _in_parts(kept, head.headers.get(b"content-type"), ranges, length, boundary())
    start, stop = ranges[0]
    kept += [content_range(start, stop, length), b"Content-Length: %d" % (stop - start)]
    return PartialAnswer(206, kept, ((start, stop),), stop - start)


def is_unchanged(request: Headers, head: StoredHead, now: float) -> bool:
    """Whether what a client has parts of is what is stored, as far as its If-Range says (RFC 9110 section 13.1.5)."""
    condition = request.index.get(b"if-range")
    if condition is None:
        return True
    if condition[:1] == b'"' or condition[:2] == b"W/":
        tag = entity_tag(head.headers)
        return tag is not None and strongly_equal(condition, tag)
    time, changed = http_date(condition, now), last_modified_if_strong(head.headers, head.response_time)
    return time is not None and time == changed


def last_modified_if_strong(headers: Headers, came: float) -> float | None:
    """Last-Modified of a response that ``came`` then, where no two states of a resource can have it in common (RFC 9110
    section 8.8.2.2).
    """
    changed, date = http_date(headers.get(b"last-modified"), came), http_date(headers.get(b"date"), came)
    if changed is None or date is None or date - changed < _SAFELY_PAST:
        return None
    return changed


def read_ranges(value: bytes, length: int) -> list[tuple[int, int]] | None:
    """The parts of a body of ``length`` bytes that a Range field asks for, as it orders them; empty if the body has
    none of them. None if the field is malformed, of another unit, or asks for too much: it counts for nothing.
    """
    unit, _, specs = value.partition(b"=")
    if unit.lower() != b"bytes" or len(specs) > _LONGEST_RANGE:
        return None
    found, count = [], 0
    for spec in specs.split(b","):
        if not spec.strip(b" \t"):
            continue
        count += 1
        part = _read_range(spec, length)
        if part is None or count > MOST_RANGES:
            return None
        if part[0] < part[1]:
            found.append(part)
    if not count:
        return None
    # Parts that overlap are asked for once more than they are needed.
    return found if len(found) < 2 or _are_apart(found) else None


def _read_range(spec: bytes, length: int) -> tuple[int, int] | None:
    """One part, empty if the body does not have it; None if it is malformed."""
    match = _SPEC.fullmatch(spec)
    if match is None:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        return max(0, length - int(suffix)), length
    start = int(first)
    if last is None:
        return start, length
    if int(last) < start:
        return None
    return start, min(int(last) + 1, length)


def _are_apart(ranges: list[tuple[int, int]]) -> bool:
    ordered = sorted(ranges)
    return all(one[1] <= other[0] for one, other in pairwise(ordered))


def content_range(start: int, stop: int, length: int) -> bytes:
    """The line that says which part of a body of ``length`` bytes it is (RFC 9110 section 14.4)."""
    return b"Content-Range: bytes %d-%d/%d" % (start, stop - 1, length)


def _in_parts(
    lines: list[bytes], content_type: bytes | None, ranges: list[tuple[int, int]], length: int, boundary: bytes
) -> PartialAnswer:
    """RFC 9110 section 14.6: each part has a head that says which it is."""
    pieces: list[Piece] = []
    total = 0
    described = [b"Content-Type: " + content_type] if content_type is not None else []
    for number, (start, stop) in enumerate(ranges):
        opening = b"--" + boundary if number == 0 else b"\r\n--" + boundary
        opening = b"\r\n".join([opening, *described, content_range(start, stop, length), b"", b""])
        pieces += [opening, (start, stop)]
        total += len(opening) + stop - start
    closing = b"\r\n--%b--\r\n" % boundary
    total += len(closing)
    kept = [line for line in lines if line[:13].lower() != b"content-type:"]
    kept += [b"Content-Type: multipart/byteranges; boundary=" + boundary, b"Content-Length: %d" % total]
    return PartialAnswer(206, kept, (*pieces, closing), total)
