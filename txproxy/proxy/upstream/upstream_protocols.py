"""Which protocol talks to an upstream: known by its address, or agreed on by TLS (RFC 7301)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from twisted.internet.interfaces import IHandshakeListener, IProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from txproxy.errors import TlsError
from txproxy.interfaces.address import Address
from txproxy.net.transports.any_transports import replace_protocol
from txproxy.proxy.services import Services
from txproxy.proxy.upstream.http1 import UpstreamProtocol

if TYPE_CHECKING:
    from txproxy.proxy.upstream.http2.http2_upstream import Http2Upstream

    Talking: TypeAlias = UpstreamProtocol | Http2Upstream

# by their names in ALPN
_HTTP2: Final = "h2"
_HTTP1: Final = "http/1.1"


def build_upstream(services: Services, address: Address) -> Talking | NegotiatingUpstream:
    """A protocol for a new connection to ``address``."""
    if not address.protocols:
        return UpstreamProtocol(services, address)
    if address.tls is not None:
        return NegotiatingUpstream(services, address)
    return http2_upstream()(services, address)


def http2_upstream() -> type[Http2Upstream]:
    """What talks HTTP/2. Who is told of upstreams that do asks for it before a client waits, and while the modules that
    lie there are those of this program.
    """
    from txproxy.proxy.upstream.http2.http2_upstream import Http2Upstream

    return Http2Upstream


@implementer(IProtocol, IHandshakeListener)
class NegotiatingUpstream:
    """A connection to an upstream whose TLS handshake tells what is spoken. Until then nobody but this has it; then
    :meth:`speaking` is who has.
    """

    def __init__(self, services: Services, address: Address) -> None:
        self.transport: Any = None
        self.handshake_done: Callable[[Failure | None], None] | None = None
        self._services = services
        self._address = address
        self._speaks: Talking | None = None

    # -- what Twisted calls

    def makeConnection(self, transport: Any) -> None:
        """The connection is there, its TLS handshake is not."""
        self.transport = transport

    def connectionMade(self) -> None:
        """There is nothing to do before the handshake."""

    def handshakeCompleted(self) -> None:
        """The TLS handshake is over, and the certificate was verified."""
        protocols = self._address.protocols
        chosen = self.transport.negotiatedProtocol
        # An upstream that knows nothing of ALPN speaks HTTP/1.1.
        name = chosen.decode("ascii") if chosen else _HTTP1
        if name not in protocols:
            detail = f"{self._address} agrees by ALPN to none of {', '.join(protocols)}"
            self._tell(Failure(TlsError(detail, error="tls_alert_received")))
            self.transport.abortConnection()
            return
        speaks = self._hand_over(name)
        speaks.handshake_done = self._tell
        speaks.handshakeCompleted()

    def dataReceived(self, data: bytes) -> None:
        """Whoever has the connection gets it, where the transport goes on calling us."""
        if self._speaks is not None:
            self._speaks.dataReceived(data)

    def connectionLost(self, reason: Failure) -> None:
        """The handshake has failed."""
        if self._speaks is not None:
            self._speaks.connectionLost(reason)
        else:
            self._tell(reason)

    # -- who has it

    def speaking(self) -> Talking:
        """Who has the connection. Without a handshake, as there is none within the process, that is decided here."""
        return self._speaks or self._hand_over(self._address.protocols[0])

    def _hand_over(self, name: str) -> Talking:
        kind = http2_upstream() if name == _HTTP2 else UpstreamProtocol
        self._speaks = speaks = kind(self._services, self._address)
        self._services.shared_dials.agreed(self._address.key, name == _HTTP2)
        replace_protocol(self.transport, speaks)
        speaks.makeConnection(self.transport)
        return speaks

    def _tell(self, failure: Failure | None) -> None:
        done, self.handshake_done = self.handshake_done, None
        if self._speaks is not None:
            self._speaks.handshake_done = None
        if done is not None:
            done(failure)
