"""Whose turn it is: one small class for each strategy.

A strategy is told of the upstreams that are available, then asked for one a request. Each choice costs O(log n) or less
(``python -m benchmarks.choosing``), so all that depends on the set of upstreams is worked out when that changes.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from math import exp
from random import Random
from typing import Final

from zope.interface import implementer

from txproxy.components.registry import component, find, names_of
from txproxy.interfaces.context import RequestContext
from txproxy.upstreams.balancing.consistent_hashing import Hashed
from txproxy.upstreams.balancing.strategy import BALANCING, IStrategy, Skip, Strategy, StrategyText, Weighted
from txproxy.upstreams.balancing.weighted_turns import Deadlines, Urn, smooth_cycle
from txproxy.wire.message import RequestHead

__all__ = [
    "NAMES",
    "FirstAvailable",
    "Hashed",
    "IStrategy",
    "LeastConnections",
    "LeastTime",
    "RandomDraw",
    "RoundRobin",
    "Strategy",
    "TwoChoices",
    "Weighted",
    "strategy_from",
]


def _effective(upstreams: Sequence[Weighted]) -> list[float]:
    return [upstream.effective for upstream in upstreams]


@component(BALANCING, "round-robin", rank=1)
@implementer(IStrategy)
class RoundRobin(Strategy):
    """In turns, weighted and smooth: in nginx's very order while a cycle is short, by deadlines where it is long or
    weights are not whole.
    """

    alike = True
    passed_over = "it is another's turn"

    def __init__(self) -> None:
        self._order: list[Weighted] = []
        self._turn = 0
        self._length = 1
        self._deadlines: Deadlines[Weighted] = Deadlines()

    def update(self, upstreams: Sequence[Weighted]) -> None:
        """See :class:`IStrategy`."""
        weights = _effective(upstreams)
        cycle = smooth_cycle(weights)
        self._order = [upstreams[position] for position in cycle or ()]
        if cycle:
            # As far into the new cycle as it was in the old one: from its beginning, changes that come faster than
            # turns would give all of them to the first.
            self._turn = self._turn * len(cycle) // self._length
            self._length = len(cycle)
        self._deadlines.update(upstreams, weights)

    def choose(self, head: RequestHead | None, context: RequestContext, skip: Skip | None = None) -> Weighted | None:
        """See :class:`IStrategy`."""
        order = self._order
        if not order:
            return self._deadlines.next(skip)
        if skip is not None:
            return self._choose_but(skip)
        turn = self._turn
        self._turn = (turn + 1) % self._length
        return order[turn]

    def _choose_but(self, skip: Skip) -> Weighted | None:
        passed = set()
        for turn in range(self._turn - self._length, self._turn):
            upstream = self._order[turn]
            if upstream in passed:
                continue
            if not skip(upstream):
                self._turn = (turn + 1) % self._length
                return upstream
            passed.add(upstream)
        return None


@component(BALANCING, "random", rank=2)
@implementer(IStrategy)
class RandomDraw(Strategy):
    """By lot, weighted."""

    alike = True
    passed_over = "another was drawn"

    def __init__(self, random: Random) -> None:
        self._urn: Urn[Weighted] = Urn(random)

    @classmethod
    def read(cls, text: StrategyText) -> IStrategy:
        """See :class:`Strategy`."""
        text.check_alone()
        return cls(text.random)

    def update(self, upstreams: Sequence[Weighted]) -> None:
        """See :class:`IStrategy`."""
        self._urn.fill(upstreams, _effective(upstreams))

    def choose(self, head: RequestHead | None, context: RequestContext, skip: Skip | None = None) -> Weighted | None:
        """See :class:`IStrategy`."""
        return self._urn.draw(skip)


@component(BALANCING, "two-choices", rank=3)
@implementer(IStrategy)
class TwoChoices(Strategy):
    """Of two drawn by weight, the one that has less to do for its weight (Mitzenmacher 2001, "The Power of Two Choices
    in Randomized Load Balancing"). Several proxies before the same upstreams do not run after the same one.
    """

    alike = True
    passed_over = "it was not drawn, or has more to do"

    def __init__(self, random: Random) -> None:
        self._urn: Urn[Weighted] = Urn(random)

    @classmethod
    def read(cls, text: StrategyText) -> IStrategy:
        """See :class:`Strategy`."""
        text.check_alone()
        return cls(text.random)

    def update(self, upstreams: Sequence[Weighted]) -> None:
        """See :class:`IStrategy`."""
        self._urn.fill(upstreams, _effective(upstreams))

    def choose(self, head: RequestHead | None, context: RequestContext, skip: Skip | None = None) -> Weighted | None:
        """See :class:`IStrategy`."""
        pair = self._urn.draw_two(skip)
        if pair is None:
            return None
        one, other = pair
        return one if one.active * other.effective <= other.active * one.effective else other


def _load(upstream: Weighted) -> float:
    return (upstream.active + 1) / upstream.effective if upstream.active else 0.0


@component(BALANCING, "least-connections", rank=4)
@implementer(IStrategy)
class LeastConnections(Strategy):
    """The one with the least (active + 1) / weight. Idle ones come first, whatever their weight, as HAProxy has it:
    else the lighter ones would get nothing while there is little to do. Among equals it goes round.
    """

    counts = True
    alike = True
    passed_over = "another has less to do, or has waited longer"

    def __init__(self) -> None:
        self._loads: dict[Weighted, float] = {}
        # Who waits at a load, longest first, and these loads as a heap. A queue that is empty stays until its turn
        # comes or there are too many: loads come and go with each request.
        self._queues: dict[float, OrderedDict[Weighted, None]] = {}
        self._heap: list[float] = []

    def update(self, upstreams: Sequence[Weighted]) -> None:
        """See :class:`IStrategy`."""
        present = set(upstreams)
        waiting = [upstream for load in sorted(self._queues) for upstream in self._queues[load] if upstream in present]
        newcomers = [upstream for upstream in upstreams if upstream not in self._loads]
        self._loads = {}
        self._queues = {}
        self._heap = []
        for upstream in waiting + newcomers:
            self._wait(upstream, _load(upstream))

    def choose(self, head: RequestHead | None, context: RequestContext, skip: Skip | None = None) -> Weighted | None:
        """See :class:`IStrategy`."""
        if skip is not None:
            return self._choose_but(skip)
        heap = self._heap
        queues = self._queues
        while heap:
            for upstream in queues[heap[0]]:
                return upstream  # who has waited longest
            del queues[heappop(heap)]
        return None

    def changed(self, upstream: Weighted) -> None:
        """See :class:`IStrategy`."""
        before = self._loads.get(upstream)
        if before is None:
            return
        load = _load(upstream)
        if load != before:
            del self._queues[before][upstream]
            queue = self._queues.get(load)
            if queue is None:
                self._wait(upstream, load)
            else:
                queue[upstream] = None
                self._loads[upstream] = load

    def _wait(self, upstream: Weighted, load: float) -> None:
        self._loads[upstream] = load
        queue = self._queues.get(load)
        if queue is None:
            if len(self._queues) > 2 * len(self._loads) + 16:
                self._queues = {load: queue for load, queue in self._queues.items() if queue}
                self._heap = sorted(self._queues)
            queue = self._queues[load] = OrderedDict()
            heappush(self._heap, load)
        queue[upstream] = None

    def _choose_but(self, skip: Skip) -> Weighted | None:
        heap = self._heap
        passed = []
        try:
            while heap:
                queue = self._queues[heap[0]]
                for upstream in queue:
                    if not skip(upstream):
                        return upstream
                load = heappop(heap)
                if queue:
                    passed.append(load)
                else:
                    del self._queues[load]
        finally:
            for load in passed:
                heappush(heap, load)
        return None


# What is expected of an upstream that is yet to tell, and the least that is expected of any, in seconds: a clock may
# say 0, and in a quiet night averages decay to nothing, which no number of requests would make more.
_UNKNOWN: Final = 1e9
_LEAST: Final = 1e-6


@component(BALANCING, "least-time", rank=5)
@implementer(IStrategy)
class LeastTime(Strategy):
    """Of two drawn by weight, the one that is expected to answer sooner: a moving average of its times to the first
    byte, times (active + 1) / weight. It is the "peak EWMA" of Finagle and linkerd: a time above the average counts at
    once, lesser ones wear it down over ``decay`` seconds. Where nothing is measured it decays as well, so that who was
    slow is tried again, sooner the less slow it was. While nothing is measured of any, as with raw TCP, what is active
    decides alone.

    ``seconds`` is the clock.
    """

    times = True
    passed_over = "it was not drawn, or is slower"

    def __init__(self, seconds: Callable[[], float], random: Random, decay: float = 10.0) -> None:
        self._seconds = seconds
        self._decay = decay
        self._urn: Urn[Weighted] = Urn(random)
        # The average, and when it was that; None while nothing is known.
        self._averages: dict[Weighted, tuple[float, float] | None] = {}

    @classmethod
    def read(cls, text: StrategyText) -> IStrategy:
        """See :class:`Strategy`."""
        text.check_alone()
        return cls(text.seconds, text.random)

    def update(self, upstreams: Sequence[Weighted]) -> None:
        """See :class:`IStrategy`."""
        self._urn.fill(upstreams, _effective(upstreams))
        self._averages = {upstream: self._averages.get(upstream) for upstream in upstreams}

    def choose(self, head: RequestHead | None, context: RequestContext, skip: Skip | None = None) -> Weighted | None:
        """See :class:`IStrategy`."""
        pair = self._urn.draw_two(skip)
        if pair is None:
            return None
        one, other = pair
        now = self._seconds()
        return one if self._cost(one, now) <= self._cost(other, now) else other

    def measured(self, upstream: Weighted, seconds: float) -> None:
        """See :class:`IStrategy`."""
        if upstream not in self._averages:
            return
        now = self._seconds()
        known = self._averages[upstream]
        if known is not None:
            average, since = known
            if seconds < average:
                kept = self._kept(since, now)
                seconds = average * kept + seconds * (1 - kept)
        self._averages[upstream] = seconds, now

    def _cost(self, upstream: Weighted, now: float) -> float:
        known = self._averages[upstream]
        if known is None:
            # It gets a first request at once, and others only where nobody is known, until that one has told.
            return upstream.active * _UNKNOWN / upstream.effective
        average, since = known
        return max(average * self._kept(since, now), _LEAST) * (upstream.active + 1) / upstream.effective

    def _kept(self, since: float, now: float) -> float:
        # Clocks have been seen to go back.
        return exp((since - now) / self._decay) if now > since else 1.0


@component(BALANCING, "first", rank=9)
@implementer(IStrategy)
class FirstAvailable(Strategy):
    """The first that can take it, so that the others may rest (HAProxy's ``first``); it needs ``max=``."""

    alike = True
    passed_over = "one before it can take the request"

    def __init__(self) -> None:
        self._upstreams: Sequence[Weighted] = ()

    def update(self, upstreams: Sequence[Weighted]) -> None:
        """See :class:`IStrategy`."""
        self._upstreams = tuple(upstreams)

    def choose(self, head: RequestHead | None, context: RequestContext, skip: Skip | None = None) -> Weighted | None:
        """See :class:`IStrategy`."""
        for upstream in self._upstreams:
            if skip is None or not skip(upstream):
                return upstream
        return None


NAMES: Final = names_of(BALANCING)
"""All strategies as they are written, in the order of the documentation; the hashes take ``;bound=1.25`` as well."""


def strategy_from(text: str, seconds: Callable[[], float] = time.monotonic, random: Random | None = None) -> IStrategy:
    """A strategy by its name, one of ``NAMES``, the hashes also with ``;bound=`` and a number; else ``ConfigError``.
    ``seconds`` is the clock of least-time, and ``random`` draws the lots, so that tests can say which.
    """
    words = StrategyText.of(text, seconds, random or Random())
    found = find(BALANCING, words.name, "strategy", text)
    made: IStrategy = getattr(found, "read", found)(words)
    return made


def is_hash(text: str) -> bool:
    """Whether ``text``, which names a strategy, names one of the hashes."""
    return isinstance(strategy_from(text), Hashed)
