"""``python -m benchmarks.floods``: what others notice of one hostile client, and what it leaves in the logs.

Twenty clients send 25 requests a second each, from addresses of their own. How long the slowest hundredth of these
takes is compared without and with the hostile one, in turns of one run: the figure is the ratio. The hostile one works
on the core of the twenty. What these notice of that is shown by slow heads that go elsewhere: to an nginx on the core
of the proxy, which has nothing to do with them.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import attrs

from benchmarks.attackers import ADDRESS, KINDS
from benchmarks.machine import describe
from benchmarks.origin import NGINX_START, Site, start_origin
from benchmarks.ports import free_port
from benchmarks.process import Cores, Programs
from benchmarks.report import aligned
from benchmarks.run import open_directory, python_path
from benchmarks.servers import ROOT
from txproxy import Limits

OTHERS = 20
PAUSE = 0.04
GET = b"GET /small HTTP/1.1\r\nHost: others.example\r\n\r\n"
MOST_RATIO = 2.0
MOST_LOG = 1000
"""Bytes a second."""

CONFIG = """
[log]
access = "{access}"

[admin]
listen = "127.0.0.1:{admin}"

[[listeners]]
name = "web"
listen = "tcp:{port}:interface=127.0.0.1:backlog=4096"
h2c = true
limits = {{ max_connections = 12000{limits} }}

[pools.origin]
upstreams = "http://127.0.0.1:{origin}"

[pools.taker]
upstreams = "http://127.0.0.1:{taker}"

[[routes]]
name = "taken"
path = "/taken"
pool = "taker"

[[routes]]
name = "all"
pool = "origin"
{rate}
"""
LIMITED = "request_limits = [{ rate = '100/s' }]"
# Ends slow heads as soon as the proxy does.
ASIDE = (
    NGINX_START
    + """
    client_header_timeout {timeout}s;
    server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ return 204; }} }}
}}
"""
)


@attrs.frozen
class Flood:
    """One row: what the hostile client does, and what bounds it: limits of requests, and of connections. With ``aside``
    it is done to somebody else as well.
    """

    kind: str
    title: str
    limited: bool = False
    limits: str = ""
    seconds: float = 3.0
    rounds: int = 5
    aside: bool = False


FLOODS = (
    Flood("over", "ten times its limit", limited=True),
    Flood("pipelines", "pipelines at full speed, each to the origin"),
    Flood("pipelines", "pipelines at full speed, refused", limited=True),
    Flood("streams", "HTTP/2 at full speed, each to the origin"),
    Flood("streams", "HTTP/2 at full speed, refused", limited=True),
    Flood("frames", "HTTP/2 in frames of a byte"),
    Flood("chunks", "a body in chunks of a byte"),
    Flood("upload", "a body at full speed"),
    Flood("connections", "new connections at full speed", limits=", connection_rate = '20/s'"),
    Flood("heads", "5,000 slow heads", seconds=25.0, rounds=1, aside=True),
    Flood("bodies", "500 slow bodies", seconds=40.0, rounds=1),
)


@attrs.frozen
class Outcome:
    """The slowest hundredth of the others in seconds, without and with it in each round, and where it was at work on
    somebody else; and what it had written.
    """

    without: list[float]
    beside: list[float]
    aside: list[float]
    log: float
    failed: int

    @property
    def ratio(self) -> float:
        """How many times as long, in the middle one of the rounds."""
        return statistics.median(there / alone for alone, there in zip(self.without, self.beside, strict=True))

    @property
    def reached(self) -> bool:
        """Whether what is to be reached is."""
        return self.ratio <= MOST_RATIO and self.log <= MOST_LOG and not self.failed


class Others:
    """Clients that do nothing wrong."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._took: list[float] = []
        self.failed = 0
        self._tasks: list[asyncio.Task[None]] = []

    def begin(self) -> None:
        """All of them connect, and ask."""
        self._tasks = [asyncio.create_task(self._ask(number)) for number in range(OTHERS)]

    def end(self) -> None:
        """They ask no more."""
        for task in self._tasks:
            task.cancel()

    async def _ask(self, number: int) -> None:
        await asyncio.sleep(PAUSE * number / OTHERS)
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port, local_addr=(f"127.0.1.{number}", 0))
        due = time.perf_counter()
        while True:
            began = time.perf_counter()
            writer.write(GET)
            head = await reader.readuntil(b"\r\n\r\n")
            body = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            await reader.readexactly(body)
            self._took.append(time.perf_counter() - began)
            self.failed += not head.startswith(b"HTTP/1.1 200 ")
            # Who had to wait for long leaves out what it would have asked: in the same rhythm as before, so that a
            # single pause does not have all of them ask at once from then on.
            due += PAUSE * max(1, (time.perf_counter() - due) // PAUSE)
            await asyncio.sleep(max(0.0, due - time.perf_counter()))

    async def slowest(self, seconds: float) -> float:
        """How long the slowest hundredth takes, of what is asked in so many seconds from now on."""
        self._took.clear()
        await asyncio.sleep(seconds)
        ordered = sorted(self._took)
        return ordered[len(ordered) * 99 // 100]


def written(paths: Sequence[Path], since: Sequence[int]) -> int:
    """How many bytes there are in logs of the hostile client since then: of what it was refused, and all that is not
    of access.
    """
    access, rest = (path.read_bytes()[at:] for path, at in zip(paths, since, strict=True))
    lines = [line for line in access.splitlines() if line.startswith(ADDRESS.encode()) and b'" 200 ' not in line]
    return sum(len(line) + 1 for line in lines) + len(rest)


def sizes(paths: Sequence[Path]) -> list[int]:
    """How long they are."""
    return [path.stat().st_size if path.exists() else 0 for path in paths]


async def attack(kind: str, port: int) -> asyncio.subprocess.Process:
    """The hostile client, once it does all that it is to do."""
    environment = {**os.environ, "PYTHONPATH": python_path()}
    argv = [sys.executable, "-m", "benchmarks.attackers", kind, str(port)]
    process = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE, env=environment)
    assert process.stdout is not None
    await asyncio.wait_for(process.stdout.readline(), 60)
    return process


async def attack_another(
    flood: Flood, others: Others, site: Site, cores: Cores, programs: Programs, name: str
) -> list[float]:
    """How long the slowest hundredth of the ``others`` takes while the hostile client does the same to nginx."""
    if not flood.aside:
        return []
    port, file = free_port(), site.directory / f"{name}-aside.conf"
    user = "user root;\n" if ROOT else ""
    timeout = round(Limits().header_timeout)
    text = ASIDE.format(user=user, directory=site.directory, name=f"{name}-aside", port=port, timeout=timeout)
    file.write_text(text)
    programs.start(f"{name}-aside", ["nginx", "-p", str(site.directory), "-c", str(file)], cores.proxy, port)
    hostile = await attack(flood.kind, port)
    try:
        return [await others.slowest(flood.seconds)]
    finally:
        hostile.kill()
        await hostile.wait()


async def measure(flood: Flood, site: Site, taker: int, cores: Cores, number: int) -> Outcome:
    """One row, at a proxy of its own."""
    name, port = f"proxy-{number}", free_port()
    access, log = paths = [site.directory / f"{name}.access", site.directory / f"{name}.log"]
    file = site.directory / f"{name}.toml"
    text = CONFIG.format(
        access=access,
        admin=free_port(),
        port=port,
        origin=site.origin,
        taker=taker,
        limits=flood.limits,
        rate=LIMITED if flood.limited else "",
    )
    file.write_text(text)
    argv = [
        sys.executable,
        "-c",
        "from twisted.scripts.twistd import run; run()",
        "-n",
        "--pidfile=",
        f"--logfile={log}",
    ]
    argv += ["--reactor=txproxy", "txproxy", "run", "--config", str(file)]
    without, beside, wrote, took = [], [], 0, 0.0
    with Programs(site.directory) as programs:
        programs.start(name, argv, cores.proxy, port, {"PYTHONPATH": python_path()})
        others = Others(port)
        others.begin()
        await others.slowest(2.0)
        for _ in range(flood.rounds):
            without.append(await others.slowest(flood.seconds))
            began = time.perf_counter()
            before = sizes(paths)
            hostile = await attack(flood.kind, port)
            try:
                beside.append(await others.slowest(flood.seconds))
                wrote += written(paths, before)
                took += time.perf_counter() - began
            finally:
                if hostile.returncode is None:
                    hostile.kill()
                await hostile.wait()
            await asyncio.sleep(1.0)
        aside = await attack_another(flood, others, site, cores, programs, name)
        others.end()
    return Outcome(without, beside, aside, wrote / took, others.failed)


def table(found: dict[str, Outcome]) -> str:
    """A flood a row, and what falls short."""
    lines = [["p99 of others, ms", "without", "beside it", "elsewhere", "ratio", "log, B/s"]]
    for title, one in found.items():
        times = [f"{1000 * statistics.median(of):.1f}" if of else "-" for of in (one.without, one.beside, one.aside)]
        lines.append([title, *times, f"{one.ratio:.2f}", f"{one.log:.0f}"])
    short = [f"falls short: {title} (failed: {one.failed})" for title, one in found.items() if not one.reached]
    return "\n".join([aligned(lines), "", f"to be reached: ratio <= {MOST_RATIO}, log <= {MOST_LOG} B/s", *short])


async def run(floods: Sequence[Flood], cores: Cores) -> dict[str, Outcome]:
    """All of them, one after the other."""
    found = {}
    with open_directory() as directory, open_directory(in_memory=True) as memory, Programs(directory) as programs:
        user = "user root;\n" if ROOT else ""
        site, _ = start_origin(programs, directory, memory, cores, 1000, user)
        taker = free_port()
        argv = [sys.executable, "-m", "benchmarks.scripts.taker", str(taker)]
        programs.start("taker", argv, cores.load, taker, {"PYTHONPATH": python_path()})
        for number, flood in enumerate(floods):
            found[flood.title] = await measure(flood, site, taker, cores, number)
            print(f"{flood.title}: {found[flood.title].ratio:.2f}", flush=True)
    return found


def main() -> None:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.floods", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", action="append", choices=list(KINDS), help="floods of this kind (all)")
    options = parser.parse_args()
    cores = Cores.choose()
    load = os.getloadavg()[0]
    os.sched_setaffinity(0, {cores.load})
    about = describe()
    print(f"{about['processor']}; versions: {about['versions']}; load before: {load:.1f}", flush=True)
    floods = [flood for flood in FLOODS if options.only is None or flood.kind in options.only]
    print(table(asyncio.run(run(floods, cores))))


if __name__ == "__main__":
    main()
