"""What a port of ours accepts: TCP of Twisted's, with less to do for a connection that comes and goes.

All that is said here of beginning and end is what Twisted does as well, a turn of the reactor and some system calls
later: it is the slow twin, and has what is left to be written.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from errno import EMFILE, ENFILE, ENOBUFS, ENOMEM, EWOULDBLOCK, errorcode
from typing import Any, Final

from twisted.internet import error, main, tcp
from twisted.internet.address import IPv6Address
from twisted.logger import Logger
from twisted.python.failure import Failure

_log = Logger()
# Linux gives them to each connection that a socket accepts. Where that is not so, they are set for each.
_INHERITED: Final = hasattr(socket, "SO_DOMAIN") and hasattr(socket, "TCP_KEEPIDLE")
# After so many seconds without a byte the system asks whether the peer is still there.
PROBE_AFTER: Final = 60
# Nothing more is to be had of what a connection needs: a descriptor, or memory of the kernel's. So long a port lets
# wait then who has connected, in seconds, as nginx does, and so seldom it says so.
_EXHAUSTED: Final = frozenset((EMFILE, ENFILE, ENOBUFS, ENOMEM))
RESTS: Final = 0.5
_SAID_FOR: Final = 60.0


class AcceptedTransport(tcp.Server):
    """A connection that was accepted."""

    def __init__(
        self, handle: socket.socket, protocol: Any, client: tuple[Any, ...], server: tcp.Port, number: int, reactor: Any
    ) -> None:
        # See twisted.internet.abstract.FileDescriptor, tcp.Connection and tcp.Server.
        self.reactor = reactor
        self._tempDataBuffer = []
        self._tempDataLen = 0
        self.socket = handle
        handle.setblocking(False)
        self.fileno = handle.fileno
        self.protocol = protocol
        if len(client) != 2:
            self._addressType = IPv6Address
        self.server = server
        self.client = client
        self.sessionno = number
        self.hostname = client[0]
        self.connected = 1
        reactor.addReader(self)

    def __repr__(self) -> str:
        # Twisted makes this text, and that of the log, for each.
        if "repstr" in vars(self):
            return self.repstr
        number = getattr(self.server, "_realPortNumber", None)
        return f"<{type(getattr(self, 'protocol', None)).__name__} #{self.sessionno} on {number}>"

    def logPrefix(self) -> str:
        """Who it is, in Twisted's log."""
        return f"{self._getLogPrefix(getattr(self, 'protocol', None))},{self.sessionno},{self.hostname}"

    @property
    def has_options(self) -> bool:
        """Whether its socket has the options of TCP already (see :func:`pass_options_on`)."""
        return getattr(self.server, "passes_options_on", False)

    def doRead(self) -> Any:
        """Read what has come."""
        try:
            data = self.socket.recv(self.bufferSize)
        except OSError as fault:
            return None if fault.errno == EWOULDBLOCK else main.CONNECTION_LOST
        if not data:
            return main.CONNECTION_DONE
        self.protocol.dataReceived(data)
        return None

    def _at_rest(self) -> bool:
        """Whether nothing is to be written, and nobody writes."""
        return not (self._tempDataLen or self.dataBuffer or self.disconnecting or self.TLS) and self.producer is None

    def loseWriteConnection(self) -> None:
        """Close one direction: at once where nothing goes before that."""
        if not self._at_rest() or not self.connected:
            super().loseWriteConnection()
            return
        self._writeDisconnecting = self._writeDisconnected = True
        self._closeWriteConnection()

    def end_at_once(self) -> bool:
        """Close it, and tell the protocol; False, with nothing done, if something is to be written."""
        if not self._at_rest() or not self.connected:
            return False
        self.connectionLost(Failure(main.CONNECTION_DONE))
        return True

    def connectionLost(self, reason: Failure) -> None:
        """Gone."""
        if not hasattr(self, "socket"):
            return
        self.disconnected, self.connected = 1, 0
        producer, self.producer = self.producer, None
        if producer is not None:
            producer.stopProducing()
        self.stopReading()
        self.stopWriting()
        # Twisted asks for all names of the reason's class for that.
        self._closeSocket(not isinstance(reason.value, error.ConnectionAborted))
        protocol = self.protocol
        del self.protocol, self.socket, self.fileno
        protocol.connectionLost(reason)


def pass_options_on(port: Any) -> None:
    """Give the socket of a listening ``port`` the options that each connection of a client is to have: one call in
    place of three for each.
    """
    if not _INHERITED:
        return
    listening: socket.socket = port.socket
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, PROBE_AFTER)
    port.passes_options_on = True


def accept_function(port: Any, most: int) -> Callable[[], None]:
    """What accepts up to ``most`` connections at once from a ``port`` of TCP, in place of its own ``doRead``, which
    has all that goes wrong.
    """
    listening: socket.socket = port.socket
    accept: Callable[[], tuple[int, tuple[Any, ...]]] = listening._accept  # type: ignore[attr-defined]
    family, kind, proto = listening.family, listening.type, listening.proto
    by_itself = port.doRead

    def accept_some() -> None:
        port.numberAccepts = wanted = min(port.numberAccepts, most)
        accepted = 0
        while accepted < wanted:
            try:
                descriptor, address = accept()
            except BlockingIOError:
                break
            except OSError as fault:
                if fault.errno in _EXHAUSTED:
                    _rest(port, fault)
                else:
                    by_itself()
                return
            accepted += 1
            _take_in(port, socket.socket(family, kind, proto, descriptor), address)
        # As Twisted does: as many as there were, and more once there were as many.
        port.numberAccepts = accepted + 20 if accepted == wanted else max(1, accepted)

    return accept_some


def _rest(port: Any, fault: OSError) -> None:
    """Leave who has connected in the backlog for a moment. To be told of them again and again would take all of the
    time in which others end, and Twisted lets them in and closes them, with three lines in the log for each.
    """
    port.stopReading()
    reactor = port.reactor
    now = reactor.seconds()
    if now >= port.__dict__.get("says_again", now):
        port.says_again = now + _SAID_FOR
        _log.warn(
            "no more connections can be accepted: {fault} ({name}); who has connected waits until others have left",
            fault=fault.strerror,
            name=errorcode.get(fault.errno or 0),
        )
    if not port.__dict__.get("rests"):
        port.rests = True
        reactor.callLater(RESTS, _read_on, port)


def _read_on(port: Any) -> None:
    port.rests = False
    if port.connected and not port.disconnecting:
        port.startReading()


def _take_in(port: Any, handle: socket.socket, address: tuple[Any, ...]) -> None:
    """Have a protocol for one that was accepted."""
    transport = None
    try:
        if len(address) == 4 and address[3]:
            # An address within a network has the name of that.
            flags = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
            address = (socket.getnameinfo(address, flags)[0], *address[1:])
        protocol = port.factory.buildProtocol(port._addressType("TCP", *address))
        if protocol is None:
            handle.close()
            return
        port.sessionno = number = port.sessionno + 1
        make = port.__dict__.get("transport", AcceptedTransport)
        transport = make(handle, protocol, address, port, number, port.reactor)
        protocol.makeConnection(transport)
    except Exception:
        _log.failure("a connection could not be begun")
        if transport is None:
            handle.close()
