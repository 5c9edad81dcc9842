"""Raw TCP, balanced over a pool; TLS may be passed through to pools by the server name that its clients ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from socket import socket
from typing import Any, Final, TypeAlias

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolFactory
from twisted.logger import Logger
from zope.interface import implementer

from txproxy.errors import ConfigError, ExchangeError
from txproxy.interfaces.connection import ClientConnection
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.dialers import IDialer
from txproxy.interfaces.middleware import IStreamMiddleware, places
from txproxy.interfaces.record import ExchangeRecord, FinishedStream, StreamAudit
from txproxy.net.dns.resolver import Resolver
from txproxy.net.peers import ip_of
from txproxy.proxy.bounds_middleware import FindBounds
from txproxy.proxy.downstream.admission import Admission
from txproxy.proxy.downstream.client_limit import make_admission
from txproxy.proxy.handover.carried import Carried
from txproxy.proxy.handover.taking import Start, Surroundings
from txproxy.proxy.limits import Limits
from txproxy.proxy.services import Services
from txproxy.stream.mode import StreamMode
from txproxy.stream.relay import StreamUpstream
from txproxy.stream.sni_routing import ByName
from txproxy.stream.stream_client import StreamProtocol
from txproxy.upstreams.pool import Pool

_log = Logger()

_FILTERS_ACCEPTED: Final = (
    "accepted is an object with admit(connection) and closed(connection), or an IStreamMiddleware"
)

StreamObserver: TypeAlias = Callable[[FinishedStream], None]


class StreamServices(Services):
    """What the streams of one factory share."""

    def say_fault(self, peer_ip: str, fault: ExchangeError, errand: str = "") -> None:
        """The client is only closed, so that there is no status to tell of."""
        kind, why = fault.error, fault.detail
        self.fault_log.say(kind, "closed {peer}: {kind}: {why}", peer=peer_ip, kind=kind, why=why)


@implementer(IProtocolFactory)
class StreamFactory:
    """Protocols of the tcp mode: streams go to ``pool``.

    With ``sni``, pools by server name (``a.example``) or wildcard (``*.b.example``), TLS clients go to the pool of the
    name that they ask for, undecrypted, and ``pool`` is for all others, TLS or not; without one they are closed. A
    client has ``limits.header_timeout`` to say where it wants to go. ``observers`` are called with each stream that has
    ended, which has ``upstream``, ``outcome``, ``detail``, ``sent``, ``received``, ``seconds``, ``server_name``, its
    ``context`` and ``connection``, and as ``record`` what an :class:`txproxy.interfaces.ExchangeRecord` has.

    ``bounds(client_ip, None, "")`` is what a client may use (see :class:`txproxy.Allotments`), and ``middleware`` are
    what says who may connect (:class:`txproxy.interfaces.IConnectionFilter`), or is for raw streams as well
    (:class:`txproxy.interfaces.IStreamMiddleware`): there are no requests here, and no users.
    ``audit`` (:class:`txproxy.AuditLog`) has a line for each stream; it is opened here, and closed by :meth:`stop`.
    """

    noisy = False

    def __init__(
        self,
        pool: Pool | None = None,
        *,
        sni: Mapping[str, Pool] | None = None,
        limits: Limits | None = None,
        dialer: IDialer | None = None,
        observers: tuple[StreamObserver, ...] = (),
        resolver: Resolver | None = None,
        bounds: FindBounds | None = None,
        middleware: Iterable[Any] = (),
        audit: StreamAudit | None = None,
        reactor: Any = None,
    ) -> None:
        if reactor is None:
            from twisted.internet import reactor  # the embedding program's
        found = places(middleware)
        around = [one for one in found.around if IStreamMiddleware.providedBy(one)]
        for other in found.around + found.within:
            if other not in found.filters and other not in around:
                raise ConfigError(f"{other!r} handles requests, and raw streams have none", _FILTERS_ACCEPTED)
        self.limits = limits = limits or Limits()
        named = dict(sni or {})
        self.pools: tuple[Pool, ...] = tuple(dict.fromkeys(one for one in (pool, *named.values()) if one is not None))
        if not self.pools:
            raise ConfigError("a tcp proxy needs a pool, or pools by server name")
        for one in self.pools:
            one.use_clock(reactor)
        modes = {one: StreamMode(one, bounds, around) for one in self.pools}
        self.mode = modes[pool] if pool is not None else None
        self.by_name = ByName({name: modes[one] for name, one in named.items()}, self.mode) if named else None
        self.observers = observers if audit is None else (*observers, audit.stream)
        self.services: Services = StreamServices(
            reactor,
            limits,
            lambda services, address: StreamUpstream(),
            dialer=dialer,
            observers=(self._over,),
            resolver=resolver,
        )
        # those of whose end nobody was told yet
        self.streams: dict[RequestContext, StreamProtocol] = {}
        self.admission: Admission[StreamProtocol] = make_admission(limits, found.filters, reactor)
        self.stopped = False
        self._ports = 0
        self._audit = audit
        if audit is not None:
            audit.open()

    def doStart(self) -> None:
        """A port has begun to listen."""
        self._ports += 1
        if self._ports == 1:
            for pool in self.pools:
                pool.start(
                    self.services.reactor,
                    lambda address, build: self.services.dialer.dial(address, build),
                    self.services.resolver,
                )

    def doStop(self) -> None:
        """A port has ceased to listen."""
        self._ports -= 1
        if not self._ports:
            for pool in self.pools:
                pool.stop()

    def buildProtocol(self, addr: Any) -> StreamProtocol | None:
        """A protocol for a new client."""
        return None if self.stopped else StreamProtocol(self, ip_of(addr))

    def take(self, carried: Carried, connection: ClientConnection, upstream: socket, around: Surroundings) -> Start:
        """Have a stream that another process has begun; gives what lets bytes flow."""
        client = StreamProtocol(self, connection.peer_ip)
        client.connection.transport = connection.transport
        return client.take(carried, upstream, around)

    def _over(self, record: ExchangeRecord) -> None:
        stream = self.streams.pop(record.context)
        stream.over(record)
        for observer in self.observers:
            try:
                observer(stream)
            except Exception:
                _log.failure("an observer failed")

    def drain(self) -> Deferred[None]:
        """Let all streams end, so that nobody should listen any more; fires when the last one has."""
        self.services.deadlines.look_ahead()
        return self.admission.drain()

    def retire(self) -> Deferred[None]:
        """Another factory serves the listeners now; fires when the last stream of this one has ended."""
        return self.admission.retire()

    def stop(self) -> None:
        """Close all that is open."""
        self.stopped = True
        for stream in self.admission.everyone():
            stream.abort()
        self.services.stop()
        audit, self._audit = self._audit, None
        if audit is not None:
            audit.close()
