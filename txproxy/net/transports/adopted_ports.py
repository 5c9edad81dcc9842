"""Ports on sockets that another process has opened, and that may serve others as well."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from typing import Any

from twisted.internet import endpoints, tcp, unix
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from zope.interface import implementer

from txproxy.frozen_values import frozen
from txproxy.net.transports.listening_ports import BACKLOG, bound_accepts


@frozen(eq=False)
class LeftSocket:
    """One that another program in this process has listened on and left, with the ``path`` that has to be removed in
    the end, if there is one.
    """

    socket: socket.socket
    path: str = ""

    def close(self) -> None:
        """Nobody listens on it any more."""
        self.socket.close()
        remove_path(self.path)


def remove_path(path: str) -> None:
    """Remove a UNIX socket from the file system, with the lock that Twisted has beside it; empty for none."""
    for name in (path, f"{path}.lock") if path else ():
        # One that is abstract has a name that is no file's.
        with suppress(OSError, ValueError):
            os.unlink(name)


@implementer(IStreamServerEndpoint)
class AdoptedEndpoint:
    """Listens on a socket that listens already, which is closed then: the port has one of its own. A ``shared`` one
    has others that accept from it.
    """

    def __init__(self, reactor: Any, descriptor: int, family: int, shared: bool) -> None:
        self._reactor = reactor
        self.descriptor = descriptor
        self._family = family
        self._shared = shared

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """See ``IStreamServerEndpoint``."""
        os.set_blocking(self.descriptor, False)
        if self._family == socket.AF_UNIX:
            port: Any = _adopted_path(self._reactor, self.descriptor, protocolFactory)
        else:
            port = self._reactor.adoptStreamPort(self.descriptor, self._family, protocolFactory)
        os.close(self.descriptor)
        if self._shared:
            accept_in_turns(port)
        return succeed(port)


def _adopted_path(reactor: Any, descriptor: int, factory: IProtocolFactory) -> unix.Port:
    """A port on a UNIX socket whose path, with who may use it, is another's, as are those who still accept from it."""
    port: Any = unix.Port._fromListeningDescriptor(reactor, descriptor, factory)
    # Twisted lets everybody use what is in the file system, and removes it in the end. Abstract sockets are not there.
    port._bindPath = b"\0"
    port._shouldShutdown = False
    # It would be said of a path that is none.
    port._logConnectionLostMsg = lambda: None
    port.backlog = BACKLOG
    port.startListening()
    adopted: unix.Port = port
    return adopted


def as_it_is(endpoint: Any, reactor: Any) -> Any:
    """``endpoint``, which leaves a UNIX socket of the service manager to it, as it is."""
    if isinstance(endpoint, endpoints.AdoptedStreamServerEndpoint) and endpoint.addressFamily == socket.AF_UNIX:
        return AdoptedEndpoint(reactor, endpoint.fileno, socket.AF_UNIX, shared=False)
    return endpoint


def accept_in_turns(port: Any) -> None:
    """Take one connection at a time of a socket that others accept from, so that each gets its share."""
    bound_accepts(port, 1)


def tcp_place(endpoint: Any) -> tuple[int, tuple[Any, ...], int]:
    """The family, the address and the backlog of an endpoint of TCP that does not listen yet."""
    six = isinstance(endpoint, endpoints.TCP6ServerEndpoint)
    family, everywhere = (socket.AF_INET6, "::") if six else (socket.AF_INET, "0.0.0.0")
    host, numeric = endpoint._interface or everywhere, socket.AI_NUMERICHOST
    address = socket.getaddrinfo(host, endpoint._port, family, socket.SOCK_STREAM, flags=numeric)[0][4]
    backlog = endpoint._backlog
    return family, address, BACKLOG if backlog == tcp.Port.backlog else backlog


def open_alike(family: int, address: tuple[Any, ...], backlog: int, others: list[socket.socket]) -> socket.socket:
    """A TCP socket that listens on ``address``, beside the ``others`` that do: the system gives each of them its share
    of the connections. ``OSError`` if it cannot be.

    The first one is bound alone, so that an address at which another program listens is taken.
    """
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setblocking(False)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if others:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            opened.bind(others[0].getsockname())
        else:
            opened.bind(address)
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        opened.listen(backlog)
    except OSError:
        opened.close()
        raise
    return opened
