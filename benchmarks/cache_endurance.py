"""``python -m benchmarks.cache_endurance``: a cache to which far more is written than it may keep, and one whose
processes are killed while they write.

Printed are the most that it takes of memory and of its disk, beside what it may, and how much of what was stored is
still found after a kill. Each body is compared with what the origin sends.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path

import attrs

from benchmarks.measure import memory_bytes, tree
from benchmarks.ports import free_port
from benchmarks.process import Cores, Program, Programs
from benchmarks.run import open_directory, python_path

MB = 1 << 20
MEMORY = 32 * MB
DISK = 128 * MB
TIMES = 10
"""How often its size is written."""
KILLS = 25
OBJECTS = 300
"""So many are asked for again after each kill; what is written beside them is asked for once."""
CLIENTS = 16
LOAD = 1.0
"""Seconds for which two processes write before they are killed, at least."""
LIMIT = 20.0
"""Seconds that a client waits."""
EVERY = 0.1
"""Seconds between two looks at what is taken."""

MOST_MEMORY = 1.3
MOST_DISK = 1.05
LEAST_HITS = 0.7


def body_of(number: int) -> bytes:
    """What the origin has under that number: most of it is small, and some is large."""
    size = 300_000 + number * 7919 % 400_000 if number % 50 == 1 else number * 7919 % 60_000
    unit = b"%d|" % number
    return (unit * (size // len(unit) + 1))[:size]


async def _origin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(asyncio.IncompleteReadError, asyncio.CancelledError, OSError):
        while True:
            request = await reader.readuntil(b"\r\n\r\n")
            _, kind, number = request.split(b" ", 2)[1].decode("ascii").split("/")
            body = body_of(int(number))
            control = "max-age=86400" if kind == "kept" else "no-store"
            head = f"HTTP/1.1 200 OK\r\nCache-Control: {control}\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write(head.encode("ascii") + body)
            await writer.drain()
    writer.close()


@attrs.define
class Told:
    """What clients have got: how many answers, of how many bytes, how many of them hits, and how many wrong."""

    answers: int = 0
    size: int = 0
    hits: int = 0
    wrong: int = 0


class _Client:
    """Asks a proxy on ``port`` for one after the other."""

    def __init__(self, port: int, told: Told) -> None:
        self._port = port
        self._told = told

    async def run(self, numbers: Iterator[int], kind: str = "kept") -> None:
        """Ask for all of these, as long as somebody answers."""
        with suppress(asyncio.IncompleteReadError, OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            try:
                for number in numbers:
                    request = f"GET /{kind}/{number} HTTP/1.1\r\nHost: endurance.example\r\n\r\n"
                    writer.write(request.encode("ascii"))
                    await asyncio.wait_for(self._answer(reader, number), LIMIT)
            finally:
                writer.close()

    async def _answer(self, reader: asyncio.StreamReader, number: int) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        told, expected = self._told, body_of(number)
        length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
        body = await reader.readexactly(length)
        told.answers += 1
        told.size += length
        told.hits += b"; hit" in head
        told.wrong += b" 200 " not in head.split(b"\r\n")[0] + b" " or body != expected


async def ask(port: int, numbers: Iterator[int], kind: str = "kept", clients: int = CLIENTS) -> Told:
    """So many clients share in asking for these."""
    told = Told()
    await asyncio.gather(*(_Client(port, told).run(numbers, kind) for _ in range(clients)))
    return told


def _held_files(pid: int) -> Iterator[tuple[str, os.stat_result]]:
    """The files that a process has open, and what they are called."""
    for one in tree(pid):
        for link in Path(f"/proc/{one}/fd").iterdir():
            with suppress(OSError):
                yield os.readlink(link), link.stat()


def memory_of(pid: int) -> int:
    """All memory of a process, that in files without a name included, which no process has mapped."""
    files = {there.st_ino: there.st_blocks * 512 for name, there in _held_files(pid) if name.startswith("/memfd:")}
    return memory_bytes(pid) + sum(files.values())


def disk_of(directory: Path, pid: int) -> int:
    """What a directory takes, with what a process still has open of what was removed."""
    files = {}
    for path in directory.iterdir():
        with suppress(FileNotFoundError):
            there = path.stat()
            files[there.st_ino] = there.st_blocks * 512
    for name, there in _held_files(pid):
        if name.startswith(f"{directory}/"):
            files[there.st_ino] = there.st_blocks * 512
    return sum(files.values())


@attrs.frozen
class Field:
    """Where proxies run, in front of an ``origin`` of ours."""

    directory: Path
    origin: int
    cores: Cores
    programs: Programs
    _names: Iterator[int] = attrs.field(factory=count)

    def start(self, *options: str) -> tuple[Program, int]:
        """A proxy with these options, and the port that it is on."""
        port = free_port()
        argv = [sys.executable, "-c", "from twisted.scripts.twistd import run; run()", "-n", "--pidfile="]
        argv += ["--logfile=/dev/null", "--reactor=txproxy", "txproxy", "reverse", "--access-log", "none"]
        argv += ["--listen", f"tcp:{port}:interface=127.0.0.1:backlog=4096", *options]
        argv += ["--upstream", f"http://127.0.0.1:{self.origin}"]
        name = f"proxy-{next(self._names)}"
        return self.programs.start(name, argv, self.cores.proxy, port, {"PYTHONPATH": python_path()}), port

    def kill(self, *programs: Program) -> None:
        """End them at once, wherever they are."""
        for program in programs:
            os.killpg(program.pid, signal.SIGKILL)
        for program in programs:
            program.reap(0.0)


@asynccontextmanager
async def field() -> AsyncIterator[Field]:
    """Proxies on a core of their own; origin and clients share another."""
    cores = Cores.choose()
    os.sched_setaffinity(0, {cores.load})
    origin = free_port()
    with open_directory() as directory:
        async with await asyncio.start_server(_origin, "127.0.0.1", origin, backlog=4096):
            with Programs(directory) as programs:
                yield Field(directory, origin, cores, programs)
            # The origin hears that they have gone.
            await asyncio.sleep(EVERY)


async def _most(look: Callable[[], int], while_: Awaitable[Told]) -> tuple[int, Told]:
    """The most that is seen while something goes on, and what that gives."""
    going = asyncio.ensure_future(while_)
    most = 0
    while not going.done():
        await asyncio.wait([going], timeout=EVERY)
        most = max(most, look())
    return most, going.result()


def _numbers(size: int) -> Iterator[int]:
    """Those whose bodies have so many bytes in all."""
    numbers = count(1000)
    while size > 0:
        yield (number := next(numbers))
        size -= len(body_of(number))


def _said(what: str, found: float, bound: float, at_least: bool, wrong: int) -> bool:
    reached = not wrong and (found >= bound if at_least else found <= bound)
    sign = ">=" if at_least else "<="
    print(f"{what} {found:.3f} (asked {sign} {bound:g}): {'reached' if reached else 'NOT REACHED'}", flush=True)
    return reached


async def memory(times: int, kills: int) -> bool:
    """Write ``times`` its size to a cache in memory."""
    async with field() as there:
        program, port = there.start("--cache", f"{MEMORY // MB}M")
        await ask(port, iter(range(1000)), "never")
        base = memory_of(program.pid)
        most, told = await _most(lambda: memory_of(program.pid), ask(port, _numbers(times * MEMORY)))
        what = f"memory: {told.size / MB:.0f} MB written to {MEMORY // MB}, {told.wrong} wrong; "
        what += f"base {base / MB:.1f} MB, most {most / MB:.1f} MB, which is more than the base by its size times"
        return _said(what, (most - base) / MEMORY, MOST_MEMORY, False, told.wrong)


async def disk(times: int, kills: int) -> bool:
    """The same to one on a disk."""
    async with field() as there:
        kept = there.directory / "kept"
        program, port = there.start("--cache", "1M", "--cache-dir", str(kept), "--cache-dir-size", f"{DISK // MB}M")
        await ask(port, iter(range(1000)), "never")
        base = memory_of(program.pid)
        most, told = await _most(lambda: disk_of(kept, program.pid), ask(port, _numbers(times * DISK)))
        grown = (memory_of(program.pid) - base) / MB
        what = f"disk: {told.size / MB:.0f} MB written to {DISK // MB}, {told.wrong} wrong; most {most / MB:.1f} MB, "
        what += f"and {grown:.1f} MB more of memory with --cache 1M; the most is its size times"
        return _said(what, most / DISK, MOST_DISK, False, told.wrong)


async def killed(times: int, kills: int) -> bool:
    """Kill two processes that write to one directory, again and again."""
    chance = random.Random(1)
    fresh = count(1000)
    found: list[float] = []
    answers = wrong = 0
    async with field() as there:
        options = ("--cache", "1M", "--cache-dir", str(there.directory / "kept"), "--cache-dir-size", f"{DISK // MB}M")

        def mixed() -> Iterator[int]:
            while True:
                yield chance.randrange(OBJECTS) if chance.random() < 0.5 else next(fresh)

        for turn in range(kills + 1):
            started = [there.start(*options) for _ in range(1 if turn == kills else 2)]
            again = await ask(started[0][1], iter(range(OBJECTS)))
            if turn:
                found.append(again.hits / OBJECTS)
            wrong += again.wrong
            if turn < kills:
                writing = [asyncio.ensure_future(ask(port, mixed(), clients=CLIENTS // 2)) for _, port in started]
                await asyncio.sleep(LOAD + chance.random())
                there.kill(*(program for program, _ in started))
                told = await asyncio.gather(*writing)
                answers += sum(one.answers for one in told)
                wrong += sum(one.wrong for one in told)
        what = f"kills: {kills} of two processes, {answers} answers before them, {wrong} wrong; "
        what += f"found after each: {sum(found) / len(found):.3f} of {OBJECTS} objects, and at least"
        return _said(what, min(found), LEAST_HITS, True, wrong)


PARTS = {"memory": memory, "disk": disk, "kills": killed}


def main() -> int:
    """Run what is asked for; 1 where something is not reached."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cache_endurance", description="how a cache endures")
    parser.add_argument("--only", action="append", choices=list(PARTS), help="this part (all)")
    parser.add_argument("--times", type=int, default=TIMES, help=f"how often its size is written [default: {TIMES}]")
    parser.add_argument("--kills", type=int, default=KILLS, help=f"how many kills [default: {KILLS}]")
    options = parser.parse_args()
    parts = [run for name, run in PARTS.items() if options.only is None or name in options.only]
    reached = [asyncio.run(run(options.times, options.kills)) for run in parts]
    return 0 if all(reached) else 1


if __name__ == "__main__":
    sys.exit(main())
