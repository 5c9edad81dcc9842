"""Why a pool has chosen an upstream, and not another."""

from __future__ import annotations

from txproxy.interfaces.trace import Trace
from txproxy.upstreams.balancing.strategy import Strategy
from txproxy.upstreams.pool import Pool
from txproxy.upstreams.upstream import State, Upstream


def tell_choice(trace: Trace, chosen: Upstream) -> None:
    """Each upstream of the pool with its state, and why it is the ``chosen`` one, or is not. One within this process
    has nobody beside it.
    """
    pool = chosen.pool
    if not isinstance(pool, Pool) or chosen.address.local is not None:
        return
    asked = "" if pool.checked else "; no upstream was asked whether it is well"
    trace.say(f"pool {pool.name} ({pool.strategy_name}){asked}")
    primaries = any(one.state is State.HEALTHY and not one.backup for one in pool.upstreams)
    for one in pool.upstreams:
        known = [one.state.value] if one.state is not State.HEALTHY else []
        known += [f"weight {one.weight}"] if one.weight != 1 else []
        told = f" ({', '.join(known)})" if known else ""
        why = "chosen" if one is chosen else _why_not(one, pool, primaries)
        trace.add(f"{one.name}{told}", why)


def _why_not(one: Upstream, pool: Pool, primaries: bool) -> str:
    if one.state is not State.HEALTHY:
        return one.cause or "it is not available"
    if one.backup and primaries:
        return "a backup, for when no other is available"
    if one.active >= one.room:
        return f"it has all the requests that it may have, which are {one.max}"
    passed_over: str = getattr(pool.strategy, "passed_over", Strategy.passed_over)
    return passed_over
