"""On what a run was made: a figure without its machine says little."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from benchmarks.from_pypi import program_path

_VERSION_OPTIONS = {
    "nginx": "-v",
    "haproxy": "-v",
    "envoy": "--version",
    "caddy": "version",
    "traefik": "version",
    "squid": "-v",
    "varnishd": "-V",
    "tinyproxy": "-v",
    "wrk": "-v",
}
_DISTRIBUTIONS = ("txproxy", "Twisted", "pyOpenSSL", "aiohttp", "uvloop", "proxy.py")


def processor() -> str:
    """The model's name, as the kernel tells it."""
    try:
        found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.machine()


def describe() -> dict[str, object]:
    """The machine, and the versions of all that is measured."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "versions": {**dict(_programs(_VERSION_OPTIONS)), **dict(_packages(_DISTRIBUTIONS))},
    }


def _programs(names: Iterable[str]) -> Iterable[tuple[str, str]]:
    for name in names:
        program = program_path(name)
        if program is None:
            continue
        try:
            said = subprocess.run(
                [program, _VERSION_OPTIONS[name]], capture_output=True, text=True, timeout=10, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        found = re.search(r"\d+\.\d[\w.]*", said.stdout + said.stderr)
        if found:
            yield name, found[0]


def _packages(names: Iterable[str]) -> Iterable[tuple[str, str]]:
    for name in names:
        try:
            yield name, metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
