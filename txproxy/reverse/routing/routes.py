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
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, Final, Generic

from txproxy.errors import AmbiguousPath, ConfigError
from txproxy.interfaces.context import RequestContext
from txproxy.matching.paths import PLAIN, PathPattern, readings
from txproxy.reverse.routing.matches import host_of
from txproxy.reverse.routing.path_index import PathIndex
from txproxy.reverse.routing.route import A, Route, Sticky
from txproxy.reverse.routing.route_faults import faults_of
from txproxy.reverse.routing.route_places import Entries, Entry, Hosts, Share, entries_of, places_of
from txproxy.wire.message import RequestHead

_REMEMBERED_HOSTS: Final = 1024
# RFC 1035 2.3.4, and a port: who sends a longer one shall not fill the memory.
_LONGEST_AUTHORITY: Final = 261
_plain: Final = PLAIN.fullmatch


class Routes(Generic[A]):
    """Finds the route for a request.

    Routes that share by weight draw at random (``random`` gives a float from 0 up to 1), or, with ``sticky``, by a hash
    of the key that it gives, such as :func:`txproxy.reverse.by_client_ip`. A name that is not unique, and a route that
    can never be taken since one that comes first matches all that it would, are a ``ConfigError``, with one line for
    each.
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
        self._places = places = places_of(self.routes)
        faults = faults_of(self.routes, places)
        if faults:
            raise ConfigError(faults)
        by_host: dict[Hosts | None, dict[PathPattern, Entries[A]]] = {}
        for (host, path), entries in places.items():
            by_host.setdefault(host, {})[path] = entries
            for entry in entries:
                if entry.routes[0].match.weight is not None:
                    entry.share = Share(entry.routes, random, sticky)
        indexed = {host: PathIndex(paths) for host, paths in by_host.items()}
        self._exact: dict[str, tuple[PathIndex[A], ...]] = {}
        for host in sorted((host for host in indexed if host is not None), key=lambda host: host.rank):
            if not host.below and host.expression is None:
                self._exact[host.name] = (*self._exact.get(host.name, ()), indexed[host])
        self._under = {host.name: paths for host, paths in indexed.items() if host is not None and host.below}
        self._expressions = tuple(
            (host.expression, paths)
            for host, paths in indexed.items()
            if host is not None and host.expression is not None
        )
        self._everywhere: tuple[PathIndex[A], ...] = (indexed[None],) if None in indexed else ()
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

    def _by_all_readings(self, path: bytes, head: RequestHead, context: RequestContext) -> Entry[A] | None:
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

    def _at(self, path: bytes, head: RequestHead, context: RequestContext) -> Entry[A] | None:
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

    def _of_host(self, authority: bytes) -> tuple[PathIndex[A], ...]:
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
        standing: dict[Route[A], Entry[A]] = {}
        for entry in sorted(entries_of(self._places), key=lambda entry: (not _is_for(entry, host), entry.rank)):
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


def _name_of(entry: Entry[Any] | None) -> str:
    return entry.routes[0].name if entry is not None else "none"


def _is_for(entry: Entry[Any], host: str) -> bool:
    hosts = entry.place[0]
    return hosts is None or hosts.has(host)


def _second(route: Route[A], entry: Entry[A], taken: Route[A], first: Entry[A]) -> str:
    """Why ``route``, which matches as well, is not the one ``taken``."""
    if entry is first and entry.share is not None:
        return f"weight is {route.match.weight} of {entry.share.total}, and {taken.name} was drawn"
    both_patterns = entry.place[1].kind == first.place[1].kind == "~" and entry.place != first.place
    if entry.rank[0] == first.rank[0] and (both_patterns or entry.rank[:-1] == first.rank[:-1]):
        return f"as specific as {taken.name}, and written after it"
    return f"less specific than {taken.name}"
