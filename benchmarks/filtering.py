"""``python -m benchmarks.filtering``: what block lists and access rules cost, in CPU time and memory."""

from __future__ import annotations

import argparse
import gc
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.machine import processor
from benchmarks.measure import memory_bytes
from txproxy.forward.access.conditions.condition_type import Surroundings
from txproxy.forward.access.decisions import Rules
from txproxy.forward.access.rules import read_rules
from txproxy.forward.blocklists.filtering import Filters
from txproxy.forward.request.facts import Facts
from txproxy.interfaces.answers import Outcome
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead

ASKED = 50_000
ROUNDS = 5
GLOBS = 5_000
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
_HEADERS = Headers([(b"Host", b"www.example.com"), (b"User-Agent", b"Mozilla/5.0"), (b"Accept", b"text/html")])

TWENTY: list[dict[str, Any]] = [
    {"name": "safe-ports", "action": "deny", "not_ports": [80, 443, "1024-65535"]},
    {"name": "ssl-ports", "action": "deny", "schemes": "connect", "not_ports": [443]},
    {"name": "metadata", "action": "deny", "hosts": ["169.254.169.254", "metadata.google.internal"]},
    {"name": "listed", "action": "deny", "hosts": ["@list"]},
    {"name": "trace", "action": "deny", "methods": ["TRACE", "TRACK"]},
    *({"name": f"no-{n}", "action": "deny", "hosts": [f".bad{n}.example", f"*.worse{n}.example"]} for n in range(6)),
    {"name": "guests", "action": "deny", "clients": "192.168.7.0/24", "not_hosts": ".example.com"},
    {"name": "build", "action": "allow", "clients": "10.9.0.0/16", "hosts": [".pypi.org", ".debian.org"]},
    {"name": "admins", "action": "allow", "groups": "admin"},
    {"name": "uploads", "action": "ask", "methods": ["PUT"], "hosts": ".share.example"},
    {"name": "games", "action": "deny", "hosts": ".games.example", "hours": "08:00-18:00", "days": "mon-fri"},
    {"name": "exe", "action": "deny", "hosts": ".downloads.example", "url": r"~\.(exe|msi)(\?|$)"},
    {"name": "old", "action": "deny", "clients": "10.8.0.0/16", "headers": {"User-Agent": "*MSIE*"}},
    {"name": "inside", "action": "deny", "hosts": ".corp.example", "not_addresses": "10.0.0.0/8"},
    {"name": "local", "action": "allow", "clients": ["10.0.0.0/8", "127.0.0.0/8", "::1"]},
]


def names(count: int, seed: int) -> Iterator[str]:
    """Host names as lists have them: two to four labels."""
    chance = random.Random(seed)
    for _ in range(count):
        labels = ["".join(chance.choices(_LETTERS, k=chance.randint(7, 12))) for _ in range(chance.randint(1, 3))]
        yield ".".join([*labels, chance.choice(("com", "net", "example", "co.uk"))])


def request(host: str, path: str = "/x/index.html?q=1", client_ip: str = "10.1.2.3") -> Facts:
    """The facts of a plain request."""
    return Facts(RequestHead(b"GET", path.encode(), _HEADERS, scheme=b"http"), client_ip, host, 80)


def microseconds(call: Callable[[Any], object], given: Sequence[Any]) -> float:
    """CPU time of one call, the best of some rounds, without that of the loop."""
    best = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for one in given:
            call(one)
        called = time.process_time()
        for _one in given:
            pass
        best.append((called - began - (time.process_time() - called)) / len(given) * 1e6)
    return min(best)


def _say(what: str, figure: str) -> None:
    print(f"{what:<66} {figure:>14}", flush=True)


def _names(path: Path, entries: int) -> None:
    gc.collect()
    before = memory_bytes(os.getpid())
    began = time.process_time()
    filters = Filters([str(path)])
    _say(f"load a list of {entries:,} hosts", f"{time.process_time() - began:.2f} s")
    gc.collect()
    # Until here nothing else was made: the difference is the list's.
    _say("  memory", f"{(memory_bytes(os.getpid()) - before) / 1e6:.1f} MB")
    chance = random.Random(1)
    listed = chance.sample(path.read_text().split(), ASKED)
    hits = [request(f"www.{host}") for host in listed]
    misses = [request(f"www.{host}") for host in names(ASKED, 2)]
    if not all(filters.find(facts) for facts in hits) or any(filters.find(facts) for facts in misses):
        raise SystemExit("the list does not find what it should")
    table = filters.lists[path.stem].hosts
    for what, given in (("listed", hits), ("not listed", misses)):
        _say(f"look up a host that is {what}", f"{microseconds(table.find, [f.host for f in given]):.2f} us")
        _say("  as the proxy asks, each for the first time", f"{microseconds(filters.find, given):.2f} us")
    _say("  as the proxy asks, one of some hundred", f"{microseconds(filters.find, misses[:500] * 20):.2f} us")
    _rules(filters)


def _rules(filters: Filters) -> None:
    rules = Rules(read_rules(TWENTY), surroundings=Surroundings(lists=filters))
    if rules.warnings or rules.decide(request("www.example.com")).outcome is not Outcome.ALLOW:
        raise SystemExit("the rules do not decide as they should")
    hosts = [f"www.{host}" for host in names(500, 3)]
    usual = [request(host) for host in hosts] * 20
    _say("make the facts of a request", f"{microseconds(request, hosts * 20):.2f} us")
    _say("decide by 20 rules and the list, one of some hundred hosts", f"{microseconds(rules.decide, usual):.2f} us")
    timed = [request("www.games.example")] * 10_000
    _say("  where one of them asks for the time", f"{microseconds(rules.decide, timed):.2f} us")
    downloads = [request("www.downloads.example", f"/{n}/setup.zip") for n in range(10_000)]
    _say("  where one of them asks for the URL", f"{microseconds(rules.decide, downloads):.2f} us")
    fresh = [request(f"www.{host}") for host in names(ASKED, 4)]
    _say("  each host for the first time", f"{microseconds(rules.decide, fresh):.2f} us")


def _globs(path: Path) -> None:
    began = time.process_time()
    filters = Filters([str(path)])
    _say(f"load a list of {GLOBS:,} URL patterns", f"{time.process_time() - began:.2f} s")
    asked = [
        (host, f"/{first}/{second}.html")
        for host, first, second in zip(*(names(5_000, n) for n in (6, 7, 8)), strict=True)
    ]
    _say(
        f"look up a URL of {mean(len(request(*one).urls[0].text) for one in asked):.0f} characters, facts included",
        f"{microseconds(lambda one: filters.find(request(*one)), asked):.2f} us",
    )


def _write_globs(path: Path) -> None:
    words = ["".join(random.Random(n).choices(_LETTERS, k=8)) for n in range(GLOBS)]
    forms = ("*://*/{}/*", "*://{}.example/ads/*", "*://*.{}.example/*?ad=*", "*{}*.gif")
    path.write_text("".join(forms[n % len(forms)].format(word) + "\n" for n, word in enumerate(words)))


def main() -> None:
    """Each list in a process of its own, so that its memory is known."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.filtering", description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000, metavar="N", help="hosts on the list (1000000)")
    parser.add_argument("--part", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part is not None:
        part, path = options.part[0], Path(options.part[1])
        if part == "names":
            _names(path, options.entries)
        else:
            _globs(path)
        return
    print(f"{processor()}, Python {sys.version.split()[0]}; CPU time, best of {ROUNDS} rounds")
    with tempfile.TemporaryDirectory() as folder:
        hosts, globs = Path(folder, "list.txt"), Path(folder, "globs.txt")
        hosts.write_text("".join(f"{host}\n" for host in names(options.entries, 0)))
        _write_globs(globs)
        for part, path in (("names", hosts), ("globs", globs)):
            argv = [sys.executable, "-m", "benchmarks.filtering", "--entries", str(options.entries)]
            subprocess.run([*argv, "--part", part, str(path)], check=True)


if __name__ == "__main__":
    main()
