"""Who is measured, in which roles, and what each needs to be installed."""

from __future__ import annotations

import enum
import importlib.util
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import attrs

from benchmarks import caches, from_pypi, servers
from benchmarks.origin import Site
from benchmarks.watched import KINDS, watched

PROJECT = Path(__file__).resolve().parent.parent


class Role(enum.Enum):
    """What a proxy is asked to be."""

    REVERSE = "reverse"
    TLS = "tls"
    """Reverse, with TLS on the client's side."""
    HTTP2 = "http2"
    """The same, and clients speak HTTP/2."""
    HTTP2_ALL_THE_WAY = "http2 all the way"
    """The same, and so does the origin; a peer that only speaks HTTP/1 to it stands in as a yardstick."""
    TO_HTTP2 = "to http2"
    """Reverse, from clients of HTTP/1 to an origin that speaks HTTP/2; who speaks HTTP/1 to it is the yardstick."""
    FORWARD = "forward"
    CONNECT = "connect"
    """Forward, with tunnels; a peer that only does plain TCP stands in as a yardstick."""
    TCP = "tcp"
    CACHE = "cache"
    """Reverse, with a cache in memory."""
    CACHE_ON_DISK = "cache on a disk"
    """The same, with its cache on a disk, of which memory has no bodies but those of the kernel's."""
    WATCHED = "watched"
    """Reverse, where txproxy has metrics, a log and limits."""
    UNCACHEABLE = "uncacheable"
    """As with a cache, where a peer without a cache stands in as a yardstick."""


Configure = Callable[[Site, str, int], list[str]]
"""The command that runs a peer: from the site, a name for its files and the port to listen on."""


@attrs.frozen
class Peer:
    """A proxy that can be measured."""

    name: str
    roles: Mapping[Role, Configure]
    program: str | None = None
    """Found beside Python, or on the PATH, where it is installed."""
    modules: tuple[str, ...] = ()
    """Python modules that it needs."""
    plain_tcp: frozenset[Role] = frozenset()
    """Roles in which its clients talk to the origin at once, with no CONNECT."""
    closes: bool = False
    """It closes each connection after one answer and does not say so before, which clients count as a failed read."""

    def missing(self) -> str | None:
        """What it lacks to be run here."""
        if self.program is not None and from_pypi.program_path(self.program) is None:
            return self.program
        absent = [name for name in self.modules if importlib.util.find_spec(name) is None]
        return absent[0] if absent else None


_MODES = {
    Role.TLS: "reverse",
    Role.HTTP2: "reverse",
    Role.HTTP2_ALL_THE_WAY: "reverse",
    Role.TO_HTTP2: "reverse",
    Role.CONNECT: "forward",
    Role.CACHE: "reverse",
    Role.CACHE_ON_DISK: "reverse",
    Role.UNCACHEABLE: "reverse",
    Role.WATCHED: "reverse",
}


def _txproxy(reactor: str | None, role: Role) -> Configure:
    def configure(site: Site, name: str, port: int) -> list[str]:
        argv = [sys.executable, "-c", "from twisted.scripts.twistd import run; run()", "-n", "--pidfile="]
        argv += ["--logfile=/dev/null"] if reactor is None else ["--logfile=/dev/null", f"--reactor={reactor}"]
        mode = _MODES.get(role, role.value)
        endpoint = f"tcp:{port}:interface=127.0.0.1:backlog=4096"
        argv += ["txproxy", mode, "--access-log", "none"]
        if role in (Role.TLS, Role.HTTP2, Role.HTTP2_ALL_THE_WAY):
            argv += ["--tls-listen", endpoint, "--tls-cert", str(site.certificate), "--tls-key", str(site.key)]
            argv += ["--tls-min-version", "1.3"]
        else:
            argv += ["--listen", endpoint]
        if mode == "forward":
            return [*argv, "--allow-destination", "127.0.0.0/8", "--allow-port", str(site.origin)]
        if role in (Role.CACHE, Role.UNCACHEABLE):
            argv += ["--cache", f"{caches.ROOM}M"]
        if role is Role.CACHE_ON_DISK:
            argv += ["--cache", "1M", "--cache-dir", str(site.directory / f"{name}-cache")]
        if role in (Role.TO_HTTP2, Role.HTTP2_ALL_THE_WAY):
            return [*argv, "--upstream", f"h2c://127.0.0.1:{site.http2}"]
        upstream = f"127.0.0.1:{site.origin}"
        return [*argv, "--upstream", upstream if role is Role.TCP else f"http://{upstream}"]

    return configure


def _cache(configure: Configure) -> dict[Role, Configure]:
    return {Role.CACHE: configure, Role.UNCACHEABLE: configure}


def _script(module: str, kind: str) -> Configure:
    def configure(site: Site, name: str, port: int) -> list[str]:
        argv = [sys.executable, "-m", f"benchmarks.scripts.{module}", kind, str(port), str(site.origin)]
        return [*argv, str(site.certificate), str(site.key)]

    return configure


def _proxy_py(site: Site, name: str, port: int) -> list[str]:
    argv = [sys.executable, "-m", "proxy", "--hostname", "127.0.0.1", "--port", str(port), "--log-level", "CRITICAL"]
    argv += ["--num-workers", "1", "--num-acceptors", "1", "--backlog", "4096"]
    return [*argv, "--data-dir", str(site.directory / f"{name}-data")]


PEERS: tuple[Peer, ...] = (
    Peer("txproxy", {role: _txproxy(None, role) for role in Role}, modules=("txproxy",)),
    Peer("txproxy-reactor", {role: _txproxy("txproxy", role) for role in Role}, modules=("txproxy",)),
    Peer("txproxy-to-http1", {Role.TO_HTTP2: _txproxy(None, Role.REVERSE)}, modules=("txproxy",)),
    Peer("txproxy-reactor-to-http1", {Role.TO_HTTP2: _txproxy("txproxy", Role.REVERSE)}, modules=("txproxy",)),
    *(Peer(f"txproxy-{kind}", {Role.WATCHED: watched(kind)}, modules=("txproxy",)) for kind in KINDS),
    Peer("txproxy-no-cache", {Role.UNCACHEABLE: _txproxy(None, Role.REVERSE)}, modules=("txproxy",)),
    Peer("txproxy-reactor-no-cache", {Role.UNCACHEABLE: _txproxy("txproxy", Role.REVERSE)}, modules=("txproxy",)),
    Peer(
        "nginx",
        {
            Role.REVERSE: partial(servers.nginx, tls=False),
            Role.TLS: partial(servers.nginx, tls=True),
            Role.HTTP2: partial(servers.nginx, tls=True, http2=True),
            Role.HTTP2_ALL_THE_WAY: partial(servers.nginx, tls=True, http2=True),
            **_cache(caches.nginx),
            Role.CACHE_ON_DISK: partial(caches.nginx, on_disk=True),
        },
        program="nginx",
    ),
    Peer(
        "nginx-open-files",
        {
            Role.CACHE: partial(caches.nginx, open_files=True),
            Role.CACHE_ON_DISK: partial(caches.nginx, open_files=True, on_disk=True),
        },
        program="nginx",
    ),
    Peer("varnish", _cache(caches.varnish), program="varnishd"),
    Peer(
        "haproxy",
        {
            Role.REVERSE: partial(servers.haproxy, tls=False),
            Role.TLS: partial(servers.haproxy, tls=True),
            Role.HTTP2: partial(servers.haproxy, tls=True, http2=True),
            Role.HTTP2_ALL_THE_WAY: partial(servers.haproxy, tls=True, http2=True, to_http2=True),
            Role.TO_HTTP2: partial(servers.haproxy, tls=False, to_http2=True),
            Role.CONNECT: servers.haproxy_tcp,
            Role.TCP: servers.haproxy_tcp,
        },
        program="haproxy",
        plain_tcp=frozenset({Role.CONNECT}),
    ),
    *(
        Peer(
            name,
            {
                Role.REVERSE: partial(configure, tls=False),
                Role.TLS: partial(configure, tls=True),
                Role.HTTP2: partial(configure, tls=True),
            },
            program=name,
        )
        for name, configure in (("envoy", from_pypi.envoy), ("caddy", from_pypi.caddy), ("traefik", from_pypi.traefik))
    ),
    Peer(
        "haproxy-1M-pipes",
        {role: partial(servers.haproxy_tcp, pipe_size=1 << 20) for role in (Role.CONNECT, Role.TCP)},
        program="haproxy",
        plain_tcp=frozenset({Role.CONNECT}),
    ),
    Peer(
        "squid",
        {
            Role.REVERSE: partial(servers.squid, reverse=True),
            Role.FORWARD: partial(servers.squid, reverse=False),
            Role.CONNECT: partial(servers.squid, reverse=False),
            **_cache(caches.squid),
        },
        program="squid",
    ),
    Peer(
        "tinyproxy",
        {Role.FORWARD: servers.tinyproxy, Role.CONNECT: servers.tinyproxy},
        program="tinyproxy",
        closes=True,
    ),
    Peer(
        "twisted.web.proxy",
        {
            Role.REVERSE: _script("twisted_proxy", "reverse"),
            Role.TLS: _script("twisted_proxy", "tls"),
            Role.FORWARD: _script("twisted_proxy", "forward"),
        },
        modules=("twisted",),
    ),
    Peer("twisted portforward", {Role.TCP: _script("twisted_proxy", "tcp")}, modules=("twisted",)),
    Peer(
        "aiohttp",
        {Role.REVERSE: _script("aiohttp_proxy", "reverse"), Role.TLS: _script("aiohttp_proxy", "tls")},
        modules=("aiohttp",),
    ),
    Peer("proxy.py", {Role.FORWARD: _proxy_py, Role.CONNECT: _proxy_py}, modules=("proxy",)),
)
