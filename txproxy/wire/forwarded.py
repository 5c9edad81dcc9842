"""The Forwarded field (RFC 7239): what proxies on the way say of the client and of each other."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from typing import Final

import attrs

from txproxy.matching.networks import read_address
from txproxy.wire import grammar

# RFC 7239 section 4: forwarded-element = [ pair ] *( ";" [ pair ] ); pair = token "=" ( token / quoted-string ). There
# is no white space around ";" or "=".
_TOKEN: Final = grammar.TOKEN.pattern
_QUOTED: Final = rb'"((?:[\t\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*)"'
_PAIR: Final = rb"(" + _TOKEN + rb")=(?:(" + _TOKEN + rb")|" + _QUOTED + rb")"
_ELEMENT: Final = re.compile(rb"(?:" + _PAIR + rb")?(?:;(?:" + _PAIR + rb")?)*")
_PAIRS: Final = re.compile(_PAIR)
_ESCAPED: Final = re.compile(rb"\\(.)", re.DOTALL)
_TO_ESCAPE: Final = re.compile(rb'(["\\])')
_QUOTABLE: Final = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")

# RFC 7239 section 6: node = nodename [ ":" node-port ]
_OBFUSCATED: Final = rb"_[A-Za-z0-9._\-]+"
_NODE: Final = re.compile(
    rb"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)|((?i:unknown)|" + _OBFUSCATED + rb"))(?::([0-9]{1,5}|" + _OBFUSCATED + rb"))?"
)
# RFC 3986 section 3.1
_SCHEME: Final = re.compile(rb"[A-Za-z][A-Za-z0-9+.\-]*")
_EMPTY: Final = b" \t,"
_KNOWN: Final = frozenset({b"for", b"by", b"host", b"proto"})


@attrs.frozen
class Node:
    """One end of a connection (RFC 7239 section 6). ``name`` is an address in its usual form and without brackets,
    ``"unknown"``, or a name of the proxy's own that begins with ``_``; ``port`` is a number, such a name, or empty.
    """

    name: str
    port: str = ""

    @property
    def address(self) -> str | None:
        """The address as text; None where the proxy does not tell."""
        return None if self.name[0] in "_u" else self.name

    @classmethod
    def of(cls, text: str, port: str = "") -> Node:
        """The node of a peer by its address as text; unknown for one that has none (a UNIX socket)."""
        try:
            return cls(str(read_address(text)), port)
        except ValueError:
            return cls("unknown", port)

    def __str__(self) -> str:
        name = f"[{self.name}]" if ":" in self.name else self.name
        return f"{name}:{self.port}" if self.port else name


def parse_node(text: bytes) -> Node:
    """A node from ``192.0.2.1``, ``[2001:db8::1]:443``, ``unknown`` or ``_name:_port``; else ``ValueError``."""
    match = _NODE.fullmatch(text)
    if match is None:
        raise ValueError("not a node")
    literal, address, other, port = match.groups()
    if literal is not None:
        name = str(ipaddress.IPv6Address(literal.decode("ascii")))
    elif address is not None:
        name = str(ipaddress.IPv4Address(address.decode("ascii")))
    else:
        name = other.decode("ascii")
        if name[0] != "_":
            name = "unknown"
    if port is None:
        return Node(name)
    if port[:1] == b"_":
        return Node(name, port.decode("ascii"))
    number = int(port)
    if number > 65535:
        raise ValueError("no such port")
    return Node(name, str(number))


@attrs.frozen
class Element:
    """What one proxy says: ``client`` (``for``) is who sent it the request, ``by`` its own side of that connection,
    ``host`` the Host that was asked for and ``proto`` the scheme, both empty where it does not say. ``more`` are other
    parameters, names in lower case.
    """

    client: Node | None = None
    by: Node | None = None
    host: bytes = b""
    proto: bytes = b""
    more: tuple[tuple[bytes, bytes], ...] = ()

    def __bytes__(self) -> bytes:
        pairs = []
        if self.client is not None:
            pairs.append(b"for=" + quoted(str(self.client).encode("ascii")))
        if self.by is not None:
            pairs.append(b"by=" + quoted(str(self.by).encode("ascii")))
        if self.host:
            pairs.append(b"host=" + quoted(self.host))
        if self.proto:
            pairs.append(b"proto=" + quoted(self.proto))
        pairs += [name + b"=" + quoted(value) for name, value in self.more]
        return b";".join(pairs)


def quoted(value: bytes) -> bytes:
    """``value`` as a parameter has it: a token as it is, all else in quotes; ``ValueError`` if it can be neither."""
    if grammar.TOKEN.fullmatch(value):
        return value
    if not _QUOTABLE.fullmatch(value):
        raise ValueError("a control character in a parameter")
    return b'"' + _TO_ESCAPE.sub(rb"\\\1", value) + b'"'


def build(elements: Iterable[Element]) -> bytes:
    """The value of a Forwarded field that says all this, the client's side first."""
    return b", ".join(bytes(element) for element in elements)


def parse(value: bytes) -> list[Element]:
    """The elements of a whole field value, in order; ``ValueError`` if any of it is malformed."""
    return list(from_the_end(value))[::-1]


def from_the_end(value: bytes) -> Iterator[Element]:
    """The elements of a field value from the last one, which the nearest proxy has added, to the first; ``ValueError``
    at what is malformed.

    So what a proxy has said can be told even if a client has sent it half a quoted string to append to. It finds the
    elements that a reading from the beginning finds, where that succeeds: a comma within a quoted string leaves an odd
    number of quotes after it, which are no element.
    """
    end = len(value)
    while True:
        # RFC 9110 section 5.6.1.2: empty elements of a list are to be ignored.
        while end and value[end - 1] in _EMPTY:
            end -= 1
        if not end:
            return
        comma, in_quotes = end, False
        while True:
            before = comma
            comma = value.rfind(b",", 0, before)
            begin = comma + 1
            while value[begin : begin + 1] in (b" ", b"\t"):
                begin += 1
            if _ELEMENT.fullmatch(value, begin, end):
                break
            in_quotes = in_quotes or value.find(b'"', begin, before) >= 0
            if comma < 0 or not in_quotes:
                raise ValueError("malformed Forwarded")
        yield _element(value[begin:end])
        end = max(comma, 0)


def _element(text: bytes) -> Element:
    found: dict[bytes, bytes] = {}
    for name, token, string in _PAIRS.findall(text):
        name = name.lower()
        if name in found:
            # RFC 7239 section 4: no parameter occurs more than once in an element.
            raise ValueError("a parameter of Forwarded is repeated")
        found[name] = token or _ESCAPED.sub(rb"\1", string)
    client, by = found.get(b"for"), found.get(b"by")
    proto = found.get(b"proto", b"")
    if b"proto" in found and not _SCHEME.fullmatch(proto):
        raise ValueError("proto is no scheme")
    return Element(
        parse_node(client) if client is not None else None,
        parse_node(by) if by is not None else None,
        found.get(b"host", b""),
        proto.lower(),
        tuple(item for item in found.items() if item[0] not in _KNOWN),
    )
