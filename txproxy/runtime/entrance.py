"""One endpoint that is listened on: what stands behind it may be another from time to time, with no connection lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from OpenSSL import SSL
from twisted.internet import endpoints
from twisted.internet.interfaces import ILoggingContext, IProtocolFactory
from zope.interface import implementer

from txproxy.config.endpoints import listen_at, server_endpoint
from txproxy.frozen_values import frozen
from txproxy.matching.networks import Networks
from txproxy.net.memory_tls import MemoryTlsFactory
from txproxy.net.transports.adopted_ports import AdoptedEndpoint, as_it_is
from txproxy.net.transports.listening_ports import (
    accepts_tcp,
    bound_accepts,
    deepen_backlog,
    serve_plain,
    serve_tls,
    stop_listening,
)
from txproxy.proxy.downstream.proxy_header import ProxyProtocolFactory
from txproxy.proxy.downstream.serving import ServedBy
from txproxy.proxy.factory import ProxyFactory
from txproxy.tls.listener_contexts import ServerConnections, ServerTls

# Who serves no raw streams does without.
if TYPE_CHECKING:
    from txproxy.stream.stream_factory import StreamFactory

# These listen on a socket and nothing else: TLS can be spoken on what they accept. Others, such as haproxy:, put a
# protocol of their own in between, which has to come before TLS.
_SOCKET_ENDPOINTS: Final = (
    endpoints.TCP4ServerEndpoint,
    endpoints.TCP6ServerEndpoint,
    endpoints.AdoptedStreamServerEndpoint,
    AdoptedEndpoint,
)


@frozen(kw_only=True)
class Behind:
    """What stands behind an entrance: a ``factory``, with ``tls`` before it, and before that a header of the PROXY
    protocol from the ``trusted`` (None for no such header), which is to come within ``header_timeout`` seconds.
    """

    factory: ProxyFactory | StreamFactory
    tls: ServerTls | None = None
    trusted: Networks | None = None
    header_timeout: float = 30.0

    def admits_as(self, other: Behind) -> bool:
        """Whether who was let in here would have been there: what TLS and the PROXY header have asked is the same."""
        return (self.trusted is None) == (other.trusted is None) and _asked(self.tls) == _asked(other.tls)


def _asked(tls: ServerTls | None) -> tuple[object, ...] | None:
    """What clients had to show."""
    config = tls.config if tls is not None else None
    return (config.client_ca, config.client_auth, config.client_depth) if config is not None else None


@implementer(IProtocolFactory, ILoggingContext)
class _Builder:
    """Calls ``build`` for each new client. It has no beginning and no end of its own: the entrance sees to them."""

    noisy = False

    def __init__(self, build: Callable[[Any], Any]) -> None:
        self.buildProtocol = build

    def logPrefix(self) -> str:
        """Who has begun to listen, in Twisted's words for it."""
        return "txproxy"

    def doStart(self) -> None:
        """For Twisted."""

    def doStop(self) -> None:
        """For Twisted."""


class Entrance:
    """Listens on the endpoint ``text``, or on what of it another process has opened."""

    def __init__(self, text: str, behind: Behind, reactor: Any, adopted: AdoptedEndpoint | None = None) -> None:
        self.text = text
        self.behind = behind
        self.port: Any = None
        self._reactor = reactor
        self._endpoint = adopted or as_it_is(server_endpoint(reactor, text), reactor)
        self._on_socket = False
        self._clients = _Builder(self._build)
        self._clients_by_tls = MemoryTlsFactory(ServerConnections(self._context), False, self._clients)
        self._told: ProxyProtocolFactory | None = None
        self._first: Any = self._clients
        self.served_by = ServedBy(None)

    def open(self) -> None:
        """Listen; ``ConfigError`` if that cannot be."""
        first = _Builder(lambda addr: self._first.buildProtocol(addr))
        self.port = port = listen_at(self._endpoint, self.text, first)
        self._on_socket = isinstance(self._endpoint, _SOCKET_ENDPOINTS) and accepts_tcp(port)
        self._arrange()
        self.behind.factory.doStart()
        deepen_backlog(port)
        bound_accepts(port)

    def lead_to(self, behind: Behind) -> None:
        """Who connects from now on gets to another."""
        before, self.behind = self.behind, behind
        if not before.admits_as(behind):
            # Who came in under other conditions stays with those who made them.
            self.served_by.factory = None
            self.served_by = ServedBy(None)
        self._arrange()
        behind.factory.doStart()
        before.factory.doStop()

    def close(self) -> Any:
        """Listen no more; gives a Deferred, or None."""
        closed = stop_listening(self.port)
        self.served_by.factory = None
        if self._told is not None:
            self._told.doStop()
        self.behind.factory.doStop()
        return closed

    # -- who gets a new connection first

    def _arrange(self) -> None:
        behind = self.behind
        self.served_by.factory = behind.factory if isinstance(behind.factory, ProxyFactory) else None
        on_socket = behind.tls is not None and self._on_socket
        inner: Any = self._clients if behind.tls is None or on_socket else self._clients_by_tls
        if behind.trusted is not None:
            self._told = told = self._told or ProxyProtocolFactory(inner, behind.trusted, reactor=self._reactor)
            told.factory = inner
            told.admission = behind.factory.admission
            told.trusted = behind.trusted
            told.tls_context = self._context if on_socket else None
            told.header_limit = told.deadlines.limit(behind.header_timeout)
            self._first = told
        else:
            # Who is about to send a header may go on: a wrapper that was there before leads to the same clients.
            self._first = inner
        if on_socket and behind.trusted is None:
            serve_tls(self.port, self._context)
        else:
            serve_plain(self.port)

    def _context(self) -> SSL.Context:
        assert self.behind.tls is not None, "only asked where there is TLS"
        return self.behind.tls.context()

    def _build(self, addr: Any) -> Any:
        behind = self.behind
        if not isinstance(behind.factory, ProxyFactory):
            return behind.factory.buildProtocol(addr)
        protocol = behind.factory.build(addr, "https" if behind.tls is not None else "http")
        if protocol is not None:
            protocol.served_by = self.served_by
        return protocol
