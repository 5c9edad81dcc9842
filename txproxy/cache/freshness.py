"""How old a response is when it comes, and for how long it may be used (RFC 9111 section 4.2)."""

from __future__ import annotations

import math
from typing import Final

from txproxy.cache.cache_control import Directives, delta_seconds
from txproxy.cache.dates import http_date
from txproxy.cache.policy import CachePolicy
from txproxy.cache.stored import Freshness
from txproxy.wire.headers import Headers

# RFC 9110 section 15.1, but for 206, of which nothing whole can be made.
HEURISTIC_STATUSES: Final = frozenset({200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501})
# These say that something is not there, and are answers as good as any other.
_LASTING_ERRORS: Final = frozenset({404, 410})


def age_value(value: bytes | None) -> int:
    """What the field Age says (RFC 9111 section 5.1): of several members or lines the first; what is no time is 0."""
    if value is None:
        return 0
    return delta_seconds(value.partition(b",")[0].strip(b" \t")) or 0


def initial_age(headers: Headers, request_time: float, response_time: float) -> float:
    """The corrected initial age of a response (section 4.2.3) whose head came at ``response_time``."""
    date = http_date(headers.index.get(b"date"), response_time)
    # Dates have no fractions: what was sent within this second is not old.
    apparent = max(0.0, math.floor(response_time) - date) if date is not None else 0.0
    # What is at fault, if the clock was set back in between, is not the response.
    delay = max(0.0, response_time - request_time)
    return max(apparent, age_value(headers.index.get(b"age")) + delay)


def explicit_lifetime(
    said: Directives, headers: Headers, response_time: float, is_targeted: bool = False
) -> int | None:
    """The freshness lifetime that a response names (section 4.2.1), None if it names none. Where a targeted field says
    what is ``said``, Expires does not count.
    """
    if said.s_maxage is not None:
        return said.s_maxage
    if said.max_age is not None:
        return said.max_age
    expires = headers.index.get(b"expires")
    if expires is None or is_targeted:
        return None
    until = http_date(expires, response_time)
    if until is None:
        # Section 5.3: a wrong date, "0" above all, is in the past. So are two lines.
        return 0
    return max(0, until - _date(headers, response_time))


def heuristic_lifetime(headers: Headers, response_time: float, policy: CachePolicy) -> float | None:
    """The lifetime of a response that names none (section 4.2.2), None if there is nothing to go by."""
    modified = http_date(headers.index.get(b"last-modified"), response_time)
    if modified is None or not policy.heuristic_fraction:
        return None
    since = max(0, _date(headers, response_time) - modified)
    return min(since * policy.heuristic_fraction, policy.heuristic_max)


def may_be_heuristic(status: int, said: Directives) -> bool:
    """Whether a response may be fresh that does not say so (section 4.2.2)."""
    return status in HEURISTIC_STATUSES or said.public


def freshness(
    status: int,
    said: Directives,
    headers: Headers,
    times: tuple[float, float],
    policy: CachePolicy,
    *,
    is_targeted: bool = False,
    personal: bool = False,
    by_rule: bool = True,
) -> Freshness:
    """The freshness of a response with ``status`` and ``headers`` that says what is ``said``, and came at the second of
    the ``times``, for a request sent at the first.

    ``is_targeted`` is whether a targeted field has said it, ``personal`` whether the request has Cookie or
    Authorization, so that nothing may be guessed, and ``by_rule`` whether times of the ``policy`` may be in place of
    what the response says.
    """
    request_time, response_time = times
    age = initial_age(headers, request_time, response_time)
    lifetime: float | None = explicit_lifetime(said, headers, response_time, is_targeted)
    explicit = lifetime is not None
    if lifetime is None and not personal and may_be_heuristic(status, said):
        lifetime = heuristic_lifetime(headers, response_time, policy)
    ttl = policy.ttl_of(status) if by_rule else None
    if by_rule and (not explicit or policy.override_expire):
        least = policy.min_ttl if explicit or may_be_heuristic(status, said) else 0.0
        ruled = _by_rule(lifetime, age, ttl, least, explicit or policy.override_lastmod)
        explicit = explicit and ruled == lifetime
        lifetime = ruled
    lasting = not _is_error(status) or ttl is not None
    return Freshness(
        lifetime=_bounded(lifetime or 0.0, age, policy, lasting),
        initial_age=age,
        explicit=explicit,
        validate=said.no_cache,
        never_stale=said.never_stale,
        # What was never fresh is for who has asked alone.
        while_revalidate=_or_else(
            said.stale_while_revalidate, policy.stale_while_revalidate if lasting and lifetime else 0.0
        ),
        # An error that is over is not to come back.
        if_error=said.stale_if_error if lasting or said.stale_if_error is not None else 0.0,
        immutable=said.immutable,
    )


def _date(headers: Headers, response_time: float) -> int:
    """When a response was made; when it came, if it does not say so (RFC 9110 section 6.6.1)."""
    date = http_date(headers.index.get(b"date"), response_time)
    return date if date is not None else math.floor(response_time)


def _by_rule(lifetime: float | None, age: float, ttl: float | None, least: float, anyway: bool) -> float | None:
    """The lifetime by what the policy says; it counts from when the response came."""
    if ttl is not None:
        return ttl + age
    # A guess by Last-Modified is better than the least, unless that is to count anyway; what has changed just now, as
    # pages that are made have, gives none.
    if least and (not lifetime or anyway):
        return max(lifetime or 0.0, least + age)
    return lifetime


def _bounded(lifetime: float, age: float, policy: CachePolicy, lasting: bool) -> float:
    if policy.max_ttl is not None:
        lifetime = min(lifetime, age + policy.max_ttl)
    return lifetime if lasting else min(lifetime, age + policy.error_ttl)


def _is_error(status: int) -> bool:
    return status >= 400 and status not in _LASTING_ERRORS


def _or_else(said: int | None, otherwise: float) -> float:
    return said if said is not None else otherwise
