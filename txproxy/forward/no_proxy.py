"""Exceptions from going through a proxy, in the words of the environment variable NO_PROXY."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Final

import attrs

from txproxy.errors import ConfigError
from txproxy.forward.access import HostPatterns
from txproxy.forward.facts import normal_host
from txproxy.wire.networks import Network

_ACCEPTED: Final = "accepted are example.com (and all under it), *.example.com, 10.0.0.0/8, fd00::/8, host:8080"


@attrs.frozen
class Entry:
    """One exception: a ``name`` with all names under it (``under`` alone: without itself), or a ``network``; of one
    ``port``, or of all (0).
    """

    name: str = ""
    under: bool = False
    network: Network | None = None
    port: int = 0


class NoProxy:
    """What is reached directly: host names, addresses and networks, from texts that may have several, between commas.

    Names are never looked up: a network has the hosts that are named by an address of it.
    """

    def __init__(self, texts: Iterable[str] = ()) -> None:
        words = [word for text in texts for word in text.replace(",", " ").split()]
        self.entries = tuple(_entry(word) for word in words)
        self._remembered = lru_cache(maxsize=4096)(self._look_up)

    def __bool__(self) -> bool:
        return bool(self.entries)

    def has(self, host: str, port: int) -> bool:
        """Whether ``host``, in any spelling, is one of them."""
        return bool(self.entries) and self._remembered(host, port)

    def _look_up(self, host: str, port: int) -> bool:
        name = normal_host(host)
        try:
            address = ip_address(name)
        except ValueError:
            address = None
        for entry in self.entries:
            if entry.port and entry.port != port:
                continue
            if entry.network is not None:
                if address is not None and address.version == entry.network.version and address in entry.network:
                    return True
            elif name.endswith("." + entry.name) or (name == entry.name and not entry.under):
                return True
        return False


def _entry(word: str) -> Entry:
    if word == "*":
        raise ConfigError(f"{word!r} would leave nothing to a proxy; {_ACCEPTED}")
    try:
        return Entry(network=ip_network(word.strip("[]")))
    except ValueError:
        host, colon, port = word.rpartition(":")
    if not colon:
        host, port = word, ""
    elif not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ConfigError(f"{word!r} is no exception from a proxy; {_ACCEPTED}")
    try:
        return Entry(network=ip_network(host.strip("[]")), port=int(port or 0))
    except ValueError as fault:
        if "/" in host or ":" in host:
            why = ": it has host bits set" if "host bits" in str(fault) else ""
            raise ConfigError(f"{word!r} is no network{why}; {_ACCEPTED}") from None
    # Go and curl differ in what ".example.com" means; that a name is not under itself is what it looks like.
    under = host.startswith(("*.", "."))
    name = normal_host(host.removeprefix("*.").removeprefix("."))
    try:
        HostPatterns([name])
    except ConfigError:
        raise ConfigError(f"{word!r} is no exception from a proxy; {_ACCEPTED}") from None
    return Entry(name=name, under=under, port=int(port or 0))
