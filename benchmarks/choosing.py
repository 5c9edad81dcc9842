"""``python -m benchmarks.choosing``: what a choice costs, for each strategy and size of pool.

A choice is ``choose`` and all that the strategy wants to be told of it: that the request has begun, that it is
answered and, with 64 others under way, that it is over. The loop around these is taken off. The exit status is 1 if a
choice of 1000 takes more than log(1000) / log(10), three times, as long as one of 10.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from math import log
from random import Random
from time import thread_time
from typing import Any, TypeAlias

import attrs

from txproxy.interfaces import RequestContext
from txproxy.testing import context_of
from txproxy.upstreams.balancing.strategies import NAMES, IStrategy, strategy_from
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead

SIZES = (10, 100, 1000)
CHOICES = 20_000
ROUNDS = 7
UNDER_WAY = 64
# Below this, in microseconds, it is the price of a few calls, whatever they do.
LITTLE = 0.2
ALLOWED = log(SIZES[-1]) / log(SIZES[0])

Requests: TypeAlias = list[tuple[RequestHead, RequestContext]]
Choose: TypeAlias = Callable[[RequestHead, RequestContext, None], Any]


@attrs.define(eq=False)
class _Server:
    name: str
    weight: int
    effective: float
    active: int = 0


def _requests() -> Requests:
    return [
        (
            RequestHead(b"GET", b"/some/path/%d?of=usual&length=yes" % number, Headers([(b"X-User", b"%d" % number)])),
            context_of(f"192.0.2.{number % 250}"),
        )
        for number in range(CHOICES)
    ]


def _seconds(strategy: IStrategy, choose: Choose, requests: Requests) -> float:
    """For all choices, the loop included."""
    changed, measured = strategy.changed, strategy.measured
    counts, times = strategy.counts, strategy.times
    under_way: deque[_Server] = deque()
    began = thread_time()
    for head, client in requests:
        server = choose(head, client, None)
        server.active += 1
        if counts:
            changed(server)
        if times:
            measured(server, 0.01)
        under_way.append(server)
        if len(under_way) > UNDER_WAY:
            server = under_way.popleft()
            server.active -= 1
            if counts:
                changed(server)
    ended = thread_time()
    for server in under_way:
        server.active -= 1
        if counts:
            changed(server)
    return ended - began


def _microseconds(name: str, weights: list[int], requests: Requests) -> list[float]:
    """For one choice, at each of ``SIZES``: the best of some rounds, which go through the sizes in turn, so that other
    work on the machine makes none look worse than the others.
    """
    idle = strategy_from("first")
    best = dict.fromkeys((0, *SIZES), float("inf"))
    strategies = {}
    for size in SIZES:
        servers = [_Server(f"http://10.0.0.1:{number}", weights[number], weights[number]) for number in range(size)]
        strategies[size] = strategy_from(name, random=Random(1))
        strategies[size].update(servers)
    for _ in range(ROUNDS):
        best[0] = min(best[0], _seconds(idle, lambda head, client, skip: servers[0], requests))
        for size, strategy in strategies.items():
            best[size] = min(best[size], _seconds(strategy, strategy.choose, requests))
    return [max(best[size] - best[0], 0.0) / CHOICES * 1e6 for size in SIZES]


def main() -> int:
    """Print the table; 1 if the cost of a strategy grows faster than log n."""
    requests = _requests()
    random = Random(1)
    unequal = [random.randint(1, 100) for _ in range(SIZES[-1])]
    worst = 0.0
    print(f"{'microseconds a choice':30}" + "".join(f"{size:>8}" for size in SIZES) + "   growth")
    for name in NAMES:
        for kind, weights in (("equal", [1] * SIZES[-1]), ("unequal", unequal)):
            costs = _microseconds(name.replace("NAME", "X-User"), weights, requests)
            growth = max(costs[-1], LITTLE) / max(costs[0], LITTLE)
            worst = max(worst, growth)
            print(f"{name:20}{kind:10}" + "".join(f"{cost:8.2f}" for cost in costs) + f"{growth:8.1f}x", flush=True)
    print(f"log n grows {ALLOWED:.1f}x, the cost {worst:.1f}x at most")
    return 0 if worst <= ALLOWED else 1


if __name__ == "__main__":
    sys.exit(main())
