"""txproxy with what an operator has on: metrics, a log, limits, and a second worker."""

from __future__ import annotations

import sys
from collections.abc import Callable

from benchmarks.origin import Site

_METRICS = '[admin]\nlisten = "unix:{folder}/{name}.sock"\n'
_LOG = '[log]\naccess = "{folder}/{name}.log"\naccess_format = "json"\n'
_LIMITS = """
[[request_limits]]
name = "clients"
rate = "1000000/s"
[[request_limits]]
name = "agents"
by = "header:User-Agent"
rate = "1000000/s"
[[request_limits]]
name = "pools"
by = ["client", "pool"]
rate = "1000000/s"
"""
_PROXY = """
[[listeners]]
name = "web"
listen = "tcp:{port}:interface=127.0.0.1:backlog=4096"
pool = "app"
[pools.app]
upstreams = ["http://127.0.0.1:{origin}"]
"""
_NO_LOG = '[log]\naccess = "none"\n'
KINDS = {
    "metrics": _METRICS + _NO_LOG,
    "json": _LOG,
    "limits": _NO_LOG + _LIMITS,
    "all-on": _METRICS + _LOG + _LIMITS,
    "1-workers": "workers = 1\n" + _NO_LOG,
    "2-workers": "workers = 2\n" + _NO_LOG,
}


def watched(kind: str) -> Callable[[Site, str, int], list[str]]:
    """What runs one of that kind, on the proxy's own reactor."""

    def configure(site: Site, name: str, port: int) -> list[str]:
        text = (KINDS[kind] + _PROXY).format(folder=site.directory, name=name, port=port, origin=site.origin)
        file = site.directory / f"{name}.toml"
        file.write_text(text)
        argv = [sys.executable, "-c", "from twisted.scripts.twistd import run; run()", "-n", "--pidfile="]
        return [*argv, "--logfile=/dev/null", "--reactor=txproxy", "txproxy", "run", "--config", str(file)]

    return configure
