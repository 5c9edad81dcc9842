"""What reverse listeners and their routes do, built from what is configured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from txproxy.config.model import ReverseListener, RouteConfig
from txproxy.frozen_values import frozen
from txproxy.proxy.limits import Limits
from txproxy.reverse.actions.subrequests import ForwardAuth, Mirror
from txproxy.reverse.actions.to_pool import ToPool
from txproxy.reverse.actions.treatments import Action, Treated, Treatment
from txproxy.reverse.client_identity import Trust
from txproxy.reverse.mode import ReverseMode
from txproxy.reverse.routing.route import Route, by_client_ip
from txproxy.runtime.live.live_pools import LivePool
from txproxy.tls.listener_contexts import ServerTls
from txproxy.upstreams.pool import Pool
from txproxy.wire.forwarding import Via


def mode_of(
    listener: ReverseListener,
    action: Action | None,
    routes: Sequence[Route[Action]],
    via: Via | None = None,
    tls: ServerTls | None = None,
) -> ReverseMode:
    """The mode of a reverse listener, from what it has been given to do."""
    return ReverseMode(
        action,
        routes,
        via=via,
        trust=Trust(listener.trusted_proxies) if listener.trusted_proxies else None,
        tls=tls,
        client_certificates=listener.tls is not None and listener.tls.client_ca is not None,
        sticky=by_client_ip if listener.split_by_client else None,
    )


def body_bounds(listener: ReverseListener, routes: Sequence[RouteConfig]) -> tuple[Limits, int | None]:
    """The limits of a listener with room for the bodies of the route that takes most, and what all that say nothing of
    bodies take then; None where the limits are enough for that.
    """
    own, most = listener.limits.max_body_size, max((route.max_body or 0 for route in routes), default=0)
    if own is None or most <= own:
        return listener.limits, None
    return attrs.evolve(listener.limits, max_body_size=most), own


def default_action(
    listener: ReverseListener, pools: Mapping[str, LivePool], via: Via | None, max_body: int | None = None
) -> Action | None:
    """What is done where no route matches, if there is something; with bodies of ``max_body`` at most."""
    if listener.pool is None:
        return None
    action = _RouteParts(pools, via).to_pool(listener.pool, listener.host)
    return action if max_body is None else Treated(action, Treatment(max_body=max_body))


def action_of(
    route: RouteConfig, pools: Mapping[str, LivePool], via: Via | None, max_body: int | None = None
) -> Action:
    """The action of a route, with its treatment. It is for one listener alone; one that says nothing of bodies has them
    of ``max_body`` at most.
    """
    parts = _RouteParts(pools, via)
    action = route.action.build(parts)
    treatment = Treatment(
        request=route.request,
        response=route.response,
        response_timeout=route.response_timeout,
        tunnel_timeout=route.tunnel_timeout,
        max_body=route.max_body if route.max_body is not None else max_body,
    )
    if route.request is not None and not route.match.path_pattern.holds(route.request.strip + b"/"):
        # What has the slash is another route's.
        treatment.slash = b""
    if route.auth is not None:
        asked = parts.to_pool(route.auth.pool)
        copy = tuple(name.encode("ascii") for name in route.auth.copy)
        cookies = tuple(name.encode("ascii") for name in route.auth.cookies)
        treatment.auth = ForwardAuth(asked, route.auth.path.encode("ascii"), copy, cookies)
    if route.mirror is not None:
        treatment.mirror = Mirror(parts.to_pool(route.mirror.pool), route.mirror.share)
    return action if treatment == Treatment() else Treated(action, treatment)


@frozen
class _RouteParts:
    """What the action of a route is built from, for one listener."""

    pools: Mapping[str, LivePool]
    via: Via | None

    def pool(self, name: str) -> Pool:
        """See :class:`RouteParts`."""
        return self.pools[name].pool

    def to_pool(self, name: str, host: str | None = None, sticky: str | None = None) -> ToPool:
        """See :class:`RouteParts`."""
        live = self.pools[name]
        affinity = live.affinity(sticky or live.config.sticky)
        return ToPool(live.pool, host=host or live.config.host, via=self.via, affinity=affinity)
