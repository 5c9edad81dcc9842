"""What is measured: each scenario is a role, a load, and the unit that its cost is told in."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping

import attrs

from benchmarks import load
from benchmarks.load import Load, LoadError
from benchmarks.measure import cpu_seconds, memory_bytes
from benchmarks.origin import KEPT, LARGE_SIZE, SMALL, Site
from benchmarks.peers import Role

GB = 1e9


@attrs.frozen
class Target:
    """A peer as it runs for one scenario."""

    pid: int
    port: int
    site: Site
    plain_tcp: bool
    """It takes no CONNECT: its clients talk to the origin at once."""
    closes: bool
    """A failed read at the end of an answer is its way, and no error."""


@attrs.frozen
class Effort:
    """How much is asked of each row."""

    seconds: int
    warm_up: int
    bulk_size: int
    idle_connections: int


@attrs.frozen
class Sample:
    """One measurement."""

    cost: float
    """In the scenario's unit."""
    rate: float | None
    """Requests, or GB, in a second."""
    errors: Mapping[str, int] = attrs.field(factory=dict)


Measure = Callable[[Target, Effort], Sample]


@attrs.frozen
class Scenario:
    """One table of the report."""

    name: str
    title: str
    role: Role
    measure: Measure
    unit: str
    """Of the cost, which is better when it is less."""
    rate_unit: str | None = "requests/s"
    once: bool = False
    """A second round would not find the peer as it was."""
    digits: int = 1


BROWSER_FIELDS = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Accept-Language": "en-GB,en;q=0.9,de;q=0.8,fr;q=0.7",
    "Cache-Control": "max-age=0",
    "Cookie": "session=6f1d2c3b4a5968778695a4b3c2d1e0f0; theme=dark; consent=v2.1.analytics-0.marketing-0",
    "DNT": "1",
    "Referer": "http://www.example.com/catalogue/shoes?page=3&sort=price",
    "Sec-CH-UA": '"Not/A)Brand";v="8", "Chromium";v="126", "Google Chrome";v="126"',
    "Sec-CH-UA-Mobile": "?0",
    "Sec-CH-UA-Platform": '"Linux"',
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "same-origin",
    "Upgrade-Insecure-Requests": "1",
}


def _cost_of(target: Target, run: Callable[[], Load], per: float, scale: float) -> Sample:
    """CPU of the proxy for each ``per`` of what ``run`` did, times ``scale``."""
    before = cpu_seconds(target.pid)
    done = run()
    used = cpu_seconds(target.pid) - before
    errors = {kind: count for kind, count in done.errors.items() if not (target.closes and kind == "read")}
    return Sample(used / (done.done / per) * scale, done.done / per / done.seconds, errors)


def _requests(
    path: str, size: int, headers: Mapping[str, str] | None = None, scheme: str = "http", varied: bool = False
) -> Measure:
    def measure(target: Target, effort: Effort) -> Sample:
        context = load.tls_client() if scheme == "https" else None
        load.expect(*load.get(target.port, path, "localhost", context), size)
        url = f"{scheme}://127.0.0.1:{target.port}{path}"
        directory = target.site.directory

        def run(seconds: int) -> Load:
            return load.wrk(url, seconds, directory, headers=headers, varied=varied)

        run(effort.warm_up)
        return _cost_of(target, lambda: run(effort.seconds), 1, 1e6)

    return measure


def _http2(path: str, size: int, headers: Mapping[str, str] | None = None) -> Measure:
    """Requests in HTTP/2 over TLS."""

    def measure(target: Target, effort: Effort) -> Sample:
        load.expect(*load.get(target.port, path, "localhost", load.tls_client()), size)
        url = f"https://127.0.0.1:{target.port}{path}"

        def run(seconds: int) -> Load:
            return load.h2load(url, seconds, headers)

        run(effort.warm_up)
        return _cost_of(target, lambda: run(effort.seconds), 1, 1e6)

    return measure


def _cached(path: str, size: int, kept: bool = True) -> Measure:
    """Requests for what the proxy has, or what it may not keep."""

    def measure(target: Target, effort: Effort) -> Sample:
        url = f"http://127.0.0.1:{target.port}{path}"

        def run(seconds: int) -> Load:
            return load.wrk(url, seconds, target.site.directory)

        run(effort.warm_up)
        before = load.origin_id(target.port, path, size)
        sample = _cost_of(target, lambda: run(effort.seconds), 1, 1e6)
        # The one it had at first is the one that it has at last: nothing in between came from the origin.
        if (before == load.origin_id(target.port, path, size)) is not kept:
            raise LoadError("answered by the origin, and not from the cache" if kept else "kept what may not be kept")
        return sample

    return measure


def _forward(target: Target, effort: Effort) -> Sample:
    host = f"127.0.0.1:{target.site.origin}"
    absolute = f"http://{host}/small"
    load.expect(*load.get(target.port, absolute, host), len(SMALL))
    url = f"http://127.0.0.1:{target.port}"

    def run(seconds: int) -> Load:
        return load.wrk(url, seconds, target.site.directory, target=absolute, headers={"Host": host})

    run(effort.warm_up)
    return _cost_of(target, lambda: run(effort.seconds), 1, 1e6)


def _bulk(target: Target, effort: Effort, connect: bool) -> Sample:
    def run() -> Load:
        return load.bulk(target.port, target.site.origin, effort.bulk_size, connect and not target.plain_tcp)

    run()
    return _cost_of(target, run, GB, 1.0)


def _connect_bulk(target: Target, effort: Effort) -> Sample:
    return _bulk(target, effort, connect=True)


def _tcp_bulk(target: Target, effort: Effort) -> Sample:
    return _bulk(target, effort, connect=False)


def _handshakes(target: Target, effort: Effort) -> Sample:
    load.handshakes(target.port, 0.3)
    return _cost_of(target, lambda: load.handshakes(target.port, effort.seconds), 1, 1e6)


def _idle(target: Target, effort: Effort, opened: Callable[[int, int], list[socket.socket]] = load.idle) -> Sample:
    # The first ones make the proxy load, allocate and grow what it needs once. Those are not closed before the others
    # are opened, which would be given their memory.
    connections = opened(target.port, effort.idle_connections // 10)
    try:
        time.sleep(0.3)
        before = memory_bytes(target.pid)
        connections += opened(target.port, effort.idle_connections)
        time.sleep(0.3)
        used = memory_bytes(target.pid) - before
        gone = load.closed(connections)
        return Sample(used / effort.idle_connections / 1000, None, {"closed": gone} if gone else {})
    finally:
        load.close(connections)


def _idle_http2(target: Target, effort: Effort) -> Sample:
    fields = {name.lower(): value for name, value in BROWSER_FIELDS.items() if name != "Cookie"}
    return _idle(target, effort, lambda port, count: load.idle_http2(port, count, fields))


_CPU = "us CPU/request"

SCENARIOS: tuple[Scenario, ...] = (
    Scenario("reverse-small", "Reverse, 13 bytes", Role.REVERSE, _requests("/small", len(SMALL)), _CPU),
    Scenario(
        "reverse-varied",
        "Reverse, 13 bytes, no two heads the same",
        Role.REVERSE,
        _requests("/varied", len(SMALL), varied=True),
        _CPU,
    ),
    Scenario("reverse-100k", "Reverse, 100 kB", Role.REVERSE, _requests("/large", LARGE_SIZE), _CPU),
    Scenario(
        "reverse-browser",
        "Reverse, a browser's request head",
        Role.REVERSE,
        _requests("/small", len(SMALL), BROWSER_FIELDS),
        _CPU,
    ),
    Scenario(
        "reverse-close",
        "Reverse, a new connection for each request",
        Role.REVERSE,
        _requests("/small", len(SMALL), {"Connection": "close"}),
        _CPU,
    ),
    Scenario(
        "reverse-watched",
        "Reverse, 13 bytes, with metrics, a log of JSON and three limits",
        Role.WATCHED,
        _requests("/small", len(SMALL)),
        _CPU,
    ),
    Scenario("forward-small", "Forward, 13 bytes", Role.FORWARD, _forward, _CPU),
    Scenario("connect-bulk", "CONNECT, bulk download", Role.CONNECT, _connect_bulk, "s CPU/GB", "GB/s", digits=3),
    Scenario("tcp-bulk", "TCP, bulk download", Role.TCP, _tcp_bulk, "s CPU/GB", "GB/s", digits=3),
    Scenario(
        "tls-small",
        "Reverse, TLS, kept alive, 13 bytes",
        Role.TLS,
        _requests("/small", len(SMALL), scheme="https"),
        _CPU,
    ),
    Scenario("tls-handshake", "Reverse, a TLS handshake for each request", Role.TLS, _handshakes, _CPU, "handshakes/s"),
    Scenario("h2-small", "HTTP/2 over TLS, 13 bytes", Role.HTTP2, _http2("/small", len(SMALL)), _CPU),
    Scenario(
        "h2-browser",
        "HTTP/2 over TLS, a browser's request head",
        Role.HTTP2,
        _http2("/small", len(SMALL), {name.lower(): value for name, value in BROWSER_FIELDS.items()}),
        _CPU,
    ),
    Scenario("h2-100k", "HTTP/2 over TLS, 100 kB", Role.HTTP2, _http2("/large", LARGE_SIZE), _CPU),
    Scenario("h2-1m", "HTTP/2 over TLS, 1 MB", Role.HTTP2, _http2("/kept/1m", KEPT["1m"]), _CPU),
    Scenario(
        "h2-to-h2",
        "HTTP/2 over TLS to an origin of HTTP/2, 13 bytes",
        Role.HTTP2_ALL_THE_WAY,
        _http2("/small", len(SMALL)),
        _CPU,
    ),
    Scenario(
        "h2-upstream",
        "HTTP/1 to an origin of HTTP/2, 13 bytes",
        Role.TO_HTTP2,
        _requests("/small", len(SMALL)),
        _CPU,
    ),
    Scenario(
        "idle-memory",
        "Memory of an idle, kept-alive client connection",
        Role.REVERSE,
        _idle,
        "kB/connection",
        None,
        once=True,
        digits=2,
    ),
    Scenario(
        "h2-idle",
        "Memory of an idle client connection of HTTP/2 over TLS",
        Role.HTTP2,
        _idle_http2,
        "kB/connection",
        None,
        once=True,
        digits=2,
    ),
    Scenario("cache-hit-small", "A hit, 1 kB, from memory", Role.CACHE, _cached("/kept/1k", KEPT["1k"]), _CPU),
    Scenario("cache-hit-100k", "A hit, 100 kB, from memory", Role.CACHE, _cached("/kept/100k", KEPT["100k"]), _CPU),
    Scenario("cache-hit-1m", "A hit, 1 MB, from memory", Role.CACHE, _cached("/kept/1m", KEPT["1m"]), _CPU),
    Scenario(
        "cache-disk-100k", "A hit, 100 kB, from a disk", Role.CACHE_ON_DISK, _cached("/kept/100k", KEPT["100k"]), _CPU
    ),
    Scenario("cache-disk-1m", "A hit, 1 MB, from a disk", Role.CACHE_ON_DISK, _cached("/kept/1m", KEPT["1m"]), _CPU),
    Scenario(
        "cache-uncacheable",
        "Known not to be storable, 13 bytes",
        Role.UNCACHEABLE,
        _cached("/never", len(SMALL), kept=False),
        _CPU,
    ),
)
