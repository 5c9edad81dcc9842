"""Ports at which a client's first bytes tell what it speaks.

Until then nobody but this has the connection; then the protocol that speaks gets the transport, with what was read. Who
listens for one protocol alone has no part in it.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from OpenSSL import SSL
from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocol, IProtocolFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from txproxy.errors import ConfigError
from txproxy.interfaces.connection import ClientConnection
from txproxy.net.deadlines import NEVER
from txproxy.net.transports.any_transports import replace_protocol
from txproxy.net.transports.plain_transports import ordinary_read, plain_socket, replace_read
from txproxy.net.transports.tls_transports import become_tls, tls_connection
from txproxy.net.transports.unread import unread_function
from txproxy.proxy.downstream.base import ClientProtocol
from txproxy.proxy.downstream.client_states import ClientState, following
from txproxy.proxy.downstream.http1 import Http1Protocol
from txproxy.proxy.downstream.serving import ServedBy, ServingFactory, follow
from txproxy.proxy.handover.giving import Given, give_client
from txproxy.wire.http2.frames import PREFACE

if TYPE_CHECKING:
    from txproxy.proxy.downstream.http2.http2_connection import Http2Protocol
    from txproxy.proxy.downstream.socks5 import SocksProtocol

HTTP: Final = "http"
HTTPS: Final = "https"
SOCKS5: Final = "socks5"
PROTOCOLS: Final = (HTTP, HTTPS, SOCKS5)

# RFC 8446 5.1: a record of a handshake, with which TLS begins
_TLS: Final = b"\x16"
# As txproxy.wire.socks.server has them, which comes with who speaks it.
_SOCKS_VERSIONS: Final = b"\x04\x05"
# RFC 9113 3.2
_ALPN_NAME: Final = b"h2"
# With so much of the preface of HTTP/2 it is no request of HTTP/1 any more.
_ENOUGH: Final = len(b"PRI *")


def http2_protocol() -> type[Http2Protocol]:
    """Who speaks HTTP/2: some dozens of modules, which who listens for it asks for before a client waits."""
    from txproxy.proxy.downstream.http2.http2_connection import Http2Protocol

    return Http2Protocol


def _socks_protocol() -> type[SocksProtocol]:
    from txproxy.proxy.downstream.socks5 import SocksProtocol

    return SocksProtocol


@implementer(IProtocol, IHalfCloseableProtocol)
class NegotiatingProtocol:
    """One client connection that has not said anything yet."""

    __slots__ = (
        "factory", "services", "transport", "connection", "deadline", "state", "served_by", "_speaks", "_begun",
    )  # fmt: skip

    def __init__(self, factory: ServingFactory, connection: ClientConnection) -> None:
        self.factory = factory
        self.services = factory.services
        self.connection = connection
        self.deadline = NEVER
        self.state = ClientState.WAITING
        # See txproxy.proxy.downstream.serving.Client.
        self.served_by: ServedBy | None = None
        # who has the connection now, where the transport goes on calling us
        self._speaks: ClientProtocol | Http2Protocol | None = None
        # what has come that may be the beginning of more than one
        self._begun = b""

    # -- the beginning

    def makeConnection(self, transport: Any) -> None:
        """A client is there."""
        self.transport = self.connection.transport = transport
        self.connectionMade()

    def connectionMade(self) -> None:
        """Wait for the first bytes, if there is room."""
        transport = self.transport
        self.services.deadlines.watch(self)
        if HTTPS in self.factory.protocols and plain_socket(transport) is not None:
            # OpenSSL has to read the first byte itself.
            replace_read(transport, self._look)
        if self.factory.admission.admit(self):
            self._listen()
        else:
            transport.pauseProducing()

    def admitted(self) -> None:
        """There is room for this connection now."""
        if self.state is ClientState.WAITING:
            self._listen()
            self.transport.resumeProducing()

    def _listen(self) -> None:
        self.state = following(self.state, ClientState.OPEN)
        self.deadline = self.factory.first_limit.ahead

    # -- what is spoken

    def _look(self) -> Any:
        """In place of the transport's own reading: see whether TLS begins."""
        transport = self.transport
        handle = plain_socket(transport)
        first = b""
        if handle is not None:
            try:
                first = handle.recv(1, socket.MSG_PEEK)
            except BlockingIOError:
                return None
            except OSError:
                pass  # the transport will find out itself
        replace_read(transport, None)
        context = self.factory.tls_context
        if first == _TLS and context is not None and become_tls(transport, context):
            self.connection.peer_scheme = HTTPS
            return transport.doRead()
        return ordinary_read(transport)

    def dataReceived(self, data: bytes) -> None:
        """The first bytes, and perhaps more."""
        if self._speaks is None and self.state is ClientState.OPEN:
            if self._begun:
                data = self._begun + data
            kind = self._kind(data)
            if kind is None:
                self._begun = data
            else:
                self._hand_over(kind).dataReceived(data)
        elif self._speaks is not None:
            self._speaks.dataReceived(data)

    def _kind(self, data: bytes) -> type[ClientProtocol] | type[Http2Protocol] | None:
        """Who speaks what begins with ``data``; None if more of it has to be seen."""
        factory = self.factory
        protocols = factory.protocols
        if HTTP in protocols and (factory.http2 or factory.h2c):
            tls = tls_connection(self.transport)
            if tls is not None:
                if factory.http2 and tls.get_alpn_proto_negotiated() == _ALPN_NAME:
                    return http2_protocol()
            elif factory.h2c and PREFACE.startswith(data[: len(PREFACE)]):
                # The first bytes of it are those of methods as well.
                return http2_protocol() if len(data) >= _ENOUGH else None
        socks = SOCKS5 in protocols and (data[0] in _SOCKS_VERSIONS or HTTP not in protocols)
        return _socks_protocol() if socks else Http1Protocol

    def refuse_protocol(self, spoken: str, data: bytes) -> None:
        """See :class:`txproxy.proxy.downstream.base.ClientProtocol`."""
        if self.state is ClientState.OPEN:
            speaks = self._hand_over(Http1Protocol)
            assert isinstance(speaks, Http1Protocol)
            speaks.refuse_protocol(spoken, data)

    def _hand_over(self, kind: type[ClientProtocol] | type[Http2Protocol]) -> ClientProtocol | Http2Protocol:
        """The connection, and its place among those that are admitted, is another's from now on."""
        speaks = kind(self.factory, self.connection)
        speaks.served_by = self.served_by
        self.services.deadlines.forget(self)
        self.factory.admission.give_place(self, speaks)
        if not replace_protocol(self.transport, speaks):
            self._speaks = speaks
        self.state = following(self.state, ClientState.CLOSED)
        speaks.makeConnection(self.transport)
        # The time of the first request has begun with the connection.
        speaks.deadline = self.deadline
        return speaks

    # -- the end

    def readConnectionLost(self) -> None:
        """The client sends no more."""
        if self._speaks is not None:
            self._speaks.readConnectionLost()
        else:
            self._close()

    def writeConnectionLost(self) -> None:
        """Our own half-close went out."""
        if self._speaks is not None:
            self._speaks.writeConnectionLost()

    def connectionLost(self, reason: Failure) -> None:
        """The client is gone."""
        if self._speaks is not None:
            self._speaks.connectionLost(reason)
            return
        self.state = following(self.state, ClientState.CLOSED)
        self.services.deadlines.forget(self)
        self.factory.admission.left(self)

    def deadline_passed(self) -> None:
        """The client is silent, or does not let itself be closed."""
        if self.state is ClientState.CLOSED:
            self.abort()
        elif unread_function(self.transport)():
            # What comes just now is read in this turn.
            self.deadline = self.factory.first_limit.ahead
        else:
            self._close()

    def _close(self) -> None:
        if self.state is not ClientState.CLOSED:
            self.state = following(self.state, ClientState.CLOSED)
            self.deadline = self.services.idle_limit.ahead
            self.transport.loseConnection()

    def abort(self) -> None:
        """Close at once."""
        self.state = following(self.state, ClientState.CLOSED)
        self.deadline = NEVER
        self.transport.abortConnection()

    def exchanges(self) -> list[Any]:
        """Nothing was asked for yet."""
        return []

    def turn_away(self) -> None:
        """See :class:`txproxy.proxy.downstream.admission.Admitted`."""
        self.abort()

    # -- who serves it

    def drain(self) -> None:
        """The first request may be on its way: it has a moment to arrive."""
        if self.state is ClientState.OPEN:
            self.deadline = min(self.deadline, self.services.gone_limit.ahead)

    def retire(self) -> bool:
        """Another factory serves the listener: go there."""
        if self.factory.draining or self.state is ClientState.CLOSED:
            return False
        return follow(self)

    def give(self) -> Given | None:
        """See :class:`txproxy.proxy.downstream.admission.Admitted`."""
        waits = self.state is ClientState.OPEN and self._speaks is None
        return give_client(self, None, (lambda: self._begun) if waits else None, spoken=False)

    def can_follow(self, factory: ServingFactory) -> bool:
        """Whatever is spoken there, nothing was said yet."""
        return True

    def belong_to(self, factory: ServingFactory) -> None:
        """See :class:`txproxy.proxy.downstream.serving.Client`."""
        self.factory = factory
        self.services = factory.services


# What a client connection begins as, and what makes that.
Beginning: TypeAlias = ClientProtocol | NegotiatingProtocol
Kind: TypeAlias = Callable[[Any, ClientConnection], Beginning]


def spoken(protocols: Collection[str], tls_context: SSL.Context | Callable[[], SSL.Context] | None) -> frozenset[str]:
    """``protocols`` as a set; ``ConfigError`` if they are not some of :data:`PROTOCOLS` that can be spoken together."""
    names = frozenset((protocols,) if isinstance(protocols, str) else protocols)
    unknown = sorted(map(str, names.difference(PROTOCOLS)))
    if unknown or not names - {HTTPS}:
        wrong = repr(unknown[0]) if unknown else "no protocol that is spoken in the plain, or inside TLS,"
        raise ConfigError(f"{wrong} is none to speak to clients; accepted are http, socks5, and https beside them")
    if HTTPS in names and tls_context is None:
        raise ConfigError("https beside other protocols needs a certificate; accepted is a TLS context")
    return names


def http_kind(factory: ServingFactory, scheme: str) -> Kind:
    """What a connection of a client begins as that speaks HTTP of some version, and ``scheme``."""
    return NegotiatingProtocol if (factory.http2 if scheme == HTTPS else factory.h2c) else Http1Protocol


def protocol_class(protocols: frozenset[str]) -> Kind:
    """What a client connection begins as."""
    if protocols == {HTTP}:
        return Http1Protocol
    # Where SOCKS is spoken it is there before a client waits, and while its modules are those of this program.
    socks = _socks_protocol() if SOCKS5 in protocols else None
    return socks if socks is not None and protocols == {SOCKS5} else NegotiatingProtocol


@implementer(IProtocolFactory)
class Speaking:
    """The clients of a listener that speaks one protocol alone, whatever else ``factory`` speaks at others."""

    noisy = False

    def __init__(self, factory: Any, protocol: str) -> None:
        self._factory = factory
        self._protocols = spoken((protocol,), None)

    def buildProtocol(self, addr: Any) -> Any:
        """A protocol for a new client."""
        return self.build(addr, self._factory.scheme)

    def build(self, addr: Any, scheme: str) -> Any:
        """The same for a client inside TLS."""
        # Whoever finds out which version it is knows no other protocol here than HTTP.
        kind = protocol_class(self._protocols)
        return self._factory.build_as(kind, addr, scheme)

    def doStart(self) -> None:
        """The listener has begun."""
        self._factory.doStart()

    def doStop(self) -> None:
        """The listener has ended."""
        self._factory.doStop()
