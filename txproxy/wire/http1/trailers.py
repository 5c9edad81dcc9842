"""Which fields may come after a body (RFC 9110 section 6.5).

A recipient may merge trailers into the head, and CGI and its heirs take ``_`` for ``-``, and others ``.`` and the like.
So what is for the head alone to say passes in no trailer, in no spelling.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Final

from txproxy.wire.forwarding import (
    CERTIFICATE_FIELDS,
    CLIENT_FIELDS,
    HOP_BY_HOP,
    TARGET_FIELDS,
    TELLING_FIELDS,
    has_unusual,
    plain,
)
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead

# A request with one of these after its body is an attempt to say twice where it ends, where it goes or who sent it.
REFUSED: Final = frozenset(b"authorization content-length cookie host proxy-authorization transfer-encoding".split())

# RFC 9110 6.5.1: fields for framing, routing, authentication, request modifiers, response control and content format
# have no meaning after the body. What tells of the client is for proxies to say, and they say it in the head.
FORBIDDEN: Final = (
    REFUSED
    | HOP_BY_HOP
    | CLIENT_FIELDS
    | CERTIFICATE_FIELDS
    | TARGET_FIELDS
    | TELLING_FIELDS
    | frozenset(
        b"accept-ranges age allow cache-control content-encoding content-location content-range content-type date "
        b"expect expires if-match if-modified-since if-none-match if-range if-unmodified-since location max-forwards "
        b"pragma proxy range retry-after set-cookie trailer vary via warning www-authenticate".split()
    )
)


def permitted(trailers: Headers) -> Headers:
    """The ``trailers`` without those that are in no message."""
    return _without(trailers, FORBIDDEN)


def permitted_lines(names: list[bytes], lines: list[bytes]) -> Headers:
    """The same of ``lines`` with these ``names`` in lower case, in fewer steps where all of them are: calls of gRPC end
    with some.
    """
    trailers = Headers.parsed(lines)
    if FORBIDDEN.isdisjoint(names) and not has_unusual(names):
        return trailers
    return permitted(trailers)


def of_request(trailers: Headers, came: RequestHead, goes: RequestHead, own: Iterable[Container[bytes]]) -> Headers:
    """The ``trailers`` that may follow a request, which ``came`` with one head and ``goes`` on with another: without
    the fields that the proxy has set or removed in that, those that are for one hop, and ``own`` (:func:`plain` names).
    """
    changed = set(came.headers.index.items()) ^ set(goes.headers.index.items())
    drop = {plain(name) for name, _ in changed}
    drop.update(map(plain, came.headers.tokens(b"connection")))
    return of_response(_without(trailers, drop), own)


def of_response(trailers: Headers, own: Iterable[Container[bytes]]) -> Headers:
    """The ``trailers`` that may follow a response: without ``own`` (:func:`plain` names)."""
    for names in own:
        trailers = _without(trailers, names)
    return trailers


def _without(trailers: Headers, drop: Container[bytes]) -> Headers:
    lines = [line for line in trailers.lines if plain(line.partition(b":")[0]) not in drop]
    return trailers if len(lines) == len(trailers.lines) else Headers.from_lines(lines)
