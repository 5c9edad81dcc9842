"""What the master listens on for its workers: sockets that outlive each of them, with who waits in their backlogs."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import attrs
from twisted.internet import endpoints
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory

from txproxy.config.endpoints import listen_at, not_there, server_endpoint
from txproxy.errors import ConfigError
from txproxy.net.transports.adopted_ports import open_alike, remove_path, tcp_place
from txproxy.net.transports.listening_ports import deepen_backlog

# Elsewhere a socket of its own for each worker does not mean a share of the connections for each.
_OWN_SOCKETS: Final = sys.platform.startswith("linux")
_TCP: Final = (endpoints.TCP4ServerEndpoint, endpoints.TCP6ServerEndpoint)


@attrs.define(eq=False)
class Listening:
    """One endpoint: a socket for each worker, which ``open_another`` makes, or one that they share."""

    sockets: list[socket.socket]
    shared: bool
    open_another: Callable[[list[socket.socket]], socket.socket] | None = None
    # Twisted's, where there is a path that has to be removed in the end
    port: Any = None
    # that path, where Twisted's port was another program's, before this one took its place
    path: str = ""

    def descriptor(self, number: int) -> int:
        """The one for the worker of this number, counted from 0. ``OSError`` if there is none, and no other can be
        opened.
        """
        if self.open_another is not None:
            while len(self.sockets) <= number:
                self.sockets.append(self.open_another(self.sockets))
            return self.sockets[number].fileno()
        return self.sockets[0].fileno()

    @property
    def family(self) -> int:
        """The family of its addresses."""
        return self.sockets[0].family

    def getHost(self) -> Any:
        """Where it listens, as Twisted has it."""
        name: Any = self.sockets[0].getsockname()
        if self.family == socket.AF_UNIX:
            return UNIXAddress(name)
        return (IPv4Address if self.family == socket.AF_INET else IPv6Address)("TCP", *name)

    def keep(self, count: int) -> None:
        """The workers beyond so many are the only ones from now on to have their sockets."""
        if self.open_another is not None:
            while len(self.sockets) > count:
                self.sockets.pop().close()

    @property
    def owned_path(self) -> str:
        """The path that has to be removed in the end, if there is one in the file system."""
        if self.port is None or self.family != socket.AF_UNIX:
            return self.path
        name: str | bytes = self.sockets[0].getsockname()
        # The names of abstract sockets are bytes, which are not in the file system.
        return name if isinstance(name, str) else ""

    def close(self) -> Deferred[Any] | None:
        """Listen no more, but for workers that still do."""
        for one in self.sockets:
            one.close()
        remove_path(self.path)
        closed: Deferred[Any] | None = self.port.stopListening() if self.port is not None else None
        return closed


def open_listening(text: str, count: int, reactor: Any) -> Listening:
    """Listen on the endpoint ``text`` for ``count`` workers; ``ConfigError`` if that cannot be."""
    endpoint = server_endpoint(reactor, text)
    if isinstance(endpoint, _TCP) and _OWN_SOCKETS:
        return _tcp(text, endpoint, count)
    if isinstance(endpoint, endpoints.AdoptedStreamServerEndpoint):
        adopted = socket.fromfd(endpoint.fileno, endpoint.addressFamily, socket.SOCK_STREAM)
        adopted.setblocking(False)
        return Listening([adopted], shared=True)
    if isinstance(endpoint, (*_TCP, endpoints.UNIXServerEndpoint)):
        return _by_twisted(text, endpoint)
    raise ConfigError(
        f"{text}: several workers cannot listen there", "accepted with workers are TCP ports, unix: and systemd:"
    )


def _tcp(text: str, endpoint: Any, count: int) -> Listening:
    made = Listening([], shared=False)
    try:
        made.open_another = partial(open_alike, *tcp_place(endpoint))
        made.descriptor(count - 1)
    except OSError as fault:
        made.close()
        raise ConfigError(f"{text}: {not_there(fault, endpoint._port)}") from None
    return made


def _by_twisted(text: str, endpoint: Any) -> Listening:
    port = listen_at(endpoint, text, _NoClients())
    # The workers accept.
    port.stopReading()
    deepen_backlog(port)
    return Listening([port.socket.dup()], shared=True, port=port)


class _NoClients(Factory):
    noisy = False

    def buildProtocol(self, addr: Any) -> None:
        """Nobody is served here."""
