"""The factory behind a listener: it builds a protocol for each client, and holds what they share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from email.utils import formatdate
from time import time
from typing import Any, Final, TypeAlias

from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolFactory
from twisted.logger import Logger
from zope.interface import implementer

from txproxy.errors import ExchangeError
from txproxy.interfaces import Address, Client, IClientDialer, IDialer, IMode
from txproxy.net.deadlines import Deadlines, TimeLimit
from txproxy.net.dialing import Dialer
from txproxy.net.dns.resolver import Resolver
from txproxy.net.peers import ip_of
from txproxy.net.splice import PipePool
from txproxy.net.transports import TurnWrites
from txproxy.proxy.downstream.admission import Admission
from txproxy.proxy.downstream.client_limit import make_admission
from txproxy.proxy.downstream.http1 import DownstreamProtocol
from txproxy.proxy.early_body import MOMENT
from txproxy.proxy.error_pages import ErrorPages
from txproxy.proxy.exchange import Exchange
from txproxy.proxy.fault_log import FaultLog
from txproxy.proxy.limits import Limits
from txproxy.proxy.upstream.connection_pool import Connections
from txproxy.proxy.upstream.http1 import UpstreamProtocol
from txproxy.wire.http1.tolerance import tolerated

_log = Logger()

# How long to wait, in seconds, for the response to a client that has closed its side of the connection, and for a
# request that may be on its way when nobody listens any more.
GONE: Final = 1.0

Observer: TypeAlias = Callable[[Exchange], None]


@implementer(IProtocolFactory)
class ProxyFactory:
    """Builds a protocol for each client connection, and holds what they share.

    ``mode`` (:class:`txproxy.interfaces.IMode`) says where requests go; ``dialer`` makes connections (a plain one if
    None); ``observers`` are called with each finished exchange; ``name`` is who speaks in Proxy-Status; ``resolver``
    may be shared with others. ``reactor`` is the running program's if None. A factory may listen on any number of
    ports.
    """

    noisy = False
    scheme = "http"
    # What clients may speak, the TLS of those who speak it where others do not, and who knows the users of SOCKS5; see
    # txproxy.proxy.downstream.socks5.
    protocols: frozenset[str] = frozenset({"http"})
    tls_context: SSL.Context | Callable[[], SSL.Context] | None = None
    login: Callable[[bytes, bytes, Client], Any] | None = None

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
        reactor: Any = None,
    ) -> None:
        if reactor is None:
            from twisted.internet import reactor  # the embedding program's
        self.limits = limits = limits or Limits()
        self.mode = mode
        self.reactor = reactor
        self.name = name.encode("ascii")
        self.wire_limits = limits.wire()
        self.tolerate = tolerated(tolerate)
        self.resolver = resolver or Resolver(reactor)
        self.dialer = dialer or Dialer(reactor, limits.connect_timeout, self.resolver)
        self.connections: Connections[UpstreamProtocol] = Connections(limits.keep_per_address, limits.keep_in_all)
        self.deadlines = deadlines = Deadlines(reactor)
        self.header_limit = deadlines.limit(limits.header_timeout)
        self.idle_limit = deadlines.limit(limits.idle_timeout)
        self.response_limit = deadlines.limit(limits.response_timeout)
        self.min_body_rate = limits.min_body_rate
        self.keep_limit = deadlines.limit(limits.keep_for)
        self.gone_limit = deadlines.limit(GONE)
        self.moment_limit = deadlines.limit(MOMENT)
        self.linger_limit = deadlines.limit(limits.linger_timeout)
        self.seconds: Callable[[], float] = reactor.seconds
        self.pipes = PipePool()
        self.turn_writes = TurnWrites.of(reactor)
        self.draining = False
        self.stopped = False
        # for how long a client may be silent before its first request, and between two
        self.first_limit, self.rest_limit = self.header_limit, self.idle_limit
        self._observers = observers
        self.observed = bool(observers)
        self.fault_log = FaultLog(_log, reactor)
        # in place of the proxy's own small bodies
        self.pages: ErrorPages | None = None
        # exchanges for which no client waits
        self.errands: set[Exchange] = set()
        self._date = (0, b"")
        self._ports = 0
        self._limits: dict[float, TimeLimit] = {}
        self.admission: Admission[DownstreamProtocol] = make_admission(limits)

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

    def buildProtocol(self, addr: Any) -> DownstreamProtocol | None:
        """A protocol for a new client."""
        return self.build(addr, self.scheme)

    def build(self, addr: Any, scheme: str) -> DownstreamProtocol | None:
        """The same for a client that speaks ``scheme``."""
        return self.build_as(DownstreamProtocol, addr, scheme)

    def build_as(self, kind: type[DownstreamProtocol], addr: Any, scheme: str) -> DownstreamProtocol | None:
        """The same as one of a ``kind``."""
        if self.stopped:
            return None
        return kind(self, Client(ip_of(addr), scheme))

    def http_date(self) -> bytes:
        """The time as Date has it (RFC 9110 section 5.6.7)."""
        now = int(time())
        if self._date[0] != now:
            self._date = (now, formatdate(now, usegmt=True).encode("ascii"))
        return self._date[1]

    def limit_of(self, seconds: float) -> TimeLimit:
        """A time limit that is not the proxy's own, but a route's."""
        limit = self._limits.get(seconds)
        if limit is None:
            limit = self._limits[seconds] = self.deadlines.limit(seconds)
        return limit

    # -- connections to upstreams

    def take_quiet(self, key: str, connections: Connections[UpstreamProtocol] | None = None) -> UpstreamProtocol | None:
        """A kept connection that has not been closed just now, as far as can be told, for what cannot be repeated; one
        of these ``connections``, if they are given.
        """
        if connections is None:
            connections = self.connections
        upstream = connections.take(key)
        while upstream is not None and upstream.unread():
            upstream.close()
            upstream = connections.take(key)
        return upstream

    def dial(self, address: Address, client_ip: str) -> Deferred[Any]:
        """A new connection, on behalf of a client."""
        dialer: Any = self.dialer
        if IClientDialer.providedBy(dialer):
            dialing: Deferred[Any] = dialer.dial_for(client_ip, address, lambda: UpstreamProtocol(self, address))
            return dialing
        return self.dialer.dial(address, lambda: UpstreamProtocol(self, address))

    # -- observers

    def exchange_finished(self, exchange: Exchange) -> None:
        """Tell the observers. One that fails is said loudly, and harms nobody."""
        for observer in self._observers:
            try:
                observer(exchange)
            except Exception:
                _log.failure("an observer failed")

    def say_fault(self, client: Client, fault: ExchangeError, errand: str = "") -> None:
        """One line in the log, for whoever has to find out why, unless there are very many. The fault of an ``errand``
        is no answer to a client.
        """
        if errand:
            self.fault_log.say(
                f"{errand} {fault.error}",
                "{errand} of {peer} failed: {error}: {detail}",
                errand=errand,
                peer=client.peer_ip,
                error=fault.error,
                detail=fault.detail,
            )
            return
        self.fault_log.say(
            f"{fault.status} {fault.error}",
            "{status} to {peer}: {error}: {detail}",
            status=fault.status,
            peer=client.peer_ip,
            error=fault.error,
            detail=fault.detail,
        )

    # -- the end

    def drain(self) -> Deferred[None]:
        """Let all clients go: what runs ends, and the request that may be on its way is answered as the last one of its
        connection. Fires when the last client has left, so that nobody should listen any more.
        """
        self.draining = True
        self.first_limit = self.rest_limit = self.gone_limit
        self.deadlines.look_ahead()
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
        self.draining = self.stopped = True
        for downstream in self.admission.everyone():
            downstream.abort()
        for errand in list(self.errands):
            errand.client_gone()
        self.errands.clear()
        for upstream in self.connections.all():
            upstream.close()
        self.fault_log.stop()
        self.pipes.close()
