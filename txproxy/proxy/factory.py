"""The factory behind a listener: it builds a protocol for each client, and holds what they share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolFactory
from zope.interface import implementer

from txproxy.interfaces.connection import ClientConnection
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.dialers import IDialer
from txproxy.interfaces.middleware import IMode, Places, around, places, tolls_of
from txproxy.interfaces.record import Audit
from txproxy.net.dns.resolver import Resolver
from txproxy.net.peers import ip_of
from txproxy.proxy.downstream.admission import Admission
from txproxy.proxy.downstream.client_limit import make_admission
from txproxy.proxy.downstream.negotiate import Beginning, Kind, http2_protocol, http_kind
from txproxy.proxy.downstream.serving import Client
from txproxy.proxy.limits import Limits
from txproxy.proxy.services import Observer, Services
from txproxy.proxy.upstream.upstream_protocols import build_upstream


@implementer(IProtocolFactory)
class ProxyFactory:
    """Builds a protocol for each client connection, and holds what they share.

    ``mode`` (:class:`txproxy.interfaces.IMode`) says where requests go; ``dialer`` makes connections (a plain one if
    None); ``observers`` are called with the record of each finished exchange
    (:class:`txproxy.interfaces.ExchangeRecord`); ``name`` is who speaks in Proxy-Status; ``resolver`` may be shared
    with others. ``middleware`` (:class:`txproxy.interfaces.IMiddleware`) stands around the mode, the first outermost;
    what is, or is also, a :class:`txproxy.interfaces.IConnectionFilter` says who may connect. ``audit`` (a
    :class:`txproxy.AuditLog`) has a line for each exchange; it is opened here, and closed by :meth:`stop`. ``http2``:
    clients may speak HTTP/2 where TLS has agreed on it (by ALPN, as ``h2``), and with ``h2c`` in the plain, by prior
    knowledge. ``reactor`` is the running program's if None. A factory may listen on any number of ports.
    """

    noisy = False
    scheme = "http"
    # What clients may speak, the TLS of those who speak it where others do not, and who knows the users of SOCKS5; see
    # txproxy.proxy.downstream.negotiate.
    protocols: frozenset[str] = frozenset({"http"})
    tls_context: SSL.Context | Callable[[], SSL.Context] | None = None
    login: Callable[[bytes, bytes, RequestContext], Any] | None = None
    # See txproxy.proxy.downstream.serving.ServingFactory.
    proxied = False

    def __init__(
        self,
        mode: IMode,
        *,
        limits: Limits | None = None,
        tolerate: Iterable[str] = (),
        dialer: IDialer | None = None,
        observers: tuple[Observer, ...] = (),
        name: str = "txproxy",
        resolver: Resolver | None = None,
        middleware: Iterable[Any] = (),
        audit: Audit | None = None,
        http2: bool = False,
        h2c: bool = False,
        reactor: Any = None,
    ) -> None:
        if reactor is None:
            from twisted.internet import reactor  # the embedding program's
        self.limits = limits = limits or Limits()
        self.services = services = Services(
            reactor,
            limits,
            build_upstream,
            tolerate=tolerate,
            dialer=dialer,
            observers=observers if audit is None else (*observers, audit.exchange),
            name=name,
            resolver=resolver,
        )
        self.mode = mode
        found = places(middleware)
        self._compose(mode, found)
        self.http2 = http2
        self.h2c = h2c
        if h2c:
            http2_protocol()
        self.draining = False
        self.stopped = False
        # for how long a client may be silent before its first request, and between two
        self.first_limit, self.rest_limit = services.header_limit, services.idle_limit
        self._ports = 0
        self._audit = audit
        if audit is not None:
            audit.open()
        self.admission: Admission[Client] = make_admission(limits, found.filters, reactor)

    def _compose(self, mode: IMode, found: Places) -> None:
        """Put around the ``mode``, and within it, what was ``found`` for that."""
        services = self.services
        services.inner_middleware = found.within
        self.handle = around(mode.plan, found.around)
        # For these see txproxy.proxy.downstream.serving.ServingFactory.
        tolls = tolls_of(self.handle, mode.plan) if not found.within else None
        self.standing_for = self.handle if getattr(mode, "stands", False) and tolls is not None else None
        services.tolls = tolls or ()
        self.repeats = all(getattr(one, "repeats", False) for one in (*found.around, mode))

    # -- what Twisted calls

    def doStart(self) -> None:
        """A port has begun to listen."""
        self._ports += 1
        if self._ports == 1:
            self.begin()

    def doStop(self) -> None:
        """A port has ceased to listen."""
        self._ports -= 1
        if not self._ports:
            self.end()

    def begin(self) -> None:
        """Called when the first port listens: what a mode needs while it serves begins here."""

    def end(self) -> None:
        """Called when the last port has ceased to."""

    def buildProtocol(self, addr: Any) -> Beginning | None:
        """A protocol for a new client."""
        return self.build(addr, self.scheme)

    def build(self, addr: Any, scheme: str) -> Beginning | None:
        """The same for a client that speaks ``scheme``."""
        return self.build_as(http_kind(self, scheme), addr, scheme)

    def build_as(self, kind: Kind, addr: Any, scheme: str) -> Beginning | None:
        """The same as one of a ``kind``."""
        if self.stopped:
            return None
        return kind(self, ClientConnection(ip_of(addr), scheme))

    # -- the end

    def drain(self) -> Deferred[None]:
        """Let all clients go: what runs ends, and the request that may be on its way is answered as the last one of its
        connection. Fires when the last client has left, so that nobody should listen any more.
        """
        self.draining = True
        self.first_limit = self.rest_limit = self.services.gone_limit
        self.services.deadlines.look_ahead()
        return self.admission.drain()

    def retire(self) -> Deferred[None]:
        """Another factory serves the listeners now: clients go there before their next request, or leave after it if
        there is no place for them. Fires when the last one has.
        """
        gone = self.admission.retire()
        self.draining = True
        return gone

    def stop(self) -> None:
        """Close all that is open, clients and upstreams, at once."""
        self.draining = self.stopped = self.services.stopped = True
        for downstream in self.admission.everyone():
            downstream.abort()
        self.services.stop()
        audit, self._audit = self._audit, None
        if audit is not None:
            audit.close()
