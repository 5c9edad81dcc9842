"""Partial responses: which are kept, which can be combined, and what is asked for to complete what is stored (RFC 9111
sections 3.3 and 3.4, RFC 9110 sections 14.2 and 15.3.7).

All is under a strong validator: an entity tag, or where a response has none, Last-Modified that is so long past that no
two states of a resource have it in common (RFC 9110 section 8.8.2.2).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from txproxy.cache.answering.conditional import CONDITIONS, ENTITY_TAG
from txproxy.cache.answering.hit_answers import PreparedHit
from txproxy.cache.answering.ranges import last_modified_if_strong
from txproxy.cache.parts.parts_body import PartsBody
from txproxy.cache.stored import Entry
from txproxy.wire.headers import Headers
from txproxy.wire.message import UNTIL_CLOSE, ResponseHead

# RFC 9110 14.4. A length that is not known (``*``) is that of nothing that could be completed.
_CONTENT_RANGE: Final = re.compile(rb"bytes[ ]+([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})", re.IGNORECASE)
_ONE_RANGE: Final = re.compile(rb"bytes=[ \t]*((?:[0-9]{1,18})-(?:[0-9]{1,18})?|-[0-9]{1,18})[ \t]*", re.IGNORECASE)
# What says where a part is, and how long it is, and is no field of the whole.
_OF_THE_PART: Final = frozenset({b"content-range", b"content-length"})
# Which of these counts before the others is the origin's to say, if not all of what is asked for is stored.
_CONDITIONS: Final = CONDITIONS - {b"if-range"}


class Span(NamedTuple):
    """The bytes from ``start`` up to ``stop`` of a representation of ``length`` bytes."""

    start: int
    stop: int
    length: int


def strong_validator(headers: Headers, came: float) -> bytes | None:
    """The entity tag of a response that ``came`` then, if it is a strong one; where there is none, when it was changed,
    as it was sent, if that says as much. What has it in common is the same, byte by byte. None if there is no such.
    """
    tag = headers.index.get(b"etag")
    if tag is not None:
        # One that is weak says that the bytes may differ, whatever the date is.
        return tag if tag[:1] == b'"' and ENTITY_TAG.fullmatch(tag) else None
    return headers.index[b"last-modified"] if last_modified_if_strong(headers, came) is not None else None


def span_of(response: ResponseHead) -> Span | None:
    """What part a 206 has; None if that is not one part, nobody can tell, or it contradicts itself."""
    headers = response.headers
    if headers.index.get(b"content-type", b"").lower().startswith(b"multipart/byteranges"):
        return None
    match = _CONTENT_RANGE.fullmatch(headers.index.get(b"content-range", b""))
    if match is None or response.body == UNTIL_CLOSE:
        return None
    first, last, length = map(int, match.groups())
    if not first <= last < length or (response.body >= 0 and response.body != last + 1 - first):
        return None
    return Span(first, last + 1, length)


def as_whole(response: ResponseHead, length: int) -> ResponseHead:
    """The 200 that a 206 is part of, whose body has ``length`` bytes: what is stored is its head."""
    lines = [line for line in response.headers.lines if line.partition(b":")[0].lower() not in _OF_THE_PART]
    return ResponseHead(200, Headers.parsed(lines), b"OK", length)


def are_same(headers: Headers, other: Headers, now: float) -> bool:
    """Whether two responses are of the same representation (RFC 9111 section 3.4)."""
    validator = strong_validator(headers, now)
    return validator is not None and validator == strong_validator(other, now)


def merged(entry: Entry, there: Sequence[Entry]) -> Entry | None:
    """A new ``entry`` with what is ``there`` already of the same representation, if it is in parts. None if it is not
    to be kept: the whole is there, which has come meanwhile.
    """
    new = body = entry.body
    if type(new) is not PartsBody or type(body) is not PartsBody or new.is_whole:
        return entry
    for other in there:
        stored = other.body
        if other.head.vary != entry.head.vary:
            continue
        if type(stored) is not PartsBody or stored.is_whole:
            return None
        if stored.length == new.length and are_same(entry.head.headers, other.head.headers, entry.head.response_time):
            body = stored.with_parts(new.held)
    return Entry(entry.key, entry.head, body.simplest())


def asked_range(request: Headers) -> bytes | None:
    """What a request asks for, if that is one part, and it is known of which representation it may be: ``bytes=`` and
    the part. None where only the origin can answer.
    """
    if not _CONDITIONS.isdisjoint(request.index):
        return None
    match = _ONE_RANGE.fullmatch(request.index.get(b"range", b""))
    return b"bytes=" + match[1] if match is not None else None


def is_within(part: bytes | None, other: bytes | None) -> bool:
    """Whether a ``part``, as :func:`asked_range` has it, is within an ``other`` one, whatever the whole is."""
    if part is None or other is None or part == other:
        return part is not None and part == other
    first, last = part[6:].split(b"-")
    other_first, other_last = other[6:].split(b"-")
    if not first or not other_first:
        return False
    return int(other_first) <= int(first) and (not other_last or (bool(last) and int(last) <= int(other_last)))


def wanted(entry: Entry, length: int, request: Headers, now: float) -> list[tuple[int, int]] | None:
    """Of the body of an ``entry``, which has ``length`` bytes, what a GET gets at ``now``: where each piece begins and
    ends. None if what it gets is neither all of it nor any part.
    """
    status, pieces = _answered(entry, length, request, now)
    return pieces if status in (200, 206) else None


def _answered(entry: Entry, length: int, request: Headers, now: float) -> tuple[int, list[tuple[int, int]]]:
    hit = PreparedHit(entry, [], length).answer(b"GET", request, now)
    return hit.status, [piece for piece in hit.pieces if not isinstance(piece, bytes)]


def has_wanted(entry: Entry, method: bytes, request: Headers, now: float, validated: bool = False) -> bool:
    """Whether an ``entry`` can answer a request with what it has. What is incomplete answers for nothing but parts that
    it has (RFC 9111 section 3.3); and once the origin has ``validated`` it, that it is what the client has.
    """
    body = entry.body
    if type(body) is not PartsBody or body.is_whole:
        return True
    if method != b"GET":
        return False
    status, pieces = _answered(entry, body.length, request, now)
    if status == 206:
        return all(body.has(*piece) for piece in pieces)
    return status == 304 and validated


def to_complete(entry: Entry, request: Headers, now: float) -> tuple[int, int] | None:
    """From where and up to where the origin is to be asked, so that an incomplete ``entry`` can answer a GET; None if
    what is stored is of no use for that. It is one part, whatever is stored in the midst of it: origins answer several
    in ways that differ, and most of what is missing is in one piece.
    """
    body = entry.body
    if type(body) is not PartsBody or _validator_of(entry) is None:
        return None
    pieces = wanted(entry, body.length, request, now)
    if not pieces or len(pieces) > 1:
        return None
    return body.missing(*pieces[0])


def lines_to_complete(entry: Entry, missing: tuple[int, int]) -> list[bytes]:
    """The lines of a request for what is ``missing`` of an ``entry``: if it is still the same, and else for all of what
    there is instead (RFC 9110 section 13.1.5).
    """
    start, stop = missing
    last = b"" if stop == entry.body.length else b"%d" % (stop - 1)
    validator = _validator_of(entry)
    assert validator is not None
    return [b"Range: bytes=%d-%b" % (start, last), b"If-Range: " + validator]


def _validator_of(entry: Entry) -> bytes | None:
    return strong_validator(entry.head.headers, entry.head.response_time)
