"""What a request that changes something makes wrong of what is stored (RFC 9111 section 4.4, RFC 9875)."""

from __future__ import annotations

from typing import Final
from urllib.parse import urljoin

import attrs

from txproxy.cache.keys import canonical_authority
from txproxy.cache.storing import groups_of
from txproxy.wire import grammar
from txproxy.wire.headers import Headers
from txproxy.wire.target import is_origin_form

# RFC 9110 section 9.2.1, and those of the registry of methods that are as safe (RFC 4918, RFC 3253, RFC 5323; QUERY is
# on its way). What is not known is not safe.
SAFE_METHODS: Final = frozenset(b"GET HEAD OPTIONS TRACE PROPFIND REPORT SEARCH QUERY".split())
_LONGEST_REFERENCE: Final = 8192


@attrs.frozen
class Invalidation:
    """What is no more to be used without asking: the ``targets``, (scheme, authority, path) each, and all of the
    ``groups`` that came from the same origin.
    """

    targets: tuple[tuple[bytes, bytes, bytes], ...]
    groups: frozenset[bytes] = frozenset()


def invalidated(
    method: bytes, scheme: bytes, authority: bytes, path: bytes, status: int, response: Headers
) -> Invalidation | None:
    """What goes when a request with this ``method`` for this target got this ``status`` and these fields; None if
    nothing does.
    """
    if method in SAFE_METHODS or method == b"CONNECT":
        return None
    # RFC 9875 section 3: groups go whatever came of it, as the origin says so.
    groups = groups_of(response, b"cache-group-invalidation")
    if not 200 <= status < 400:
        return Invalidation((), groups) if groups else None
    targets = [(scheme, authority, path)]
    for name in (b"location", b"content-location"):
        reference = response.index.get(name)
        if reference is not None:
            other = _same_origin(scheme, authority, path, reference)
            if other is not None and other != path:
                targets.append((scheme, authority, other))
    return Invalidation(tuple(dict.fromkeys(targets)), groups)


def _same_origin(scheme: bytes, authority: bytes, path: bytes, reference: bytes) -> bytes | None:
    """The path that a ``reference`` stands for, seen from this target; None if it is of another origin. It may not be
    followed: else one site could empty another's cache.
    """
    if len(reference) > _LONGEST_REFERENCE:
        return None
    base = b"%b://%b%b" % (scheme, authority, path)
    try:
        url = urljoin(base.decode("latin-1"), reference.decode("latin-1")).encode("latin-1")
    except ValueError:
        return None
    match = grammar.ABSOLUTE.fullmatch(url.partition(b"#")[0])
    if match is None:
        return None
    other_scheme, other_authority, other_path = match.groups()
    if other_scheme.lower() != scheme.lower():
        return None
    if canonical_authority(scheme, other_authority) != canonical_authority(scheme, authority):
        return None
    if other_path[:1] != b"/":
        other_path = b"/" + other_path
    return other_path if is_origin_form(other_path) else None
