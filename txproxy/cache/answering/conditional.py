"""Conditions: those by which a stored response is validated, and those of clients that have one already (RFC 9111
section 4.3, RFC 9110 section 13).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from txproxy.cache.dates import http_date
from txproxy.cache.stored import StoredHead
from txproxy.wire.headers import Headers

# RFC 9110 section 13.1
CONDITIONS: Final = frozenset(b"if-match if-none-match if-modified-since if-unmodified-since if-range".split())
# Those that are for the origin alone (RFC 9111 section 4.3.2): a cache that has not asked it cannot say.
OF_THE_ORIGIN: Final = frozenset({b"if-match", b"if-unmodified-since"})

# RFC 9110 8.8.3
_OPAQUE: Final = rb'"[\x21\x23-\x7e\x80-\xff]*"'
ENTITY_TAG: Final = re.compile(rb"(?:W/)?" + _OPAQUE)
# A member of a list, or what is in the place of one.
_MEMBER: Final = re.compile(rb"[ \t,]*(?:((?:W/)?" + _OPAQUE + rb")[ \t]*(?=,|\Z)|[^,]*)")

# What describes a body that is not sent (RFC 9110 section 15.4.5). All else goes: a client may use it to bring what it
# has up to date.
_NOT_IN_304: Final = frozenset(
    b"content-length content-encoding content-type content-range content-language content-disposition content-md5 "
    b"content-digest repr-digest digest accept-ranges trailer".split()
)


def without_conditions(lines: list[bytes]) -> list[bytes]:
    """The ``lines`` of a client's request without its conditions, for one that is to bring a whole response."""
    return [line for line in lines if line.partition(b":")[0].lower() not in CONDITIONS]


def for_the_origin(request: Headers) -> bool:
    """Whether a ``request`` has a condition that the origin alone can answer."""
    return not OF_THE_ORIGIN.isdisjoint(request.index)


def entity_tag(headers: Headers) -> bytes | None:
    """The tag of a response as it was sent; None if there is none, or several."""
    tag = headers.index.get(b"etag")
    if tag is None or ENTITY_TAG.fullmatch(tag):
        return tag
    # Servers leave out the quotes, and then know it by that alone.
    return tag if tag and b"," not in tag and b'"' not in tag else None


def validators(selected: StoredHead) -> list[bytes]:
    """The lines that make of a request a validation of the response that is ``selected``; with none of them there is
    nothing to validate it by.

    Variants that the request does not select are never offered, though RFC 9111 section 4.3.1 allows it: many servers
    have one tag for a page and its compressed form, and would name what the client cannot read.
    """
    lines = []
    tag = entity_tag(selected.headers)
    if tag is not None:
        lines.append(b"If-None-Match: " + tag)
    changed = selected.headers.get(b"last-modified")
    # As it was sent: some servers compare it as text (RFC 9110 section 13.1.3).
    if changed is not None and http_date(changed, selected.response_time) is not None:
        lines.append(b"If-Modified-Since: " + changed)
    return lines


def weakly_equal(tag: bytes, other: bytes) -> bool:
    """RFC 9110 section 8.8.3.2: what they stand for means the same."""
    return tag.removeprefix(b"W/") == other.removeprefix(b"W/")


def strongly_equal(tag: bytes, other: bytes) -> bool:
    """RFC 9110 section 8.8.3.2: what they stand for is the same, byte by byte."""
    return tag == other and ENTITY_TAG.fullmatch(tag) is not None and not tag.startswith(b"W/")


def not_modified(request: Headers, head: StoredHead, now: float) -> bool:
    """Whether a client that sends ``request`` at ``now`` has what is stored, so that 304 is all it needs (RFC 9111
    section 4.3.2).
    """
    if not 200 <= head.status < 300:
        # RFC 9110 13.2.1: a condition counts where the answer would be a success without it.
        return False
    wanted = request.index.get(b"if-none-match")
    if wanted is not None:
        # RFC 9110 13.2.2: where there are tags, the date counts for nothing.
        return _is_among(entity_tag(head.headers), wanted)
    since = http_date(request.index.get(b"if-modified-since"), now)
    return since is not None and _changed(head) <= since


def _is_among(tag: bytes | None, wanted: bytes) -> bool:
    if wanted == b"*":
        # RFC 9110 13.1.2: there is one, whatever it is.
        return True
    if tag is None:
        return False
    return wanted == tag or any(weakly_equal(tag, other) for other in _members(wanted))


def _members(value: bytes) -> Iterator[bytes]:
    """The entity tags in a list; what is none is passed over."""
    for match in _MEMBER.finditer(value):
        if match[1] is not None:
            yield match[1]


def _changed(head: StoredHead) -> float:
    """RFC 9111 section 4.3.2: by Last-Modified, or else Date, or else when it came."""
    for name in (b"last-modified", b"date"):
        time = http_date(head.headers.get(name), head.response_time)
        if time is not None:
            return time
    return head.response_time


def lines_of_304(lines: list[bytes]) -> list[bytes]:
    """The ``lines`` of a stored response that are sent with a 304 in its place."""
    return [line for line in lines if line.partition(b":")[0].lower() not in _NOT_IN_304]
