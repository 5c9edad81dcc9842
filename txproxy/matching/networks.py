"""Networks and sets of them: one grammar for clients, peers, destinations, routes, rules and exceptions, in all modes.

``10.0.0.0/8`` and ``fd00::/8`` are networks, with a netmask (``10.0.0.0/255.0.0.0``) as well, and an address is the
network of it alone; one of IPv6 may stand in brackets. An IPv4 address that is written as an IPv6 one
(``::ffff:10.0.0.1``, RFC 4291 section 2.5.5.2) is the IPv4 address, in what is asked and in what is written, so that
``::ffff:10.0.0.0/104`` is ``10.0.0.0/8``; ``::/0`` is for IPv6 alone. A network has no host bits and no zone, which
would be one machine's own; an address that is asked for may have a zone.
"""

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

_ACCEPTED: Final = "accepted are an address, and a CIDR such as 10.0.0.0/8 or fd00::/8"
# IPv6 addresses that carry an IPv4 address: NAT64 (RFC 6052, RFC 8215), 6to4, Teredo, IPv4-compatible, IPv4-translated
# (RFC 7915)
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_LOCAL_NAT64: Final = ipaddress.IPv6Network("64:ff9b:1::/48")
_COMPATIBLE: Final = ipaddress.IPv6Network("::/96")
_TRANSLATED: Final = ipaddress.IPv6Network("::ffff:0:0:0/96")
# What of an IPv6 network says that it has only addresses that stand for those of IPv4
_MAPPED: Final = 96


def read_address(text: str) -> IPAddress:
    """The address that a socket, a header or an answer has as ``text``, without its zone; else ``ValueError``."""
    return unmapped(ipaddress.ip_address(text.partition("%")[0]))


def unmapped(address: IPAddress) -> IPAddress:
    """``address``, or the IPv4 address that it stands for (``::ffff:192.0.2.1``, RFC 4291 section 2.5.5.2)."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def embedded(address: IPAddress) -> list[IPAddress]:
    """``address`` and the IPv4 address that it stands for, if it does."""
    found: list[IPAddress] = [address]
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            found = [address.ipv4_mapped]
        elif (
            address in _NAT64
            or address in _LOCAL_NAT64
            or address in _TRANSLATED
            or (address in _COMPATIBLE and int(address) > 0xFFFF)
        ):
            found.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        elif address.sixtofour is not None:
            found.append(address.sixtofour)
        elif address.teredo is not None:
            found.extend(address.teredo)
    return found


def network(text: str) -> Network:
    """The network that is written as ``text`` (see the module); ``ConfigError`` if it is none."""
    return _parse(text, _ACCEPTED)


def network_or_unix(text: str) -> Network | str:
    """The same, or ``unix:`` for peers on UNIX sockets."""
    return UNIX if text == UNIX else _parse(text, f"{_ACCEPTED}, or {UNIX} for UNIX sockets")


def peer_network(text: str) -> str:
    """``text`` if it is a network, or ``unix:``; ``ConfigError`` if it is neither."""
    network_or_unix(text)
    return text


def _parse(text: str, accepted: str) -> Network:
    bare = text[1:-1] if text[:1] == "[" and text[-1:] == "]" and ":" in text else text
    try:
        # ipaddress would take a zone.
        found = ipaddress.ip_network(bare.replace("%", "zone"))
    except ValueError as fault:
        why = ": it has host bits set" if "host bits" in str(fault) else ""
        raise ConfigError(f"{text!r} is no network{why}", accepted) from None
    inner = unmapped(found.network_address)
    if inner.version != found.version and found.prefixlen >= _MAPPED:
        return ipaddress.ip_network((inner, found.prefixlen - _MAPPED))
    return found


def covers(one: Network | str, other: Network | str) -> bool:
    """Whether all peers of ``other`` are peers of ``one``; each is a network, or ``unix:``."""
    if isinstance(one, ipaddress.IPv4Network):
        return isinstance(other, ipaddress.IPv4Network) and other.subnet_of(one)
    if isinstance(one, ipaddress.IPv6Network):
        return isinstance(other, ipaddress.IPv6Network) and other.subnet_of(one)
    return one == other


class Networks:
    """A set of networks, which may be texts. ``text in networks`` takes an address as text, and remembers answers;
    ``holds(text)`` is the same for who asks for each request, and ``holds_either(text)`` for who refuses what is in
    them: an address that carries another one (:func:`embedded`) is where either is.
    """

    def __init__(self, networks: Iterable[str | Network]) -> None:
        self._networks = tuple(network(one) if isinstance(one, str) else one for one in networks)
        self.holds = lru_cache(maxsize=4096)(self._look_up)
        self.holds_either = lru_cache(maxsize=4096)(self._look_up_either)

    def __contains__(self, text: str) -> bool:
        return self.holds(text)

    def __len__(self) -> int:
        return len(self._networks)

    def _look_up(self, text: str) -> bool:
        try:
            return self.has(read_address(text))
        except ValueError:
            return False

    def _look_up_either(self, text: str) -> bool:
        try:
            return any(map(self.has, embedded(read_address(text))))
        except ValueError:
            return self._look_up(text)

    def has(self, address: IPAddress) -> bool:
        """Whether ``address`` is in one of them."""
        address = unmapped(address)
        return any(address.version == net.version and address in net for net in self._networks)


class PeerNetworks(Networks):
    """A set of networks that peers are in; those on a UNIX socket only if ``unix:`` is one of them."""

    def __init__(self, networks: Iterable[str | Network]) -> None:
        peers = [network_or_unix(one) if isinstance(one, str) else one for one in networks]
        super().__init__(one for one in peers if not isinstance(one, str))
        self._has_unix = UNIX in peers

    def __len__(self) -> int:
        return super().__len__() + self._has_unix

    def _look_up(self, text: str) -> bool:
        return self._has_unix if text == UNIX else super()._look_up(text)
