"""Where routes stand: by host and path, and at one place in the order in which they are asked."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import blake2b
from itertools import accumulate
from typing import Any, Final, Generic, TypeAlias

from txproxy.frozen_values import frozen
from txproxy.interfaces.context import RequestContext
from txproxy.matching.hosts import HostPattern
from txproxy.matching.paths import PathPattern
from txproxy.reverse.routing.conditions import Condition
from txproxy.reverse.routing.matches import HostExpression
from txproxy.reverse.routing.route import A, Route, Sticky
from txproxy.wire.message import RequestHead

_PATH_RANKS: Final = {"=": 0, "/": 1, "~": 2, "": 3}


class Share(Generic[A]):
    """Routes that match the same, each with its weight."""

    __slots__ = ("total", "_routes", "_bounds", "_random", "_sticky")

    def __init__(self, routes: Sequence[Route[A]], random: Callable[[], float], sticky: Sticky | None) -> None:
        self._routes = routes
        self._bounds = list(accumulate(route.match.weight or 0 for route in routes))
        self.total = self._bounds[-1]
        self._random = random
        self._sticky = sticky

    def draw(self, head: RequestHead, context: RequestContext) -> Route[A]:
        """Whose turn it is."""
        if self._sticky is None:
            point = self._random()
        else:
            # The same in all processes and after a restart; and one of two whose weight grows keeps its clients.
            digest = blake2b(self._sticky(head, context), digest_size=6).digest()
            point = int.from_bytes(digest, "big") / (1 << 48)
        return self._routes[bisect_right(self._bounds, point * self.total)]


class Entry(Generic[A]):
    """What must hold at one place (host and path), and the route then: several where they share by weight.

    ``rank`` is what entries are sorted by: host, path, conditions, and the order written.
    """

    __slots__ = ("place", "conditions", "rank", "routes", "tests", "share")

    def __init__(self, place: Place, route: Route[A], rank: tuple[Any, ...]) -> None:
        self.place = place
        self.conditions = frozenset(route.match.conditions)
        self.rank = rank
        self.routes = [route]
        # in the order written: so who knows which condition fails most may have it tried first
        self.tests = tuple(condition.holds for condition in route.match.conditions)
        self.share: Share[A] | None = None

    def covers(self, other: Entry[A]) -> bool:
        """Whether nothing is left for ``other``, which comes later at the same place."""
        return all(any(ours.covers(theirs) for theirs in other.conditions) for ours in self.conditions)


@frozen
class Hosts:
    """Hosts whose routes stand together: ``name`` itself, or with ``below`` all under it. What a pattern for both says
    of the name itself is ``loose``, and stands behind a pattern for that name alone.
    """

    name: str
    below: bool = False
    loose: bool = False
    expression: HostExpression | None = None

    @classmethod
    def of(cls, pattern: HostPattern | HostExpression) -> tuple[Hosts, ...]:
        """Where the routes of a pattern stand."""
        if isinstance(pattern, HostExpression):
            return (cls(pattern.text, expression=pattern),)
        below = (cls(pattern.name, below=True),) if pattern.sign else ()
        return below if pattern.sign == "*." else (cls(pattern.name, loose=bool(below)), *below)

    @property
    def rank(self) -> tuple[int, int]:
        """What is more specific has less."""
        if self.expression is not None:
            return 2, 0
        return (1, -len(self.name)) if self.below else (0, self.loose)

    def has(self, host: str) -> bool:
        """Whether ``host`` is one of them."""
        if self.expression is not None:
            return self.expression.holds(host)
        return host.endswith("." + self.name) if self.below else host == self.name


Place: TypeAlias = "tuple[Hosts | None, PathPattern]"
Entries: TypeAlias = "tuple[Entry[A], ...]"


def places_of(routes: Sequence[Route[A]]) -> dict[Place, Entries[A]]:
    """Where each route stands: at each of its hosts, with its path; those of a place in order of precedence."""
    places: dict[Place, dict[frozenset[Condition], Entry[A]]] = {}
    for order, route in enumerate(routes):
        path, conditions = route.match.path_pattern, frozenset(route.match.conditions)
        standing = [host for pattern in route.match.host_patterns for host in Hosts.of(pattern)]
        for host in dict.fromkeys(standing) or (None,):
            entries = places.setdefault((host, path), {})
            if conditions in entries:
                entries[conditions].routes.append(route)
                continue
            # All with the same expression stand where it was written first.
            first = min((entry.rank[-1] for entry in entries.values()), default=order)
            rank = ((3, 0) if host is None else host.rank, _path_rank(path, first), -len(conditions), order)
            entries[conditions] = Entry((host, path), route, rank)
    return {place: tuple(sorted(found.values(), key=lambda entry: entry.rank)) for place, found in places.items()}


def _path_rank(path: PathPattern, order: int) -> tuple[int, int]:
    return _PATH_RANKS[path.kind], {"/": -len(path.text), "~": order}.get(path.kind, 0)


def entries_of(places: Mapping[Place, Entries[A]]) -> Iterator[Entry[A]]:
    """All that stands anywhere."""
    for entries in places.values():
        yield from entries
