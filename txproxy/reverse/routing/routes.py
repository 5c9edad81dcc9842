"""From a request to the route that is taken.

Of the routes that match, the most specific is taken: a host's own name before the longest wildcard before a regular
expression (in the order written) before any host; then an exact path before the longest prefix before a regular
expression (in the order written) before any path; then more conditions before fewer (methods and clients are one each,
and so is each header and query parameter); then the order written. A host that has routes of its own gets those for any
host as well, where none of its own match.

A path that servers may read in more than one way is looked up by each reading, and has to lead to the same route by all
of them: else the rules of one route could be had for what an upstream takes for another's.

All of it is decided when the routes are built. A look-up is one of the host, one of the whole path, one for each slash
within the longest prefix, and the conditions of the few routes found there; how many routes there are does not matter.
Regular expressions are tried one by one, except those that begin with a literal segment (``/users/``), which are found
by it.
"""

from __future__ import annotations

import random as _random
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from itertools import accumulate
from typing import Any, Final, Generic, TypeAlias, TypeVar

from txproxy.errors import AmbiguousPath, ConfigError, Finding
from txproxy.frozen_values import frozen
from txproxy.interfaces.context import RequestContext
from txproxy.matching.hosts import HostPattern
from txproxy.matching.paths import PLAIN, PathPattern, readings
from txproxy.reverse.routing.conditions import Condition
from txproxy.reverse.routing.matches import HostExpression, Match, host_of
from txproxy.wire.message import RequestHead

A = TypeVar("A")
Sticky: TypeAlias = "Callable[[RequestHead, RequestContext], bytes]"

_REMEMBERED_HOSTS: Final = 1024
# RFC 1035 2.3.4, and a port: who sends a longer one shall not fill the memory.
_LONGEST_AUTHORITY: Final = 261
_plain: Final = PLAIN.fullmatch
# An alternative, or flags for all of it.
_UNSURE: Final = re.compile(rb"\||\(\?[A-Za-z]+\)")
_FIRST_SEGMENT: Final = re.compile(rb"(/(?:[A-Za-z0-9_~-]|\\[.~_-])+)/(?![?*{])")
_PATH_RANKS: Final = {"=": 0, "/": 1, "~": 2, "": 3}


@frozen(eq=False)
class Route(Generic[A]):
    """``name`` is unique among its like, and stands in logs; ``action`` is whatever is to be done."""

    name: str
    match: Match
    action: A


def by_client_ip(head: RequestHead, context: RequestContext) -> bytes:
    """A ``sticky`` key: a client always gets the same one of the routes that share by weight."""
    return context.client_ip.encode("utf-8")


class _Share(Generic[A]):
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


class _Entry(Generic[A]):
    """What must hold at one place (host and path), and the route then: several where they share by weight.

    ``rank`` is what entries are sorted by: host, path, conditions, and the order written.
    """

    __slots__ = ("place", "conditions", "rank", "routes", "tests", "share")

    def __init__(self, place: _Place, route: Route[A], rank: tuple[Any, ...]) -> None:
        self.place = place
        self.conditions = frozenset(route.match.conditions)
        self.rank = rank
        self.routes = [route]
        # in the order written: so who knows which condition fails most may have it tried first
        self.tests = tuple(condition.holds for condition in route.match.conditions)
        self.share: _Share[A] | None = None

    def covers(self, other: _Entry[A]) -> bool:
        """Whether nothing is left for ``other``, which comes later at the same place."""
        return all(any(ours.covers(theirs) for theirs in other.conditions) for ours in self.conditions)


@frozen
class _Hosts:
    """Hosts whose routes stand together: ``name`` itself, or with ``below`` all under it. What a pattern for both says
    of the name itself is ``loose``, and stands behind a pattern for that name alone.
    """

    name: str
    below: bool = False
    loose: bool = False
    expression: HostExpression | None = None

    @classmethod
    def of(cls, pattern: HostPattern | HostExpression) -> tuple[_Hosts, ...]:
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


_Place: TypeAlias = "tuple[_Hosts | None, PathPattern]"
_Entries: TypeAlias = "tuple[_Entry[A], ...]"


def _take(entries: _Entries[A], head: RequestHead, context: RequestContext) -> _Entry[A] | None:
    for entry in entries:
        for holds in entry.tests:
            if not holds(head, context):
                break
        else:
            return entry
    return None


class _Paths(Generic[A]):
    """The routes of one host pattern, by path."""

    __slots__ = ("_exact", "_at", "_below", "_longest", "_patterns", "_by_segment", "_any")

    def __init__(self, entries: Mapping[PathPattern, _Entries[A]]) -> None:
        self._exact = {path.text: found for path, found in entries.items() if path.kind == "="}
        prefixes = {path.text: found for path, found in entries.items() if path.kind == "/"}
        # A prefix that ends in a slash is for what is below it alone, and longer than the one without.
        self._at = {text: found for text, found in prefixes.items() if text[-1:] != b"/"}
        self._below = {
            text: prefixes.get(text + b"/", ()) + self._at.get(text, ())
            for text in (text.removesuffix(b"/") for text in prefixes)
        }
        self._longest = max(map(len, self._below), default=0)
        self._any = entries.get(PathPattern(), ())
        patterns = [
            (_first_segment(path.text), path.fullmatch, found)
            for path, found in entries.items()
            if path.fullmatch is not None
        ]
        self._patterns = tuple((fullmatch, found) for segment, fullmatch, found in patterns if segment is None)
        self._by_segment = {
            wanted: tuple((fullmatch, found) for segment, fullmatch, found in patterns if segment in (None, wanted))
            for wanted in {segment for segment, _, _ in patterns if segment is not None}
        }

    def find(self, path: bytes, head: RequestHead, context: RequestContext) -> _Entry[A] | None:
        """What is for a reading of the ``path``."""
        found = self._exact.get(path)
        if found is not None and (entry := _take(found, head, context)) is not None:
            return entry
        below = self._below
        if below:
            found = self._at.get(path)
            if found is not None and (entry := _take(found, head, context)) is not None:
                return entry
            slash = path.rfind(b"/", 0, self._longest + 1)
            while slash > 0:
                found = below.get(path[:slash])
                if found is not None and (entry := _take(found, head, context)) is not None:
                    return entry
                slash = path.rfind(b"/", 0, slash)
        patterns = self._patterns
        if self._by_segment:
            slash = path.find(b"/", 1)
            if slash > 0:
                patterns = self._by_segment.get(path[:slash], patterns)
        for fullmatch, found in patterns:
            if fullmatch(path) is not None and (entry := _take(found, head, context)) is not None:
                return entry
        return _take(self._any, head, context)


def _first_segment(pattern: bytes) -> bytes | None:
    """``b"/users"`` of ``/users/[0-9]+``: with what, and a slash, all paths begin that it matches; None where that is
    not plain to see.
    """
    found = _FIRST_SEGMENT.match(pattern)
    return found[1].replace(b"\\", b"") if found is not None and not _UNSURE.search(pattern) else None


class Routes(Generic[A]):
    """Finds the route for a request.

    Routes that share by weight draw at random (``random`` gives a float from 0 up to 1), or, with ``sticky``, by a hash
    of the key that it gives, such as :func:`by_client_ip`. A name that is not unique, and a route that can never be
    taken since one that comes first matches all that it would, are a ``ConfigError``, with one line for each.
    """

    def __init__(
        self,
        routes: Iterable[Route[A]],
        *,
        sticky: Sticky | None = None,
        random: Callable[[], float] = _random.random,
    ) -> None:
        self.routes = tuple(routes)
        # whether some are drawn, or code is asked, so that a request may take another one when it comes again
        drawn = sticky is None and any(route.match.weight is not None for route in self.routes)
        self.by_chance = drawn or not all(route.match.settled for route in self.routes)
        self._places = places = _places(self.routes)
        faults = [*_repeated_names(self.routes), *_faulty_shares(places), *_never_taken(self.routes, places)]
        if faults:
            raise ConfigError(faults)
        by_host: dict[_Hosts | None, dict[PathPattern, _Entries[A]]] = {}
        for (host, path), entries in places.items():
            by_host.setdefault(host, {})[path] = entries
            for entry in entries:
                if entry.routes[0].match.weight is not None:
                    entry.share = _Share(entry.routes, random, sticky)
        indexed = {host: _Paths(paths) for host, paths in by_host.items()}
        self._exact: dict[str, tuple[_Paths[A], ...]] = {}
        for host in sorted((host for host in indexed if host is not None), key=lambda host: host.rank):
            if not host.below and host.expression is None:
                self._exact[host.name] = (*self._exact.get(host.name, ()), indexed[host])
        self._under = {host.name: paths for host, paths in indexed.items() if host is not None and host.below}
        self._expressions = tuple(
            (host.expression, paths)
            for host, paths in indexed.items()
            if host is not None and host.expression is not None
        )
        self._everywhere: tuple[_Paths[A], ...] = (indexed[None],) if None in indexed else ()
        self._any_host = not self._exact and not self._under and not self._expressions
        # where no route asks for a path, all its readings lead to the same
        self._any_path = all(not path.kind for _, path in places)
        self._remembered = lru_cache(maxsize=max(_REMEMBERED_HOSTS, 2 * len(indexed)))(self._of_host)

    def find(self, head: RequestHead, context: RequestContext) -> Route[A] | None:
        """The route that is taken, or None; ``AmbiguousPath`` if it would be another by another reading of the path."""
        target = head.path
        plain = _plain(target)
        if plain is not None:
            entry = self._at(plain[1], head, context)
        elif self._any_path:
            entry = self._at(target, head, context)
        else:
            entry = self._by_all_readings(target.partition(b"?")[0], head, context)
        if entry is None:
            return None
        share = entry.share
        return entry.routes[0] if share is None else share.draw(head, context)

    def _by_all_readings(self, path: bytes, head: RequestHead, context: RequestContext) -> _Entry[A] | None:
        read = readings(path)
        entry = self._at(read[0], head, context)
        for reading in read[1:]:
            other = self._at(reading, head, context)
            # A route that has several hosts may stand at more than one place.
            if other is not entry and (other is None or entry is None or other.routes != entry.routes):
                raise AmbiguousPath(
                    "the path leads to different routes by different readings: "
                    f"to {_name_of(entry)}, and to {_name_of(other)}"
                )
        return entry

    def _at(self, path: bytes, head: RequestHead, context: RequestContext) -> _Entry[A] | None:
        """What stands first for a reading of the path."""
        if self._any_host:
            candidates = self._everywhere
        elif len(head.authority) <= _LONGEST_AUTHORITY:
            candidates = self._remembered(head.authority)
        else:
            candidates = self._of_host(head.authority)
        for paths in candidates:
            entry = paths.find(path, head, context)
            if entry is not None:
                return entry
        return None

    def _of_host(self, authority: bytes) -> tuple[_Paths[A], ...]:
        """Where to look for a host, in order."""
        name = host_of(authority)
        found = list(self._exact.get(name, ()))
        while self._under and name:
            name = name.partition(".")[2]
            if name in self._under:
                found.append(self._under[name])
        host = host_of(authority) if self._expressions else ""
        found += [paths for expression, paths in self._expressions if expression.holds(host)]
        return (*found, *self._everywhere)

    def explain(self, head: RequestHead, context: RequestContext, taken: Route[A] | None) -> list[tuple[Route[A], str]]:
        """Each route, in the order in which they would be taken, with ``"taken"`` for the one that is, or why it is
        not.
        """
        host, path = host_of(head.authority), readings(head.path.partition(b"?")[0])[0]
        # Of a route's hosts, that by which it is found; where there is none, the most specific.
        standing: dict[Route[A], _Entry[A]] = {}
        for entry in sorted(_entries(self._places), key=lambda entry: (not _is_for(entry, host), entry.rank)):
            for route in entry.routes:
                standing.setdefault(route, entry)
        said = []
        for route, entry in sorted(standing.items(), key=lambda item: item[1].rank):
            if route is taken:
                why = "taken"
            else:
                why = route.match.why_not(host, path, head, context)
                if not why and taken is not None:
                    why = _second(route, entry, taken, standing[taken])
            said.append((route, why))
        return said


def _name_of(entry: _Entry[Any] | None) -> str:
    return entry.routes[0].name if entry is not None else "none"


def _is_for(entry: _Entry[Any], host: str) -> bool:
    hosts = entry.place[0]
    return hosts is None or hosts.has(host)


def _second(route: Route[A], entry: _Entry[A], taken: Route[A], first: _Entry[A]) -> str:
    """Why ``route``, which matches as well, is not the one ``taken``."""
    if entry is first and entry.share is not None:
        return f"weight is {route.match.weight} of {entry.share.total}, and {taken.name} was drawn"
    both_patterns = entry.place[1].kind == first.place[1].kind == "~" and entry.place != first.place
    if entry.rank[0] == first.rank[0] and (both_patterns or entry.rank[:-1] == first.rank[:-1]):
        return f"as specific as {taken.name}, and written after it"
    return f"less specific than {taken.name}"


# -- when routes are built


def _places(routes: Sequence[Route[A]]) -> dict[_Place, _Entries[A]]:
    """Where each route stands: at each of its hosts, with its path; those of a place in order of precedence."""
    places: dict[_Place, dict[frozenset[Condition], _Entry[A]]] = {}
    for order, route in enumerate(routes):
        path, conditions = route.match.path_pattern, frozenset(route.match.conditions)
        standing = [host for pattern in route.match.host_patterns for host in _Hosts.of(pattern)]
        for host in dict.fromkeys(standing) or (None,):
            entries = places.setdefault((host, path), {})
            if conditions in entries:
                entries[conditions].routes.append(route)
                continue
            # All with the same expression stand where it was written first.
            first = min((entry.rank[-1] for entry in entries.values()), default=order)
            rank = ((3, 0) if host is None else host.rank, _path_rank(path, first), -len(conditions), order)
            entries[conditions] = _Entry((host, path), route, rank)
    return {place: tuple(sorted(found.values(), key=lambda entry: entry.rank)) for place, found in places.items()}


def _path_rank(path: PathPattern, order: int) -> tuple[int, int]:
    return _PATH_RANKS[path.kind], {"/": -len(path.text), "~": order}.get(path.kind, 0)


def _entries(places: Mapping[_Place, _Entries[A]]) -> Iterator[_Entry[A]]:
    for entries in places.values():
        yield from entries


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


def _faulty_shares(places: Mapping[_Place, _Entries[Any]]) -> list[Finding]:
    faults: dict[Finding, None] = {}
    for entry in _entries(places):
        names = " and ".join(repr(route.name) for route in entry.routes)
        weights = [route.match.weight for route in entry.routes]
        if not any(weights) and None not in weights:
            said = f"route {names}: no weight is above 0, so that none can be taken"
            faults[_wrong(entry.routes[0], said, "accepted is one that is")] = None
        elif None in weights and any(weight is not None for weight in weights):
            said = f"routes {names} match the same, and not all have a weight"
            faults[_wrong(entry.routes[0], said, "accepted is one for each")] = None
    return list(faults)


def _never_taken(routes: Sequence[Route[A]], places: Mapping[_Place, _Entries[A]]) -> list[Finding]:
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
