"""``python -m benchmarks.herds``: many clients at once for one object that the origin is slow with.

How long it takes until the last of them has all of it, and how many requests the origin gets for that. No CPU time is
measured: proxies wait here.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import attrs

from benchmarks import caches
from benchmarks.machine import describe
from benchmarks.origin import Site
from benchmarks.peers import PEERS, Configure, Role
from benchmarks.ports import free_port
from benchmarks.process import Cores, Programs, StartError
from benchmarks.report import OURS, aligned
from benchmarks.run import open_directory, python_path
from benchmarks.slow_origin import SIZE, SlowOrigin

LIMIT = 20.0
"""Seconds that a client waits."""


@attrs.frozen
class Given:
    """What one client got, and how many seconds after the herd began; ``status`` is 0 for no answer."""

    status: int = 0
    size: int = 0
    first: float = LIMIT
    last: float = LIMIT

    @property
    def whole(self) -> bool:
        """Whether it is the whole object."""
        return self.status == 200 and self.size == SIZE


@attrs.frozen
class Outcome:
    """Of a herd: seconds, requests at the origin, and how many clients did not get what they should have."""

    seconds: float
    requests: int
    wrong: int

    def __str__(self) -> str:
        said = f"{self.seconds:.2f} s, {self.requests}"
        return f"{said} ({self.wrong} WRONG)" if self.wrong else said


@attrs.frozen
class Field:
    """Where a herd runs: at a proxy on ``port``, in front of ``origin``."""

    port: int
    origin: SlowOrigin


class _Client:
    """Connected before the herd begins, so that all ask at the same moment."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def ask(self, path: str, began: float) -> Given:
        """GET it."""
        try:
            return await asyncio.wait_for(self._ask(path, began), LIMIT)
        except TimeoutError:
            return Given()
        except (OSError, asyncio.IncompleteReadError):
            return Given(last=time.perf_counter() - began)

    async def _ask(self, path: str, began: float) -> Given:
        self._writer.write(f"GET {path} HTTP/1.1\r\nHost: herd.example\r\n\r\n".encode("ascii"))
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        _, told, rest = head.partition(b"content-length:")
        expected = int(rest.split(b"\r\n")[0]) if told else 1 << 60
        first, size = LIMIT, 0
        while size < expected and (piece := await self._reader.read(1 << 16)):
            first = first if size else time.perf_counter() - began
            size += len(piece)
        return Given(int(head.split()[1]), size, first, time.perf_counter() - began)

    def close(self) -> None:
        """It wants no more."""
        self._writer.close()


async def rush(field: Field, path: str, count: int) -> list[Given]:
    """So many clients ask for it at once."""
    clients = [_Client(*await asyncio.open_connection("127.0.0.1", field.port)) for _ in range(count)]
    try:
        began = time.perf_counter()
        return await asyncio.gather(*(client.ask(path, began) for client in clients))
    finally:
        for client in clients:
            client.close()


def _outcome(given: Sequence[Given], requests: int) -> Outcome:
    return Outcome(max(one.last for one in given), requests, sum(not one.whole for one in given))


async def _cacheable(field: Field) -> Outcome:
    given = await rush(field, "/cacheable/1", 200)
    return _outcome(given, field.origin.requests["/cacheable/1"])


async def _uncacheable(field: Field) -> Outcome:
    given = await rush(field, "/uncacheable/1", 200)
    return _outcome(given, field.origin.requests["/uncacheable/1"])


async def _learned(field: Field) -> Outcome:
    await rush(field, "/uncacheable/2", 2)
    before = field.origin.requests["/uncacheable/2"]
    given = await rush(field, "/uncacheable/2", 200)
    return _outcome(given, field.origin.requests["/uncacheable/2"] - before)


async def _dies(field: Field) -> Outcome:
    given = await rush(field, "/dies/1", 50)
    # Whoever is not told that it failed has waited in vain.
    wrong = sum(one.status < 500 for one in given)
    return Outcome(max(one.last for one in given), field.origin.requests["/dies/1"], wrong)


async def _joining(field: Field) -> Outcome:
    first = asyncio.ensure_future(rush(field, "/stream/1", 1))
    await asyncio.sleep(0.5)
    given = [*await rush(field, "/stream/1", 1), *await first]
    return Outcome(given[0].first, field.origin.requests["/stream/1"], sum(not one.whole for one in given))


async def _stale(field: Field) -> Outcome:
    await rush(field, "/stale/1", 1)
    await asyncio.sleep(2.5)
    before = field.origin.requests["/stale/1"]
    given = await rush(field, "/stale/1", 100)
    await asyncio.sleep(0.2)
    return _outcome(given, field.origin.requests["/stale/1"] - before)


@attrs.frozen
class Herd:
    """One row: what happens, and the ``seconds`` and ``requests`` that are to be reached, if any are."""

    name: str
    title: str
    run: Callable[[Field], Awaitable[Outcome]]
    seconds: float
    requests: int | None = None

    @property
    def bound(self) -> str:
        """What is to be reached."""
        return f"<= {self.seconds:g} s" + ("" if self.requests is None else f", {self.requests}")

    def reached(self, outcome: Outcome) -> bool:
        """Whether it is."""
        enough = self.requests is None or outcome.requests <= self.requests
        return outcome.seconds <= self.seconds and enough and not outcome.wrong


HERDS = (
    Herd("cacheable", "200 clients, cacheable", _cacheable, 1.3, 1),
    Herd("uncacheable", "200 clients, uncacheable, first time", _uncacheable, 2.5),
    Herd("learned", "200 clients, uncacheable, learned", _learned, 1.4),
    Herd("dies", "50 clients, the origin dies", _dies, 2.2, 2),
    Herd("joining", "joining a stream of 2 s: first byte", _joining, 0.1, 1),
    Herd("stale", "100 clients, stale-while-revalidate", _stale, 0.2, 1),
)
_BY_NAME = {peer.name: peer for peer in PEERS}
COLLAPSING: dict[str, Configure] = {
    "nginx": partial(caches.nginx, collapsing=True),
    "squid": partial(caches.squid, collapsing=True),
    "varnish": caches.varnish,
    **{name: _BY_NAME[name].roles[Role.CACHE] for name in OURS},
}
"""Each with all that it has for many clients at once."""


async def measure(site: Site, origin: SlowOrigin, name: str, herd: Herd, cores: Cores) -> Outcome:
    """A ``herd`` at the proxy of that ``name``, which is started for it and has neither learned anything nor kept any
    connection. Raises StartError if it does not start.
    """
    origin.requests.clear()
    port = free_port()
    called = f"{name}-{herd.name}"
    with Programs(site.directory) as programs:
        programs.start(called, COLLAPSING[name](site, called, port), cores.proxy, port, {"PYTHONPATH": python_path()})
        return await herd.run(Field(port, origin))


def table(herds: Sequence[Herd], outcomes: dict[str, list[Outcome]]) -> str:
    """A herd a row, a proxy a column; below it what falls short of ours."""
    lines = [["last byte, requests at the origin", *outcomes, "to be reached"]]
    short = []
    for place, herd in enumerate(herds):
        lines.append([herd.title, *(str(all_of[place]) for all_of in outcomes.values()), f"  {herd.bound}"])
        ours = [name for name in outcomes if name in OURS]
        short += [f"{name}: {herd.title}" for name in ours if not herd.reached(outcomes[name][place])]
    return "\n".join([aligned(lines), "", *(f"falls short: {what}" for what in short)])


async def run(names: Sequence[str], herds: Sequence[Herd], cores: Cores) -> dict[str, list[Outcome]]:
    """Each proxy in its turn."""
    origin = SlowOrigin()
    outcomes = {}
    with open_directory() as directory, open_directory(in_memory=True) as memory:
        site = Site(directory, memory, free_port(), 0, directory / "certificate.pem", directory / "key.pem")
        async with await origin.listen(site.origin):
            for name in names:
                missing = _BY_NAME[name].missing()
                if missing is not None:
                    print(f"skipped: {name}, as {missing} is not installed")
                    continue
                try:
                    outcomes[name] = [await measure(site, origin, name, herd, cores) for herd in herds]
                except (StartError, OSError) as fault:
                    print(f"{name}: {fault}")
    return outcomes


def main() -> None:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.herds", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", action="append", choices=[herd.name for herd in HERDS], help="this herd (all)")
    parser.add_argument("--proxy", action="append", choices=list(COLLAPSING), help="this proxy (all)")
    options = parser.parse_args()
    cores = Cores.choose()
    os.sched_setaffinity(0, {cores.load})
    herds = [herd for herd in HERDS if options.only is None or herd.name in options.only]
    names = [name for name in COLLAPSING if options.proxy is None or name in options.proxy]
    about = describe()
    print(f"{about['processor']}; versions: {about['versions']}", flush=True)
    print(table(herds, asyncio.run(run(names, herds, cores))))


if __name__ == "__main__":
    main()
