"""Which responses are kept (RFC 9111 section 3), and what of their heads."""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from urllib.parse import urljoin

import attrs

from txproxy.cache.cache_control import Directives, of_request, of_response
from txproxy.cache.dates import http_date, written_date
from txproxy.cache.extension_types import type_fits
from txproxy.cache.freshness import freshness, may_be_heuristic
from txproxy.cache.policy import CachePolicy
from txproxy.cache.stored import Freshness, StoredHead, VaryValues
from txproxy.cache.structured_fields import item_list
from txproxy.cache.vary import vary_names
from txproxy.wire.forwarding import HOP_BY_HOP, end_to_end
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead, ResponseHead

# What is part of something, or says nothing of it but that it has not changed, is no whole that could be kept as one.
PARTIAL_STATUSES: Final = frozenset({206, 304, 416})
# Final statuses whose meaning is known here (RFC 9110 section 15, RFC 6585, RFC 7725, RFC 8297 and their like): for
# these alone must-understand cancels no-store (RFC 9111 section 5.2.2.3).
UNDERSTOOD_STATUSES: Final = frozenset(
    {200, 201, 202, 203, 204, 205, 300, 301, 302, 303, 305, 307, 308}
    | set(range(400, 418))
    | {421, 422, 426, 428, 429, 431, 451, 500, 501, 502, 503, 504, 505, 511}
) - {416}

# Never stored: what is for one hop (RFC 9111 section 3.1), the trailer section, which is not, and the age, which is
# another each time.
_NOT_STORED: Final = HOP_BY_HOP | {b"trailer", b"age"}
_COOKIES: Final = frozenset({b"set-cookie", b"set-cookie2"})

# Without any of these, nothing says for how long a response can be used, or whether it still can.
_TELLING: Final = frozenset({b"cache-control", b"expires", b"etag", b"last-modified"})
_OF_NO_USE: Final = "neither fresh nor to be validated"
_OF_ANOTHER_TYPE: Final = "Content-Type is not what the path promises"

_SPACES: Final = re.compile(rb"[ \t,]+")


class Times(NamedTuple):
    """When a request was sent, and when the head of its response came: seconds since the epoch."""

    request: float
    response: float


@attrs.frozen
class Storing:
    """Whether a response may be stored: if so, how fresh it is; if not, why, in a word or two for Cache-Status and for
    people.
    """

    freshness: Freshness | None
    reason: str = ""

    def __bool__(self) -> bool:
        return self.freshness is not None


def may_store(
    request: RequestHead,
    response: ResponseHead,
    policy: CachePolicy,
    times: Times,
    *,
    scheme: bytes = b"http",
    credentials: bool = False,
) -> Storing:
    """Whether the ``response`` to a ``request`` as it was sent may be stored, as it came.

    ``scheme`` is that of the target. ``credentials`` is whether the response may be for somebody though the request
    does not say so: by a certificate, or by what somebody was asked who it is.
    """
    headers = response.headers
    said, is_targeted = of_response(headers, policy.targeted)
    # From what is cheapest to find to what is dearest; which of several is named is no matter.
    reason = (
        _of_request(request, policy, headers, scheme)
        or _of_status(response.status, said)
        or _of_sharing(request, headers, said, policy, credentials=credentials, is_targeted=is_targeted)
        or _of_size(response, policy)
    )
    if reason:
        return Storing(None, reason)
    by_rule = policy.has_lifetimes and type_fits(request.path, headers.index.get(b"content-type"))
    of_no_use = _OF_NO_USE if by_rule or not policy.has_lifetimes else _OF_ANOTHER_TYPE
    if not (by_rule or is_targeted) and _TELLING.isdisjoint(headers.index):
        # What an application answers that knows nothing of caches is found out at once.
        return Storing(None, of_no_use)
    found = freshness(
        response.status,
        said,
        headers,
        times,
        policy,
        is_targeted=is_targeted,
        personal=_has_credentials(request, credentials) or b"cookie" in request.headers.index,
        by_rule=by_rule,
    )
    reason = _of_freshness(
        request.method, response.status, found, said, by_rule and policy.ttl_of(response.status) is not None
    )
    if reason or not _is_of_use(found, said, headers, times.response):
        return Storing(None, reason or of_no_use)
    return Storing(found)


def stored_head(
    response: ResponseHead,
    found: Freshness,
    policy: CachePolicy,
    times: Times,
    vary: VaryValues = (),
    mark: int = 0,
    url: bytes = b"",
) -> StoredHead:
    """The head of a ``response`` that may be stored, as ``found`` fresh; it is that of ``url``."""
    headers = response.headers
    lines = stored_lines(headers, policy)
    if b"date" not in headers.index:
        # RFC 9110 section 6.6.1: who stores it says when it came.
        lines.append(b"Date: " + written_date(times.response))
    return StoredHead(
        status=response.status,
        reason=response.reason,
        headers=Headers.parsed(lines),
        request_time=times.request,
        response_time=times.response,
        freshness=found,
        vary=vary,
        tags=tags_of(headers),
        groups=groups_of(headers),
        mark=mark,
        url=url,
    )


def stored_lines(headers: Headers, policy: CachePolicy) -> list[bytes]:
    """The lines of a response that are stored, in order."""
    drop = _NOT_STORED.union([name for name in headers.index if name.startswith(b"proxy-")])
    if policy.ignore_set_cookie:
        drop |= _COOKIES
    return end_to_end(headers, drop)


def tags_of(headers: Headers) -> frozenset[bytes]:
    """The names by which a response can be purged: those of Surrogate-Key and xkey are set apart by spaces, those of
    Cache-Tag by commas.
    """
    index = headers.index
    tags: set[bytes] = set()
    for name in (b"surrogate-key", b"xkey"):
        if name in index:
            tags.update(_SPACES.split(index[name]))
    if b"cache-tag" in index:
        tags.update([tag.strip(b" \t") for tag in index[b"cache-tag"].split(b",")])
    return frozenset(tags - {b""})


def groups_of(headers: Headers, name: bytes = b"cache-groups") -> frozenset[bytes]:
    """The groups of a response (RFC 9875 section 2), or those that one of another ``name`` has; none if the field is
    not a list of strings.
    """
    value = headers.index.get(name)
    groups = item_list(value) if value is not None else None
    if not groups or not all(isinstance(group, str) for group in groups):
        return frozenset()
    return frozenset([group.encode("ascii") for group in groups if isinstance(group, str)])


def _of_request(request: RequestHead, policy: CachePolicy, headers: Headers, scheme: bytes) -> str:
    """Why no response to this request is stored."""
    method = request.method
    if method == b"GET":
        if request.body:
            # What it has asked for with that, no other request can tell.
            return "request with a body"
    elif method != b"POST" or not _is_of_target(request, headers, scheme):
        return "method"
    if policy.request_directives and of_request(request.headers).no_store:
        return "no-store in the request"
    return ""


def _is_of_target(request: RequestHead, headers: Headers, scheme: bytes) -> bool:
    """Whether a response says that it is what a GET of the same target has (RFC 9110 section 9.3.3)."""
    location = headers.index.get(b"content-location")
    if location is None:
        return False
    target = (scheme + b"://" + request.authority.lower() + request.path).decode("latin-1")
    try:
        return urljoin(target, location.decode("latin-1")) == target
    except ValueError:
        return False


def _of_status(status: int, said: Directives) -> str:
    if status < 200 or status in PARTIAL_STATUSES:
        return "status"
    if said.must_understand:
        return "" if status in UNDERSTOOD_STATUSES else "must-understand"
    return "no-store" if said.no_store else ""


def _of_sharing(
    request: RequestHead,
    headers: Headers,
    said: Directives,
    policy: CachePolicy,
    *,
    credentials: bool,
    is_targeted: bool,
) -> str:
    """Why a response may be for one client alone."""
    if said.private and not policy.ignore_private:
        return "private"
    if _has_credentials(request, credentials) and not said.shared_with_credentials:
        return "credentials"
    # Set-Cookie2 is none that any client would take (RFC 6265 section 9.4).
    sets_cookie = not policy.ignore_set_cookie and b"set-cookie" in headers.index
    if sets_cookie and not (said.public or said.s_maxage is not None or is_targeted):
        return "Set-Cookie"
    # It may be for any, but which requests it matches cannot be known (section 4.1).
    return "Vary" if vary_names(headers) is None else ""


def _of_size(response: ResponseHead, policy: CachePolicy) -> str:
    # What it is in the end, if it does not say so, whoever stores it finds out.
    return "too large" if policy.max_object_size is not None and response.body > policy.max_object_size else ""


def _of_freshness(method: bytes, status: int, found: Freshness, said: Directives, has_ttl: bool) -> str:
    """Why a response is not stored that does not say itself how long it is fresh."""
    if method == b"POST" and not (found.explicit and found.lifetime):
        # RFC 9110 section 9.3.3
        return "POST without explicit freshness"
    if not (found.explicit or has_ttl or may_be_heuristic(status, said)):
        return "status without explicit freshness"
    return ""


def _has_credentials(request: RequestHead, credentials: bool) -> bool:
    return credentials or b"authorization" in request.headers.index


def _is_of_use(found: Freshness, said: Directives, headers: Headers, now: float) -> bool:
    """Whether it can ever be used again: fresh, after validation, or stale where it allows that itself."""
    index = headers.index
    if b"etag" in index or http_date(index.get(b"last-modified"), now) is not None:
        return True
    if found.validate:
        return False
    stale = said.stale_while_revalidate or said.stale_if_error
    return found.lifetime > 0 or bool(stale and found.explicit and not found.never_stale)
