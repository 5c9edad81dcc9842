"""``allow`` and ``deny``: the first line counts that a client's address is in."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeAlias

from txproxy.importers.nginx.locations.location_logins import GUARDS
from txproxy.importers.nginx.locations.response_lines import response_headers
from txproxy.importers.nginx.locations.route_conditions import Table
from txproxy.importers.nginx.nginx_sites import Site, Variant, joined, joined_all
from txproxy.importers.nginx.syntax.blocks import Directive
from txproxy.importers.nginx.syntax.nginx_scopes import Scope, all_taken
from txproxy.importers.notes import Untranslatable

_Network: TypeAlias = "ipaddress.IPv4Network | ipaddress.IPv6Network"
_UNIX: Final = "unix:"
_ALL: Final = tuple(map(ipaddress.ip_network, ("0.0.0.0/0", "::/0")))
_LOGINS: Final = frozenset({"login", "auth"})


def with_access(scope: Scope, site: Site, made: Callable[[], list[Variant]]) -> list[Variant]:
    """What is ``made`` of requests, for those clients that are allowed; the others are refused."""
    lines = scope.all("allow", "deny")
    if not lines:
        scope.all("satisfy")
        return made()
    refuse: Table = {"respond": 403, **response_headers(scope, site)}
    try:
        allowed, refused = decided(lines)
        if not refused:
            return made()
        if scope.word("satisfy", "all") == "any" and (found := _either(allowed, made())):
            return found
        if not allowed:
            all_taken(scope.directives)
            return [({}, refuse)]
        if _has_all(allowed):
            return [({"clients": refused}, refuse), *made()]
        return [*joined_all({"clients": allowed}, made()), ({}, refuse)]
    except Untranslatable as fault:
        site.notes.say(lines[0], f"nobody is allowed: {fault}")
        all_taken(scope.directives)
        return [({}, refuse)]


def with_methods(scope: Scope, site: Site, variants: list[Variant]) -> list[Variant]:
    """``variants`` for the methods that ``limit_except`` names (GET takes HEAD); nobody may use others."""
    for directive in scope.own("limit_except"):
        inner = scope.within(directive)
        allowed, refused = decided(inner.own("allow", "deny"))
        logins = [one for one in inner.own("auth_basic", "auth_request", *GUARDS) if one.first != "off"]
        if not refused and not logins:
            continue
        if logins:
            site.notes.say(directive, "nobody may use other methods, whoever may log in")
        elif allowed:
            site.notes.say(directive, "nobody may use other methods, whoever is allowed to")
        all_taken(inner.directives)
        refuse: Table = {"respond": 403, **response_headers(scope, site)}
        return [*joined_all({"methods": list(directive.words)}, variants), ({}, refuse)]
    return variants


def _either(allowed: Sequence[str], variants: Sequence[Variant]) -> list[Variant]:
    """Those who are allowed need no login, and the others do; nothing where nobody has to log in."""
    if not all(_LOGINS & table.keys() for _, table in variants):
        return []
    if not allowed:
        return list(variants)
    free = [
        (joined({"clients": list(allowed)}, wanted), {key: said for key, said in table.items() if key not in _LOGINS})
        for wanted, table in variants
    ]
    return [*free, *variants]


def decided(lines: Iterable[Directive]) -> tuple[list[str], list[str]]:
    """Who is allowed, and who is refused, as networks. Those of whom nothing is said are allowed."""
    left: list[_Network] = [*_ALL]
    sockets_left = True
    found: dict[str, list[_Network]] = {"allow": [], "deny": []}
    sockets = {"allow": False, "deny": False}
    for line in lines:
        if line.first in ("all", _UNIX):
            sockets[line.name] = sockets[line.name] or sockets_left
            sockets_left = False
        if line.first == _UNIX:
            continue
        networks = list(_ALL) if line.first == "all" else [_network(line.first)]
        for network in networks:
            found[line.name] += [part for other in left if (part := _common(other, network)) is not None]
            left = [part for other in left for part in _without(other, network)]
    found["allow"] += left
    sockets["allow"] = sockets["allow"] or sockets_left
    return _texts(found["allow"], sockets["allow"]), _texts(found["deny"], sockets["deny"])


def _network(text: str) -> _Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise Untranslatable(f"{text or 'nothing'} is no network") from None


def _common(one: _Network, other: _Network) -> _Network | None:
    if one.version != other.version or not one.overlaps(other):
        return None
    return one if one.prefixlen >= other.prefixlen else other


def _without(one: _Network, other: _Network) -> list[_Network]:
    common = _common(one, other)
    if common is None:
        return [one]
    return [] if common == one else list(one.address_exclude(common))  # type: ignore[arg-type]


def _texts(networks: Iterable[_Network], sockets: bool) -> list[str]:
    merged: list[str] = []
    for version in (4, 6):
        merged += map(str, ipaddress.collapse_addresses([one for one in networks if one.version == version]))  # type: ignore[type-var]
    return [*merged, *([_UNIX] if sockets and merged else [])]


def _has_all(networks: Sequence[str]) -> bool:
    """Whether it is shorter to say who is refused."""
    return len(networks) > 4
