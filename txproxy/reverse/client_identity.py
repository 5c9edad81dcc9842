"""Whom a request is from, where proxies that are trusted say so.

What is believed, and why:

- Only a peer in the trusted networks is believed. What others send is replaced, never appended to.
- The chain is walked from its right end, which the peer has written, over the trusted proxies to the first address
  that is none: the client. Left of it is what the client has sent, and anybody can send anything. An entry that is no
  address ends the walk at the one before it.
- ``X-Forwarded-For`` is walked if there is one, and ``Forwarded`` (RFC 7239) only where there is none. A proxy that
  writes the one usually lets the other pass as its client has sent it, so the two can contradict each other; and
  nearly all proxies write X-Forwarded-For (nginx's and Envoy's own settings know no other, HAProxy writes Forwarded
  only if told to). To believe neither would make an outsider look like the proxy, which is worse. Behind proxies that
  write Forwarded alone, say so: ``header``.
- ``X-Forwarded-Proto``, ``-Host`` and ``-Port`` are lists that grow to the right as well, or single values. The entry
  that counts is as far from the right as the client is, or else the left-most. Where Forwarded is walked, they are in
  its elements, and these fields are not looked at.
- ``X-Real-IP`` is never believed: it does not say who wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

import attrs

from txproxy.errors import ConfigError
from txproxy.interfaces.context import RequestContext
from txproxy.matching.networks import PeerNetworks, read_address
from txproxy.matching.ports import read_port
from txproxy.wire.forwarded import Element, from_the_end
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead
from txproxy.wire.target import split_authority

HEADERS: Final = ("x-forwarded-for", "forwarded")

# As WebSocket's schemes are told by some.
_SCHEMES: Final = {b"http": "http", b"https": "https", b"ws": "http", b"wss": "https"}
_ENTRY: Final = re.compile(
    rb"\[([0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)\](?::[0-9]{1,5})?|([0-9.]+)(?::[0-9]{1,5})?|([0-9A-Fa-f:.]+)"
)
# Longer chains than this are nobody's; whoever sends them is not to cost more.
_MOST_HOPS: Final = 32
# Answers are remembered by what was asked. What is longer is asked again: clients choose part of it.
_MOST_REMEMBERED: Final = 1024
_REMEMBERED: Final = 4096


@attrs.frozen
class Believed:
    """What is believed of one request.

    ``client_ip`` is the client's address and ``scheme`` (``http`` or ``https``) how it speaks to the first proxy;
    ``host`` is the authority that it asked that proxy for and ``port`` the port, empty and 0 where nobody says.
    ``chain`` is the value of X-Forwarded-For to send upstream: the client, the proxies after it, and the peer.
    ``lines`` has it as a field line, with X-Real-IP, X-Forwarded-Proto and, where it is known, X-Forwarded-Port.
    """

    client_ip: str
    scheme: str
    host: bytes = b""
    port: int = 0
    chain: bytes = b""
    lines: tuple[bytes, ...] = attrs.field(default=(), eq=False, repr=False)


@lru_cache(maxsize=_REMEMBERED)
def peer_alone(peer_ip: str, scheme: str) -> Believed:
    """What is believed of a request that nobody trusted has brought: it is the peer's."""
    return _believed(peer_ip, [], scheme, b"", 0)


class Trust:
    """Believes the peers in ``networks`` (CIDRs or addresses; a ``ConfigError`` says which is none).

    ``header`` is ``"x-forwarded-for"`` or ``"forwarded"`` where the trusted proxies write that one alone; with None,
    X-Forwarded-For is believed, and Forwarded where that is absent. Peers on a UNIX socket are trusted where ``unix:``
    is one of the networks.
    """

    def __init__(self, networks: Iterable[str], *, header: str | None = None) -> None:
        if header is not None and header not in HEADERS:
            raise ConfigError(f"{header!r} is no header that tells of clients", f"accepted: {', '.join(HEADERS)}")
        self.networks = PeerNetworks(networks)
        self._reads_list = header != "forwarded"
        self._reads_forwarded = header != "x-forwarded-for"
        self._remembered = lru_cache(maxsize=_REMEMBERED)(self._believe)

    def believe(self, peer_ip: str, scheme: str, headers: Headers) -> Believed:
        """Whom a request with ``headers`` is from, that came from ``peer_ip`` over a connection of ``scheme``."""
        if peer_ip not in self.networks:
            return peer_alone(peer_ip, scheme)
        get = headers.index.get
        chain = get(b"x-forwarded-for") if self._reads_list else None
        forwarded = get(b"forwarded") if chain is None and self._reads_forwarded else None
        if forwarded is not None:
            told: tuple[bytes | None, ...] = (None, forwarded, None, None, None)
        else:
            proto, host, port = get(b"x-forwarded-proto"), get(b"x-forwarded-host"), get(b"x-forwarded-port")
            told = (chain, None, proto, host, port)
        size = 0
        for value in told:
            if value is not None:
                size += len(value) + 1
        if not size:
            return peer_alone(peer_ip, scheme)
        if size > _MOST_REMEMBERED:
            return self._believe(peer_ip, scheme, *told)
        return self._remembered(peer_ip, scheme, *told)

    def client_of(self, request: RequestHead, context: RequestContext) -> str:
        """The believed address of who has sent a request, for whoever asks before the mode does."""
        believed = self.believe(context.peer_ip, context.connection.peer_scheme, request.headers)
        return believed.client_ip

    def _believe(
        self,
        peer_ip: str,
        scheme: str,
        chain: bytes | None,
        forwarded: bytes | None,
        proto: bytes | None,
        host: bytes | None,
        port: bytes | None,
    ) -> Believed:
        if forwarded is not None:
            return self._of_elements(peer_ip, scheme, forwarded)
        hops, told = self._walk(_addresses(chain or b""))
        client_scheme = _SCHEMES.get(_at(proto, told).lower(), scheme)
        return _believed(peer_ip, hops, client_scheme, _authority(_at(host, told)), _port(_at(port, told)))

    def _of_elements(self, peer_ip: str, scheme: str, forwarded: bytes) -> Believed:
        elements: list[Element] = []
        hops, told = self._walk(_clients(forwarded, elements))
        if not elements:
            return peer_alone(peer_ip, scheme)
        # The last that the walk has come to is the one that tells of the client.
        element = elements[told - 1]
        return _believed(peer_ip, hops, _SCHEMES.get(element.proto, scheme), _authority(element.host), 0)

    def _walk(self, addresses: Iterator[str | None]) -> tuple[list[str], int]:
        """The believed addresses, the nearest first, and how many entries trusted proxies have written."""
        hops: list[str] = []
        told = 0
        for address in addresses:
            told += 1
            if address is None:
                break
            hops.append(address)
            if address not in self.networks or told == _MOST_HOPS:
                break
        return hops, told


def _addresses(value: bytes) -> Iterator[str | None]:
    """The entries of X-Forwarded-For from the right, None for what is no address."""
    end = len(value)
    while end > 0:
        comma = value.rfind(b",", 0, end)
        entry = value[comma + 1 : end].strip(b" \t")
        end = comma
        if entry:
            yield _address(entry)


def _clients(value: bytes, elements: list[Element]) -> Iterator[str | None]:
    """The clients that the elements of Forwarded name, from the right; the elements are appended to ``elements``."""
    try:
        for element in from_the_end(value):
            elements.append(element)
            node = element.client
            yield _plain(node.address) if node is not None and node.address is not None else None
    except ValueError:
        return


def _address(entry: bytes) -> str | None:
    """An entry of X-Forwarded-For as an address; some proxies write a port after it, and then brackets around IPv6."""
    match = _ENTRY.fullmatch(entry)
    if match is None:
        return None
    try:
        return _plain((match[1] or match[2] or match[3]).decode("ascii"))
    except ValueError:
        return None


def _plain(text: str) -> str:
    return str(read_address(text))


def _at(value: bytes | None, distance: int) -> bytes:
    """The entry of a list so far from its right end, 1 being the last; the first if there are fewer, empty if none."""
    if not value:
        return b""
    entries = [entry for part in value.split(b",") if (entry := part.strip(b" \t"))]
    return entries[-min(max(distance, 1), len(entries))] if entries else b""


def _authority(value: bytes) -> bytes:
    if value:
        try:
            split_authority(value)
        except ValueError:
            return b""
    return value


def _port(value: bytes) -> int:
    return read_port(value.decode("latin-1"))


def _believed(peer_ip: str, hops: list[str], client_scheme: str, host: bytes, port: int) -> Believed:
    """``hops`` are the believed addresses, the nearest first."""
    client_ip = hops[-1] if hops else peer_ip
    path = hops[::-1]
    if not hops or peer_ip != "unix:":
        # A proxy on a UNIX socket has no address that could stand in the chain.
        path.append(peer_ip)
    chain = ", ".join(path).encode("ascii")
    lines = [
        b"X-Forwarded-For: " + chain,
        b"X-Real-IP: " + client_ip.encode("ascii"),
        b"X-Forwarded-Proto: " + client_scheme.encode("ascii"),
    ]
    if port:
        lines.append(b"X-Forwarded-Port: %d" % port)
    return Believed(client_ip, client_scheme, host, port, chain, tuple(lines))
