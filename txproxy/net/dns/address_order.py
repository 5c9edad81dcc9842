"""In which order the addresses of a name are tried: those that can be reached first, and the families in turn."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from ipaddress import IPv6Address, IPv6Network
from itertools import chain, zip_longest
from typing import Final

# RFC 6724 2.1 has them behind IPv4: unique local addresses, 6to4 and Teredo.
_BEHIND: Final = tuple(map(IPv6Network, ("fc00::/7", "2002::/16", "2001::/32")))
_DISCARD: Final = 9


def best_first(addresses: Iterable[str], usable: Callable[[str], bool]) -> tuple[str, ...]:
    """``addresses``, each once, as RFC 8305 section 4 has them: IPv6 first, then the families in turn, in the order in
    which they came. Those that are not ``usable`` come last: where only those are left, the error says why.
    """
    reachable: list[str] = []
    others: list[str] = []
    for address in dict.fromkeys(addresses):
        (reachable if usable(address) else others).append(address)
    four = [address for address in reachable if ":" not in address]
    six = [address for address in reachable if ":" in address]
    first, second = (four, six) if six and _is_behind(six[0]) else (six, four)
    turns = chain.from_iterable(zip_longest(first, second))
    return (*(address for address in turns if address is not None), *others)


def _is_behind(address: str) -> bool:
    plain = IPv6Address(address.partition("%")[0])
    return any(plain in network for network in _BEHIND)


def is_usable(address: str) -> bool:
    """Whether this host has a way to ``address``. Nothing is sent."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((address, _DISCARD))
    except OSError:
        return False
    return True
