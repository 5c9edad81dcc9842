"""``/api/pools``: who is there and how it is, and what an administrator changes of that while it serves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from twisted.logger import Logger

from txproxy.admin.api_call import ApiCall, ApiFault
from txproxy.admin.api_paths import Verb
from txproxy.admin.merging import together
from txproxy.admin.proxy_view import ProxyView
from txproxy.components.values import hint, shown
from txproxy.errors import ConfigError, masked
from txproxy.interfaces.allowances import MOST_WEIGHT
from txproxy.upstreams.overlay import Overlay
from txproxy.upstreams.upstream import State, Upstream

_log = Logger()

_ORDERS: Final[Mapping[str, State]] = {
    "enabled": State.HEALTHY,
    "draining": State.DRAINING,
    "disabled": State.DISABLED,
}
# Upstreams are those of all workers, and what they carry is theirs together.
_POOLS: Final = together(sums=("active", "waiting"), least=("healthy", "available"), most=("checked",))
_UPSTREAMS: Final = together(sums=("active", "requests", "failures"), most=("ejections",))
_ORDERED: Final = {state: word for word, state in _ORDERS.items()}


class PoolVerbs:
    """What may be done with the pools of what ``view`` shows."""

    def __init__(self, view: ProxyView) -> None:
        self._view = view

    def verbs(self) -> list[Verb]:
        """All of it."""
        all_of_them, one = "/api/pools/{pool}/upstreams", "/api/pools/{pool}/upstreams/{upstream}"
        return [
            Verb("GET", "/api/pools", self._pools, merge=_POOLS),
            Verb("GET", all_of_them, self._upstreams, merge=_UPSTREAMS),
            Verb("POST", all_of_them, self._add, body=("url",), merge=_UPSTREAMS),
            Verb("GET", one, self._upstream, merge=_UPSTREAMS),
            Verb("PATCH", one, self._change, body=("order", "for", "weight"), merge=_UPSTREAMS),
            Verb("DELETE", one, self._remove),
        ]

    def _overlay(self, call: ApiCall) -> Overlay:
        overlays, name = self._view.overlays, call.names[0]
        if name not in overlays:
            there = f"{hint(name, tuple(overlays))}; accepted: {', '.join(overlays) or 'none'}"
            raise ApiFault(404, f"there is no pool {shown(name)}{there}")
        overlays[name].pool.tick()
        return overlays[name]

    def _found(self, call: ApiCall) -> tuple[Overlay, Upstream]:
        overlay, name = self._overlay(call), call.names[1]
        try:
            return overlay, overlay.pool.find(name)
        except KeyError:
            names = [upstream.name for upstream in overlay.pool.upstreams]
            said = f"there is no upstream {shown(name)} in {overlay.pool.name}{hint(name, names)}"
            raise ApiFault(404, f"{said}; accepted: {', '.join(names)}") from None

    def _pools(self, call: ApiCall) -> dict[str, object]:
        return {"pools": [_told_of_pool(overlay) for overlay in self._view.overlays.values()]}

    def _upstreams(self, call: ApiCall) -> dict[str, object]:
        overlay = self._overlay(call)
        return {"upstreams": [_told(overlay, upstream) for upstream in overlay.pool.upstreams]}

    def _upstream(self, call: ApiCall) -> dict[str, object]:
        return _told(*self._found(call))

    def _change(self, call: ApiCall) -> dict[str, object]:
        overlay, upstream = self._found(call)
        order = call.word("order", tuple(_ORDERS))
        seconds, weight = call.duration("for"), call.whole("weight", 0, MOST_WEIGHT)
        if order is None and weight is None:
            raise ApiFault(400, "nothing is to be changed; accepted are order, for and weight")
        if seconds is not None and order != "draining":
            raise ApiFault(400, "for: it is how long a drain takes; accepted is it with order = draining")
        pool, said = overlay.pool, []
        if weight is not None:
            pool.weigh(upstream, weight)
            said.append(f"has weight {weight} now")
        if order is not None:
            said.append(f"is {order} now")
        if order == "enabled":
            pool.enable(upstream)
        elif order == "disabled":
            pool.disable(upstream)
        elif order == "draining":
            pool.drain(upstream, math.inf if seconds is None else seconds)
        _say(overlay, f"{upstream.name} {' and '.join(said)}")
        return _told(overlay, upstream)

    def _add(self, call: ApiCall) -> dict[str, object]:
        overlay = self._overlay(call)
        try:
            upstream = overlay.add(call.text("url"))
        except (ConfigError, UnicodeError) as fault:
            raise ApiFault(400, f"url: {masked(str(fault))}") from None
        _say(overlay, f"{upstream.name} was added")
        return _told(overlay, upstream)

    def _remove(self, call: ApiCall) -> dict[str, object]:
        overlay, upstream = self._found(call)
        try:
            overlay.remove(upstream)
        except ConfigError as fault:
            raise ApiFault(409, str(fault)) from None
        _say(overlay, f"{upstream.name} was removed")
        return {"removed": upstream.name}


def _say(overlay: Overlay, what: str) -> None:
    _log.info("{said}", said=f"admin API: pool {overlay.pool.name}: {what}")


def _told_of_pool(overlay: Overlay) -> dict[str, object]:
    pool = overlay.pool
    pool.tick()
    return {
        "name": pool.name,
        "strategy": pool.strategy_name,
        "upstreams": len(pool.upstreams),
        "healthy": sum(one.state is State.HEALTHY for one in pool.upstreams),
        "available": pool.others(()),
        "active": sum(one.active for one in pool.upstreams),
        "waiting": pool.waiting,
        "checked": pool.checked,
        "removed": list(overlay.removed),
    }


def _told(overlay: Overlay, upstream: Upstream) -> dict[str, object]:
    pool = overlay.pool
    now = pool.seconds()
    last = pool.last_check(upstream)
    return {
        "name": upstream.name,
        "state": upstream.state.value,
        "cause": upstream.cause,
        "age": _seconds(now - upstream.since),
        "order": _ORDERED[upstream.ordered],
        "ends_in": _seconds(upstream.drained_at - now) if upstream.drained_at < math.inf else None,
        "breaker": upstream.breaker.value,
        "weight": upstream.weight,
        "effective_weight": round(upstream.effective, 3),
        "backup": upstream.backup,
        "max": upstream.max or None,
        "active": upstream.active,
        "requests": upstream.served,
        "failures": upstream.failures,
        "ejections": upstream.ejections,
        "last_check": {"age": _seconds(now - last.at), "error": last.cause} if last is not None else None,
        "changed": list(overlay.changes_of(upstream)),
    }


def _seconds(value: float) -> float:
    return round(max(0.0, value), 3)
