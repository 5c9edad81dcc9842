"""Clients that speak SOCKS5.

A SOCKS client asks for what CONNECT asks for, and so it gets the same: the same exchange with the same policy, limits
and log. Only the words before the tunnel are others.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from txproxy.errors import ExchangeError, RequestDenied, RequestError
from txproxy.interfaces.answers import Answer, Refusal
from txproxy.interfaces.connection import ClientConnection
from txproxy.interfaces.context import RequestContext
from txproxy.net.deadlines import NEVER
from txproxy.proxy.downstream.base import ClientProtocol
from txproxy.proxy.downstream.client_states import ClientState
from txproxy.proxy.downstream.serving import ServingFactory
from txproxy.proxy.downstream.tunnels_alone import TunnelsAlone
from txproxy.proxy.exchanges.exchange import Exchange
from txproxy.proxy.handover.giving import Given, give_client
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead, ResponseHead
from txproxy.wire.socks.codes import reply_code
from txproxy.wire.socks.server import SocksLogin, SocksRequest, SocksServer

_log = Logger()

# Whether a user and password are right: a Refusal if not, anything else if they are, or a Deferred of these.
Login: TypeAlias = Callable[[bytes, bytes, RequestContext], Any]

_NO_FIELDS: Final = Headers()


class SocksReader:
    """Reads the handshake of one client."""

    __slots__ = ("server", "started")

    def __init__(self, login: bool) -> None:
        self.server = SocksServer(login)
        self.started = False

    def receive(self, data: bytes) -> None:
        """Take bytes from the client."""
        self.started = True
        self.server.receive(data)

    @property
    def buffered(self) -> int:
        """How many bytes wait to be read, or for an answer."""
        return self.server.buffered

    @property
    def at_end(self) -> bool:
        """Whether nothing waits to be read."""
        return not self.server.buffered

    def take_buffered(self) -> bytes:
        """Bytes of the tunnel that came early."""
        return self.server.take_buffered()

    def unread_head(self) -> RequestHead:
        """For logs: a handshake that leads to no request."""
        return RequestHead(b"", b"SOCKS", _NO_FIELDS)


class SocksProtocol(TunnelsAlone, ClientProtocol):
    """One client connection that speaks SOCKS5."""

    __slots__ = ("codec", "_pumping", "_checking", "_fields")

    codec: SocksReader

    def __init__(self, factory: ServingFactory, connection: ClientConnection) -> None:
        super().__init__(factory, connection)
        self.codec = SocksReader(login=factory.login is not None)
        self._pumping = False
        # a login that is being checked, and what the client has said of who it is
        self._checking: Deferred[Any] | None = None
        self._fields: list[bytes] = []

    def can_follow(self, factory: ServingFactory) -> bool:
        """It asks once, and whom it greets is whom it asks."""
        return False

    def give(self) -> Given | None:
        """See :class:`txproxy.proxy.downstream.admission.Admitted`."""
        return give_client(self, self.tunnel, None)

    # -- bytes in

    def dataReceived(self, data: bytes) -> None:
        """Bytes of the handshake, or of the tunnel."""
        if self.state is not ClientState.OPEN:
            if self.tunnel is not None:
                self.tunnel.dataReceived(data)
            return
        self.codec.receive(data)
        if self.exchange is not None:
            self._hold_reading()
            return
        self._pump()
        if self.exchange is None and self._idle and self.codec.buffered:
            # A handshake has begun, and is to be complete in time.
            self._idle = False
            self.deadline = self.services.header_limit.ahead
        if self._write_paused:
            self._hold_reading()

    def connectionLost(self, reason: Failure) -> None:
        """The client is gone."""
        checking = self._take_checking()
        super().connectionLost(reason)
        if checking is not None:
            checking.cancel()

    def _next_request(self) -> None:
        self.deadline = self.services.header_limit.ahead
        self._pump()
        if self.client_ended and self.exchange is None and not self._pumping:
            self._close()

    # -- the handshake

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
                    self._begin(event)
        except RequestError as fault:
            if self.exchange is not None:
                self.exchange.request_failed(fault)
            else:
                self.refuse_unread(fault, more_may_come=True)
        finally:
            self._pumping = False

    def _say(self, output: bytes) -> None:
        if output:
            self._write(self.transport, output)

    def _begin(self, request: SocksRequest) -> None:
        self.deadline = NEVER if not self.client_ended else self.services.gone_limit.ahead
        authority = request.authority
        headers = Headers.from_lines([b"Host: " + authority, *self._fields])
        head = RequestHead(b"CONNECT", b"", headers, authority)
        self.exchange = exchange = Exchange(self.services, self, head, RequestContext(self.connection))
        exchange.start(self.factory.handle)

    def refuse_unread(self, fault: ExchangeError, more_may_come: bool, waited: float = 0.0) -> None:
        """See :class:`txproxy.proxy.downstream.base.ClientProtocol`."""
        self.exchange = exchange = Exchange(
            self.services, self, self.codec.unread_head(), RequestContext(self.connection)
        )
        exchange.request_done = not more_may_come
        exchange.refuse_unread(fault, waited)

    # -- who it is

    def _log_in(self, login: SocksLogin) -> None:
        check: Login | None = self.factory.login
        assert check is not None
        # For the mode it is what Basic is (RFC 7617).
        credentials = base64.b64encode(login.name + b":" + login.password)
        self._fields = [b"Proxy-Authorization: Basic " + credentials]
        try:
            found = check(login.name, login.password, RequestContext(self.connection))
        except Exception:
            self._answer_login(_why_not(Failure()))
            return
        if isinstance(found, Deferred):
            self._checking = found
            found.addCallbacks(self._logged_in, self._not_logged_in)
        else:
            self._answer_login(found)

    def _take_checking(self) -> Deferred[Any] | None:
        """The login that is being checked is of no use any more."""
        checking, self._checking = self._checking, None
        return checking

    def _logged_in(self, found: Any) -> None:
        # It may have taken too long, or the client may have left.
        if self._take_checking() is not None:
            self._answer_login(found)
            self._pump()

    def _not_logged_in(self, failure: Failure) -> None:
        # Nobody asks why it was given up, and it is no fault that it was.
        if self._checking is not None:
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

    def send_head(self, response: ResponseHead) -> None:
        """A response in place of a tunnel: all that can be told of it is that there is none."""
        self._refuse(reply_code(response.status, ""))

    def send_whole(self, response: ResponseHead, body: bytes) -> None:
        """The same."""
        self._refuse(reply_code(response.status, ""))

    def send_answer(self, given: Refusal | Answer, response: ResponseHead, body: bytes) -> int:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        self.begin_answer(given, response)
        return 0

    def begin_answer(self, given: Refusal | Answer, response: ResponseHead) -> bool:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        self._refuse(reply_code(given.status, given.error if isinstance(given, Refusal) else ""))
        return False

    def _refuse(self, code: int) -> None:
        server = self.codec.server
        checking = self._take_checking()
        if server.asked:
            server.refuse(code)
        elif server.login_asked:
            server.refuse_login()
        if checking is not None:
            checking.cancel()
        self._say(server.take_output())

    def cut(self) -> None:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        self.exchange = None
        self._close()

    def exchange_done(self) -> None:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        exchange, self.exchange = self.exchange, None
        assert exchange is not None
        if self.state is ClientState.OPEN:
            # It asks once.
            self._linger(more_may_come=not exchange.request_done)

    def _before_tunnel(self, response: ResponseHead | None) -> bytes:
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
