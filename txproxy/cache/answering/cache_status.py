"""What the cache has done with a request: Cache-Status (RFC 9211), and the words that logs have for it."""

from __future__ import annotations

import math
from enum import Enum
from typing import Any, Final

import attrs

from txproxy.wire.forwarded import quoted

_LONGEST_DETAIL: Final = 200
# RFC 9651 3.3.1: an integer has 15 digits at most.
_MOST: Final = 10**15 - 1


class Served(Enum):
    """How a request was answered, in the words of nginx's ``$upstream_cache_status``."""

    HIT = "HIT"
    # from what is stored, as the origin failed
    STALE = "STALE"
    # from what is stored, while it is validated
    UPDATING = "UPDATING"
    # from what is stored, after the origin has said that it holds
    REVALIDATED = "REVALIDATED"
    # by the origin, as what was stored does no longer hold
    EXPIRED = "EXPIRED"
    MISS = "MISS"
    BYPASS = "BYPASS"


class ForwardedFor(Enum):
    """Why a request went to the origin (RFC 9211 section 2.2)."""

    BYPASS = b"bypass"
    METHOD = b"method"
    URI_MISS = b"uri-miss"
    VARY_MISS = b"vary-miss"
    MISS = b"miss"
    REQUEST = b"request"
    STALE = b"stale"
    PARTIAL = b"partial"


_SQUID: Final = {
    Served.HIT: b"TCP_HIT",
    Served.STALE: b"TCP_REFRESH_FAIL_OLD",
    Served.UPDATING: b"TCP_HIT",
    Served.REVALIDATED: b"TCP_REFRESH_UNMODIFIED",
    Served.EXPIRED: b"TCP_REFRESH_MODIFIED",
    Served.MISS: b"TCP_MISS",
    Served.BYPASS: b"TCP_MISS",
}
_FROM_MEMORY: Final = {Served.HIT: b"TCP_MEM_HIT", Served.UPDATING: b"TCP_MEM_HIT"}
# What the origin has answered.
_BY_ORIGIN: Final = frozenset({Served.MISS, Served.BYPASS, Served.EXPIRED})
# What goes to no origin.
_FROM_STORE: Final = frozenset({Served.HIT, Served.STALE, Served.UPDATING})


@attrs.frozen(kw_only=True)
class CacheVerdict:
    """What the cache has done with a request, and why.

    ``forwarded`` is why it went to the origin, None if it did not; ``expiry`` when the response ceases to be fresh, in
    seconds since the epoch; ``origin_status`` what the origin answered, where that is not what the client got;
    ``stored`` whether its answer was kept; ``collapsed`` whether it was fetched for another request; ``memory`` whether
    it was answered from there, and not from a disk. ``detail`` is for whoever looks for a reason. ``upstream`` is the
    upstream of a pool that was asked on behalf of the request, and has answered; None if none was.
    """

    served: Served
    forwarded: ForwardedFor | None = None
    expiry: float | None = None
    origin_status: int | None = None
    stored: bool = False
    collapsed: bool = False
    memory: bool = False
    detail: str = ""
    upstream: Any = attrs.field(default=None, eq=False, repr=False)

    @property
    def word(self) -> str:
        """For logs in the manner of nginx."""
        return self.served.value

    @property
    def why(self) -> str:
        """Why it went to the origin, and what there is to say besides; empty if there is nothing."""
        reason = self.forwarded.value.decode("ascii") if self.forwarded is not None else ""
        return ": ".join(filter(None, (reason, self.detail)))

    @property
    def squid_word(self) -> bytes:
        """For logs in the manner of Squid."""
        if self.forwarded is ForwardedFor.REQUEST and self.served in _BY_ORIGIN:
            return b"TCP_CLIENT_REFRESH_MISS"
        if self.memory and self.served in _FROM_MEMORY:
            return _FROM_MEMORY[self.served]
        return _SQUID[self.served]

    def member(self, name: bytes, now: float) -> bytes:
        """What Cache-Status says of this cache, whose ``name`` it is."""
        parts = [quoted(name)]
        if self.forwarded is None and self.served in _FROM_STORE:
            # RFC 9211 2.1: with nothing sent on; where something was, it says why.
            parts.append(b"hit")
        elif self.forwarded is not None:
            parts.append(b"fwd=" + self.forwarded.value)
        if self.origin_status is not None:
            parts.append(b"fwd-status=%d" % self.origin_status)
        if self.expiry is not None and math.isfinite(self.expiry):
            # RFC 9211 2.4: less than nothing if it is stale.
            parts.append(b"ttl=%d" % max(-_MOST, min(_MOST, math.floor(self.expiry - now))))
        if self.stored:
            parts.append(b"stored")
        if self.collapsed:
            parts.append(b"collapsed")
        if self.detail:
            parts.append(b"detail=" + _string(self.detail))
        return b"; ".join(parts)

    def line(self, name: bytes, now: float, came: bytes | None = None) -> bytes:
        """The Cache-Status line of a response; ``came`` is the value that it had from caches nearer to the origin."""
        ours = self.member(name, now)
        # RFC 9211 section 2: the first is the nearest to the origin.
        return b"Cache-Status: " + (came + b", " + ours if came else ours)


def _string(text: str) -> bytes:
    """RFC 9651 section 3.3.3: printable ASCII."""
    shown = "".join(letter if " " <= letter <= "~" else "?" for letter in text[:_LONGEST_DETAIL])
    return b'"' + shown.replace("\\", "\\\\").replace('"', '\\"').encode("ascii") + b'"'
