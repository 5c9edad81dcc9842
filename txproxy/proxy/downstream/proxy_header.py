"""The PROXY protocol at listeners: who connects begins by telling whose connection it is.

The header is read from the socket to the byte, and no further: TLS can begin after it, and the protocol that follows
gets the transport as it was accepted, with its fast writes and its socket, and nothing in between. Where the transport
is of another kind, what has been read too much is handed on behind a wrapper.

Twisted's own wrapper (``twisted.protocols.haproxy``) stays between transport and protocol for good, refuses headers
that come in small pieces, knows no time limit and believes everybody.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from enum import Enum
from typing import Any, Final

from OpenSSL import SSL
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocol, IProtocolFactory
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from txproxy.matching.networks import Networks
from txproxy.net.deadlines import NEVER, Deadlines
from txproxy.net.peers import ip_of
from txproxy.net.transports.any_transports import tell_ends, unwrap
from txproxy.net.transports.plain_transports import ordinary_read, plain_socket, replace_read
from txproxy.net.transports.tls_transports import become_tls
from txproxy.proxy.downstream.admission import Admission
from txproxy.proxy.fault_log import FaultLog
from txproxy.proxy.services import GONE
from txproxy.wire.proxy_protocol import LONGEST, End, ProxyHeader, read_header

_log = Logger()

_HEADER_TIMEOUT: Final = 30.0
_ANY_NUMBER: Final = 1 << 62


@implementer(IProtocolFactory)
class ProxyProtocolFactory:
    """Reads a header of the PROXY protocol (version 1 or 2) from each connection, then lets ``factory`` build the
    protocol for the client that it names.

    Peers that are not in ``trusted`` are closed at once, and so is who sends no header, or not within
    ``header_timeout`` seconds; a line in the log says which. With a ``tls_context`` (or a function that gives one) TLS
    follows the header; ``factory`` builds what is to speak through it. It needs connections that a TCP port has
    accepted; for all others, let ``factory`` be a ``MemoryTlsFactory``.
    """

    noisy = False

    def __init__(
        self,
        factory: IProtocolFactory,
        trusted: Networks,
        *,
        tls_context: SSL.Context | Callable[[], SSL.Context] | None = None,
        header_timeout: float = _HEADER_TIMEOUT,
        reactor: Any = None,
    ) -> None:
        if reactor is None:
            from twisted.internet import reactor  # the embedding program's
        self.factory = factory
        self.trusted = trusted
        self.tls_context = tls_context
        self.reactor = reactor
        self.deadlines = Deadlines(reactor)
        self.header_limit = self.deadlines.limit(header_timeout)
        self.fault_log = FaultLog(_log, reactor)
        self.gone_limit = self.deadlines.limit(GONE)
        # Who has not said yet whose connection it is has a place of who serves it then, if the factory counts them.
        self._own: Admission[Any] = Admission(_ANY_NUMBER)
        self.admission: Admission[Any] = getattr(factory, "admission", self._own)
        self._ports = 0

    def doStart(self) -> None:
        """A port has begun to listen."""
        self._ports += 1
        self.factory.doStart()

    def doStop(self) -> None:
        """A port has ceased to listen. After the last one, who has not sent a header yet gets no answer any more, where
        no drain of the factory lets it go.
        """
        self._ports -= 1
        self.factory.doStop()
        if self._ports <= 0:
            self.fault_log.stop()
            for protocol in self._own.everyone():
                protocol.abort()

    def buildProtocol(self, addr: Any) -> HeaderProtocol | None:
        """A protocol that reads the header; None, which closes the connection, for who may not send one."""
        if ip_of(addr) in self.trusted:
            return HeaderProtocol(self, addr)
        kind = "PROXY headers are taken from trusted peers only"
        self.fault_log.say(kind, "closed {peer}: {why}", peer=ip_of(addr), why=kind)
        return None


class _State(Enum):
    WAITING = "waiting"  # accepted, but over the limit of connections: nothing is read
    READING = "reading"  # the header is not complete
    TOLD = "told"  # somebody else has the connection
    CLOSED = "closed"


@implementer(IProtocol, IHalfCloseableProtocol)
class HeaderProtocol:
    """Reads the header of one connection, and gives the connection over."""

    __slots__ = ("factory", "transport", "deadline", "_state", "_address", "_buffer", "_inner", "_admission")

    # Whose it is, its header is to say.
    connection: Final = None

    def __init__(self, factory: ProxyProtocolFactory, address: Any) -> None:
        self.factory = factory
        self.deadline = NEVER
        self._state = _State.READING
        self._address = address
        self._buffer = b""
        # what comes after the header, where the transport goes on calling us
        self._inner: _Told | None = None
        self._admission = factory.admission

    # -- what Twisted calls

    def makeConnection(self, transport: Any) -> None:
        """A peer is there."""
        self.transport = transport
        self.connectionMade()

    def connectionMade(self) -> None:
        """Wait for the header, if there is room."""
        self.factory.deadlines.watch(self)
        if plain_socket(self.transport) is not None:
            replace_read(self.transport, self._read)
        if self._admission.hold(self):
            self.deadline = self.factory.header_limit.ahead
        else:
            self._state = _State.WAITING
            self.transport.pauseProducing()

    def admitted(self) -> None:
        """There is room for this connection now."""
        self._state = _State.READING
        self.deadline = self.factory.header_limit.ahead
        self.transport.resumeProducing()

    def drain(self) -> None:
        """The header may be on its way, and the request behind it."""
        if self._state is _State.READING:
            self.factory.deadlines.look_ahead()
            self.deadline = min(self.deadline, self.factory.gone_limit.ahead)

    @property
    def state(self) -> _State:
        """What it is at."""
        return self._state

    def exchanges(self) -> list[Any]:
        """Nothing was asked for yet."""
        return []

    def give(self) -> None:
        """It stays; see :class:`txproxy.proxy.downstream.admission.Admitted`."""

    def retire(self) -> bool:
        """It goes to who serves the listener when the header is there."""
        return False

    def _read(self) -> Any:
        """In place of the transport's own reading: not a byte more than the header has."""
        transport = self.transport
        handle = plain_socket(transport)
        if handle is None:
            return ordinary_read(transport)
        try:
            ahead = handle.recv(LONGEST, socket.MSG_PEEK)
        except BlockingIOError:
            return None
        except OSError:
            ahead = b""
        if not ahead:
            # The end, or an error: the transport knows what to do about either.
            return ordinary_read(transport)
        told = self._parse(self._buffer + ahead)
        if told is not None:
            handle.recv(told.size - len(self._buffer))
            replace_read(transport, None)
            self._hand_over(told)
        elif self._state is _State.READING:
            # All of it belongs to the header.
            self._buffer += handle.recv(len(ahead))
        return None

    def dataReceived(self, data: bytes) -> None:
        """Bytes of the header, from a transport that cannot be read to the byte; and all that comes after it."""
        if self._inner is not None:
            self._inner.dataReceived(data)
        elif self._state is _State.READING:
            self._buffer += data
            told = self._parse(self._buffer)
            if told is not None:
                self._wrap(told)

    def readConnectionLost(self) -> None:
        """The peer sends no more."""
        if self._inner is not None:
            self._inner.readConnectionLost()
        else:
            self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """Our own half-close went out."""
        if self._inner is not None:
            self._inner.writeConnectionLost()

    def connectionLost(self, reason: Failure) -> None:
        """The peer is gone."""
        self._done(_State.CLOSED)
        if self._inner is not None:
            self._inner.connectionLost(reason)

    def deadline_passed(self) -> None:
        """The header is late."""
        self._refuse("it did not come in time")

    def abort(self) -> None:
        """Close at once."""
        self._done(_State.CLOSED)
        self.transport.abortConnection()

    # -- the header

    def _parse(self, data: bytes) -> ProxyHeader | None:
        try:
            return read_header(data)
        except ValueError as fault:
            self._refuse(str(fault))
            return None

    def _refuse(self, why: str) -> None:
        kind = "no PROXY header"
        told = self.factory.fault_log
        told.say(kind, "closed {peer}: {kind}: {why}", peer=ip_of(self._address), kind=kind, why=why)
        self.abort()

    def _done(self, state: _State) -> None:
        self._state = state
        self.deadline = NEVER
        self._admission.left(self)
        self.factory.deadlines.forget(self)

    def _hand_over(self, told: ProxyHeader) -> None:
        """The transport is another's from now on."""
        transport = self.transport
        inner = self._build(told)
        if inner is None:
            return
        if told.source is not None and told.destination is not None:
            tell_ends(transport, _ip_address(told.source), _ip_address(told.destination))
        unwrap(transport, inner)
        context = self.factory.tls_context
        if context is not None and not become_tls(transport, context):
            raise TypeError(f"TLS cannot follow a PROXY header on {type(transport).__name__}")
        inner.makeConnection(transport)

    def _wrap(self, told: ProxyHeader) -> None:
        """The transport goes on calling us."""
        if self.factory.tls_context is not None:
            raise TypeError(f"TLS cannot follow a PROXY header on {type(self.transport).__name__}")
        inner = self._build(told)
        if inner is not None:
            early, self._buffer = self._buffer[told.size :], b""
            self._inner = _Told(self.transport, inner, told, early, self.factory.reactor)
            self._inner.start()

    def _build(self, told: ProxyHeader) -> Any:
        address = _ip_address(told.source) if told.source is not None else self._address
        inner = self.factory.factory.buildProtocol(address)
        guest = getattr(inner, "wrappedProtocol", inner)
        if inner is None:
            self.transport.abortConnection()
        elif getattr(getattr(guest, "factory", None), "admission", None) is self._admission:
            self._admission.give_place(self, guest)
        self._done(_State.TOLD)
        return inner


class _Told:
    """Between a transport and a protocol: it says whose the connection is, and holds what came together with the header
    until the protocol wants it.
    """

    def __init__(self, transport: Any, protocol: Any, told: ProxyHeader, early: bytes, reactor: Any) -> None:
        self._transport = transport
        self._protocol = protocol
        self._told = told
        self._early = early
        self._reactor = reactor
        self._paused = False
        self._held: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def start(self) -> None:
        """Begin."""
        self._protocol.makeConnection(self)
        if not self._paused:
            self._deliver()

    # -- what the protocol calls

    def getPeer(self) -> Any:
        """The client."""
        source = self._told.source
        return _ip_address(source) if source is not None else self._transport.getPeer()

    def getHost(self) -> Any:
        """What the client connected to."""
        destination = self._told.destination
        return _ip_address(destination) if destination is not None else self._transport.getHost()

    def pauseProducing(self) -> None:
        """The protocol reads no more."""
        self._paused = True
        self._transport.pauseProducing()

    def resumeProducing(self) -> None:
        """The protocol reads on: first what came early."""
        self._paused = False
        if not self._early:
            self._transport.resumeProducing()
        elif self._held is None:
            # Not while the protocol is at something else.
            self._held = self._reactor.callLater(0, self._go_on)

    def _go_on(self) -> None:
        self._held = None
        if not self._paused:
            self._deliver()
        if not self._paused:
            self._transport.resumeProducing()

    def _deliver(self) -> None:
        early, self._early = self._early, b""
        if early:
            self._protocol.dataReceived(early)

    # -- what the transport calls

    def dataReceived(self, data: bytes) -> None:
        """After what came early, whatever the transport thinks of a pause."""
        if self._early:
            self._early += data
        else:
            self._protocol.dataReceived(data)

    def readConnectionLost(self) -> None:
        """The peer sends no more."""
        if IHalfCloseableProtocol.providedBy(self._protocol) and not self._early:
            self._protocol.readConnectionLost()
        else:
            self._transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """Our own half-close went out."""
        if IHalfCloseableProtocol.providedBy(self._protocol):
            self._protocol.writeConnectionLost()

    def connectionLost(self, reason: Failure) -> None:
        """The peer is gone."""
        if self._held is not None:
            self._held.cancel()
            self._held = None
        self._early = b""
        self._protocol.connectionLost(reason)


def _ip_address(end: End) -> IPv4Address | IPv6Address:
    host, port = end
    return IPv6Address("TCP", host, port) if ":" in host else IPv4Address("TCP", host, port)
