"""Where in a field block is what a head is made of: found once for all blocks with fields of the same kinds."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import attrs

from txproxy.frozen_values import frozen
from txproxy.wire.http2.field_blocks.field_entries import (
    AUTHORITY,
    CONNECTION_SPECIFIC,
    COOKIE,
    HOST,
    LENGTH,
    MALFORMED,
    METHOD,
    PATH,
    PROTOCOL,
    SCHEME,
    STATUS,
    UNKNOWN_PSEUDO,
)

# no such field
ABSENT: Final = -1
_REQUEST: Final = {METHOD: "method", SCHEME: "scheme", AUTHORITY: "authority", PATH: "path", PROTOCOL: "protocol"}
_RESPONSE: Final = {STATUS: "status"}
_PSEUDO: Final = _REQUEST.keys() | _RESPONSE.keys()
# Each may be there once. A repeated Host is no authority in HTTP/1 either, and lengths are compared with the body.
_ONCE: Final = {HOST: "host", LENGTH: "length"}
_WRONG: Final = {
    MALFORMED: "a malformed field",
    CONNECTION_SPECIFIC: "a field that is for a connection of HTTP/1",
    UNKNOWN_PSEUDO: "an unknown pseudo-field",
}


@frozen
class Shape:
    """The places of fields in a block, ``ABSENT`` where there is none; ``first`` is that of the first one that is no
    pseudo-field. ``fault`` is what is wrong with all such blocks, or empty.
    """

    first: int = 0
    method: int = ABSENT
    scheme: int = ABSENT
    authority: int = ABSENT
    path: int = ABSENT
    protocol: int = ABSENT
    status: int = ABSENT
    host: int = ABSENT
    length: int = ABSENT
    cookies: tuple[int, ...] = ()
    fault: str = ""


@lru_cache(maxsize=1024)
def request_shape(kinds: bytes) -> Shape:
    """The shape of a request whose fields have these ``kinds`` (RFC 9113 section 8.3.1)."""
    shape = _shape(kinds, _REQUEST)
    if not shape.fault and shape.method == ABSENT:
        return attrs.evolve(shape, fault="no :method")
    return shape


@lru_cache(maxsize=1024)
def response_shape(kinds: bytes) -> Shape:
    """The same of a response (RFC 9113 section 8.3.2)."""
    shape = _shape(kinds, _RESPONSE)
    if not shape.fault and shape.status == ABSENT:
        return attrs.evolve(shape, fault="no :status")
    return shape


@lru_cache(maxsize=64)
def trailers_shape(kinds: bytes) -> Shape:
    """The same of trailers, which have no pseudo-fields (RFC 9113 section 8.1)."""
    return _shape(kinds, {})


def _shape(kinds: bytes, pseudo: dict[int, str]) -> Shape:
    places: dict[str, int] = {}
    first = 0
    for place, kind in enumerate(kinds):
        if kind in _WRONG:
            return Shape(fault=_WRONG[kind])
        name = pseudo.get(kind) or _ONCE.get(kind)
        if kind in _PSEUDO:
            if kind not in pseudo:
                return Shape(fault="a pseudo-field that has no place here")
            if place != first:
                return Shape(fault="a pseudo-field after others")
            first += 1
        if name is None:
            continue
        if name in places:
            return Shape(fault=f"{name} is repeated")
        places[name] = place
    cookies = tuple(place for place, kind in enumerate(kinds) if kind == COOKIE)
    changes: dict[str, Any] = {"first": first, "cookies": cookies, **places}
    return Shape(**changes)
