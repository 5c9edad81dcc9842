"""What becomes of stored responses when a 304 has come that they were named for (RFC 9111 section 4.3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import attrs

from txproxy.cache.changes.updates import freshened, updated_headers, validated, without_cookies
from txproxy.cache.stored import Entry, Freshness, StoredHead
from txproxy.cache.storing import Times
from txproxy.cache.vary import vary_names, vary_values
from txproxy.wire.headers import Headers

# How fresh a response with this status and these fields is; None if it may not be stored.
FreshnessOf: TypeAlias = "Callable[[int, Headers], Freshness | None]"


class Held(NamedTuple):
    """The stored response that ``holds``, with its ``head`` as it is now; ``stored`` is whether it may be stored so. If
    not, it holds this once. ``others`` hold as well, each with its head.
    """

    holds: Entry
    head: StoredHead
    stored: bool
    others: list[tuple[Entry, StoredHead]]


def held(
    asked_for: Sequence[Entry],
    response: Headers,
    request: Headers,
    times: Times,
    freshness_of: FreshnessOf,
    *,
    matched: bool = True,
    mark: int = 0,
) -> Held | None:
    """What a 304 with the fields of ``response`` says of those that it was ``asked_for``; None if nothing, so that the
    ``request`` is to be sent without conditions.

    If they were not ``matched`` by the request, they are variants that the origin could choose from (section 4.1): the
    one that it names is then what requests like this get. ``mark`` is the last purge that was known when it was asked.
    """
    found = validated(asked_for, response, times.response)
    if not found:
        return None
    told = without_cookies(response)
    # Under a strong tag they are the same, byte by byte; a weak one is that of the latest.
    chosen = max(found, key=lambda one: one.head.response_time)
    head, stored = _as_it_is(chosen, told, request, times, freshness_of, matched, mark)
    # Section 4.3.4: all that have a strong tag are brought up to date; but not under other values than they have.
    others = [
        (one, _as_it_is(one, told, None, times, freshness_of, True, mark))
        for one in found
        if not (matched and one is chosen)
    ]
    return Held(chosen, head, stored, [(one, new) for one, (new, may_be) in others if may_be])


def _as_it_is(
    entry: Entry,
    told: Headers,
    request: Headers | None,
    times: Times,
    freshness_of: FreshnessOf,
    matched: bool,
    mark: int,
) -> tuple[StoredHead, bool]:
    """The head of an ``entry`` with what it was ``told``, and whether it may be stored. Without a ``request`` nobody
    knows what it would be chosen by, if that is not what it was.
    """
    old = entry.head
    headers = updated_headers(old.headers, told, times.response)
    names = vary_names(headers)
    vary = old.vary
    if names is not None and not (matched and names == tuple([name for name, _ in vary])):
        # It may also say of more fields than before that it was chosen by them.
        if request is None:
            names = None
        else:
            vary = vary_values(request, names)
    found = freshness_of(old.status, headers) if names is not None else None
    if found is None:
        return attrs.evolve(old, headers=headers), False
    return freshened(old, headers, found, *times, vary=vary, mark=mark), True
