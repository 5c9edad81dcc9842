"""Who of a pool serves: what follows from the states of its upstreams, taken together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from txproxy.upstreams.ejection import Breaker
from txproxy.upstreams.upstream import State, Upstream


def available(upstreams: Iterable[Upstream], panic: float) -> list[Upstream]:
    """Those of ``upstreams`` that serve: those that are fit, and others where these are too few. With less than a share
    of ``panic`` healthy, all primaries serve.
    """
    states = {upstream: upstream.state for upstream in upstreams if upstream.in_service}
    primaries = [upstream for upstream in states if not upstream.backup]
    healthy = [upstream for upstream in primaries if upstream.fit]
    backups = [upstream for upstream in states if upstream.backup and upstream.fit]
    if len(healthy) < panic * len(primaries) and (healthy or not backups):
        # Too few to carry it all: what is said to be ill may be better than nothing (as Envoy's panic threshold).
        return primaries
    if any(upstream.breaker is Breaker.CLOSED for upstream in healthy):
        return healthy
    if healthy or backups:
        # Those that are only tried again are no primaries yet on which all can be put.
        return healthy + backups
    # An ejection is a suspicion, and must not be what takes the last one out.
    ejected = [upstream for upstream in states if states[upstream] is State.EJECTED]
    return [upstream for upstream in ejected if not upstream.backup] or ejected


def spare(upstreams: Iterable[Upstream], serving: Sequence[Upstream]) -> list[Upstream]:
    """The backups that could serve, and have not to while those who are ``serving`` do."""
    return [upstream for upstream in upstreams if upstream.backup and upstream not in serving and upstream.fit]


def last_resort(serving: Iterable[Upstream], spare: Iterable[Upstream], tried: Sequence[Upstream]) -> Upstream | None:
    """A backup for who has ``tried`` all who are ``serving``: the one with the least to do for its weight."""
    if any(upstream not in tried for upstream in serving):
        # Others of them are full, and will have room again.
        return None
    fit = [upstream for upstream in spare if upstream not in tried and not upstream.full]
    return min(fit, key=lambda upstream: (upstream.active + 1) / upstream.effective, default=None)


def may_be_ejected(upstream: Upstream, upstreams: Iterable[Upstream], share: float) -> bool:
    """Whether enough would be left without ``upstream``: somebody who is healthy, and all but ``share`` of them."""
    # Those that an administrator has taken out are no part of what is left.
    here = [other for other in upstreams if other.in_service]
    if not any(other is not upstream and other.fit for other in here):
        return False
    if upstream.breaker is Breaker.CLOSED and upstream.in_service:
        out = sum(1 for other in here if other.breaker is not Breaker.CLOSED)
        return out + 1 <= share * len(here)
    return True
