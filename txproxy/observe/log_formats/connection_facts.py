"""What logs say of a client's connection: found out once for each, where a format asks."""

from __future__ import annotations

from itertools import count
from typing import Any, Final

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress

from txproxy.interfaces.connection import ClientConnection
from txproxy.net.transports.tls_transports import tls_connection
from txproxy.tls.client_certificates import peer_certificate
from txproxy.wire.headers import Headers


class TlsFacts:
    """What was agreed on with a TLS client, and who that is: each None where it is not known."""

    __slots__ = ("version", "cipher", "server_name", "subject")

    def __init__(self, connection: ClientConnection) -> None:
        self.version: bytes | None = None
        self.cipher: bytes | None = None
        self.server_name: bytes | None = None
        self.subject: bytes | None = None
        tls = tls_connection(connection.transport)
        if tls is not None:
            cipher = tls.get_cipher_name()
            if cipher is not None:
                # As OpenSSL names it, and nginx: TLSv1.3.
                self.version = tls.get_protocol_version_name().encode("ascii")
                self.cipher = cipher.encode("ascii")
            self.server_name = tls.get_servername()
            # Whether or not the mode has asked for it.
            certificate = peer_certificate(tls)
            if certificate is not None:
                self.subject = certificate.subject.encode("utf-8", "backslashreplace")


class ConnectionFacts:
    """What was found out of a connection: its ``number``, and what ``tls`` says. ``lines`` has what a format remembers
    of the lines that it has written of it.
    """

    __slots__ = ("number", "tls", "lines")

    def __init__(self, number: int, tls: TlsFacts) -> None:
        self.number = number
        self.tls = tls
        self.lines: dict[object, Any] = {}


class Place:
    """Where requests go, for lines of JSON: the ``text`` that says so in them. There is one for each upstream, however
    many connections there are to it.
    """

    __slots__ = ("text",)

    def __init__(self, key: tuple[str, str]) -> None:
        self.text = key[0]


# of no upstream, nor of none
NOT_TOLD: Final[tuple[Any, Place, Headers | None]] = (object(), Place(("", "")), None)


class UpstreamFacts:
    """What was found out of a connection to an upstream: its ``peer``, and ``told``: which upstream of a pool was
    asked (or None), what a line of JSON says of that, and fields of a response in which there is no X-Request-Id;
    ``squid`` is which upstream was asked, and what a line of Squid's says. Several threads may write lines: what
    belongs together is set at once.
    """

    __slots__ = ("peer", "told", "squid")

    def __init__(self, peer: Any) -> None:
        self.peer = peer
        self.told: tuple[Any, Place, Headers | None] = NOT_TOLD
        self.squid: tuple[Any, bytes] | None = None


class Connections:
    """Numbers connections, from 1, in the order in which somebody wants to know of them."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def facts(self, connection: ClientConnection) -> ConnectionFacts:
        """What is known of one."""
        facts: ConnectionFacts | None = connection.facts
        if facts is None:
            connection.facts = facts = ConnectionFacts(next(self._numbers), TlsFacts(connection))
        return facts


def place_of(address: Any) -> bytes | None:
    """An address of Twisted as ``HOST:PORT``, ``[HOST]:PORT`` or ``unix:PATH``; None for another."""
    if type(address) is IPv4Address:
        return f"{address.host}:{address.port}".encode("ascii")
    if type(address) is IPv6Address:
        return f"[{address.host}]:{address.port}".encode("ascii")
    if type(address) is UNIXAddress:
        name = address.name
        return b"unix:" + (name if isinstance(name, bytes) else (name or "").encode("utf-8", "surrogateescape"))
    return None
