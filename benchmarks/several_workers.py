"""What a second worker is good for: ``python -m benchmarks.several_workers``.

One worker and two, in turns of one run, on all cores that there are: requests/s under ``wrk -t1``, and CPU for each
request. Two may take 1.05 times the CPU that one does, and answer 1.7 times the requests where a second core is free:
wrk and the origin need about one more, so that this takes four cores which nobody else uses. How busy they were is
printed, by everything together; the share of CPU does not depend on that.

Of 64 connections each of two has half. What a turn of the reactor costs is shared by those who ask in it, so that one
worker alone takes more for a request with 32 connections than with 64: it is measured with as many as each of two has
as well, which tells what a second worker costs by itself.

That is not all: one wrk and one origin bring to two workers what they bring to one, in smaller turns. With 32
connections each, 15 requests were served in a turn of a worker where a single process had 21. No other difference was
found: for each request both call the same functions (counted by ``sys.setprofile``), and the system as often (``strace
-c``: two ``recv``, two ``send``), and an idle worker has five turns a second, as a single process. By instructions
(cachegrind) a request took 102,300 in a single process with 32 connections, 98,900 with 64, and 107,100 in two workers;
the turns explain somewhat more than half of these 4,800, and what the rest is was not found.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from pathlib import Path

from benchmarks import load
from benchmarks.measure import cpu_seconds, tree
from benchmarks.origin import SMALL, start_origin
from benchmarks.ports import free_port
from benchmarks.process import Cores, Programs
from benchmarks.run import open_directory, python_path
from benchmarks.servers import NGINX_USER
from benchmarks.watched import watched

WORKERS = (1, 2)
MORE = 1.7
COST = 1.05
CONNECTIONS = 64
# by how many workers, and with how many connections
RUNS = ((1, CONNECTIONS), (1, CONNECTIONS // 2), (2, CONNECTIONS))


def _everybody_busy() -> float:
    """Seconds of CPU that were used on this machine, of all cores, since it began."""
    fields = [int(one) for one in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    idle = fields[3] + fields[4]
    return (sum(fields) - idle) / os.sysconf("SC_CLK_TCK")


def main() -> int:
    """Print the figures; 1 where a bound does not hold that could be measured here."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.several_workers", description=(__doc__ or "")[:60])
    parser.add_argument("--rounds", type=int, default=5, help="of which the median (%(default)s)")
    parser.add_argument("--duration", type=int, default=3, metavar="S", help="seconds for each (%(default)s)")
    options = parser.parse_args()
    cores = Cores.choose()
    everywhere = os.sched_getaffinity(0)
    found: dict[tuple[int, int], list[tuple[float, float, float]]] = {run: [] for run in RUNS}
    with open_directory() as directory, open_directory(in_memory=True) as memory, Programs(directory) as programs:
        site, _ = start_origin(programs, directory, memory, cores, 1, NGINX_USER)
        running = {}
        for workers in WORKERS:
            port, name = free_port(), f"{workers}-workers"
            argv = watched(name)(site, name, port)
            program = programs.start(name, argv, cores.proxy, port, {"PYTHONPATH": python_path()})
            load.expect(*load.get(port, "/small", "localhost"), len(SMALL))
            for pid in tree(program.pid):
                for thread in os.listdir(f"/proc/{pid}/task"):
                    os.sched_setaffinity(int(thread), everywhere)
            running[workers] = program.pid, port
        for turn in range(options.rounds + 1):
            for workers, connections in RUNS:
                pid, port = running[workers]
                used, busy = cpu_seconds(pid), _everybody_busy()
                url = f"http://127.0.0.1:{port}/small"
                done = load.wrk(url, options.duration, directory, connections=connections)
                used, busy = cpu_seconds(pid) - used, _everybody_busy() - busy
                if turn:
                    # The first one is to warm up.
                    share = busy / (done.seconds * (os.cpu_count() or 1))
                    found[workers, connections].append((done.done / done.seconds, used / done.done * 1e6, share))
    medians = {run: [statistics.median(column) for column in zip(*rows, strict=True)] for run, rows in found.items()}
    print(f"{'workers':>8}{'connections':>13}{'requests/s':>12}{'us CPU/request':>16}{'machine busy':>14}")
    for (workers, connections), (rate, cost, share) in medians.items():
        print(f"{workers:>8}{connections:>13}{rate:>12,.0f}{cost:>16.1f}{share:>14.0%}")
    one, half, two = (found[run] for run in RUNS)
    more, cost, alike = _times(two, one, 0), _times(two, one, 1), _times(two, half, 1)
    free = len(everywhere) >= 4 and medians[RUNS[0]][2] < 0.75
    print(f"CPU for a request: {cost:.3f} times that of one worker (at most {COST}): {_said(cost <= COST)}")
    print(f"    {alike:.3f} times that of one worker with as many connections as each of them: {_said(alike <= COST)}")
    print("    (that are fewer in a turn where one wrk asks two workers, so that each turn is shared by less)")
    where = _said(more >= MORE) if free else f"not to be measured on {len(everywhere)} cores that are as busy as that"
    print(f"requests: {more:.2f} times those of one worker (at least {MORE} with free cores): {where}")
    return 0 if cost <= COST and (more >= MORE or not free) else 1


def _times(these: list[tuple[float, float, float]], those: list[tuple[float, float, float]], column: int) -> float:
    """How many times as much one run has in a column as another, in the middle one of the turns."""
    return statistics.median(one[column] / other[column] for one, other in zip(these, those, strict=True))


def _said(held: bool) -> str:
    return "held" if held else "NOT HELD"


if __name__ == "__main__":
    sys.exit(main())
