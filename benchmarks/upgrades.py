"""``python -m benchmarks.upgrades``: what clients notice when the program, its configuration or a worker is replaced.

Each row is a run of its own, with the proxy on one core and all clients and upstreams on another: as all workers share
a core, times are longer than they would be.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import attrs

from benchmarks import replacements
from benchmarks.chats import echo
from benchmarks.machine import describe
from benchmarks.origin import make_certificate
from benchmarks.ports import free_port
from benchmarks.process import Cores, Programs
from benchmarks.replacements import Outcome, Proxy, until
from benchmarks.report import aligned
from benchmarks.run import open_directory, python_path

CONFIG = """
workers = {workers}

[log]
access = "none"

[[listeners]]
name = "web"
listen = "127.0.0.1:{web}"
tls_listen = "127.0.0.1:{tls}"
certificates = [{{ cert = "certificate.pem", key = "key.pem" }}]

[[listeners]]
name = "raw"
mode = "tcp"
listen = "127.0.0.1:{raw}"
pool = "raw"

[[listeners]]
name = "out"
mode = "forward"
listen = "127.0.0.1:{out}"
allow_ports = [{chat}]
allow_destinations = ["127.0.0.0/8"]

[pools.raw]
upstreams = ["127.0.0.1:{chat}"]

[pools.chat]
upstreams = ["http://127.0.0.1:{chat}"]

[[routes]]
name = "chat"
path = "/chat"
pool = "chat"

[[routes]]
name = "name"
path = "=/name"
respond = {{ status = 200, body = "served\\n" }}
"""


@attrs.frozen
class Row:
    """What is done, with how many workers, and what is to be reached."""

    name: str
    title: str
    workers: int
    run: Callable[[Proxy], Awaitable[Outcome]]
    bound: str


ROWS = (
    Row(
        "upgrade",
        "SIGUSR2, 1,000 tunnels, 500 kept, new ones",
        2,
        replacements.upgrade,
        "0 errors, old ones gone in 2 s",
    ),
    Row("websockets", "20 times SIGUSR2, a WebSocket each", 2, replacements.websockets, "none ends, no process more"),
    Row("loaded", "SIGUSR2, wrk -c32", 2, replacements.loaded, "0 errors"),
    Row("reloads-1", "12 times SIGHUP in 6 s, wrk -c32, 1 worker", 1, replacements.reloads, "0 errors"),
    Row("reloads-2", "12 times SIGHUP in 6 s, wrk -c32, 2 workers", 2, replacements.reloads, "0 errors"),
    Row("memory-1", "50 times SIGHUP, 1 worker", 1, replacements.memory, "at most 5 MB more"),
    Row("memory-2", "50 times SIGHUP, 2 workers", 2, replacements.memory, "at most 5 MB more"),
    Row("killed", "kill -9 of one of two workers", 2, replacements.killed, "150 ms, none refused"),
)


async def measure(row: Row, folder: Path, cores: Cores) -> Outcome:
    """One row, with a proxy of its own."""
    ports = {name: free_port() for name in ("web", "tls", "raw", "out", "chat")}
    (folder / "proxy.toml").write_text(CONFIG.format(workers=row.workers, **ports))
    environment = {"PYTHONPATH": python_path()}
    words = [sys.executable, "-m", "txproxy", "run", "--config", "proxy.toml"]
    server = await asyncio.start_server(echo, "127.0.0.1", ports["chat"], backlog=4096)
    async with server:
        with Programs(folder) as programs:
            program = programs.start(row.name, words, cores.proxy, ports["web"], environment)
            proxy = Proxy(program, folder, row.name, ports)
            await until(lambda: row.workers == 1 or len(proxy.workers) == row.workers, "all workers are there")
            await asyncio.sleep(0.5)
            try:
                return await row.run(proxy)
            except (TimeoutError, OSError, asyncio.IncompleteReadError) as fault:
                return Outcome(f"failed: {fault!r}", False)


async def run(rows: Iterable[Row], cores: Cores) -> list[tuple[Row, Outcome]]:
    """One after the other."""
    outcomes = []
    with open_directory() as folder:
        make_certificate(folder)
        for row in rows:
            outcomes.append((row, await measure(row, folder, cores)))
            print(f"{row.name}: {outcomes[-1][1].said}", flush=True)
    return outcomes


def main() -> None:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.upgrades", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", action="append", choices=[row.name for row in ROWS], help="this row (all)")
    options = parser.parse_args()
    cores = Cores.choose()
    os.sched_setaffinity(0, {cores.load})
    about = describe()
    print(f"{about['processor']}; {os.getloadavg()[0]:.1f} running; versions: {about['versions']}", flush=True)
    rows = [row for row in ROWS if options.only is None or row.name in options.only]
    outcomes = asyncio.run(run(rows, cores))
    lines = [["what is replaced", "what came of it", "to be reached"]]
    lines += [[row.title, outcome.said, f"  {row.bound}"] for row, outcome in outcomes]
    print(aligned(lines))
    for row, outcome in outcomes:
        if not outcome.reached:
            print(f"falls short: {row.title}")


if __name__ == "__main__":
    main()
