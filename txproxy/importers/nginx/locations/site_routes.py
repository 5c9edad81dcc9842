"""The routes of one server at one listener."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

import attrs

from txproxy.importers.nginx.locations.location_order import EVERYTHING, Location, Place, in_order, locations_of
from txproxy.importers.nginx.locations.location_routes import Content, Step, in_phase, phase_of, variants_of
from txproxy.importers.nginx.locations.response_lines import response_headers
from txproxy.importers.nginx.locations.route_conditions import PATH, Table
from txproxy.importers.nginx.nginx_sites import Site, Variant, weight_of
from txproxy.importers.nginx.syntax.nginx_expressions import marked
from txproxy.importers.nginx.syntax.nginx_scopes import all_taken

_FLAGS: Final = re.compile(r"\(\?[a-z]+\)")
_OF_LOCATIONS: Final = frozenset({"location", "root", "index", "try_files", "error_page"})
# Stands for the content of whatever location is found.
_CONTENT: Final = "~content"


@attrs.frozen
class SiteRoute:
    """A route: what it is called, its conditions (``hosts`` alone where it is for a host of its own), and the rest. It
    is not for the hosts in ``but``, which others before it have.
    """

    name: str
    path: str
    conditions: Table
    table: Table
    but: tuple[str, ...] = ()


def routes_of(site: Site) -> list[SiteRoute]:
    """The routes of a server; one of them is for all that no other is for."""
    scope = site.server.scope
    before = phase_of(scope)
    if any(one.name == "return" for one, _ in before):
        # No location is ever looked for.
        all_taken(one for one in scope.directives if one.name in _OF_LOCATIONS)
        return _placed([Location(scope, implied=True)], before, site, [])
    locations, site.named = locations_of(scope)
    site.locations = locations
    first, left = _first(before, site)
    if left is None:
        return _placed(locations, before, site, [])
    return _placed(locations, (), left, first)


def _first(before: Sequence[Step], site: Site) -> tuple[list[Variant], Site | None]:
    """What the rewrites of a server answer before any location is looked for, and what is known after them; or that
    locations depend on them.
    """
    if not before:
        return [], site
    found: list[Site] = []

    def content(known: Site, inner: object) -> list[Variant]:
        found.append(known)
        return [({}, {_CONTENT: len(found)})]

    variants = in_phase(before, site, content)
    inside = [table for _, table in variants if _CONTENT in table]
    if len(inside) != 1 or variants[-1][0] or inside[0] is not variants[-1][1]:
        return [], None
    return variants[:-1], found[inside[0][_CONTENT] - 1]


def _placed(
    locations: Sequence[Location], before: Sequence[Step], site: Site, first: Sequence[Variant]
) -> list[SiteRoute]:
    variants = {id(one): variants_of(one, site, before) for one in locations}
    for location in [*_with_slash(locations, site)]:
        target = {"redirect": location.text.replace("$", "$$") + "/?$query", "status": 301}
        target |= response_headers(location.scope, site)
        variants[id(location)] = in_phase(before, site, _always(target))
        locations = [*locations, location]
    apart = bool(first) or any(
        not _in_order(found) or (len(found) > 1 and any(PATH in wanted for wanted, _ in found))
        for found in variants.values()
    )
    everywhere = Place(Location(site.server.scope, implied=True), "", EVERYTHING)
    routes = _routes(everywhere, first, True) if first else []
    seen: set[str] = set()
    for place in in_order(locations, apart):
        if place.path in seen:
            site.notes.say(place.location.scope.directive, "one before it is for all that it is for")
            continue
        seen.add(place.path)
        routes += _routes(place, variants[id(place.location)], apart)
    return routes


def _always(table: Table) -> Content:
    return lambda known, inner: [({}, table)]


def _with_slash(locations: Sequence[Location], site: Site) -> Iterable[Location]:
    """Of prefixes that end with a slash the places without it: there nginx sends clients on, where it is a proxy."""
    known = {one.text for one in locations if not one.is_expression}
    for one in locations:
        bare = one.text.removesuffix("/")
        is_prefix = not one.is_expression and one.modifier != "=" and one.text.endswith("/") and bool(bare)
        if is_prefix and bare not in known and one.scope.own("proxy_pass", "grpc_pass", "fastcgi_pass", "uwsgi_pass"):
            yield Location(one.scope, "=", bare)


def _in_order(variants: Sequence[Variant]) -> bool:
    """Whether ours are tried in this order: those with more conditions first."""
    weights = [weight_of(wanted) for wanted, _ in variants]
    return weights == sorted(weights, reverse=True)


def _routes(place: Place, variants: Sequence[Variant], apart: bool) -> list[SiteRoute]:
    """The routes of a location; each has a path of its own if they have to be told ``apart``."""
    found = []
    decided: list[str] = []
    for number, (wanted, table) in enumerate(variants):
        conditions = dict(wanted)
        path = place.path
        pattern = conditions.pop(PATH, None)
        if pattern is not None or (apart and (len(variants) > 1 or not place.path)):
            path = marked(_both(place.expression, pattern, number))
        name = _called(place.location) + (f" ({number + 1})" if len(variants) > 1 else "")
        found.append(SiteRoute(name, path, conditions, table, tuple(decided)))
        if wanted.keys() == {"hosts"}:
            decided += wanted["hosts"]
    return found


def _called(location: Location) -> str:
    modifier = f"{location.modifier} " if location.modifier else ""
    return f"{modifier}{location.text}"


def _both(expression: str, pattern: str | None, number: int) -> str:
    """What matches both; a comment makes it differ from others that do."""
    flags = _FLAGS.match(expression)
    before, rest = (flags[0], expression[len(flags[0]) :]) if flags is not None else ("", expression)
    mark = f"(?#{number + 1})"
    if pattern is None:
        return f"{before}{mark}{rest}"
    inner = _FLAGS.match(pattern)
    if inner is not None:
        letters = inner[0][2:-1]
        pattern = f"(?{letters}:{pattern[len(inner[0]) :]})"
    if rest == EVERYTHING and not before:
        return f"{mark}{pattern}"
    return f"{before}{mark}(?={pattern}$){rest}"
