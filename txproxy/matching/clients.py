"""Who counts as one client, in all limits and counts."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import Final

from txproxy.errors import ConfigError
from txproxy.matching.networks import embedded

# RFC 4291 2.5.4: one host has a /64 of its own, and all the addresses in it.
IPV6_PREFIX: Final = 64


def prefix_length(value: int) -> int:
    """``value`` if a network of IPv6 can have that prefix; else ``ConfigError``."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 128:
        raise ConfigError(f"{value!r} is no length of a prefix", "accepted is 1 to 128", ("ipv6_prefix",))
    return value


@lru_cache(8192)
def client_key(client_ip: str, ipv6_prefix: int = IPV6_PREFIX) -> str:
    """What is counted where ``client_ip`` is: an IPv4 address itself, also where an IPv6 one carries it (``::ffff:``,
    NAT64, 6to4, Teredo), and of an IPv6 address its network, ``2001:db8::/64``. What is no address (``unix:``) stands
    for itself.
    """
    if ":" not in client_ip:
        return client_ip
    try:
        address = ipaddress.IPv6Address(client_ip.partition("%")[0])
    except ValueError:
        return client_ip
    carried = embedded(address)[-1]
    if carried.version == 4:
        # All that a translator stands for may be in one network, and one host may have thousands of 6to4.
        return str(carried)
    if ipv6_prefix == 128:
        return str(address)
    return str(ipaddress.IPv6Network((address, ipv6_prefix), strict=False))
