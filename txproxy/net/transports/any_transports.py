"""What is asked of transports of any kind: plain, TLS of ours or of Twisted's, and such as nobody knows."""

from __future__ import annotations

import fcntl
import socket
import termios
from array import array
from contextlib import suppress
from typing import Any, Final

from twisted.internet.interfaces import IAddress, ITransport
from twisted.protocols.tls import TLSMemoryBIOProtocol

from txproxy.net.transports.accepted_transports import PROBE_AFTER, AcceptedTransport
from txproxy.net.transports.plain_transports import PLAIN
from txproxy.net.transports.tls_transports import TLSServer

_KEEP_IDLE: Final[int | None] = getattr(socket, "TCP_KEEPIDLE", None)


def unwrap(transport: ITransport, protocol: object) -> None:
    """Let ``transport`` call ``protocol`` directly, where an endpoint has put a wrapper of its own between them."""
    if type(transport) in PLAIN:
        transport.protocol = protocol  # type: ignore[attr-defined]


def replace_protocol(transport: ITransport, protocol: object) -> bool:
    """Let ``transport`` call ``protocol`` from now on, in place of who it called before; False if it cannot be told."""
    if type(transport) in PLAIN or type(transport) is TLSServer:
        transport.protocol = protocol  # type: ignore[attr-defined]
        return True
    if isinstance(transport, TLSMemoryBIOProtocol):
        transport.wrappedProtocol = protocol  # type: ignore[assignment]
        return True
    return False


def tell_ends(transport: Any, peer: IAddress, host: IAddress) -> None:
    """Let ``transport`` say that its connection is from ``peer`` to ``host``: the real one, behind a proxy."""
    transport.getPeer = lambda: peer
    transport.getHost = lambda: host


def half_close(transport: ITransport) -> bool:
    """Close the direction to the peer once all is written; False if the transport cannot.

    Asked of the class: wrappers such as Twisted's TLS hand unknown names to the transport below, which would end the
    TCP connection under them.
    """
    if getattr(type(transport), "loseWriteConnection", None) is None:
        return False
    transport.loseWriteConnection()  # type: ignore[attr-defined]
    return True


def end_at_once(transport: Any) -> bool:
    """Close ``transport``, whose peer has closed its side, and tell its protocol within this call; False, with nothing
    done, if something is still to be written, or it cannot. Nothing is to be done with it after that.
    """
    return type(transport) is AcceptedTransport and transport.end_at_once()


def unsent(transport: ITransport) -> int:
    """How many bytes the peer has not taken yet, in the transport and in the kernel; 0 where that cannot be told.

    A slow peer may take from the kernel for minutes before there is room for more from the transport.
    """
    if type(transport) not in PLAIN and type(transport) is not TLSServer:
        return 0
    known: Any = transport
    waiting: int = len(known.dataBuffer) - known.offset + known._tempDataLen
    if known.connected:
        queue = array("i", [0])
        with suppress(OSError):
            fcntl.ioctl(known.socket, termios.TIOCOUTQ, queue)
        waiting += queue[0]
    return waiting


def set_tcp_options(transport: Any) -> None:
    """Small writes are to go out at once, and a peer that has vanished is to be found out about, though nothing is sent
    to it. A transport that is no TCP has nothing to set.
    """
    if getattr(transport, "has_options", False):
        return
    set_tcp_no_delay = getattr(transport, "setTcpNoDelay", None)
    if set_tcp_no_delay is not None:
        set_tcp_no_delay(True)
    set_tcp_keep_alive = getattr(transport, "setTcpKeepAlive", None)
    if set_tcp_keep_alive is not None:
        set_tcp_keep_alive(True)
        below: Any = transport.transport if isinstance(transport, TLSMemoryBIOProtocol) else transport
        handle = below.getHandle()
        # Those of UNIX sockets have the method, and such a socket refuses the option.
        if _KEEP_IDLE is not None and isinstance(handle, socket.socket) and handle.family != socket.AF_UNIX:
            handle.setsockopt(socket.IPPROTO_TCP, _KEEP_IDLE, PROBE_AFTER)
