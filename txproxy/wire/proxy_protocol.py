"""The PROXY protocol, versions 1 and 2: a header before the first byte of a connection that tells whose it is.

After its specification (doc/proxy-protocol.txt of HAProxy, "The PROXY protocol"), section 2.
"""

from __future__ import annotations

import ipaddress
import re
import struct
from typing import Final, TypeAlias

from txproxy.frozen_values import frozen
from txproxy.matching.networks import IPAddress, read_address, unmapped

# An address as text, and a port.
End: TypeAlias = tuple[str, int]

# 2.1: the longest line, CRLF included
LONGEST_V1: Final = 107
# The specification bounds version 2 by its 16 bit length alone. TLVs, certificates' names and ids among them, stay far
# below this.
LONGEST: Final = 4096

_V1: Final = b"PROXY "
_V2: Final = b"\r\n\r\n\x00\r\nQUIT\n"
_PORT: Final = rb"(0|[1-9][0-9]{0,4})"
_TCP: Final = re.compile(
    rb"PROXY TCP(?:4 ([0-9.]+) ([0-9.]+)|6 ([0-9A-Fa-f:.]+) ([0-9A-Fa-f:.]+)) " + _PORT + b" " + _PORT
)
_UNKNOWN: Final = re.compile(rb"PROXY UNKNOWN(?: [^\r\n]*)?")

_FIXED: Final = struct.Struct("!12sBBH")
_LOCAL, _PROXY = 0x20, 0x21
_TCP4, _TCP6 = 0x11, 0x21
_ADDRESSES: Final = {_TCP4: struct.Struct("!4s4sHH"), _TCP6: struct.Struct("!16s16sHH")}


@frozen
class ProxyHeader:
    """A header of ``size`` bytes. ``source`` is the client and ``destination`` what it connected to; both are None
    where the connection is the sender's own (a health check), or of a kind that has no such addresses.
    """

    size: int
    source: End | None = None
    destination: End | None = None


def read_header(data: bytes) -> ProxyHeader | None:
    """The header that ``data`` begins with; None if it is not complete, ``ValueError`` as soon as it can be none."""
    if data[: len(_V2)] == _V2[: len(data)]:
        return _read_v2(data) if len(data) >= len(_V2) else None
    if data[: len(_V1)] == _V1[: len(data)]:
        return _read_v1(data)
    raise ValueError("it begins with something else")


def _read_v1(data: bytes) -> ProxyHeader | None:
    end = data.find(b"\r\n", 0, LONGEST_V1)
    if end < 0:
        if len(data) >= LONGEST_V1:
            raise ValueError(f"no end of its line within {LONGEST_V1} bytes")
        return None
    line = data[:end]
    match = _TCP.fullmatch(line)
    if match is None:
        if _UNKNOWN.fullmatch(line):
            return ProxyHeader(end + 2)
        raise ValueError("its line is malformed")
    source_4, destination_4, source_6, destination_6, source_port, destination_port = match.groups()
    kind: type[IPAddress]
    if source_4 is not None:
        kind, source, destination = ipaddress.IPv4Address, source_4, destination_4
    else:
        kind, source, destination = ipaddress.IPv6Address, source_6, destination_6
    ports = int(source_port), int(destination_port)
    if max(ports) > 65535:
        raise ValueError("no such port")
    return ProxyHeader(
        end + 2,
        (_text(kind(source.decode("ascii"))), ports[0]),
        (_text(kind(destination.decode("ascii"))), ports[1]),
    )


def _read_v2(data: bytes) -> ProxyHeader | None:
    command = data[12:13]
    if command and command not in (b"\x20", b"\x21"):
        raise ValueError("its version or command is unknown")
    if len(data) < _FIXED.size:
        return None
    _, code, kind, length = _FIXED.unpack_from(data)
    size = _FIXED.size + length
    if size > LONGEST:
        raise ValueError(f"it is longer than {LONGEST} bytes")
    addresses = _ADDRESSES.get(kind) if code == _PROXY else None
    if code == _PROXY and (kind >> 4 > 3 or kind & 15 > 2):
        raise ValueError("its address family or protocol is unknown")
    if addresses is not None and length < addresses.size:
        raise ValueError("it is too short for its addresses")
    if len(data) < size:
        return None
    if addresses is None:
        # LOCAL, unspecified, datagrams, UNIX sockets: the real ends of the connection are as good as any.
        return ProxyHeader(size)
    source, destination, source_port, destination_port = addresses.unpack_from(data, _FIXED.size)
    # What follows are TLVs, which are skipped.
    return ProxyHeader(
        size,
        (_text(ipaddress.ip_address(source)), source_port),
        (_text(ipaddress.ip_address(destination)), destination_port),
    )


def _text(address: IPAddress) -> str:
    return str(unmapped(address))


def header(version: int, source: End | None, destination: End | None) -> bytes:
    """The header of ``version`` (1 or 2) for a connection that ``source`` has made to ``destination``.

    With either of them None it tells of nobody: the connection is the proxy's own, or its client has no address. What
    is no address or port, and another version, is a ``ValueError``.
    """
    if version not in (1, 2):
        raise ValueError("the PROXY protocol has versions 1 and 2")
    if source is None or destination is None:
        return b"PROXY UNKNOWN\r\n" if version == 1 else _FIXED.pack(_V2, _LOCAL, 0, 0)
    first, second = read_address(source[0]), read_address(destination[0])
    ports = source[1], destination[1]
    if not all(0 <= port <= 65535 for port in ports):
        raise ValueError("no such port")
    if first.version != second.version:
        # One family for both: RFC 4291 section 2.5.5.2.
        first, second = _mapped(first), _mapped(second)
    if version == 1:
        return b"PROXY TCP%d %b %b %d %d\r\n" % (first.version, str(first).encode(), str(second).encode(), *ports)
    kind = _TCP4 if first.version == 4 else _TCP6
    addresses = _ADDRESSES[kind]
    return _FIXED.pack(_V2, _PROXY, kind, addresses.size) + addresses.pack(first.packed, second.packed, *ports)


def _mapped(address: IPAddress) -> IPAddress:
    return address if address.version == 6 else ipaddress.IPv6Address(b"\0" * 10 + b"\xff\xff" + address.packed)
