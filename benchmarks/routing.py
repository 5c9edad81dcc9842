"""What it costs to find a route: ``python -m benchmarks.routing``.

Microseconds for a look-up with 1, 100 and 1,000 routes, of each kind on its own and of all kinds mixed. The requests go
round through all routes, so that nothing is found because it was asked for a moment ago. With 1,000 routes a look-up
may cost at most 5 % of a small request more than with one. What is in brackets is tried route by route, as it has to
be, and is shown without a bound. The figures are the best of several rounds: what else the machine does only makes them
worse.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import timeit
from collections.abc import Callable
from typing import TypeAlias

from txproxy.reverse.routing.matches import Match
from txproxy.reverse.routing.route import Route
from txproxy.reverse.routing.routes import Routes
from txproxy.testing import context_of
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead

COUNTS = (1, 100, 1000)
REQUEST = 25.0
"""Microseconds of CPU that a small request costs in all; see ``python -m benchmarks --only reverse-small``."""
SHARE = 0.05

Kind: TypeAlias = "Callable[[int], tuple[Match, bytes, bytes]]"


def _exact_path(number: int) -> tuple[Match, bytes, bytes]:
    return Match(path=f"=/service-{number}/status"), b"a.example", b"/service-%d/status" % number


def _prefix(number: int) -> tuple[Match, bytes, bytes]:
    return Match(path=f"/service-{number}"), b"a.example", b"/service-%d/users/7?page=2" % number


def _deep_prefix(number: int) -> tuple[Match, bytes, bytes]:
    return (
        Match(path=f"/api/v1/teams/team-{number}"),
        b"a.example",
        b"/api/v1/teams/team-%d/users/7/posts?page=2" % number,
    )


def _host(number: int) -> tuple[Match, bytes, bytes]:
    return Match(f"site-{number}.example"), b"site-%d.example:8080" % number, b"/users/7?page=2"


def _wildcard(number: int) -> tuple[Match, bytes, bytes]:
    return Match(f"*.site-{number}.example"), b"www.site-%d.example" % number, b"/users/7?page=2"


def _host_and_prefix(number: int) -> tuple[Match, bytes, bytes]:
    site = number % 50
    return (
        Match(f"site-{site}.example", f"/service-{number}", methods="GET"),
        b"site-%d.example" % site,
        b"/service-%d/users/7?page=2" % number,
    )


def _expression(number: int) -> tuple[Match, bytes, bytes]:
    return Match(path=f"~/service-{number}/users/[0-9]+"), b"a.example", b"/service-%d/users/7" % number


def _open_expression(number: int) -> tuple[Match, bytes, bytes]:
    return Match(path=f"~/[a-z]+-{number}/users/[0-9]+"), b"a.example", b"/service-%d/users/7" % number


def _header(number: int) -> tuple[Match, bytes, bytes]:
    return Match(headers={"x-tenant": str(number)}), b"a.example", b"/users/7"


KINDS: dict[str, Kind] = {
    "exact path": _exact_path,
    "prefix": _prefix,
    "deep prefix": _deep_prefix,
    "host": _host,
    "wildcard host": _wildcard,
    "host, prefix, method": _host_and_prefix,
    "regular expression": _expression,
}

ONE_BY_ONE: dict[str, Kind] = {
    "(open expression)": _open_expression,
    "(header alone)": _header,
}


def _mixed(number: int) -> tuple[Match, bytes, bytes]:
    return list(KINDS.values())[number % len(KINDS)](number)


def _request(number: int, authority: bytes, path: bytes) -> RequestHead:
    fields = [(b"Host", authority), (b"User-Agent", b"wrk"), (b"X-Tenant", b"%d" % number)]
    return RequestHead(b"GET", path, Headers.parsed([b"%b: %b" % field for field in fields]), authority=authority)


def microseconds(kind: Kind, count: int, rounds: int) -> float:
    """For one look-up among ``count`` routes of a kind."""
    given = [kind(number) for number in range(count)]
    routes = Routes(Route(f"route-{number}", match, number) for number, (match, _, _) in enumerate(given))
    requests = [_request(number, authority, path) for number, (_, authority, path) in enumerate(given)]
    client = context_of("192.0.2.7")
    for number, head in enumerate(requests):
        found = routes.find(head, client)
        assert found is not None and found.action == number, (head, found)
    # The same number of look-ups for each count, and of different requests: memory that is cold costs as well.
    heads = list(itertools.islice(itertools.cycle(requests), max(COUNTS)))
    find = routes.find

    def look_up() -> None:
        for head in heads:
            find(head, client)

    def nothing() -> None:
        for head in heads:
            head  # noqa: B018

    best = min(timeit.repeat(look_up, number=1, repeat=rounds))
    idle = min(timeit.repeat(nothing, number=1, repeat=rounds))
    return (best - idle) / len(heads) * 1e6


def main() -> int:
    """Print the table; 1 where the bound does not hold."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.routing", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=200, help="the best of so many is shown (default: %(default)s)")
    options = parser.parse_args()
    bound = REQUEST * SHARE
    print(
        f"{'us per look-up':<22}"
        + "".join(f"{f'{count} route' + 's' * (count > 1):>13}" for count in COUNTS)
        + f"{'more':>9}"
    )
    held = True
    for name, kind in {**KINDS, "all of these mixed": _mixed, **ONE_BY_ONE}.items():
        costs = [microseconds(kind, count, options.rounds) for count in COUNTS]
        more = costs[-1] - costs[0]
        held = held and (more <= bound or name in ONE_BY_ONE)
        print(f"{name:<22}" + "".join(f"{cost:>13.2f}" for cost in costs) + f"{more:>9.2f}", flush=True)
    print(f"at most {bound:.2f} us more with {COUNTS[-1]} routes than with one: {'held' if held else 'NOT HELD'}")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
