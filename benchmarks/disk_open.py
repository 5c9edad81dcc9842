"""How a disk store opens that has very many small responses, with its index and without it: ``python -m
benchmarks.disk_open``.

Printed are how long it takes to open, when the first hit is there, and the longest turn of the reactor meanwhile: by
the clock, which others on the machine make longer, and by the CPU time of the reactor's own thread. How much longer
they make it is told by the longest turn in as long a time with nothing to do.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any

import attrs
from twisted.internet import reactor as installed
from twisted.internet.task import LoopingCall

from txproxy.cache.disk.disk_store import DiskStore, NeedsThread
from txproxy.cache.memory.memory_store import MemoryStore
from txproxy.cache.stored import Entry, Freshness, MemoryBody, StoredHead
from txproxy.cache.tiered_store import TieredStore
from txproxy.proxy.caching.shared_cache import SharedCache
from txproxy.wire.headers import Headers

BODY = b"x" * 1000
SIZE = 4 << 30
# How often the reactor is asked for a turn, in seconds.
EVERY = 0.001
# For how long there is nothing to do afterwards, at least, in seconds.
IDLE = 1.0
# What it takes to run, in seconds, before it is given up.
MOST = 600.0


@attrs.define
class Turns:
    """The turns of the reactor while something goes on: what is between two calls is one, or several."""

    begun: float = attrs.field(factory=time.perf_counter)
    longest: float = 0.0
    longest_cpu: float = 0.0
    first_hit: float | None = None
    complete: float | None = None
    _last: float = attrs.field(factory=time.perf_counter)
    _last_cpu: float = attrs.field(factory=time.thread_time)

    def turn(self) -> None:
        """Another one has begun."""
        now, cpu = time.perf_counter(), time.thread_time()
        self.longest = max(self.longest, now - self._last)
        self.longest_cpu = max(self.longest_cpu, cpu - self._last_cpu)
        self._last, self._last_cpu = now, cpu

    def since(self) -> float:
        """How long it goes on."""
        return time.perf_counter() - self.begun


def key_of(number: int) -> bytes:
    """The key of a response of that number."""
    return blake2b(b"%d" % number, digest_size=32).digest()


def fill(path: Path, count: int) -> None:
    """Keep so many responses there."""
    store = DiskStore(str(path), SIZE)
    lines = [b"Content-Type: text/html", b"Cache-Control: max-age=86400", b'ETag: "0123456789abcdef"']
    headers = Headers.from_lines(lines)
    head = StoredHead(200, b"OK", headers, time.time(), time.time(), Freshness(86400.0, 0.0))
    for number in range(count):
        if store.put(Entry(key_of(number), head, MemoryBody(BODY))) is None:
            raise SystemExit(f"the disk takes no more: {store.health.trouble}")
    store.close()


def opened(path: Path, count: int) -> Turns:
    """Open what is there as a proxy does, and ask it for one after another until its index is complete."""
    reactor: Any = installed
    chance = random.Random(1)
    turns = Turns()
    store = TieredStore(MemoryStore(16 << 20), DiskStore(str(path), SIZE))
    cache = SharedCache(store)
    cache.begin(reactor)
    print(f"  opened after {turns.since() * 1000:.0f} ms", flush=True)

    def turn() -> None:
        turns.turn()
        found = store.disk.variants(key_of(chance.randrange(count)))
        if turns.first_hit is None and not isinstance(found, NeedsThread) and found:
            turns.first_hit = turns.since()
        if store.disk.is_complete and turns.first_hit is not None:
            turns.complete = turns.since()
        if turns.complete is not None or turns.since() > MOST:
            reactor.crash()

    _run(reactor, turn, turns)
    cache.close()
    return turns


def idle(seconds: float) -> Turns:
    """The same for so long with nothing to do."""
    reactor: Any = installed
    turns = Turns()

    def turn() -> None:
        turns.turn()
        if turns.since() >= seconds:
            reactor.crash()

    _run(reactor, turn, turns)
    return turns


def _run(reactor: Any, turn: Callable[[], None], turns: Turns) -> None:
    loop = LoopingCall(turn)
    loop.start(EVERY, now=False)
    turns.turn()
    reactor.run(installSignalHandlers=False)
    loop.stop()


def report(turns: Turns) -> None:
    """Print what came out."""
    hit = f"{turns.first_hit * 1000:.0f} ms" if turns.first_hit is not None else "never"
    complete = f"{turns.complete:.1f} s" if turns.complete is not None else f"not within {MOST:.0f} s"
    print(f"  first hit after {hit}, complete after {complete}")
    print(f"  longest turn {turns.longest * 1000:.1f} ms, of which CPU {turns.longest_cpu * 1000:.1f} ms", flush=True)


def main() -> int:
    """Run it; each opening in a process of its own, as a reactor runs once."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.disk_open", description="how a disk store opens")
    options.add_argument("--count", type=int, default=1_000_000, help="how many responses [default: 1000000]")
    options.add_argument("--dir", type=Path, help="where the store is made [default: a temporary directory]")
    count, place = (chosen := options.parse_args()).count, chosen.dir
    with tempfile.TemporaryDirectory(prefix="txproxy-bench-", dir=place) as temporary:
        path = Path(temporary) / "kept"
        begun = time.perf_counter()
        fill(path, count)
        print(f"{count} responses of {len(BODY)} bytes, kept in {time.perf_counter() - begun:.0f} s", flush=True)
        for what in ("with its index", "without it"):
            print(what, flush=True)
            if what == "without it":
                (path / "index.v1").unlink()
            child = os.fork()
            if not child:
                report(turns := opened(path, count))
                longest = idle(max(turns.complete or MOST, IDLE)).longest
                print(f"  longest turn with nothing to do {longest * 1000:.1f} ms")
                sys.stdout.flush()
                os._exit(0)
            _, status = os.waitpid(child, 0)
            if status:
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
