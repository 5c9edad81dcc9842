"""What is replaced while it serves, under which load, and what came of it: a worker, a configuration, the program."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import attrs

from benchmarks.chats import GET, LIMIT, UPGRADE, Chat, arrivals
from benchmarks.measure import memory_bytes
from benchmarks.process import Program

SAID = "of the one before it finish and leave"
READ = "was read again, and runs"


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
        return [pid for pid in self.family if name_of(pid).startswith("txproxy work")]

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


def name_of(pid: int) -> str:
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


# -- what is done


async def upgrade(proxy: Proxy) -> Outcome:
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
    arriving = asyncio.ensure_future(arrivals(proxy.ports["web"], stopped, faults))
    proxy.signal(signal.SIGUSR2)
    await proxy.says(SAID)
    left = await until(lambda: not any(map(name_of, before)), "the old workers have left")
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


async def websockets(proxy: Proxy) -> Outcome:
    """20 upgrades, with one more WebSocket each."""
    before, chats = len(proxy.family), []
    for number in range(20):
        chats.append(await Chat.open(proxy.ports["web"], UPGRADE, b" 101 "))
        old = proxy.workers
        proxy.signal(signal.SIGUSR2)
        await proxy.says(SAID, number + 1)
        await until(lambda old=old: not any(map(name_of, old)), "the old workers have left")  # type: ignore[misc]
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


async def reloads(proxy: Proxy) -> Outcome:
    """12 SIGHUPs in six seconds."""
    outcome = await _under_load(proxy, lambda: _reload(proxy, 12, 0.5))
    outcome.said += f", {proxy.said.count(READ)} reloads"
    return outcome


async def loaded(proxy: Proxy) -> Outcome:
    """SIGUSR2."""

    async def replace() -> None:
        count = proxy.said.count(SAID)
        proxy.signal(signal.SIGUSR2)
        await proxy.says(SAID, count + 1)

    return await _under_load(proxy, replace)


async def memory(proxy: Proxy) -> Outcome:
    """50 reloads, after some that fill what stays."""
    await _reload(proxy, 10, 0)
    await asyncio.sleep(1)
    before = memory_bytes(proxy.program.pid)
    await _reload(proxy, 50, 0)
    await asyncio.sleep(1)
    more = (memory_bytes(proxy.program.pid) - before) / (1 << 20)
    return Outcome(f"{more:+.1f} MB in all processes after 50 reloads", more <= 5.0)


async def killed(proxy: Proxy) -> Outcome:
    """kill -9 of one of two workers, with a hundred tunnels and new clients all the time."""
    chats = [await Chat.open(proxy.ports["raw"]) for _ in range(100)]
    victim = proxy.workers[0]
    carried = _sockets(victim) // 2
    stopped, faults = asyncio.Event(), []  # type: asyncio.Event, list[str]
    arriving = asyncio.ensure_future(arrivals(proxy.ports["web"], stopped, faults))
    await asyncio.sleep(1.5)
    killed_at = time.perf_counter()
    os.kill(victim, signal.SIGKILL)
    await asyncio.sleep(1.5)
    stopped.set()
    came, lost = await arriving, 0
    before, waited = ([wait for at, wait in came if (at + wait < killed_at) == early] for early in (True, False))
    for chat in chats:
        try:
            await chat.say(b"last")
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            lost += 1
        chat.writer.close()
    refused = sum("Refused" in fault for fault in faults)
    said = (
        f"new ones wait for {max(waited) * 1000:.0f} ms at the most ({max(before) * 1000:.0f} before); {refused} "
        f"refused, {len(faults) - refused} cut of {len(came)}; {lost} of {len(chats)} tunnels lost"
    )
    # Whoever was just being answered by it is one that it carried.
    return Outcome(said, max(waited) <= 0.15 and not refused and len(faults) <= 1 and 0 < lost <= carried)


def _sockets(pid: int) -> int:
    found = 0
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            found += os.readlink(entry).startswith("socket:")
    return found


def _missing(what: str) -> NoReturn:
    raise SystemExit(f"{what} is not installed")
