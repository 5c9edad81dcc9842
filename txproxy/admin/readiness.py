"""Whether the proxy lives, and whether it is ready: for load balancers and whoever else starts and stops it."""

from __future__ import annotations

from txproxy.admin.api_call import ApiCall, ApiFault
from txproxy.admin.api_paths import Verb
from txproxy.admin.merging import OF_ANY
from txproxy.admin.proxy_view import ProxyView, Stage
from txproxy.upstreams.pool import Pool
from txproxy.upstreams.upstream import State


def health_verbs(view: ProxyView) -> list[Verb]:
    """``/healthz`` and ``/readyz``, which anybody may ask."""
    return [
        # Whoever gets this answer knows that the reactor turns, and nothing else is asked.
        Verb("GET", "/healthz", lambda call: {"status": "ok"}, open=True, merge=OF_ANY),
        Verb("GET", "/readyz", lambda call: _ready(view, call), open=True, merge=OF_ANY),
    ]


def _ready(view: ProxyView, call: ApiCall) -> dict[str, object]:
    stage = view.stage
    lacking = [f"pool {name}: no upstream is available" for name, pool in view.pools.items() if not _serves(pool)]
    reasons = [stage.value] if stage is not Stage.SERVING else []
    if not _can_serve(view):
        reasons += lacking
    if reasons:
        # What a pool is called is nobody's concern who has not shown the token.
        raise ApiFault(503, "not ready", **({"reasons": reasons} if call.trusted else {}))
    found: dict[str, object] = {"status": "ready"}
    doubted = [f"pool {name}: no upstream is healthy" for name, pool in view.pools.items() if _is_doubted(pool)]
    if (lacking or doubted) and call.trusted:
        found["degraded"] = lacking + doubted
    return found


def _can_serve(view: ProxyView) -> bool:
    """Whether any listener has somebody to send to, or need not have. One pool of several without an upstream does not
    take the others' clients away.
    """
    pools = view.pools
    listeners = view.listeners
    return any(one.without or any(_serves(pools[name]) for name in one.pools) for one in listeners)


def _is_doubted(pool: Pool) -> bool:
    """Whether all who serve are said to be ill. Requests go there all the same: none would find out that they are not
    any more, if the proxy said that it is not ready.
    """
    return _serves(pool) and not any(one.state is State.HEALTHY for one in pool.upstreams)


def _serves(pool: Pool) -> bool:
    pool.tick()
    return pool.others(())
