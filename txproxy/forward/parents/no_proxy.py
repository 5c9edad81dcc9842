"""Exceptions from going through a proxy, in the words of the environment variable NO_PROXY."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

import attrs

from txproxy.errors import ConfigError
from txproxy.matching.hosts import HostPattern, HostPatterns, is_literal, normal_host
from txproxy.matching.networks import Network, Networks, network
from txproxy.matching.ports import read_port

_ACCEPTED: Final = (
    "accepted are example.com (and all below it), *.example.com (all below it), 10.0.0.0/8, fd00::/8, host:8080"
)


@attrs.frozen
class Entry:
    """One exception: a ``pattern`` of hosts or a ``network``, of one ``port`` or of all (0)."""

    pattern: HostPattern | None = None
    network: Network | None = None
    port: int = 0


class NoProxy:
    """What is reached directly: host names, addresses and networks, from texts that may have several, between commas.

    As in curl and most others, a name has all names below it, with a dot before it or without; ``*.example.com`` has
    those alone. Names are never looked up: a network has the hosts that are named by an address of it.
    """

    def __init__(self, texts: Iterable[str] = ()) -> None:
        words = [word for text in texts for word in text.replace(",", " ").split()]
        self.entries = tuple(_entry(word) for word in words)
        patterns: dict[int, list[HostPattern]] = {}
        for entry in self.entries:
            if entry.pattern is not None:
                patterns.setdefault(entry.port, []).append(entry.pattern)
        self._names = {port: HostPatterns(found) for port, found in patterns.items()}
        networks: dict[int, list[Network]] = {}
        for entry in self.entries:
            if entry.network is not None:
                networks.setdefault(entry.port, []).append(entry.network)
        self._networks = {port: Networks(found) for port, found in networks.items()}
        self._remembered = lru_cache(maxsize=4096)(self._look_up)

    def __bool__(self) -> bool:
        return bool(self.entries)

    def has(self, host: str, port: int) -> bool:
        """Whether ``host``, in any spelling, is one of them."""
        return bool(self.entries) and self._remembered(host, port)

    def _look_up(self, host: str, port: int) -> bool:
        name = normal_host(host)
        if is_literal(name):
            return any(name in self._networks[one] for one in (0, port) if one in self._networks)
        return any(name in self._names[one] for one in (0, port) if one in self._names)


def _entry(word: str) -> Entry:
    if word == "*":
        raise ConfigError(f"{word!r} would leave nothing to a proxy", _ACCEPTED)
    try:
        return Entry(network=network(word))
    except ConfigError:
        host, colon, port = word.rpartition(":")
    if not colon:
        host, port = word, ""
    elif not read_port(port):
        raise ConfigError(f"{word!r} is no exception from a proxy", _ACCEPTED)
    try:
        return Entry(network=network(host), port=int(port or 0))
    except ConfigError as fault:
        if "/" in host or ":" in host:
            raise fault.accepting(_ACCEPTED) from None
    try:
        pattern = HostPattern.parse_exception(host)
    except ConfigError as fault:
        raise ConfigError(f"{word!r} is no exception from a proxy ({fault.said})", _ACCEPTED) from None
    return Entry(pattern=pattern, port=int(port or 0))
