"""An attempt at an upstream that a pool has chosen, and why it has chosen that, and not another."""

from __future__ import annotations

from collections.abc import Callable, Collection

from txproxy.interfaces.address import Address
from txproxy.interfaces.attempt import Attempt, Tracker
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.trace import Trace
from txproxy.upstreams.balancing.strategy import Strategy
from txproxy.upstreams.pool import Pool
from txproxy.upstreams.upstream import State, Upstream
from txproxy.wire.message import RequestHead


class PoolAttempt(Attempt):
    """One at an ``upstream`` of a pool, after ``tried`` others, of which so many were sent and count as ``retries``."""

    __slots__ = ("upstream", "tried", "retries")

    def __init__(
        self,
        upstream: Upstream,
        address: Address,
        head: RequestHead | None,
        tracker: Tracker,
        answered: Callable[[int], None] | None,
        lines: tuple[bytes, ...] = (),
        tried: tuple[Upstream, ...] = (),
        retries: int = 0,
    ) -> None:
        self.address = address
        self.head = head
        self.tracker = tracker
        self.answered = answered
        self.lines = lines
        self.upstream = upstream
        self.tried = tried
        self.retries = retries

    def tell(self, trace: Trace) -> None:
        """See :class:`txproxy.interfaces.Attempt`."""
        tell_choice(trace, self.upstream)
        super().tell(trace)

    @property
    def with_this(self) -> tuple[Upstream, ...]:
        """Where requests have been after it."""
        return (*self.tried, self.upstream)


def tunnel_attempt(
    upstream: Upstream, pool: Pool, context: RequestContext, tried: tuple[Upstream, ...] = ()
) -> PoolAttempt:
    """A tunnel to the ``upstream`` that ``pool`` has chosen."""
    try:
        address = pool.address_for(upstream, context)
    except BaseException:
        # Without an attempt nobody would give its place back.
        upstream.ended(None, 0)
        raise
    return PoolAttempt(upstream, address, None, upstream, upstream.answered, tried=tried)


def candidates(pool: Pool, tried: Collection[Upstream], asked: Upstream | None = None) -> list[tuple[Upstream, str]]:
    """Each upstream of ``pool``, and why a request goes there or does not, as things stand: those that were ``tried``,
    the one that is being ``asked``, and the others.
    """
    primaries = _has_primaries(pool)

    def why(one: Upstream) -> str:
        if one is asked:
            return "it has the request"
        return "it was tried" if one in tried else _why_not(one, pool, primaries)

    return [(one, why(one)) for one in pool.upstreams]


def tell_choice(trace: Trace, chosen: Upstream) -> None:
    """Each upstream of the pool with its state, and why it is the ``chosen`` one, or is not. One within this process
    has nobody beside it.
    """
    pool = chosen.pool
    if not isinstance(pool, Pool) or chosen.address.local is not None:
        return
    asked = "" if pool.checked else "; no upstream was asked whether it is well"
    trace.say(f"pool {pool.name} ({pool.strategy_name}){asked}")
    primaries = _has_primaries(pool)
    for one in pool.upstreams:
        known = [one.state.value] if one.state is not State.HEALTHY else []
        known += [f"weight {one.weight}"] if one.weight != 1 else []
        told = f" ({', '.join(known)})" if known else ""
        why = "chosen" if one is chosen else _why_not(one, pool, primaries)
        trace.add(f"{one.name}{told}", why)


def _has_primaries(pool: Pool) -> bool:
    return any(one.fit and not one.backup for one in pool.upstreams)


def _why_not(one: Upstream, pool: Pool, primaries: bool) -> str:
    if not one.fit:
        return one.cause or "it is not available"
    if one.backup and primaries:
        return "a backup, for when no other is available"
    if one.active >= one.room:
        return f"it has all the requests that it may have, which are {one.max}"
    passed_over: str = getattr(pool.strategy, "passed_over", Strategy.passed_over)
    return passed_over
