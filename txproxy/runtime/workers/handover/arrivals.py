"""What a worker has for connections that come from another one: the listener of the same name, and its surroundings."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import Protocol

import attrs
from twisted.logger import Logger

from txproxy.admin.proxy_view import Stage
from txproxy.config.endpoints import Bound
from txproxy.interfaces.address import Address
from txproxy.interfaces.allowances import Bounds
from txproxy.interfaces.attempt import Attempt
from txproxy.interfaces.context import RequestContext
from txproxy.limits.requests.concurrency import ConcurrencyLimiter, hold_places
from txproxy.net.transports.handed_transports import leave_transport
from txproxy.proxy.downstream.serving import ServedBy
from txproxy.proxy.factory import ProxyFactory
from txproxy.proxy.handover.carried import Carried
from txproxy.proxy.handover.giving import Given
from txproxy.proxy.handover.taking import Start, Surroundings, connection_of, take_resting, take_tunnel
from txproxy.runtime.builder import Assembly, Factory, Served
from txproxy.runtime.entrance import Entrance
from txproxy.runtime.workers.handover.giver import Place
from txproxy.stream.stream_factory import StreamFactory
from txproxy.upstreams.choice import PoolAttempt
from txproxy.upstreams.upstream import Upstream

_log = Logger()


class Serving(Protocol):
    """What runs."""

    @property
    def assembly(self) -> Assembly:
        """What its configuration means."""

    @property
    def entrances(self) -> Mapping[Bound, Entrance]:
        """Where it listens."""

    @property
    def stage(self) -> Stage:
        """How far it is."""

    @property
    def named_factories(self) -> list[tuple[str, Factory]]:
        """Those of the listeners, and of configurations before, each with the name of its listener."""


@attrs.frozen
class _Around:
    """See :class:`txproxy.proxy.handover.taking.Surroundings`; of a listener."""

    assembly: Assembly
    served: Served | None

    def attempt(
        self, address: Address, pool: str | None, upstream: str | None, current: bool, place: int | None
    ) -> Attempt:
        """See :class:`txproxy.proxy.handover.taking.Surroundings`."""
        if upstream is None:
            return Attempt(address, None)
        live = self.assembly.pools.get(pool or "")
        known = [one for one in live.pool.upstreams if one.name == upstream] if live is not None else []
        # One that is in no pool any more counts nowhere.
        chosen = known[0] if known else Upstream(address, b"", name=upstream)
        if live is not None and known and current:
            live.pool.take_this(chosen, place)
        elif current:
            chosen.active += 1
        return PoolAttempt(chosen, address, None, chosen, None)

    def bounds(self, client_ip: str, user: str | None, rule: str) -> Bounds | None:
        """See :class:`txproxy.proxy.handover.taking.Surroundings`."""
        allotments = self.assembly.allotments_of(self.served.config) if self.served is not None else None
        return allotments.bounds(client_ip, user, rule) if allotments is not None else None

    def hold_places(self, context: RequestContext, places: Iterable[tuple[str, Hashable]]) -> None:
        """See :class:`txproxy.proxy.handover.taking.Surroundings`."""
        limits = {one.config.name: one for one in self.assembly.limits.limiters if isinstance(one, ConcurrencyLimiter)}
        hold_places(context, limits, places)


@attrs.frozen
class _Ready:
    """A connection on a ``transport`` that is here; ``start`` begins to serve it."""

    transport: object
    start: Start


class Arrivals:
    """What ``serving`` can go on with, and what of its own can go."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving

    def places(self) -> Iterator[Place]:
        """Where connections are that may go."""
        told = {one.factory: one.config.proxy_protocol for one in self._serving.assembly.served}
        for name, factory in self._serving.named_factories:
            yield Place(name, told.get(factory), factory)

    def prepare(self, listener: str, told: bool | None, given: Given) -> Start | None:
        """See :class:`txproxy.runtime.workers.handover.taker.Taker`."""
        served = self._served(listener)
        if self._serving.stage is not Stage.SERVING or served is None:
            return None
        served_by = None
        if given.carried.tunnel is None:
            entrance = self._entrance(served)
            if entrance is None or told is not served.config.proxy_protocol:
                return None
            served_by = entrance.served_by
        ready = self._ready(given, served.factory, served, served_by)
        return ready.start if ready is not None else None

    def take_back(self, place: Place, given: Given) -> object:
        """Serve here again what another process has not taken; gives its transport, or None if it cannot be."""
        try:
            ready = self._ready(given, place.factory, self._served(place.listener), None)
        except Exception:
            _log.failure("a connection that could not be handed over cannot be served here either")
            ready = None
        if ready is None:
            _log.error("a connection that could not be handed over is closed")
            given.close()
            return None
        ready.start()
        if self._serving.stage is Stage.DRAINING:
            for client in place.factory.admission.everyone():
                client.drain()
        return ready.transport

    def _served(self, listener: str) -> Served | None:
        return next((one for one in self._serving.assembly.served if one.config.name == listener), None)

    def _entrance(self, served: Served) -> Entrance | None:
        """One in the plain."""
        for entrance in self._serving.entrances.values():
            if entrance.behind.factory is served.factory and entrance.behind.tls is None:
                return entrance
        return None

    def _ready(
        self, given: Given, factory: Factory, served: Served | None, served_by: ServedBy | None
    ) -> _Ready | None:
        carried, sockets = given.carried, given.sockets
        if not _suits(carried, factory):
            return None
        connection = connection_of(carried, factory.services.reactor, sockets[0])
        if not factory.admission.welcomes(connection, moves=True):
            leave_transport(connection.transport)
            return None
        if carried.tunnel is None:
            assert isinstance(factory, ProxyFactory), "it suits"
            return _Ready(connection.transport, take_resting(carried, connection, factory, served_by))
        around: Surroundings = _Around(self._serving.assembly, served)
        if isinstance(factory, StreamFactory):
            return _Ready(connection.transport, factory.take(carried, connection, sockets[1], around))
        return _Ready(connection.transport, take_tunnel(carried, connection, factory, sockets[1], around))


def _suits(carried: Carried, factory: Factory) -> bool:
    """Whether a factory serves such clients."""
    if carried.exchange is None:
        return isinstance(factory, ProxyFactory) and "http" in factory.protocols
    # A raw stream is a request without a method.
    return isinstance(factory, StreamFactory) is not bool(carried.exchange.method)
