"""Whether the parts of a configuration file fit together: who names whom, who is named by nobody, and who goes round in
a circle.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias

import attrs

from txproxy.components.outside_text import called
from txproxy.components.values import hint
from txproxy.config.endpoints import Bound
from txproxy.config.findings import Findings
from txproxy.config.model import (
    AnyListener,
    AuthConfig,
    MirrorConfig,
    PoolConfig,
    ReverseListener,
    RouteConfig,
    TcpListener,
)
from txproxy.config.toml.effects import see_shares
from txproxy.config.toml.pool_tables import is_tcp
from txproxy.errors import ConfigError, Finding, Path
from txproxy.reverse.routing.route import Route
from txproxy.reverse.routing.routes import Routes
from txproxy.upstreams.upstream_urls import parse_tcp_upstream, parse_upstream

# Where it is, the pool, and whether raw streams are to go there (None: either is well).
_Use: TypeAlias = "tuple[Path, str, bool | None]"
_KINDS: Final = {True: "HOST:PORT, for tcp", False: "URLs, for reverse"}


@attrs.frozen
class Parts:
    """What has been read: pools by name, routes and listeners in the order written."""

    pools: Mapping[str, PoolConfig]
    routes: Sequence[RouteConfig]
    listeners: Sequence[AnyListener]


def tie(parts: Parts, findings: Findings) -> list[AnyListener]:
    """The listeners, each with all of its routes; what does not fit is added to the ``findings``."""
    _unique("listeners", [listener.name for listener in parts.listeners], findings)
    _unique("routes", [route.name for route in parts.routes], findings)
    _check_listener_names(parts, findings)
    _check_route_names(parts, findings)
    _check_pools(parts, findings)
    listeners = [_with_routes(listener, parts) for listener in parts.listeners]
    _check_work(listeners, findings)
    _check_use(parts, listeners, findings)
    _check_effects(parts, listeners, findings)
    _check_precedence(parts, listeners, findings)
    see_shares(parts.routes, listeners, findings)
    _check_endpoints(parts, findings)
    _check_circles(parts, listeners, findings)
    return listeners


def _with_routes(listener: AnyListener, parts: Parts) -> AnyListener:
    if not isinstance(listener, ReverseListener):
        return listener
    names = (
        route.name
        for route in parts.routes
        if route.name in listener.routes
        or listener.name in route.listeners
        or (not listener.routes and not route.listeners)
    )
    return attrs.evolve(listener, routes=tuple(names))


# -- names


def _unique(kind: str, names: Sequence[str], findings: Findings) -> None:
    for number, name in enumerate(names):
        if name and name in names[:number]:
            findings.fault(
                (kind, number, "name"), f"{name!r} is there already", "accepted is a name of its own for each"
            )


def _known(path: Path, name: str, known: Iterable[str], what: str, findings: Findings) -> bool:
    names = list(known)
    if not name or name in names:
        # An empty one has been said to be missing.
        return bool(name)
    accepted = ", ".join(map(called, names)) or f"none, as there is no {what}"
    findings.fault(path, f"there is no {what} {name!r}{hint(name, names)}", f"accepted: {accepted}")
    return False


def _check_listener_names(parts: Parts, findings: Findings) -> None:
    modes = {listener.name: listener for listener in parts.listeners}
    for number, route in enumerate(parts.routes):
        for name in route.listeners:
            path: Path = ("routes", number, "listeners")
            if _known(path, name, modes, "listener", findings) and not isinstance(modes[name], ReverseListener):
                findings.fault(path, f"listener {name!r} has no routes", "accepted are those of mode reverse")


def _check_route_names(parts: Parts, findings: Findings) -> None:
    names = [route.name for route in parts.routes]
    for number, listener in enumerate(parts.listeners):
        if isinstance(listener, ReverseListener):
            for name in listener.routes:
                _known(("listeners", number, "routes"), name, names, "route", findings)


# -- pools


def _uses(parts: Parts) -> list[_Use]:
    uses: list[_Use] = []
    for number, listener in enumerate(parts.listeners):
        if isinstance(listener, ReverseListener) and listener.pool is not None:
            uses.append((("listeners", number, "pool"), listener.pool, False))
        elif isinstance(listener, TcpListener):
            if listener.pool is not None:
                uses.append((("listeners", number, "pool"), listener.pool, True))
            uses += [(("listeners", number, "sni", name), pool, True) for name, pool in listener.sni]
    for number, route in enumerate(parts.routes):
        path: Path = ("routes", number)
        uses += [((*path, use.key), use.pool, use.tcp) for use in route.action.uses]
        uses += [((*path, key), part.pool, False) for key, part in _more_of(route)]
    return uses


def _more_of(route: RouteConfig) -> list[tuple[str, AuthConfig | MirrorConfig]]:
    both = (("auth", route.auth), ("mirror", route.mirror))
    return [(key, part) for key, part in both if part is not None]


def _check_pools(parts: Parts, findings: Findings) -> None:
    for path, name, tcp in _uses(parts):
        if _known(path, name, parts.pools, "pool", findings) and tcp not in (None, parts.pools[name].tcp):
            has, wants = _KINDS[not tcp], _KINDS[bool(tcp)]
            if parts.pools[name].upstreams:
                findings.fault(path, f"pool {name!r} has upstreams such as {has}", f"accepted is one with {wants}")


def _check_use(parts: Parts, listeners: Sequence[AnyListener], findings: Findings) -> None:
    used = {name for _, name, _ in _uses(parts)}
    for name in parts.pools:
        if name not in used:
            findings.doubt(("pools", name), "no listener and no route uses this pool")
    taken = {name for listener in listeners if isinstance(listener, ReverseListener) for name in listener.routes}
    for number, route in enumerate(parts.routes):
        if route.name and route.name not in taken:
            findings.doubt(("routes", number), f"no listener uses the route {route.name!r}")


def _check_effects(parts: Parts, listeners: Sequence[AnyListener], findings: Findings) -> None:
    """What routes ask for, and none of their listeners can do."""
    for number, route in enumerate(parts.routes):
        path: Path = ("routes", number)
        own = [one for one in listeners if isinstance(one, ReverseListener) and route.name in one.routes]
        if not own:
            continue
        hsts = route.response is not None and route.response.hsts is not None
        if hsts and not any(one.tls_listen or one.trusted_proxies for one in own):
            # RFC 6797 7.2: it is said by TLS alone
            what = "no listener of this route speaks TLS, or trusts a proxy that may: it is never sent"
            findings.doubt((*path, "hsts"), what)


# -- listeners


def _check_work(listeners: Sequence[AnyListener], findings: Findings) -> None:
    # One that is wrong may have work that was not understood.
    wrong = {one.path[:2] for one in findings.faults}
    for number, listener in enumerate(listeners):
        if ("listeners", number) in wrong:
            continue
        if isinstance(listener, ReverseListener) and listener.pool is None and not listener.routes:
            findings.fault(("listeners", number), "it has nothing to do", "accepted is pool, or a route for it")
        elif isinstance(listener, TcpListener) and listener.pool is None and not listener.sni:
            findings.fault(("listeners", number), "it has nothing to do", "accepted is pool or sni, or both")


def _check_precedence(parts: Parts, listeners: Sequence[AnyListener], findings: Findings) -> None:
    """Routes that can never be taken, or share what cannot be shared, in some listener."""
    numbers = {route.name: number for number, route in reversed(list(enumerate(parts.routes)))}
    # What a route matches is not known where that was not understood.
    faulty = {one.path[1] for one in findings.faults if one.path[:1] == ("routes",) and one.path[1:]}
    wrong = {route.name for number, route in enumerate(parts.routes) if number in faulty}
    said: set[Finding] = set()
    for listener in listeners:
        if not isinstance(listener, ReverseListener):
            continue
        routes = {route.name: Route(route.name, route.match, None) for route in parts.routes}
        try:
            Routes([routes[name] for name in dict.fromkeys(listener.routes) if name and name not in wrong])
        except ConfigError as fault:
            for one in fault.findings:
                if one not in said:
                    said.add(one)
                    findings.fault(("routes", numbers[str(one.path[0])]), one.said, one.accepted)


def _check_endpoints(parts: Parts, findings: Findings) -> None:
    seen: list[tuple[Path, str, Bound]] = []
    for number, listener in enumerate(parts.listeners):
        for key, endpoints in (("listen", listener.listen), ("tls_listen", listener.tls_listen)):
            for place, text in enumerate(endpoints):
                bound = Bound.of(text)
                other = next((entry for entry in seen if bound.collides(entry[2])), None)
                if other is not None:
                    whose = parts.listeners[int(other[0][1])].name
                    findings.fault(
                        ("listeners", number, key, place),
                        f"{called(text)} is taken by {other[1]} of listener {whose!r}",
                        "accepted is another endpoint for each",
                    )
                seen.append((("listeners", number, key, place), text, bound))


# -- circles


def _check_circles(parts: Parts, listeners: Sequence[AnyListener], findings: Findings) -> None:
    """A pool whose upstream is a listener of ours is well, unless that leads back to the same listener."""
    bounds = [(number, Bound.of(text)) for number, one in enumerate(listeners) for text in one.endpoints]
    leads: dict[int, dict[int, tuple[str, str]]] = {}
    for number, listener in enumerate(listeners):
        for pool in _pools_of(listener, parts):
            for upstream in pool.upstreams:
                for other in _heard_by(upstream, bounds):
                    leads.setdefault(number, {}).setdefault(other, (pool.name, upstream))
    said: set[frozenset[int]] = set()
    for number in leads:
        circle = _circle(number, leads)
        if circle and frozenset(circle) not in said:
            said.add(frozenset(circle))
            steps = []
            for one, other in zip(circle, circle[1:] + circle[:1], strict=True):
                pool_name, upstream = leads[one][other]
                steps.append(f"listener {listeners[one].name!r} -> pool {pool_name!r} ({called(upstream)})")
            findings.fault(
                ("listeners", number),
                f"requests would go in a circle: {' -> '.join(steps)} -> listener {listeners[number].name!r}; "
                "accepted are upstreams that do not lead back",
            )


def _pools_of(listener: AnyListener, parts: Parts) -> list[PoolConfig]:
    names: list[str] = []
    if isinstance(listener, TcpListener):
        names += listener.pools
    elif isinstance(listener, ReverseListener):
        names += [listener.pool] if listener.pool is not None else []
        for route in parts.routes:
            if route.name in listener.routes:
                names += route.pools
    return [parts.pools[name] for name in dict.fromkeys(names) if name in parts.pools]


def _heard_by(upstream: str, bounds: Sequence[tuple[int, Bound]]) -> list[int]:
    try:
        address = (parse_tcp_upstream(upstream) if is_tcp(upstream) else parse_upstream(upstream)).address
    except (ConfigError, UnicodeError):
        return []
    return [
        number
        for number, bound in bounds
        if (bound.path == address.path if address.path else bound.hears(address.host, address.port))
    ]


def _circle(start: int, leads: Mapping[int, Mapping[int, object]]) -> list[int]:
    """The shortest way from a listener back to itself; empty if there is none."""
    ways = [[start]]
    seen: set[int] = set()
    for way in ways:
        for following in leads.get(way[-1], {}):
            if following == start:
                return way
            if following not in seen:
                seen.add(following)
                ways.append([*way, following])
    return []
