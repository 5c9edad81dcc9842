"""Plain connections, TCP or UNIX: what may be done with the socket under the transport."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any, Final

from twisted.internet import tcp, unix
from twisted.internet.interfaces import ITransport

from txproxy.net.transports.accepted_transports import AcceptedTransport
from txproxy.wire.message import keep_waiting

# Room for what is read at once. Most heads fit into a little of it, which costs a tenth of a read less: the allocator
# hands out and takes back so much without merging what is free.
_LITTLE: Final = 4096
_MUCH: Final[int] = tcp.Connection.bufferSize
# Not all systems have it: then what follows goes out on its own.
_MORE: Final = getattr(socket, "MSG_MORE", 0)

PLAIN: Final = frozenset({AcceptedTransport, tcp.Server, tcp.Client, unix.Server, unix.Client})


def write_plain(transport: Any, data: bytes) -> None:
    """Write to a plain transport at once what the kernel takes; the rest is the transport's to write."""
    if transport._tempDataLen or transport.dataBuffer or not transport.connected:
        write_behind(transport, data)
        return
    try:
        sent = transport.socket.send(data)
    except OSError:
        # The buffer is full, or the connection is dead: the transport will find out in its own turn.
        sent = 0
    if sent != len(data):
        transport.write(data[sent:])


def write_behind(transport: Any, data: bytes) -> None:
    """Have ``data`` wait after what a transport has in its buffer. Small pieces are put together: each would take many
    times its size, of which alone is thought where it is to be seen that the peer takes nothing.
    """
    transport.write(data)
    waiting = transport._tempDataBuffer
    if waiting and waiting[-1] is data:
        waiting.pop()
        keep_waiting(waiting, data)


def write_ahead(transport: Any, data: bytes) -> bool:
    """Write to a plain transport that has a :func:`plain_socket` what something follows at once that passes by the
    transport: the kernel sends both together, so that the peer wakes up once. Gives whether it has taken all of
    ``data``; else nothing may pass by, as the rest is the transport's to write.
    """
    try:
        sent = transport.socket.send(data, _MORE)
    except OSError:
        sent = 0
    if sent == len(data):
        return True
    transport.write(data[sent:])
    return False


def plain_socket(transport: ITransport) -> socket.socket | None:
    """The connected socket under ``transport`` if bytes may pass by the transport: plain, and nothing in its buffer."""
    if type(transport) not in PLAIN:
        return None
    plain: Any = transport
    if not plain.connected or plain.disconnecting or plain._tempDataLen or plain.dataBuffer:
        return None
    handle: socket.socket = plain.socket
    return handle


def descriptor(transport: Any) -> int:
    """The number of the socket of a plain ``transport``; else -1."""
    number: int = transport.fileno() if type(transport) in PLAIN else -1
    return number


def replace_read(transport: Any, read: Callable[[], Any] | None) -> None:
    """Have the reactor call ``read`` when ``transport`` is readable; None for the transport's own way again."""
    if read is not None:
        transport.doRead = read
    else:
        transport.__dict__.pop("doRead", None)


def ordinary_read(transport: Any) -> Any:
    """What ``transport`` itself does when it is readable."""
    return type(transport).doRead(transport)


def read_little(transport: Any, little: bool = True) -> None:
    """Read ``little`` of ``transport`` at once from now on, since little is to come by it, or it is to leave more of
    each turn to others; else as much as transports do by themselves.
    """
    if type(transport) in PLAIN:
        transport.bufferSize = _LITTLE if little else _MUCH
