"""Clients that speak SOCKS5, and ports at which a client's first byte tells what it speaks.

A SOCKS client asks for what CONNECT asks for, and so it gets the same: the same exchange with the same policy, limits
and log. Only the words before the tunnel are others.
"""

from __future__ import annotations

import base64
import socket
from collections.abc import Callable, Collection
from typing import Any, Final, TypeAlias

from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolFactory
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from txproxy.errors import ConfigError, ExchangeError, RequestDenied, RequestError
from txproxy.interfaces.connection import ClientConnection
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.plan import Answer, Refusal
from txproxy.net.transports.plain_transports import ordinary_read, plain_socket, replace_read
from txproxy.net.transports.tls_transports import become_tls
from txproxy.net.transports.turn_writes import write_function
from txproxy.proxy.downstream.http1 import DownstreamProtocol
from txproxy.wire.headers import Headers
from txproxy.wire.http1.server import ServerCodec
from txproxy.wire.message import RequestHead
from txproxy.wire.socks.codes import reply_code
from txproxy.wire.socks.server import VERSIONS, SocksLogin, SocksRequest, SocksServer

_log = Logger()

# Whether a user and password are right: a Refusal if not, anything else if they are, or a Deferred of these.
Login: TypeAlias = Callable[[bytes, bytes, RequestContext], Any]

HTTP: Final = "http"
HTTPS: Final = "https"
SOCKS5: Final = "socks5"
PROTOCOLS: Final = (HTTP, HTTPS, SOCKS5)

# RFC 8446 5.1: a record of a handshake, with which TLS begins
_TLS: Final = b"\x16"


_NO_FIELDS: Final = Headers()


class SocksCodec(ServerCodec):
    """The handshake of one SOCKS client, in the place of a codec for HTTP. ``pending`` is a login that is being
    checked, ``fields`` what the client has said of who it is.
    """

    __slots__ = ("server", "pending", "fields", "_started")

    def __init__(self, login: bool) -> None:
        super().__init__()
        self.server = SocksServer(login)
        self.pending: Deferred[Any] | None = None
        self.fields: list[bytes] = []
        self._started = False

    def receive(self, data: bytes) -> None:
        """Take bytes from the client."""
        self._started = True
        self.server.receive(data)

    @property
    def buffered(self) -> int:
        """How many bytes wait to be read, or for an answer."""
        return self.server.buffered

    @property
    def started(self) -> bool:
        """Whether anything has come."""
        return self._started

    @property
    def at_end(self) -> bool:
        """Whether nothing waits to be read."""
        return not self.server.buffered

    def skip_end(self) -> None:
        """There is no body."""

    def take_buffered(self) -> bytes:
        """Bytes of the tunnel that came early."""
        return self.server.take_buffered()

    def unread_head(self) -> RequestHead:
        """For logs: a handshake that leads to no request."""
        return RequestHead(b"", b"SOCKS", _NO_FIELDS)

    def take_pending(self) -> Deferred[Any] | None:
        """The login that is being checked is of no use any more."""
        pending, self.pending = self.pending, None
        return pending


class SocksProtocol(DownstreamProtocol):
    """One client connection that speaks SOCKS5."""

    __slots__ = ()

    codec: SocksCodec

    def __init__(self, factory: Any, connection: ClientConnection) -> None:
        super().__init__(factory, connection)
        self.begin_socks()

    def _can_follow(self, factory: Any) -> bool:
        # It asks once, and whom it greets is whom it asks.
        return False

    def begin_socks(self) -> None:
        """Wait for a greeting."""
        self.codec = SocksCodec(login=self.factory.login is not None)

    def connectionLost(self, reason: Failure) -> None:
        """The client is gone."""
        pending = self.codec.take_pending()
        super().connectionLost(reason)
        if pending is not None:
            pending.cancel()

    def _pump(self) -> None:
        """Go on with the handshake as far as it goes; the request that ends it begins an exchange."""
        if self._pumping or self.exchange is not None:
            return
        self._pumping = True
        server = self.codec.server
        try:
            while True:
                event = server.next_event()
                self._say(server.take_output())
                if event is None:
                    break
                if isinstance(event, SocksLogin):
                    self._log_in(event)
                else:
                    self._begin(self._head(event))
        except RequestError as fault:
            self._request_fault(fault)
        finally:
            self._pumping = False

    def _say(self, output: bytes) -> None:
        if output:
            self._out.append(output)
            self.flush()

    def _head(self, request: SocksRequest) -> RequestHead:
        authority = request.authority
        headers = Headers.from_lines([b"Host: " + authority, *self.codec.fields])
        return RequestHead(b"CONNECT", b"", headers, authority)

    # -- who it is

    def _log_in(self, login: SocksLogin) -> None:
        check: Login | None = self.factory.login
        assert check is not None
        # For the mode it is what Basic is (RFC 7617).
        credentials = base64.b64encode(login.name + b":" + login.password)
        self.codec.fields = [b"Proxy-Authorization: Basic " + credentials]
        try:
            found = check(login.name, login.password, RequestContext(self.connection))
        except Exception:
            self._answer_login(_why_not(Failure()))
            return
        if isinstance(found, Deferred):
            self.codec.pending = found
            found.addCallbacks(self._logged_in, self._not_logged_in)
        else:
            self._answer_login(found)

    def _logged_in(self, found: Any) -> None:
        # It may have taken too long, or the client may have left.
        if self.codec.take_pending() is not None:
            self._answer_login(found)
            self._pump()

    def _not_logged_in(self, failure: Failure) -> None:
        # Nobody asks why it was given up, and it is no fault that it was.
        if self.codec.pending is not None:
            self._logged_in(_why_not(failure))

    def _answer_login(self, found: Any) -> None:
        server = self.codec.server
        if isinstance(found, Refusal):
            fault = RequestDenied(found.detail, status=found.status, error=found.error)
            self.refuse_unread(fault, more_may_come=False)
        else:
            server.accept_login()
            self._say(server.take_output())

    # -- what the exchange calls

    def send_refusal(self, refusal: Refusal | Answer) -> int:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        self._close_after = True
        server = self.codec.server
        pending = self.codec.take_pending()
        if server.asked:
            error = refusal.error if isinstance(refusal, Refusal) else ""
            server.refuse(reply_code(refusal.status, error))
        elif server.login_asked:
            server.refuse_login()
        if pending is not None:
            pending.cancel()
        self._say(server.take_output())
        return 0

    def _tunnel_stands(self) -> bytes:
        # RFC 1928 6: where the proxy connects from is nothing that a client has to know.
        server = self.codec.server
        server.accept()
        return server.take_output()


def _why_not(failure: Failure) -> Refusal:
    """The refusal of a login that could not be checked."""
    if isinstance(failure.value, ExchangeError):
        return Refusal.of(failure.value)
    _log.failure("a login could not be checked", failure)
    return Refusal(500, "proxy_internal_error", "the login could not be checked")


class AnyProtocol(DownstreamProtocol):
    """One client connection that has not said anything yet. Its first byte makes it one of the others: that costs
    nothing afterwards, and nothing is left in between.
    """

    __slots__ = ()

    def connectionMade(self) -> None:
        """Wait for the first byte."""
        super().connectionMade()
        if HTTPS in self.factory.protocols and plain_socket(self.transport) is not None:
            # OpenSSL has to read it itself.
            replace_read(self.transport, self._look)

    def _can_follow(self, factory: Any) -> bool:
        return True

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
            self._write = write_function(transport, self.services.turn_writes)
            self.connection.peer_scheme = HTTPS
            return transport.doRead()
        return ordinary_read(transport)

    def dataReceived(self, data: bytes) -> None:
        """The first bytes, and perhaps more."""
        protocols = self.factory.protocols
        decided: Any = self
        if SOCKS5 in protocols and (data[0] in VERSIONS or HTTP not in protocols):
            decided.__class__ = SocksProtocol
            decided.begin_socks()
        else:
            decided.__class__ = DownstreamProtocol
        decided.dataReceived(data)


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


def protocol_class(protocols: frozenset[str]) -> type[DownstreamProtocol]:
    """What a client connection begins as."""
    if protocols == {HTTP}:
        return DownstreamProtocol
    return SocksProtocol if protocols == {SOCKS5} else AnyProtocol


@implementer(IProtocolFactory)
class Speaking:
    """The clients of a listener that speaks one protocol alone, whatever else ``factory`` speaks at others."""

    noisy = False

    def __init__(self, factory: Any, protocol: str) -> None:
        self._factory = factory
        self._class = protocol_class(spoken((protocol,), None))

    def buildProtocol(self, addr: Any) -> Any:
        """A protocol for a new client."""
        return self._factory.build_as(self._class, addr, self._factory.scheme)

    def build(self, addr: Any, scheme: str) -> Any:
        """The same for a client inside TLS."""
        return self._factory.build_as(self._class, addr, scheme)

    def doStart(self) -> None:
        """The listener has begun."""
        self._factory.doStart()

    def doStop(self) -> None:
        """The listener has ended."""
        self._factory.doStop()
