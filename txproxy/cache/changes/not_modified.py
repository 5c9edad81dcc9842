"""What becomes of a stored response when a 304 has come that it was to be validated by (RFC 9111 section 4.3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import attrs

from txproxy.cache.changes.updates import confirms, freshened, updated_headers, without_cookies
from txproxy.cache.stored import Freshness, StoredHead
from txproxy.cache.storing import Times
from txproxy.cache.vary import vary_names, vary_values
from txproxy.wire.headers import Headers

# How fresh a response with this status and these fields is; None if it may not be stored.
FreshnessOf: TypeAlias = "Callable[[int, Headers], Freshness | None]"


class Held(NamedTuple):
    """The ``head`` of a response that holds, as it is now; ``stored`` is whether it may be stored so. If not, it holds
    this once.
    """

    head: StoredHead
    stored: bool


def held(
    old: StoredHead,
    response: Headers,
    request: Headers,
    times: Times,
    freshness_of: FreshnessOf,
    *,
    mark: int = 0,
) -> Held | None:
    """What a 304 with the fields of ``response`` says of the response with the ``old`` head, which the ``request`` has
    selected; None if nothing, so that the request is to be sent without conditions. ``mark`` is the last purge that was
    known when it was asked.
    """
    if not confirms(response, old.headers, times.response):
        return None
    headers = updated_headers(old.headers, without_cookies(response), times.response)
    names, vary = vary_names(headers), old.vary
    if names is not None and names != tuple([name for name, _ in vary]):
        # It may also say of more fields than before that it was chosen by them.
        vary = vary_values(request, names)
    found = freshness_of(old.status, headers) if names is not None else None
    if found is None:
        return Held(attrs.evolve(old, headers=headers), False)
    return Held(freshened(old, headers, found, *times, vary=vary, mark=mark), True)
