"""Addresses as SOCKS5 has them in its messages (RFC 1928 sections 4 to 6)."""

from __future__ import annotations

import ipaddress
from typing import Final

from txproxy.wire.target import split_authority

_IPV4: Final = 1
_NAME: Final = 3
_IPV6: Final = 4

# Of which types an address can be.
TYPES: Final = (_IPV4, _NAME, _IPV6)


def end_of(message: bytes) -> int:
    """Where the address and port that begin at byte 3 end; 0 if that is not known yet."""
    if message[3] == _IPV4:
        return 10
    if message[3] == _IPV6:
        return 22
    return 7 + message[4] if len(message) > 4 else 0


def host_of(kind: int, data: bytes) -> str:
    """The host that a client has named, or nothing if it can be none."""
    if kind == _IPV4:
        return str(ipaddress.IPv4Address(data))
    if kind == _IPV6:
        return str(ipaddress.IPv6Address(data))
    name = data[1:]
    try:
        if b":" in name:
            # Some send IPv6 literals as names; a zone would be the proxy's own business.
            return "" if b"%" in name else str(ipaddress.IPv6Address(name.decode("ascii")))
        return split_authority(name)[0]
    except ValueError:
        return ""


def packed(host: str, port: int) -> bytes:
    """``host`` and ``port`` with the address's type before them; ``ValueError`` if the name is too long for that."""
    try:
        literal = ipaddress.ip_address(host)
    except ValueError:
        name = host.encode("ascii")
        if not 0 < len(name) < 256:
            raise ValueError("SOCKS5 takes names of 1 to 255 bytes") from None
        address = bytes((_NAME, len(name))) + name
    else:
        address = bytes((_IPV4 if literal.version == 4 else _IPV6,)) + literal.packed
    return address + port.to_bytes(2, "big")
