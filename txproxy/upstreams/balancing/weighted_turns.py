"""Shares by weight: in smooth turns, or by lot."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Mapping, Sequence
from heapq import heapify, heappop, heappush, heapreplace
from math import gcd
from operator import add
from random import Random
from typing import Final, Generic, TypeAlias, TypeVar

T = TypeVar("T")

# Up to this many additions a whole cycle is worked out beforehand, which takes 2 ms: eight items of any weights up to
# 1000, sixteen of 250 on average, a hundred of 6.
_WORK: Final = 1 << 16
# The fraction of the golden section spreads any number of first turns evenly over a period.
_GOLDEN: Final = 0.6180339887498949
# Draws before all that are not skipped are searched. Seven of eight may be skipped, and it still is the rarer way.
_DRAWS: Final = 8

Skip: TypeAlias = "Callable[[T], bool]"


def smooth_cycle(weights: Sequence[float]) -> list[int] | None:
    """The positions of ``weights`` in the order of nginx's smooth weighted round-robin, until it repeats itself.

    In each step every item gains its weight, the richest is next (the first of several), and pays for all: 5, 1, 1
    give 0 0 1 0 2 0 0. None where weights differ and are not whole, or the cycle is too long to be worked out.
    """
    if len(set(weights)) < 2:
        return list(range(len(weights)))
    whole = [int(weight) for weight in weights]
    if whole != list(weights):
        return None
    divisor = gcd(*whole)
    whole = [weight // divisor for weight in whole]
    total = sum(whole)
    if total * len(whole) > _WORK:
        return None
    cycle = []
    credit = [0] * len(whole)
    for _ in range(total):
        credit = list(map(add, credit, whole))
        richest = credit.index(max(credit))
        credit[richest] -= total
        cycle.append(richest)
    return cycle


class SmoothTurns(Generic[T]):
    """The same order, a step at a time: for few items, of whom others are left out each time. What an item has gained
    stays its own while it is left out, and it gains nothing then.
    """

    def __init__(self, weights: Mapping[T, int]) -> None:
        self._weights = tuple(weights.items())
        self._credit = dict.fromkeys(weights, 0)

    def next(self, skip: Skip[T]) -> T | None:
        """Whose turn it is, leaving out whom ``skip`` names; None if nobody is left."""
        credit = self._credit
        richest: T | None = None
        total = most = 0
        for item, weight in self._weights:
            if not skip(item):
                total += weight
                credit[item] = gained = credit[item] + weight
                if richest is None or gained > most:
                    richest, most = item, gained
        if richest is not None:
            credit[richest] = most - total
        return richest


class Deadlines(Generic[T]):
    """Turns by weight for any number of items and any weights: who is due first is next, and due again one period of
    1 / weight later. A turn costs O(log n).
    """

    def __init__(self) -> None:
        # (when it is due, position, period, item): positions differ, so that nothing behind them is compared.
        self._heap: list[tuple[float, int, float, T]] = []
        self._now = 0.0

    def update(self, items: Sequence[T], weights: Sequence[float]) -> None:
        """Go on with these. Who was there waits for the same part of its period as before, so that changes that come
        faster than turns starve nobody.
        """
        left = {item: (due - self._now) / period for due, _, period, item in self._heap}
        self._heap = [
            (left.get(item, position * _GOLDEN % 1) / weight, position, 1 / weight, item)
            for position, (item, weight) in enumerate(zip(items, weights, strict=True))
        ]
        heapify(self._heap)
        self._now = 0.0

    def next(self, skip: Skip[T] | None = None) -> T | None:
        """Whose turn it is, leaving out whom ``skip`` names; None if nobody is left."""
        heap = self._heap
        if skip is not None:
            return self._next_but(skip)
        if not heap:
            return None
        due, position, period, item = heap[0]
        self._now = due
        heapreplace(heap, (due + period, position, period, item))
        return item

    def _next_but(self, skip: Skip[T]) -> T | None:
        heap = self._heap
        asked = []
        chosen = None
        try:
            while heap and chosen is None:
                entry = heappop(heap)
                asked.append(entry)
                if not skip(entry[3]):
                    chosen = entry[3]
                    self._now = entry[0]
        finally:
            # Who was passed over has missed this turn, as nginx has it: else it would be asked again each time, and
            # have all that it missed at once when it can take them.
            for due, position, period, item in asked:
                heappush(heap, (due if chosen is None else self._now + period, position, period, item))
        return chosen


class Urn(Generic[T]):
    """Draws items at random, each as often as its weight says. A draw costs O(log n)."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._uniform = random.random
        self._items: Sequence[T] = ()
        self._weights: Sequence[float] = ()
        self._sums: list[float] = []

    def fill(self, items: Sequence[T], weights: Sequence[float]) -> None:
        """Put these in, in place of what was there."""
        self._items = tuple(items)
        self._weights = tuple(weights)
        self._sums = []
        total = 0.0
        for weight in weights:
            total += weight
            self._sums.append(total)

    def draw(self, skip: Skip[T] | None = None) -> T | None:
        """One of those whom ``skip`` does not name; None if nobody is left."""
        sums = self._sums
        if not sums:
            return None
        if skip is not None:
            return self._draw_but(skip)
        # Rounding may give the very total: the last is the last.
        return self._items[bisect(sums, self._uniform() * sums[-1], 0, len(sums) - 1)]

    def draw_two(self, skip: Skip[T] | None = None) -> tuple[T, T] | None:
        """Two different ones, the second drawn from what the first has left; the same twice if there is no other."""
        sums = self._sums
        if not sums:
            return None
        if skip is not None:
            return self._draw_two_but(skip)
        last = len(sums) - 1
        first = bisect(sums, self._uniform() * sums[-1], 0, last)
        weight = self._weights[first]
        spot = self._uniform() * (sums[-1] - weight)
        if spot >= sums[first] - weight:
            spot += weight
        return self._items[first], self._items[bisect(sums, spot, 0, last)]

    def _draw_but(self, skip: Skip[T]) -> T | None:
        sums = self._sums
        for _ in range(_DRAWS):
            item = self._items[bisect(sums, self._uniform() * sums[-1], 0, len(sums) - 1)]
            if not skip(item):
                return item
        rest = [pair for pair in zip(self._items, self._weights, strict=True) if not skip(pair[0])]
        if not rest:
            return None
        return self._random.choices([item for item, _ in rest], [weight for _, weight in rest])[0]

    def _draw_two_but(self, skip: Skip[T]) -> tuple[T, T] | None:
        one = self._draw_but(skip)
        if one is None:
            return None
        other = self._draw_but(lambda item: item is one or skip(item))
        return one, one if other is None else other
