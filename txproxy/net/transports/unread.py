"""What has come by a connection and was not read yet."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from functools import partial
from typing import Any
from weakref import ref

from twisted.internet import main
from twisted.protocols.tls import TLSMemoryBIOProtocol

from txproxy.net.in_process import LocalTransport
from txproxy.net.transports.plain_transports import PLAIN


def read_waiting(transport: Any) -> bool:
    """Have the protocol of ``transport`` told now of what waits to be read, as of something that has come before it
    speaks; False if that has ended the connection. An end without bytes waits for its own turn.
    """
    below = _socket_transport(transport)
    if below is None:
        return True
    if has_unread(below):
        below.doRead()
    return not below.disconnecting


def read_more(transport: Any) -> None:
    """Have the protocol of a plain ``transport`` told of what has come since it was told last, within that. An end
    waits for its own turn, as does what comes by another kind of transport.
    """
    if type(transport) in PLAIN and transport.connected and not transport.disconnecting:
        transport.doRead()


def _socket_transport(transport: Any) -> Any:
    """The plain transport under ``transport``, TLS or not; None if that is of another kind."""
    while isinstance(transport, TLSMemoryBIOProtocol):
        transport = transport.transport
    return transport if type(transport) in PLAIN else None


def unread_function(transport: Any) -> Callable[[], object]:
    """What tells whether bytes, or an end, wait to be read from ``transport``: something true. It is asked of the
    kernel, for a quarter of what a ``recv`` costs that fails; where that cannot be asked nothing waits.
    """
    if isinstance(transport, LocalTransport):
        return lambda: transport.unread
    below = _socket_transport(transport)
    if below is None:
        return bool
    poller = select.poll()
    poller.register(below.socket, select.POLLIN)
    return partial(poller.poll, 0)


def has_unread(transport: Any) -> bool:
    """Whether bytes wait to be read from a plain ``transport``; an end or an error are none."""
    try:
        return bool(transport.socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    except OSError:
        return False


def has_ended(transport: Any) -> bool:
    """Whether what waits to be read from ``transport`` is its end, and not bytes; False where that cannot be told."""
    below = _socket_transport(transport)
    if below is None:
        return False
    try:
        return not below.socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True


def read_before_lost(transport: Any) -> None:
    """Read what has come when a write fails, and only then be lost: a peer that closes in the middle of what it is sent
    may have said why, and the kernel keeps that.
    """
    below = _socket_transport(transport)
    if below is None:
        return
    write_some: Any = type(below).writeSomeData
    # It has this function: nobody has to wait for the collector of such circles.
    known: Callable[[], Any] = ref(below)

    def write_some_or_read(data: bytes) -> Any:
        transport = known()
        result = write_some(transport, data)
        if result is main.CONNECTION_LOST and transport.connected:
            # As with any read of a connection that has ended, this says so at last.
            while transport.connected and has_unread(transport) and transport.doRead() is None:
                pass
        return result

    below.writeSomeData = write_some_or_read
