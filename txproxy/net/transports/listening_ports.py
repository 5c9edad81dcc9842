"""Ports that listen, and what they accept."""

from __future__ import annotations

import select
from collections.abc import Callable
from typing import Any, Final, TypeGuard

from OpenSSL import SSL
from twisted.internet import tcp
from twisted.internet.interfaces import ITransport

from txproxy.net.transports.accepted_transports import accept_function, pass_options_on
from txproxy.net.transports.tls_transports import TLSServer
from txproxy.net.transports.turn_shares import TurnShare

# So many connections are accepted at once, before those that are there have their turn. Twisted takes more each time.
# They take half a millisecond.
MOST_ACCEPTS: Final = 16
# So long a turn of the reactor may take, in seconds, with what new clients say first where it is TLS: each of these
# answers takes a signature, which is as much as accepting ten of them.
MOST_BEGINNINGS: Final = 0.002
BACKLOG: Final = 1024  # the system's own bound (somaxconn) holds as well


def accepts_tcp(port: object) -> TypeGuard[tcp.Port]:
    """Whether TLS can be spoken on the sockets that a listening port accepts."""
    return type(port) is tcp.Port


def serve_tls(port: object, context: SSL.Context | Callable[[], SSL.Context]) -> bool:
    """Make a listening port's future connections ``TLSServer``, in a context or what is given for each; False if it is
    none whose connections can be.
    """
    if not accepts_tcp(port):
        return False

    def transport(*args: Any) -> TLSServer:
        server = TLSServer(*args)
        server.startTLSOnSocket(context if isinstance(context, SSL.Context) else context())
        return server

    port.transport = transport  # type: ignore[assignment]
    return True


def serve_plain(port: object) -> None:
    """Undo :func:`serve_tls`."""
    if accepts_tcp(port):
        vars(port).pop("transport", None)


def deepen_backlog(port: object) -> None:
    """Let more connections wait for ``accept`` than Twisted's default of 50, unless somebody chose another number."""
    if type(port) is tcp.Port and port.backlog in (None, tcp.Port.backlog):
        port.socket.listen(BACKLOG)


def bound_accepts(port: Any, most: int = MOST_ACCEPTS) -> None:
    """Accept at most so many connections in a turn of the reactor, and begin TLS with no more of them than there is
    time for. What has bounds already keeps the least of them.
    """
    if not isinstance(port, tcp.Port):
        return
    port.beginnings = TurnShare(port.reactor, MOST_BEGINNINGS)  # type: ignore[attr-defined]
    if "doRead" not in vars(port) and accepts_tcp(port):
        pass_options_on(port)
        port.doRead = accept_function(port, most)  # type: ignore[method-assign]
        return
    read = port.doRead

    def read_some() -> None:
        port.numberAccepts = min(port.numberAccepts, most)
        read()

    port.doRead = read_some  # type: ignore[method-assign]


def listening_port(transport: ITransport) -> Any:
    """The port that accepted ``transport``, if it is one that can be told to stop reading; or None."""
    port = getattr(transport, "server", None)
    return port if isinstance(port, tcp.Port) else None


def stop_listening(port: Any) -> Any:
    """Listen no more, once those are accepted who have connected and wait for that; gives a Deferred, or None.

    To close a socket resets the connections in its backlog, with the requests that have come on them.
    """
    if isinstance(port, tcp.Port) and port.connected:
        _accept_all(port)
        # Twisted closes the socket in the next turn: this comes before that.
        reactor: Any = port.reactor
        reactor.callLater(0, _accept_last, port)
    return port.stopListening()


def _accept_last(port: tcp.Port) -> None:
    if port.connected and port.disconnecting:
        port.disconnecting = False
        try:
            _accept_all(port)
        finally:
            port.disconnecting = True


def _accept_all(port: tcp.Port) -> None:
    poller = select.poll()
    poller.register(port.socket, select.POLLIN)
    for _ in range(BACKLOG):
        if not poller.poll(0):
            break
        port.doRead()
