"""``python -m benchmarks``: measure, and print what came out."""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from benchmarks import machine, report
from benchmarks.chart import chart
from benchmarks.origin import start_origin
from benchmarks.peers import PEERS, Peer
from benchmarks.process import Cores, Programs, StartError
from benchmarks.run import Plan, open_directory, run_scenario
from benchmarks.scenarios import SCENARIOS, Effort
from benchmarks.servers import NGINX_USER

NEEDED = ("nginx", "wrk", "h2load", "openssl")
"""The origin, the generators, and what makes the certificate."""

BULK = 10**9
IDLE = 2000


def _names(text: str, known: Iterable[str], option: str) -> list[str]:
    accepted = list(known)
    asked = [name.strip() for name in text.split(",") if name.strip()]
    for name in asked:
        if name not in accepted:
            raise SystemExit(f"{option} {name}: unknown; accepted: {', '.join(accepted)}")
    return asked or accepted


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError
    return value


_positive.__name__ = "whole number above zero"  # which argparse names in its message


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", default="", metavar="SCENARIO,...", help="these scenarios only")
    parser.add_argument("--proxy", default="", metavar="NAME,...", help="these proxies only")
    parser.add_argument("--duration", type=_positive, default=3, metavar="S", help="seconds for each row (3)")
    parser.add_argument("--rounds", type=_positive, default=3, metavar="N", help="rounds, of which the median (3)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all measurements here")
    parser.add_argument("--chart", type=Path, metavar="FILE", help="write a chart here, as SVG")
    parser.add_argument("--quick", action="store_true", help="one round of a second: does it run at all?")
    parser.add_argument("--list", action="store_true", help="name the scenarios and proxies, and leave")
    return parser.parse_args()


def _present(peers: list[Peer]) -> list[Peer]:
    here = []
    for peer in peers:
        missing = peer.missing()
        if missing is None:
            here.append(peer)
        else:
            print(f"skipped: {peer.name}, as {missing} is not installed")
    return here


def _say(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def _clear() -> None:
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr, flush=True)


def _stopped(number: int, frame: object) -> None:
    raise SystemExit(128 + number)


def _raise_file_limit() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 20000 if hard == resource.RLIM_INFINITY else min(20000, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def main() -> int:
    """Run what the command line asks for; 1 where one of txproxy's rows is not valid."""
    options = _arguments()
    if options.list:
        print("scenarios:", ", ".join(scenario.name for scenario in SCENARIOS))
        print("proxies:", ", ".join(peer.name for peer in PEERS))
        return 0
    names = _names(options.only, (scenario.name for scenario in SCENARIOS), "--only")
    scenarios = [scenario for scenario in SCENARIOS if scenario.name in names]
    wanted = _names(options.proxy, (peer.name for peer in PEERS), "--proxy")
    absent = [name for name in NEEDED if shutil.which(name) is None]
    if absent:
        print(f"the benchmarks need {', '.join(absent)}", file=sys.stderr)
        return 1
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stopped)
    _raise_file_limit()
    peers = _present([peer for peer in PEERS if peer.name in wanted])
    cores = Cores.choose()
    os.sched_setaffinity(0, {cores.load})  # which wrk and our own clients inherit
    if cores.shared:
        print("only one core: proxy and load share it, so that requests/s say nothing")
    effort = Effort(
        seconds=1 if options.quick else options.duration,
        warm_up=1,
        bulk_size=BULK // 4 if options.quick else BULK,
        idle_connections=IDLE // 4 if options.quick else IDLE,
    )
    rounds = 1 if options.quick else options.rounds
    about = machine.describe()
    print(
        f"{about['processor']}, proxy on core {cores.proxy}, origin and load on core {cores.load}, median of {rounds}"
    )
    print(f"versions: {about['versions']}\n", flush=True)
    results: dict[str, dict[str, report.Row]] = {}
    with open_directory() as directory, open_directory(in_memory=True) as memory, Programs(directory) as programs:
        try:
            site, _ = start_origin(programs, directory, memory, cores, effort.bulk_size, NGINX_USER)
        except StartError as fault:
            print(f"the origin does not start: {fault}", file=sys.stderr)
            return 1
        plan = Plan(site, cores, effort, rounds, _say)
        for scenario in scenarios:
            rows = results[scenario.name] = run_scenario(plan, scenario, peers)
            _clear()
            if rows:
                print(report.table(scenario, rows), flush=True)
    print(report.targets(results))
    if options.json:
        run = {"date": time.strftime("%Y-%m-%d"), "machine": about, "rounds": rounds, "seconds": effort.seconds}
        options.json.write_text(json.dumps({**run, **report.as_json(results, scenarios)}, indent=2) + "\n")
    if options.chart:
        title = f"{about['processor']}, one core for the proxy, {time.strftime('%Y-%m-%d')}; median of {rounds}"
        options.chart.write_text(chart(results, scenarios, title))
    ours = [row for rows in results.values() for row in rows.values() if row.peer in report.OURS]
    return 0 if all(row.valid for row in ours) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
