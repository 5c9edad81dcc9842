"""Who may use a forward proxy, and to which hosts and ports."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from txproxy.errors import ConfigError
from txproxy.forward.facts import normal_host
from txproxy.wire.networks import Networks, network

__all__ = [
    "CONNECT_PORTS",
    "LOOPBACK_CLIENTS",
    "REQUEST_PORTS",
    "HostPatterns",
    "Networks",
    "Ports",
    "network",
]

LOOPBACK_CLIENTS: Final = ("127.0.0.0/8", "::1")
_RANGE: Final = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")


class Ports:
    """A set of ports, from numbers and ranges (``8000-8999``)."""

    def __init__(self, texts: Iterable[str | int]) -> None:
        self._ranges: list[tuple[int, int]] = []
        for text in texts:
            match = _RANGE.fullmatch(str(text))
            first, last = (int(match[1]), int(match[2] or match[1])) if match is not None else (0, 0)
            if not 0 < first <= last < 65536:
                raise ConfigError(f"{text!r} is no port; accepted is 1 to 65535 or a range such as 8000-8999")
            self._ranges.append((first, last))

    def __contains__(self, port: int) -> bool:
        return any(first <= port <= last for first, last in self._ranges)


REQUEST_PORTS: Final = ("80", "443", "1024-65535")
CONNECT_PORTS: Final = ("443",)


class HostPatterns:
    """A set of host patterns: ``example.com`` that name alone, ``*.example.com`` all names under it, ``.example.com``
    both. Patterns may be written in any spelling of a host, and are asked for normal ones.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        self._exact: set[str] = set()
        self._under: set[str] = set()
        for pattern in patterns:
            sign = "*." if pattern.startswith("*.") else "." if pattern.startswith(".") else ""
            name = normal_host(pattern.removeprefix(sign))
            if sign:
                self._under.add(name)
            if sign != "*.":
                self._exact.add(name)
            if not name or name.startswith(".") or "*" in name:
                raise ConfigError(
                    f"{pattern!r} is no host pattern; accepted are example.com, *.example.com and .example.com"
                )

    def __contains__(self, host: str) -> bool:
        name = host.rstrip(".")
        if name in self._exact:
            return True
        while self._under:
            _, dot, name = name.partition(".")
            if not dot:
                return False
            if name in self._under:
                return True
        return False
