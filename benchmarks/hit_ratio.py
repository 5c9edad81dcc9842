"""``python -m benchmarks.hit_ratio``: how often people find what they ask for in a cache, with and without a crawler.

Made-up traces: people ask for some objects much more often than for others, and a crawler asks for each page once. The
store in memory counts all that an entry takes, the others only the bytes of bodies, so that they have more room.
"""

from __future__ import annotations

import argparse
import heapq
import random
from bisect import bisect
from collections import OrderedDict
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Protocol

import attrs

from benchmarks.report import aligned
from txproxy.cache.memory.memory_store import MemoryStore
from txproxy.cache.stored import Entry, Freshness, StoredHead
from txproxy.wire.headers import Headers

_HEAD = StoredHead(200, b"OK", Headers(), 0.0, 0.0, Freshness(1e9, 0.0))


@attrs.frozen
class Trace:
    """Requests for ``objects``, of which ``crawler`` (0 to 1) are the crawler's."""

    objects: int
    requests: int
    crawler: float
    skew: float = 0.9
    """How much more often the first is asked for than the others: the exponent of Zipf's law."""

    def __iter__(self) -> Iterator[tuple[int, bool]]:
        """What is asked for, and whether people ask for it."""
        chance = random.Random(7)
        weights = list(accumulate((place + 1) ** -self.skew for place in range(self.objects)))
        page = self.objects
        for _ in range(self.requests):
            if chance.random() < self.crawler:
                page += 1
                yield page, False
            else:
                yield bisect(weights, chance.random() * weights[-1]), True


def size_of(name: int) -> int:
    """Between 2 and 32 kB."""
    return 2_000 + name * 2654435761 % 2**32 % 30_000


class Cache(Protocol):
    """What is measured."""

    def has(self, name: int) -> bool:
        """Whether it is there; if not, it is put there."""


class Lru:
    """What was used longest ago goes first."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._kept: OrderedDict[int, int] = OrderedDict()

    def has(self, name: int) -> bool:
        """See :class:`Cache`."""
        if name in self._kept:
            self._kept.move_to_end(name)
            return True
        self._kept[name] = size_of(name)
        self._room -= size_of(name)
        while self._room < 0:
            self._room += self._kept.popitem(last=False)[1]
        return False


class Lfu:
    """What was used least goes first, and of that what is oldest. Uses are forgotten with it."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._uses: dict[int, int] = {}
        self._order: list[tuple[int, int, int]] = []
        self._turn = 0

    def has(self, name: int) -> bool:
        """See :class:`Cache`."""
        known = name in self._uses
        if not known:
            self._room -= size_of(name)
            while self._room < 0:
                uses, _, other = heapq.heappop(self._order)
                if self._uses.get(other) == uses:
                    del self._uses[other]
                    self._room += size_of(other)
        self._turn += 1
        self._uses[name] = self._uses.get(name, 0) + 1
        heapq.heappush(self._order, (self._uses[name], self._turn, name))
        return known


class Memory:
    """The store in memory."""

    def __init__(self, room: int) -> None:
        self._store = MemoryStore(room)

    def has(self, name: int) -> bool:
        """See :class:`Cache`."""
        key = b"%032d" % name
        found = self._store.variants(key)
        if found:
            self._store.used(found[0])
            return True
        writer = self._store.body(size_of(name))
        if writer.write(bytes(size_of(name))):
            self._store.put(Entry(key, _HEAD, writer.finish()))
        return False


CACHES: dict[str, Callable[[int], Cache]] = {"LRU": Lru, "LFU": Lfu, "memory store": Memory}


def ratio(cache: Cache, trace: Trace) -> float:
    """How many of the people's requests find it there."""
    hits = asked = 0
    for name, by_people in trace:
        found = cache.has(name)
        asked += by_people
        hits += found and by_people
    return hits / asked


def main() -> None:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hit_ratio", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--objects", type=int, default=20_000, metavar="N", help="that people ask for (20000)")
    parser.add_argument("--requests", type=int, default=200_000, metavar="N", help="of all (200000)")
    options = parser.parse_args()
    whole = sum(map(size_of, range(options.objects)))
    lines = [["room", "crawler", *CACHES, "to LRU", ""]]
    for part in (0.02, 0.06, 0.2):
        for crawler in (0.0, 0.5, 0.8):
            trace = Trace(options.objects, options.requests, crawler)
            ratios = [ratio(cache(int(whole * part)), trace) for cache in CACHES.values()]
            more = f"{ratios[-1] - ratios[0]:+.3f}"
            lines.append([f"{part:.0%}", f"{crawler:.0%}", *(f"{one:.3f}" for one in ratios), more, ""])
    print(f"hit ratio of people's requests; room as a share of all {whole / 1e6:,.0f} MB that they ask for")
    print(aligned(lines))


if __name__ == "__main__":
    main()
