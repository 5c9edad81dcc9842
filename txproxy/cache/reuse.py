"""What may be done with a stored response for a request, without asking the origin (RFC 9111 section 4)."""

from __future__ import annotations

from enum import Enum
from typing import Final

from txproxy.cache.cache_control import Directives, of_request
from txproxy.cache.policy import CachePolicy
from txproxy.cache.stored import Freshness, StoredHead
from txproxy.wire.headers import Headers

# What is as if the origin had not answered, while something stored is at hand (RFC 5861 section 4).
FAILURE_STATUSES: Final = frozenset({500, 502, 503, 504})


class Use(Enum):
    """What may be done with a stored response at a time."""

    # It is used.
    FRESH = "fresh"
    # It is used, and the origin is asked in the background (RFC 5861 section 3).
    STALE_WHILE_REVALIDATE = "stale-while-revalidate"
    # It is used as the client takes it so old, or nobody is to be asked.
    STALE = "stale"
    # The origin is asked first, as it is stale or says so.
    VALIDATE = "validate"
    # The origin is asked first, as the client wants that.
    VALIDATE_FOR_REQUEST = "validate for the request"
    # It may not be used, and the client wants nobody to be asked: 504 (RFC 9111 section 5.2.1.7).
    UNAVAILABLE = "unavailable"


_ASKING: Final = frozenset({Use.VALIDATE, Use.VALIDATE_FOR_REQUEST})


def use_of(head: StoredHead, request: Headers, now: float, policy: CachePolicy) -> Use:
    """What may be done with ``head`` at ``now`` for a request with these fields."""
    freshness = head.freshness
    left = head.response_time + freshness.lifetime - freshness.initial_age - now
    if policy.hears_requests and (b"cache-control" in request.index or b"pragma" in request.index):
        return _as_requested(head, of_request(request), left, now, policy)
    if left > 0.0 and not freshness.validate:
        return Use.FRESH
    return _unasked(head, left, policy)


def may_stand_in(head: StoredHead, request: Headers, now: float, policy: CachePolicy) -> bool:
    """Whether ``head`` may be used though it is stale, as the origin cannot be asked or has failed (RFC 9111
    section 4.2.4).

    A window that the response names counts, else that of the ``policy``; one that the request names makes it narrower,
    whether or not other directives of requests count. None does where that asks for a validation that succeeds.
    """
    freshness = head.freshness
    if policy.offline and _is_for_all(freshness):
        return True
    said = of_request(request)
    if freshness.validate or freshness.never_stale or (said.no_cache and policy.request_directives):
        return False
    if freshness.lifetime <= 0 and freshness.if_error is None:
        # Nobody has ever said that it is for others than who has asked for it.
        return False
    window = policy.stale_if_error if freshness.if_error is None else freshness.if_error
    if said.stale_if_error is not None:
        window = min(window, said.stale_if_error)
    return now - head.expiry() <= window


def wants_stored_alone(request: Headers, policy: CachePolicy) -> bool:
    """Whether a request wants what is stored or nothing: where nothing is, the answer is 504."""
    return policy.request_directives and of_request(request).only_if_cached


def wants_the_origin(request: Headers, policy: CachePolicy) -> bool:
    """Whether a request wants what the origin says to itself, where that counts: a reload does."""
    index = request.index
    if not policy.hears_requests or policy.ignore_reload or not (b"cache-control" in index or b"pragma" in index):
        return False
    said = of_request(request)
    return said.no_cache or said.max_age == 0


def is_failure(status: int) -> bool:
    """Whether a response with ``status`` to a validation is as none."""
    return status in FAILURE_STATUSES


def _as_requested(head: StoredHead, said: Directives, left: float, now: float, policy: CachePolicy) -> Use:
    """The same where the request says something (RFC 9111 section 5.2.1)."""
    reload = _is_reload(said, head, left)
    if policy.offline and _is_for_all(head.freshness):
        use = Use.FRESH if left > 0.0 else Use.STALE
    elif reload and not policy.ignore_reload and (policy.request_directives or policy.reload_into_ims):
        use = Use.VALIDATE_FOR_REQUEST
    elif policy.request_directives:
        use = _for_client(head, said, left, now, policy)
    else:
        use = _unasked(head, left, policy)
    if policy.request_directives and said.only_if_cached and use in _ASKING:
        return Use.UNAVAILABLE
    return use


def _for_client(head: StoredHead, said: Directives, left: float, now: float, policy: CachePolicy) -> Use:
    """What may be done for a client that says how old a response it takes."""
    freshness = head.freshness
    # A reload that was not heard is no wish for a certain age either.
    most = said.max_age or None
    if most is not None and head.age(now) > most and not (freshness.immutable and left > 0.0):
        return Use.VALIDATE_FOR_REQUEST
    if left > 0.0 and not freshness.validate:
        return Use.FRESH if said.min_fresh is None or left >= said.min_fresh else Use.VALIDATE_FOR_REQUEST
    may_be_stale = freshness.lifetime > 0 and not (freshness.validate or freshness.never_stale)
    if said.max_stale is not None and -left <= said.max_stale and may_be_stale:
        return Use.STALE
    if most is not None or said.min_fresh is not None:
        # Section 5.2.1.1: it does not want what is stale, whatever the origin would allow.
        return Use.VALIDATE
    return _unasked(head, left, policy)


def _unasked(head: StoredHead, left: float, policy: CachePolicy) -> Use:
    """What may be done where the request says nothing that counts."""
    freshness = head.freshness
    if left > 0.0 and not freshness.validate:
        return Use.FRESH
    if policy.offline and _is_for_all(freshness):
        return Use.STALE
    if freshness.validate or freshness.never_stale or not -left <= freshness.while_revalidate > 0.0:
        return Use.VALIDATE
    return Use.STALE_WHILE_REVALIDATE


def _is_for_all(freshness: Freshness) -> bool:
    """Whether anybody has ever said that a response is for others than who has asked for it, without asking the origin:
    one that was never fresh, or is to be validated each time, may have been made for one client.
    """
    return not freshness.validate and (freshness.lifetime > 0 or freshness.if_error is not None)


def _is_reload(said: Directives, head: StoredHead, left: float) -> bool:
    """Whether the client wants the origin to be asked: no-cache always does, max-age=0 but for what does not change
    while it is fresh (RFC 8246 section 2).
    """
    return said.no_cache or (said.max_age == 0 and not (head.freshness.immutable and left > 0.0))
