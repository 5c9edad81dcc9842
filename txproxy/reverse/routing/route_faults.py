"""What is wrong with routes, taken together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from txproxy.errors import Finding
from txproxy.reverse.routing.route import A, Route
from txproxy.reverse.routing.route_places import Entries, Place, entries_of


def faults_of(routes: Sequence[Route[A]], places: Mapping[Place, Entries[A]]) -> list[Finding]:
    """Names that are not unique, shares that are none, and routes that can never be taken."""
    return [*_repeated_names(routes), *_faulty_shares(places), *_never_taken(routes, places)]


def _wrong(route: Route[Any], said: str, accepted: str) -> Finding:
    """What is wrong with a route, whose name is its path."""
    return Finding((route.name,), said, accepted, "")


def _repeated_names(routes: Sequence[Route[Any]]) -> list[Finding]:
    counted = Counter(route.name for route in routes)
    first = {route.name: route for route in reversed(routes)}
    return [
        _wrong(first[name], f"route {name!r} is there {count} times", "accepted is a name of its own for each")
        for name, count in counted.items()
        if count > 1
    ]


def _faulty_shares(places: Mapping[Place, Entries[Any]]) -> list[Finding]:
    faults: dict[Finding, None] = {}
    for entry in entries_of(places):
        names = " and ".join(repr(route.name) for route in entry.routes)
        weights = [route.match.weight for route in entry.routes]
        if not any(weights) and None not in weights:
            said = f"route {names}: no weight is above 0, so that none can be taken"
            faults[_wrong(entry.routes[0], said, "accepted is one that is")] = None
        elif None in weights and any(weight is not None for weight in weights):
            said = f"routes {names} match the same, and not all have a weight"
            faults[_wrong(entry.routes[0], said, "accepted is one for each")] = None
    return list(faults)


def _never_taken(routes: Sequence[Route[A]], places: Mapping[Place, Entries[A]]) -> list[Finding]:
    standing: dict[Route[A], int] = dict.fromkeys(routes, 0)
    shadows: dict[Route[A], list[Route[A]]] = {route: [] for route in routes}
    for entries in places.values():
        for number, entry in enumerate(entries):
            shadow = next((other.routes[0] for other in entries[:number] if other.covers(entry)), None)
            for route in entry.routes:
                standing[route] += 1
                if shadow is not None:
                    shadows[route].append(shadow)
                elif route is not entry.routes[0] and all(other.match.weight is None for other in entry.routes):
                    shadows[route].append(entry.routes[0])
    return [
        _wrong(
            route,
            f"route {route.name!r} can never be taken: {found[0].name!r} matches all that it does, and comes first",
            "accepted is another match, or a weight for each",
        )
        for route, found in shadows.items()
        if found and len(found) == standing[route]
    ]
