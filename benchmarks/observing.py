"""What it costs to watch and to bound requests: ``python -m benchmarks.observing``.

CPU for a small request on kept connections in memory, through a proxy of each kind below, and how much more that is
than through one that nobody watches: with metrics, with an access log in each format, with three rate limits, and with
all of it. The proxies stand in one process and take turns, so that a machine that drifts does so for all alike; the
figures are the best of several rounds, and the log's thread is in them. With ``--instructions`` valgrind counts the
instructions of each instead, which no other work on the machine changes.

There are several clients, each of which has asked before any is answered, so that the next request of one goes by
another connection to the upstream than the one before, as where there is much to do. In memory there is no kernel, so
that a share of the whole is larger here than over sockets: what a small request costs there is said with ``--request``.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from itertools import count
from pathlib import Path

from twisted.internet.task import Clock

from txproxy.config.toml.file import parse
from txproxy.net.dns.resolver import Resolver
from txproxy.observe import access_log
from txproxy.observe.log_file import LogFile
from txproxy.runtime.builder import Around, assemble
from txproxy.runtime.live.live_counts import LiveCounts
from txproxy.runtime.live.live_logs import LiveLogs
from txproxy.testing.proxy_in_memory import ProxyInMemory

REQUEST = (
    b"GET /small HTTP/1.1\r\nHost: www.example.com\r\n"
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101\r\n\r\n"
)
RESPONSE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
    b"Content-Length: 13\r\n\r\nHello, world!"
)

PROXY = """
{admin}
{log}
[[listeners]]
name = "web"
listen = "127.0.0.1:8080"
pool = "app"
[pools.app]
upstreams = ["http://192.0.2.1:8080"]
{limits}
"""
ADMIN = '[admin]\nlisten = "unix:/nowhere/admin.sock"\n'
LIMITS = """
[[request_limits]]
name = "clients"
by = ["client"]
rate = "1000000/s"
[[request_limits]]
name = "agents"
by = ["header:User-Agent"]
rate = "1000000/s"
[[request_limits]]
name = "pools"
by = ["pool", "client"]
rate = "1000000/s"
"""
_SLOWER = 50
# and so much time passes between two looks at the clock, of which there are three a request
_BETWEEN = 7e-6
# clients, and connections to the upstream
CONNECTIONS = 16
# by their names: whether metrics are counted, the format of the log, and whether there are limits
KINDS: dict[str, tuple[bool, str, bool]] = {
    "nothing": (False, "", False),
    "metrics": (True, "", False),
    "combined": (False, "combined", False),
    "squid": (False, "squid", False),
    "json": (False, "json", False),
    "metrics, json": (True, "json", False),
    "three limits": (False, "", True),
    "metrics, json, limits": (True, "json", True),
}


class _Timed(Clock):
    """A clock that tells the time as a reactor does, whose timers are never due."""

    seconds = staticmethod(time.time)


class Watched:
    """A proxy of a kind, with clients and upstreams that stay connected. Its log is in a ``directory``."""

    def __init__(self, kind: str, directory: Path, connections: int = CONNECTIONS) -> None:
        metrics, format, limits = KINDS[kind]
        log = (
            f'[log]\naccess = "{directory / "access.log"}"\naccess_format = "{format}"\n'
            if format
            else '[log]\naccess = "none"\n'
        )
        text = PROXY.format(admin=ADMIN if metrics else "", log=log, limits=LIMITS if limits else "")
        config = parse(text, str(directory / "proxy.toml"))
        self._logs = LiveLogs(config, None)
        observers = LiveCounts().observers(config, self._logs)
        self._proxy = ProxyInMemory(
            lambda reactor: assemble(config, observers, Around(_Timed(), Resolver(reactor))).factories[0]
        )
        self._clients = [self._proxy.connect() for _ in range(connections)]
        for client in self._clients:
            client.send(REQUEST)
        self._upstreams = self._proxy.network.connections
        for upstream in self._upstreams:
            upstream.send(RESPONSE)
        assert len(self._upstreams) == connections
        assert all(client.received.endswith(b"world!") for client in self._clients)

    def requests(self, count: int) -> None:
        """So many more, or a few less."""
        clients, upstreams = self._clients, self._upstreams
        asked = [client._protocol.dataReceived for client in clients]
        answered = [upstream._protocol.dataReceived for upstream in upstreams]
        for _ in range(count // len(clients)):
            for ask in asked:
                ask(REQUEST)
            for answer in answered:
                answer(RESPONSE)
            # What is kept would grow, and be copied each time.
            for one in clients:
                one.received = b""
            for one in upstreams:
                one.received = b""

    def settle(self) -> None:
        """What was logged is to be written."""
        for file in self._logs.files.values():
            file.flush(60)


def microseconds(kinds: list[str], directory: Path, count: int, rounds: int) -> dict[str, float]:
    """CPU for a request of each kind."""
    proxies = {kind: Watched(kind, directory) for kind in kinds}
    best = dict.fromkeys(kinds, float("inf"))
    for _ in range(rounds):
        for kind, proxy in proxies.items():
            before = time.process_time_ns()
            proxy.requests(count)
            proxy.settle()
            best[kind] = min(best[kind], (time.process_time_ns() - before) / count / 1000)
    return best


def instructions(kind: str, count: int) -> int:
    """Those of a request of a kind: of a run with so many requests more than another has."""
    few, many = (_counted(kind, size) for size in (count, 3 * count))
    return (many - few) // (2 * count)


def _counted(kind: str, count: int) -> int:
    argv = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
    argv += [sys.executable, "-m", "benchmarks.observing", "--run", kind, str(count)]
    ran = subprocess.run(argv, env={**os.environ, "PYTHONHASHSEED": "1"}, capture_output=True, text=True, check=True)
    found = re.search(r"I\s+refs:\s+([0-9,]+)", ran.stderr)
    assert found is not None, ran.stderr
    return int(found[1].replace(",", ""))


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.observing", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=100, help="the best of so many is shown (%(default)s)")
    parser.add_argument("--requests", type=int, default=500, help="in each round (%(default)s)")
    parser.add_argument("--instructions", action="store_true", help="count instructions, by valgrind")
    parser.add_argument("--request", type=float, default=0.0, metavar="US", help="what one costs over sockets")
    parser.add_argument("--only", default="", metavar="KIND,...", help=f"these only: {'; '.join(KINDS)}")
    parser.add_argument("--run", nargs=2, metavar=("KIND", "COUNT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        if options.run:
            # Where instructions are counted, all takes so many times as long.
            LogFile.pause *= _SLOWER
            _Timed.seconds = access_log.time = count(time.time(), _BETWEEN).__next__  # type: ignore
            one = Watched(options.run[0], Path(directory))
            one.requests(int(options.run[1]))
            one.settle()
            return 0
        kinds = [kind for kind in KINDS if not options.only or kind in ("nothing", *options.only.split(";"))]
        if options.instructions:
            costs = {kind: float(instructions(kind, options.requests)) for kind in kinds}
        else:
            costs = microseconds(kinds, Path(directory), options.requests, options.rounds)
    base = costs["nothing"]
    whole = options.request or base
    unit, digits = ("instructions", 0) if options.instructions else ("us CPU", 2)
    print(f"{'a small request':<24}{unit:>14}{'more':>10}{'share':>9}")
    for kind, cost in costs.items():
        print(f"{kind:<24}{cost:>14.{digits}f}{cost - base:>10.{digits}f}{(cost - base) / whole:>9.1%}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
