"""``python -m benchmarks.upgrades``: what clients notice when the program, its configuration or a worker is replaced.

Each row is a run of its own, with the proxy on one core and all clients and upstreams on another: as all workers share
a core, times are longer than they would be.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import attrs

from benchmarks.machine import describe
from benchmarks.measure import memory_bytes
from benchmarks.origin import make_certificate
from benchmarks.ports import free_port
from benchmarks.process import Cores, Program, Programs
from benchmarks.report import aligned
from benchmarks.run import open_directory, python_path

LIMIT = 20.0
"""Seconds that anything may take before it counts as an error."""
GET = b"GET /name HTTP/1.1\r\nHost: a\r\n\r\n"
UPGRADE = b"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n"
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n"
SAID = "of the one before it finish and leave"
READ = "was read again, and runs"

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


@attrs.define
class Proxy:
    """One that runs, and where."""

    program: Program
    folder: Path
    name: str
    ports: dict[str, int]

    @property
    def said(self) -> str:
        """All that it has said."""
        return (self.folder / f"{self.name}.output").read_text(errors="replace")

    async def says(self, text: str, times: int = 1) -> None:
        """Return when it has said so, so often."""
        await until(lambda: self.said.count(text) >= times, text)

    @property
    def workers(self) -> list[int]:
        """Those that there are just now."""
        return [pid for pid in self.family if _name(pid).startswith("txproxy work")]

    @property
    def family(self) -> list[int]:
        """All processes of the session, also those whose parents have gone."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(") ")[2].split()
                if fields[3] == str(self.program.pid) and fields[0] != "Z":
                    found.append(int(entry.name))
        return found

    def signal(self, number: signal.Signals) -> None:
        """To the master."""
        os.kill(self.program.pid, number)


@attrs.define
class Outcome:
    """What came of a run: what is said of it, and whether that is what is to be reached."""

    said: str
    reached: bool


def _name(pid: int) -> str:
    with suppress(OSError):
        if Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z":
            return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


async def until(condition: Callable[[], object], what: str) -> float:
    """Return when it is so, and how many seconds that took."""
    began = time.perf_counter()
    while not condition():
        if time.perf_counter() - began > LIMIT:
            raise TimeoutError(f"not within {LIMIT:g} s: {what}")
        await asyncio.sleep(0.01)
    return time.perf_counter() - began


# -- clients, and who they talk to


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says all that it hears, once it has agreed to a change of protocols if it is asked for one."""
    with suppress(OSError, asyncio.CancelledError):
        first = True
        while data := await reader.read(65536):
            if first and data.startswith(b"GET "):
                data = SWITCHED
            first = False
            writer.write(data)
            await writer.drain()
    writer.close()


@attrs.define
class Chat:
    """A tunnel, and what went wrong in it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    words: int = 0
    fault: str = ""

    @classmethod
    async def open(cls, port: int, first: bytes = b"", answer: bytes = b"") -> Chat:
        """One through ``port``, which is asked for with ``first``."""
        chat = cls(*await asyncio.open_connection("127.0.0.1", port))
        if first:
            chat.writer.write(first)
            head = await asyncio.wait_for(chat.reader.readuntil(b"\r\n\r\n"), LIMIT)
            if answer not in head:
                raise OSError(head.decode("latin-1"))
        await chat.say(b"first")
        return chat

    async def say(self, word: bytes) -> None:
        """One word, and its echo."""
        self.writer.write(word)
        if await asyncio.wait_for(self.reader.readexactly(len(word)), LIMIT) != word:
            raise OSError("other bytes came than were sent")
        self.words += 1

    async def go_on(self, stopped: asyncio.Event, pause: float, size: int) -> None:
        """Talk until it is over."""
        try:
            while not stopped.is_set():
                await self.say(os.urandom(size))
                await asyncio.sleep(pause)
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as fault:
            self.fault = repr(fault)


async def _ask(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(GET.replace(b"Host", b"Connection: close\r\nHost"))
        if not (await asyncio.wait_for(reader.read(), LIMIT)).endswith(b"served\n"):
            raise OSError("no answer")
    finally:
        writer.close()


async def _arrivals(port: int, stopped: asyncio.Event, faults: list[str]) -> list[float]:
    """New clients, one after the other; how long those had to wait that were answered."""
    waited = []
    while not stopped.is_set():
        began = time.perf_counter()
        try:
            await _ask(port)
            waited.append(time.perf_counter() - began)
        except (OSError, TimeoutError) as fault:
            faults.append(repr(fault))
        await asyncio.sleep(0.005)
    return waited


# -- what is done


async def _upgrade(proxy: Proxy) -> Outcome:
    """SIGUSR2 with a thousand tunnels that talk, and 500 connections between two requests."""
    connect = b"CONNECT 127.0.0.1:%d HTTP/1.1\r\nHost: a\r\n\r\n" % proxy.ports["chat"]
    chats = [await Chat.open(proxy.ports["raw"]) for _ in range(500)]
    chats += [await Chat.open(proxy.ports["out"], connect, b" 200 ") for _ in range(500)]
    kept = [await asyncio.open_connection("127.0.0.1", proxy.ports["web"]) for _ in range(500)]
    lost = 0
    for reader, writer in kept:
        writer.write(GET)
        await asyncio.wait_for(reader.readuntil(b"served\n"), LIMIT)
    before, stopped, faults = proxy.workers, asyncio.Event(), []  # type: list[int], asyncio.Event, list[str]
    # Each says a kilobyte each second.
    talking = [asyncio.ensure_future(chat.go_on(stopped, 1.0, 1000)) for chat in chats]
    arriving = asyncio.ensure_future(_arrivals(proxy.ports["web"], stopped, faults))
    proxy.signal(signal.SIGUSR2)
    await proxy.says(SAID)
    left = await until(lambda: not any(map(_name, before)), "the old workers have left")
    await asyncio.sleep(1.5)
    stopped.set()
    await asyncio.gather(*talking)
    arrived = len(await arriving)
    for reader, writer in kept:
        try:
            writer.write(GET)
            await asyncio.wait_for(reader.readuntil(b"served\n"), LIMIT)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            lost += 1
    ended = sum(bool(chat.fault) for chat in chats)
    for writer in (*(chat.writer for chat in chats), *(writer for _, writer in kept)):
        writer.close()
    said = f"{ended} tunnels and {lost} kept lost, {len(faults)} of {arrived} new ones; gone after {left:.2f} s"
    return Outcome(said, not ended and not lost and not faults and arrived > 100 and left <= 2.0)


async def _websockets(proxy: Proxy) -> Outcome:
    """20 upgrades, with one more WebSocket each."""
    before, chats = len(proxy.family), []
    for number in range(20):
        chats.append(await Chat.open(proxy.ports["web"], UPGRADE, b" 101 "))
        old = proxy.workers
        proxy.signal(signal.SIGUSR2)
        await proxy.says(SAID, number + 1)
        await until(lambda old=old: not any(map(_name, old)), "the old workers have left")  # type: ignore[misc]
    ended = 0
    for chat in chats:
        try:
            await chat.say(b"last")
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            ended += 1
        chat.writer.close()
    more = len(proxy.family) - before
    return Outcome(f"{ended} of {len(chats)} WebSockets ended, {more:+d} processes", not ended and not more)


async def _reload(proxy: Proxy, times: int, pause: float) -> None:
    for number in range(times):
        text = (proxy.folder / "proxy.toml").read_text()
        mark = "\n# once more"
        (proxy.folder / "proxy.toml").write_text(text.replace("served", f"served{' ' * (number % 2)}") + mark)
        before = proxy.said.count(READ)
        proxy.signal(signal.SIGHUP)
        if pause:
            await asyncio.sleep(pause)
        else:
            await until(lambda before=before: proxy.said.count(READ) > before, READ)  # type: ignore[misc]


async def _under_load(proxy: Proxy, act: Callable[[], Awaitable[None]]) -> Outcome:
    """``act`` under each kind of load, one after the other."""
    wrk = shutil.which("wrk") or _missing("wrk")
    errors, requests = [], 0
    for scheme, place in (("http", "web"), ("https", "tls")):
        for title, words in (("kept", []), ("new", ["-H", "Connection: close"])):
            url = f"{scheme}://127.0.0.1:{proxy.ports[place]}/name"
            load = await asyncio.create_subprocess_exec(
                wrk, "-t1", "-c32", "-d8s", *words, url, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )
            await asyncio.sleep(0.3)
            await act()
            report = (await load.communicate())[0].decode()
            answered = next((int(line.split()[0]) for line in report.splitlines() if "requests in" in line), 0)
            requests += answered
            wrong = [line.strip() for line in report.splitlines() if "Socket errors" in line or "Non-2xx" in line]
            if wrong or not answered:
                errors.append(f"{scheme} {title}: {'; '.join(wrong) or 'nothing was answered'}")
    return Outcome(f"{'; '.join(errors) or '0 errors'} in {requests} requests", not errors)


async def _reloads(proxy: Proxy) -> Outcome:
    """12 SIGHUPs in six seconds."""
    outcome = await _under_load(proxy, lambda: _reload(proxy, 12, 0.5))
    outcome.said += f", {proxy.said.count(READ)} reloads"
    return outcome


async def _loaded(proxy: Proxy) -> Outcome:
    """SIGUSR2."""

    async def upgrade() -> None:
        count = proxy.said.count(SAID)
        proxy.signal(signal.SIGUSR2)
        await proxy.says(SAID, count + 1)

    return await _under_load(proxy, upgrade)


async def _memory(proxy: Proxy) -> Outcome:
    """50 reloads, after some that fill what stays."""
    await _reload(proxy, 10, 0)
    await asyncio.sleep(1)
    before = memory_bytes(proxy.program.pid)
    await _reload(proxy, 50, 0)
    await asyncio.sleep(1)
    more = (memory_bytes(proxy.program.pid) - before) / (1 << 20)
    return Outcome(f"{more:+.1f} MB in all processes after 50 reloads", more <= 5.0)


async def _killed(proxy: Proxy) -> Outcome:
    """kill -9 of one of two workers, with a hundred tunnels and new clients all the time."""
    chats = [await Chat.open(proxy.ports["raw"]) for _ in range(100)]
    victim = proxy.workers[0]
    carried = _sockets(victim) // 2
    stopped, faults = asyncio.Event(), []  # type: asyncio.Event, list[str]
    arriving = asyncio.ensure_future(_arrivals(proxy.ports["web"], stopped, faults))
    await asyncio.sleep(0.5)
    os.kill(victim, signal.SIGKILL)
    await asyncio.sleep(1.5)
    stopped.set()
    waited, lost = await arriving, 0
    for chat in chats:
        try:
            await chat.say(b"last")
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            lost += 1
        chat.writer.close()
    refused = sum("Refused" in fault for fault in faults)
    said = (
        f"new ones wait for {max(waited) * 1000:.0f} ms at the most; {refused} refused, {len(faults) - refused} cut of "
        f"{len(waited)}; {lost} of {len(chats)} tunnels lost"
    )
    # Whoever was just being answered by it is one that it carried.
    return Outcome(said, max(waited) <= 0.15 and not refused and len(faults) <= 1 and 0 < lost <= carried)


def _sockets(pid: int) -> int:
    found = 0
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            found += os.readlink(entry).startswith("socket:")
    return found


@attrs.frozen
class Row:
    """What is done, with how many workers, and what is to be reached."""

    name: str
    title: str
    workers: int
    run: Callable[[Proxy], Awaitable[Outcome]]
    bound: str


ROWS = (
    Row("upgrade", "SIGUSR2, 1,000 tunnels, 500 kept, new ones", 2, _upgrade, "0 errors, old ones gone in 2 s"),
    Row("websockets", "20 times SIGUSR2, a WebSocket each", 2, _websockets, "none ends, no process more"),
    Row("loaded", "SIGUSR2, wrk -c32", 2, _loaded, "0 errors"),
    Row("reloads-1", "12 times SIGHUP in 6 s, wrk -c32, 1 worker", 1, _reloads, "0 errors"),
    Row("reloads-2", "12 times SIGHUP in 6 s, wrk -c32, 2 workers", 2, _reloads, "0 errors"),
    Row("memory-1", "50 times SIGHUP, 1 worker", 1, _memory, "at most 5 MB more"),
    Row("memory-2", "50 times SIGHUP, 2 workers", 2, _memory, "at most 5 MB more"),
    Row("killed", "kill -9 of one of two workers", 2, _killed, "150 ms, none refused"),
)


def _missing(what: str) -> NoReturn:
    raise SystemExit(f"{what} is not installed")


async def measure(row: Row, folder: Path, cores: Cores) -> Outcome:
    """One row, with a proxy of its own."""
    ports = {name: free_port() for name in ("web", "tls", "raw", "out", "chat")}
    (folder / "proxy.toml").write_text(CONFIG.format(workers=row.workers, **ports))
    environment = {"PYTHONPATH": python_path()}
    words = [sys.executable, "-m", "txproxy", "run", "--config", "proxy.toml"]
    server = await asyncio.start_server(_echo, "127.0.0.1", ports["chat"], backlog=4096)
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
