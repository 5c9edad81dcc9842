"""The ClientHello, read without taking part: what a client says before anything is encrypted (RFC 8446 section 4.1.2).

For TLS that is passed through by its SNI: the bytes stay as they are, and go on to whoever is chosen.
"""

from __future__ import annotations

from typing import Final

import attrs

# Of all that may have to be kept for one client before it says where it wants to go, in bytes. Hybrid key shares make
# some 2 kB of it today.
MAX_HELLO: Final = 16384
# So many fragments nobody makes but to cost time.
_MAX_RECORDS: Final = 64

_HANDSHAKE: Final = 22
_CLIENT_HELLO: Final = 1
_SERVER_NAME: Final = 0
_ALPN: Final = 16
_SUPPORTED_VERSIONS: Final = 43
_ENCRYPTED_CLIENT_HELLO: Final = 0xFE0D  # RFC 9849
_HOST_NAME: Final = 0
_NAME_BYTES: Final = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789-_.")


@attrs.frozen
class Hello:
    """What a client asks for.

    ``server_name`` is in lower case, None if there is none; with ``has_ech`` it is the outer one, of whoever can
    decrypt the inner one, unless that is only for show (GREASE). ``alpn`` are the protocols on offer, the first
    preferred; ``versions`` as on the wire (``0x0304`` is TLS 1.3), in the client's order, without reserved ones.
    """

    server_name: str | None = None
    alpn: tuple[bytes, ...] = ()
    versions: tuple[int, ...] = ()
    has_ech: bool = False


def read_hello(data: bytes) -> Hello | None:
    """The ClientHello at the beginning of a connection's bytes; None if more of them are needed.

    It may lie in several records. What comes after it is not looked at. ``ValueError`` if this is no TLS, is malformed,
    or takes more than ``MAX_HELLO`` bytes.
    """
    message = _message(data[:MAX_HELLO])
    if message is None:
        if len(data) >= MAX_HELLO:
            raise ValueError("the ClientHello is too long")
        return None
    return _read(_Reader(message))


def _message(data: bytes) -> bytes | None:
    """The body of the first handshake message, out of its records (RFC 8446 section 5.1)."""
    gathered = b""
    position = 0
    for _ in range(_MAX_RECORDS):
        header = data[position : position + 5]
        if header[:1] not in (b"", b"\x16") or header[1:2] not in (b"", b"\x03"):
            raise ValueError("not a TLS handshake")
        if len(header) < 5:
            return None
        length = int.from_bytes(header[3:5], "big")
        if not 0 < length <= 16384:
            raise ValueError("a TLS record has no such length")
        position += 5
        gathered += data[position : position + length]
        if gathered and gathered[0] != _CLIENT_HELLO:
            raise ValueError("not a ClientHello")
        if len(gathered) >= 4:
            end = 4 + int.from_bytes(gathered[1:4], "big")
            if end > MAX_HELLO:
                raise ValueError("the ClientHello is too long")
            if len(gathered) >= end:
                return gathered[4:end]
        position += length
        if position > len(data):
            return None
    raise ValueError("the ClientHello is in too many pieces")


class _Reader:
    """Bytes, taken from the left; ``ValueError`` where there are too few."""

    __slots__ = ("_data", "_position")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def take(self, length: int) -> bytes:
        begin, self._position = self._position, self._position + length
        if self._position > len(self._data):
            raise ValueError("the ClientHello is malformed: a length is wrong")
        return self._data[begin : self._position]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def vector(self, size: int) -> _Reader:
        """Another reader, for as many bytes as a number of ``size`` bytes says."""
        return _Reader(self.take(self.number(size)))

    def rest(self) -> bytes:
        return self._data[self._position :]

    @property
    def more(self) -> bool:
        return self._position < len(self._data)

    def end(self) -> None:
        if self.more:
            raise ValueError("the ClientHello is malformed: something is left over")


def _read(hello: _Reader) -> Hello:
    version = hello.number(2)
    hello.take(32)  # random
    hello.vector(1)  # session
    hello.vector(2)  # cipher suites
    hello.vector(1)  # compression
    extensions: dict[int, _Reader] = {}
    if hello.more:
        listed = hello.vector(2)
        hello.end()
        while listed.more:
            kind = listed.number(2)
            # RFC 8446 section 4.2. Of two names, the server might take the other one.
            if kind in extensions:
                raise ValueError("the ClientHello is malformed: an extension comes twice")
            extensions[kind] = listed.vector(2)
    names, protocols, versions = (extensions.get(kind) for kind in (_SERVER_NAME, _ALPN, _SUPPORTED_VERSIONS))
    return Hello(
        server_name=_server_name(names) if names is not None else None,
        alpn=_protocols(protocols) if protocols is not None else (),
        versions=_versions(versions) if versions is not None else (version,),
        has_ech=_ENCRYPTED_CLIENT_HELLO in extensions,
    )


def _server_name(extension: _Reader) -> str:
    # RFC 6066 section 3: a list, but of one name, since there is one kind of them.
    listed = extension.vector(2)
    extension.end()
    kind = listed.number(1)
    name = listed.vector(2).rest().lower()
    listed.end()
    if kind != _HOST_NAME or not 0 < len(name) < 256 or not _NAME_BYTES.issuperset(name):
        raise ValueError("the ClientHello is malformed: its server name is none")
    return name.decode("ascii")


def _protocols(extension: _Reader) -> tuple[bytes, ...]:
    listed = extension.vector(2)
    extension.end()
    found = []
    while listed.more:
        protocol = listed.vector(1).rest()
        if not protocol:
            raise ValueError("the ClientHello is malformed: a protocol has no name")  # RFC 7301 section 3.1
        found.append(protocol)
    return tuple(found)


def _versions(extension: _Reader) -> tuple[int, ...]:
    listed = extension.vector(1)
    extension.end()
    found = []
    while listed.more:
        version = listed.number(2)
        if version & 0x0F0F != 0x0A0A:  # RFC 8701: reserved, to be ignored
            found.append(version)
    return tuple(found)
