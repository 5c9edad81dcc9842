"""Plain connections that go from one process to another: the socket leaves its transport here, and gets one there."""

from __future__ import annotations

import socket
from typing import Any, Final, TypeAlias

from twisted.internet import tcp, unix
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import ITransport
from twisted.internet.protocol import Protocol

from txproxy.frozen_values import frozen
from txproxy.net.transports.any_transports import tell_ends
from txproxy.net.transports.plain_transports import PLAIN

# Until it has another: nothing is read before that.
_NOBODY: Final = Protocol()
Place: TypeAlias = "tuple[str, int]"


@frozen
class HandedSocket:
    """What is known of a connected socket: its ``family``, its ``peer`` as the system has it (a socket that was reset
    cannot be asked any more), and the ends that a proxy before us has ``told`` of, as hosts and ports.
    """

    family: int
    peer: Any
    told: tuple[Place, Place] | None = None


def can_leave(transport: ITransport) -> bool:
    """Whether :func:`leave_transport` may be asked: it is plain, and nobody has begun to close it."""
    if type(transport) not in PLAIN:
        return False
    plain: Any = transport
    return bool(plain.connected) and not plain.disconnecting and not plain.disconnected and not plain._aborting


def take_unsent(transport: Any) -> bytes:
    """What a plain transport was still to write; nobody else writes it."""
    unsent: bytes = transport.dataBuffer[transport.offset :] + b"".join(transport._tempDataBuffer)
    transport.dataBuffer, transport.offset = b"", 0
    transport._tempDataBuffer, transport._tempDataLen = [], 0
    return unsent


def leave_transport(transport: Any) -> tuple[HandedSocket, socket.socket]:
    """The socket of a plain transport, open and the caller's from now on. The transport is gone, of which its protocol
    is not told.
    """
    transport.stopReading()
    transport.stopWriting()
    transport.connected, transport.disconnected = 0, 1
    handle: socket.socket = transport.socket
    told = None
    if "getPeer" in transport.__dict__:
        told = _place(transport.getPeer()), _place(transport.getHost())
    # Nobody has to wait for the collector of the circle that both are.
    transport.protocol = _NOBODY
    return HandedSocket(int(handle.family), _peer(transport), told), handle


def _peer(transport: Any) -> Any:
    if isinstance(transport, unix.Server):
        return transport.hostname
    return transport.client if isinstance(transport, tcp.Server) else transport.realAddress


def _place(address: Any) -> Place:
    return address.host, address.port


def adopt(reactor: Any, handed: HandedSocket, handle: socket.socket) -> Any:
    """A transport for a socket, which is its own from now on. It reads nothing before it is told to."""
    handle.setblocking(False)
    if handed.family == socket.AF_UNIX:
        transport: Any = unix.Server(handle, _NOBODY, handed.peer, None, 0, reactor)
    else:
        transport = tcp.Server(handle, _NOBODY, tuple(handed.peer), None, 0, reactor)  # type: ignore[arg-type]
    transport.repstr = f"<a connection of {handed.peer} that was handed over>"
    transport.stopReading()
    if handed.told is not None:
        tell_ends(transport, *(place_address(place) for place in handed.told))
    return transport


def place_address(place: Place) -> IPv4Address | IPv6Address:
    """A host and a port as Twisted has them."""
    host, port = place
    return (IPv6Address if ":" in host else IPv4Address)("TCP", host, port)
