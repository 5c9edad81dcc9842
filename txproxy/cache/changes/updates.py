"""What a 304, or the answer to HEAD, says of what is stored (RFC 9111 sections 3.2, 4.3.4 and 4.3.5)."""

from __future__ import annotations

from enum import Enum
from typing import Final

import attrs

from txproxy.cache.answering.conditional import entity_tag, weakly_equal
from txproxy.cache.dates import http_date, written_date
from txproxy.cache.stored import Freshness, StoredHead, VaryValues
from txproxy.wire.forwarding import HOP_BY_HOP, end_to_end
from txproxy.wire.headers import Headers

# RFC 9111 3.2: what belongs to the body that is stored, and to the message that it came in.
_OF_THE_BODY: Final = frozenset({b"content-length", b"content-encoding", b"content-type", b"content-range"})
_COOKIES: Final = frozenset({b"set-cookie", b"set-cookie2"})
_DROPPED: Final = HOP_BY_HOP | _OF_THE_BODY | {b"trailer"}


class HeadEffect(Enum):
    """What becomes of a stored response when one to HEAD has passed."""

    NONE = "none"
    FRESHENS = "freshens"
    FREES = "frees"


def confirms(response: Headers, stored: Headers, now: float) -> bool:
    """Whether a 304 with the fields of ``response`` is about the one that is ``stored``, which it was asked for (RFC
    9111 section 4.3.4). If not, it says nothing of that, and the request is sent again without conditions.
    """
    tag, stored_tag = entity_tag(response), entity_tag(stored)
    if tag is not None and stored_tag is not None:
        # RFC 9110 section 13.1.2: so is the condition compared that was sent.
        return weakly_equal(tag, stored_tag)
    changed = response.index.get(b"last-modified")
    if changed is None:
        # It should have had the tag (RFC 9110 section 15.4.5), and can be about nothing else.
        return tag is None
    # What had no tag, or has none any more: then the date tells.
    time = http_date(changed, now)
    return time is not None and time == http_date(stored.get(b"last-modified"), now)


def updated_headers(stored: Headers, response: Headers, response_time: float) -> Headers:
    """The ``stored`` fields with those of a 304, or of the answer to HEAD, in their place: each that it has replaces
    all of that name, but for what belongs to the body, or was for one hop.

    Age and Date are those of the new message in any case: by what it does not have, a response would be as old as it
    was before it was validated.
    """
    new = end_to_end(response, _DROPPED)
    if b"date" not in response.index:
        # RFC 9110 6.6.1: who receives it says when that was.
        new.append(b"Date: " + written_date(response_time))
    names = [line.partition(b":")[0].lower() for line in new]
    gone = {*names, b"age"}
    lines = [line for line, name in zip(stored.lines, stored.names(), strict=True) if name not in gone]
    return Headers.parsed(lines + new)


def without_cookies(response: Headers) -> Headers:
    """The fields of a 304, or of the answer to HEAD, without cookies: whom it sets them for is the one that has asked,
    and none of those that get what it is about.
    """
    if _COOKIES.isdisjoint(response.index):
        return response
    return Headers.parsed([line for line in response.lines if line.partition(b":")[0].lower() not in _COOKIES])


def freshened(
    head: StoredHead,
    headers: Headers,
    freshness: Freshness,
    request_time: float,
    response_time: float,
    vary: VaryValues | None = None,
    mark: int | None = None,
) -> StoredHead:
    """A stored ``head`` as it is once it was validated: with the fields that :func:`updated_headers` gives, how fresh
    these make it, and when that was asked and answered. ``vary`` are the values of the request that has validated it,
    where the response now names other fields than before; ``mark`` is the last purge that was known by then.
    """
    return attrs.evolve(
        head,
        headers=headers,
        freshness=freshness,
        request_time=request_time,
        response_time=response_time,
        vary=head.vary if vary is None else vary,
        mark=head.mark if mark is None else mark,
    )


def effect_of_head(stored: StoredHead, length: int, status: int, response: Headers) -> HeadEffect:
    """What an answer to HEAD says of a ``stored`` response to GET with a body of ``length`` bytes that could have been
    chosen for that request (RFC 9111 section 4.3.5).

    It freshens what it shows to be the same by a validator: a page that has none may have changed with the same length,
    and whoever asks for heads alone, a monitor say, would keep the old one for ever.
    """
    if status != stored.status or status != 200:
        return HeadEffect.NONE
    index = response.index
    told = index.get(b"content-length")
    if told is not None and told != b"%d" % length:
        return HeadEffect.FREES
    tag = index.get(b"etag")
    if tag is not None and tag != stored.headers.get(b"etag"):
        return HeadEffect.FREES
    changed = index.get(b"last-modified")
    if changed is not None and changed != stored.headers.get(b"last-modified"):
        return HeadEffect.FREES
    return HeadEffect.FRESHENS if tag is not None or changed is not None else HeadEffect.NONE


def expired(head: StoredHead, now: float, mark: int) -> StoredHead:
    """A ``head`` that is stale from ``now`` on, as the purge ``mark`` says: it is validated before it is used, and may
    still stand in where that fails.
    """
    freshness = head.freshness
    ended = attrs.evolve(freshness, lifetime=min(freshness.lifetime, head.age(now)), while_revalidate=0.0)
    return attrs.evolve(head, freshness=ended, mark=mark)
