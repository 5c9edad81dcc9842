"""Sets of networks, asked for addresses."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, TypeAlias

from txproxy.errors import ConfigError

Network: TypeAlias = "ipaddress.IPv4Network | ipaddress.IPv6Network"
# How peers on a UNIX socket are called, which have no address
UNIX: Final = "unix:"
IPAddress: TypeAlias = "ipaddress.IPv4Address | ipaddress.IPv6Address"


def network(text: str) -> Network:
    """A CIDR or a single address; ``ConfigError`` if it is neither."""
    bare = text[1:-1] if text[:1] == "[" and text[-1:] == "]" and ":" in text else text
    try:
        # A zone is for one machine alone, and ipaddress would take it.
        return ipaddress.ip_network(bare.replace("%", "zone"))
    except ValueError as fault:
        why = ": it has host bits set" if "host bits" in str(fault) else ""
        raise ConfigError(f"{text!r} is no network{why}; accepted is a CIDR such as 10.0.0.0/8 or fd00::/8") from None


def peer_network(text: str) -> str:
    """``text`` if it is a network, or ``unix:``; ``ConfigError`` if it is neither."""
    try:
        if text != UNIX:
            network(text)
    except ConfigError as fault:
        raise ConfigError(f"{fault}, or {UNIX} for UNIX sockets") from None
    return text


class Networks:
    """A set of networks. ``text in networks`` takes an address as text, and remembers answers."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._networks = tuple(network(text) for text in texts)
        self._contains = lru_cache(maxsize=4096)(self._look_up)

    def __contains__(self, text: str) -> bool:
        return self._contains(text)

    def __len__(self) -> int:
        return len(self._networks)

    def _look_up(self, text: str) -> bool:
        try:
            address = ipaddress.ip_address(text.partition("%")[0])
        except ValueError:
            return False
        return self.has(address)

    def has(self, address: IPAddress) -> bool:
        """Whether ``address`` is in one of them."""
        return any(address.version == net.version and address in net for net in self._networks)


class PeerNetworks(Networks):
    """A set of networks that peers are in; those on a UNIX socket only if ``unix:`` is one of the ``texts``."""

    def __init__(self, texts: Iterable[str]) -> None:
        texts = tuple(map(peer_network, texts))
        super().__init__(text for text in texts if text != UNIX)
        self._has_unix = UNIX in texts

    def __len__(self) -> int:
        return super().__len__() + self._has_unix

    def _look_up(self, text: str) -> bool:
        return self._has_unix if text == UNIX else super()._look_up(text)


def unmapped(address: IPAddress) -> IPAddress:
    """``address``, or the IPv4 address that it stands for (``::ffff:192.0.2.1``, RFC 4291 section 2.5.5.2)."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
