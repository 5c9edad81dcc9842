"""What a configuration means, alive: pools, actions, modes, and the factories that serve them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs

from txproxy.components.own_modules import adopt, use_path
from txproxy.config.model import (
    AnyListener,
    Config,
    ForwardListener,
    ReverseListener,
    RouteConfig,
    TcpListener,
)
from txproxy.config.own_code.middleware import make_all
from txproxy.config.own_code.placing import at_listener, code_of, with_code
from txproxy.config.tracing import telling_basis, telling_of
from txproxy.errors import ConfigError
from txproxy.frozen_values import frozen
from txproxy.limits.allotments import Allotments
from txproxy.net.dns.resolver import Resolver
from txproxy.observe.audit import AuditLog
from txproxy.proxy.bounds_middleware import BoundsMiddleware
from txproxy.proxy.downstream.negotiate import http2_protocol
from txproxy.proxy.error_pages import ErrorPages
from txproxy.proxy.factory import ProxyFactory
from txproxy.proxy.services import Observer
from txproxy.proxy.shared_places import SharedPlaces
from txproxy.reverse.actions.treatments import Action
from txproxy.reverse.mode import ReverseProxyFactory
from txproxy.reverse.routing.route import Route
from txproxy.runtime.live.accounts import make_allotments, make_audits
from txproxy.runtime.live.live_limits import LiveLimits
from txproxy.runtime.live.live_logins import LiveLogins, login_of
from txproxy.runtime.live.live_pools import LivePool, checked_as_asked, live_pool
from txproxy.runtime.route_building import action_of, body_bounds, default_action, mode_of
from txproxy.tls.listener_contexts import ListenerTls, ServerTls
from txproxy.tls.ticket_fronts import TicketFronts
from txproxy.wire.forwarding import via_entry

# What nobody uses, be it a mode or the cache, is not waited for.
if TYPE_CHECKING:
    from txproxy.cluster.record_locks import RecordLocks
    from txproxy.forward.policy import ForwardPolicy
    from txproxy.forward.proxy_factory import ForwardProxyFactory
    from txproxy.proxy.caching.cache_middleware import CacheMiddleware
    from txproxy.runtime.live.live_cache import LiveCache
    from txproxy.stream.stream_factory import StreamFactory, StreamObserver

Factory: TypeAlias = "ProxyFactory | StreamFactory"


@frozen(kw_only=True)
class Observers:
    """Who is told of what has ended: at every listener, or at ``own``, by its number."""

    exchanges: tuple[Observer, ...] = ()
    streams: tuple[StreamObserver, ...] = ()
    own: Mapping[int, Observers] = attrs.field(factory=dict)

    def of(self, number: int) -> Observers:
        """All of a listener."""
        own = self.own.get(number, _NOBODY)
        return Observers(exchanges=self.exchanges + own.exchanges, streams=self.streams + own.streams)


_NOBODY: Final = Observers()


@frozen(eq=False)
class Served:
    """A listener's configuration, the factory that serves it, its TLS, if it has some, and the ``places`` that it has
    together with other processes, where these are. ``basis`` is all that the factory was made from, live objects
    included: where that is the same, so is the factory.
    """

    config: AnyListener
    factory: Factory
    tls: ServerTls | None
    places: SharedPlaces | None = None
    basis: tuple[object, ...] = attrs.field(default=(), repr=False)


@frozen
class Assembly:
    """All that a configuration means, but for the listening."""

    config: Config
    pools: Mapping[str, LivePool]
    served: tuple[Served, ...]
    limits: LiveLimits
    logins: LiveLogins
    # by the names of listeners
    allotments: Mapping[str, Allotments] = attrs.field(factory=dict)
    # by their files
    audits: Mapping[str, AuditLog] = attrs.field(factory=dict)
    cache: LiveCache | None = None

    @property
    def factories(self) -> list[Factory]:
        """Each listener's."""
        return [served.factory for served in self.served]

    def allotments_of(self, listener: AnyListener) -> Allotments | None:
        """What its clients may use, if that is bounded or counted."""
        counted = isinstance(listener, ForwardListener) or listener.bounds
        return self.allotments.get(listener.name) if counted else None

    def audit_of(self, listener: AnyListener) -> AuditLog | None:
        """Where its audit log goes, if there is one."""
        return self.audits[listener.audit] if listener.audit is not None else None

    def caching_of(self, listener: ForwardListener | ReverseListener) -> tuple[CacheMiddleware, ...]:
        """The cache in the way of its requests, if there is one."""
        return (self.cache.middleware(listener),) if self.cache is not None else ()

    def stop_new(self, before: Assembly | None) -> None:
        """It is not taken: end what was made for it, and was not there ``before``."""
        known = before.factories if before is not None else []
        for factory in self.factories:
            if factory not in known:
                factory.stop()


@frozen
class Around:
    """What stands around a configuration, and stays when another takes its place: the ``reactor``, the ``resolver`` of
    all names, and the TLS of listeners that was made before this process began, with the ``fronts`` that it and others
    have alike for more of it. What bounds several processes together is ``shared``, and they may have ``locks``.
    """

    reactor: Any
    resolver: Resolver
    tls: Mapping[ListenerTls, ServerTls] = attrs.field(factory=dict)
    shared: bool = False
    fronts: TicketFronts | None = None
    locks: RecordLocks | None = None


def assemble(config: Config, observers: Observers, around: Around, before: Assembly | None = None) -> Assembly:
    """Build it all. What is as it was ``before`` is the same again, with all that is known of it: pools; of forward
    proxies the users, lists and parents; TLS; and factories, with their connections, where all of it is. A file that
    has become unreadable since the configuration was read is a ``ConfigError``.
    """
    reactor = around.reactor
    around.resolver.ipv6_prefix = config.bounds.ipv6_prefix
    use_path(config.python_path)
    adopt(config.own_modules)
    pools_before = before.pools if before is not None else {}
    pools = {
        pool.name: live_pool(checked_as_asked(pool, config), reactor, pools_before, around.shared, around.locks)
        for pool in config.pools
    }
    nothing = Config(listeners=())
    was = before or Assembly(nothing, {}, (), LiveLimits(nothing, reactor), LiveLogins(nothing, reactor))
    assembly = Assembly(
        config,
        pools,
        (),
        LiveLimits(config, reactor, was.limits, around.shared),
        LiveLogins(config, reactor, was.logins),
        make_allotments(config, reactor, was.allotments, was.config, around.shared),
        make_audits(config, was.audits),
        _live_cache(config, was.cache),
    )
    served: list[Served] = []
    try:
        for number, listener in enumerate(config.listeners):
            taken = [one.factory for one in served]
            known = [one for one in before.served if one.factory not in taken] if before is not None else []
            # Those of the same name first: where several are alike, each goes on as what it was.
            known.sort(key=lambda one: one.config.name != listener.name)
            try:
                served.append(_serve(listener, assembly, observers.of(number), around, known))
            except ConfigError as fault:
                raise at_listener(fault, number) from None
    except ConfigError:
        attrs.evolve(assembly, served=tuple(served)).stop_new(before)
        raise
    return attrs.evolve(assembly, served=tuple(served))


def _live_cache(config: Config, before: LiveCache | None) -> LiveCache | None:
    """The cache, where there is one."""
    if not config.cache:
        return None
    from txproxy.runtime.live.live_cache import live_cache

    return live_cache(config, before)


def _serve(
    listener: AnyListener, assembly: Assembly, observers: Observers, around: Around, before: Sequence[Served]
) -> Served:
    """Who serves a listener: one of those who did ``before``, if nothing of it has changed."""
    pages = _pages(listener) if not isinstance(listener, TcpListener) else None
    # One without a name of its own has another where one is written before it.
    basis = (attrs.evolve(listener, name=""), *_needs(listener, assembly), observers, pages)
    for one in before:
        if one.basis == basis:
            return attrs.evolve(one, config=listener)
    tls = next((one.tls for one in before if one.tls is not None and one.config.tls == listener.tls), None)
    if tls is None and listener.tls is not None:
        tls = around.tls.get(listener.tls) or server_tls(listener.tls, around.fronts)
    if isinstance(listener, ForwardListener):
        factory: Factory = _forward_factory(listener, assembly, observers, around, before)
    elif isinstance(listener, TcpListener):
        factory = _stream_factory(listener, assembly, observers, around)
    else:
        factory = _reverse_factory(listener, assembly, tls, observers, around)
    factory.services.pages = pages or None
    places = SharedPlaces(factory.admission, around.reactor.seconds) if around.shared else None
    return Served(listener, factory, tls, places, basis)


def forward_factories(factories: Iterable[Factory]) -> Iterator[ForwardProxyFactory]:
    """Those of forward listeners."""
    # Who has made one has imported this.
    forward = sys.modules.get("txproxy.forward.proxy_factory")
    if forward is not None:
        yield from (one for one in factories if isinstance(one, forward.ForwardProxyFactory))


def _pages(listener: ForwardListener | ReverseListener) -> ErrorPages:
    try:
        return ErrorPages(dict(listener.error_pages))
    except ConfigError as fault:
        raise fault.at("error_pages") from None


def server_tls(config: ListenerTls, fronts: TicketFronts | None = None) -> ServerTls:
    """The TLS of a listener; ``ConfigError`` with its place in the listener."""
    if b"h2" in config.alpn:
        # Before workers are forked, and before a client waits for it.
        http2_protocol()
    try:
        return ServerTls(config, fronts=fronts)
    except ConfigError as fault:
        # The certificates stand beside the other settings, not among them.
        raise ConfigError(
            one if one.path[:1] == ("certificates",) else one._replace(path=("tls", *one.path))
            for one in fault.findings
        ) from None


def _needs(listener: AnyListener, assembly: Assembly) -> tuple[object, ...]:
    """What a listener needs that is not its own."""
    pools = assembly.pools
    routes = assembly.config.routes_of(listener) if isinstance(listener, ReverseListener) else ()
    limits = assembly.limits.basis(listener, routes)
    accounts = assembly.allotments_of(listener), assembly.audit_of(listener), limits
    if isinstance(listener, TcpListener):
        return *accounts, *(pools[name] for name in listener.pools)
    around = (telling_basis(assembly.config), assembly.cache.basis if assembly.cache is not None else ())
    if isinstance(listener, ForwardListener):
        return *accounts, *around, _closed(assembly.config)
    logins = [assembly.logins.basis(login_of(listener, route)) for route in (None, *routes)]
    names = [name for route in routes for name in route.pools]
    if listener.pool is not None:
        names.append(listener.pool)
    return *accounts, *around, routes, *logins, tuple(pools[name] for name in names)


def _closed(config: Config) -> tuple[str, int] | None:
    """What no client of a forward proxy reaches: its admin endpoint takes all who connect from this machine for people
    of this machine.
    """
    return config.admin.trusting if config.admin is not None else None


def _policy(listener: ForwardListener, assembly: Assembly) -> ForwardPolicy:
    """The policy of a listener, with what lives outside of it."""
    closed = _closed(assembly.config)
    more: dict[str, Any] = {"closed": closed} if closed is not None else {}
    allotments = assembly.allotments_of(listener)
    if allotments is not None:
        more |= {"bounds": allotments.bounds, "usage": allotments.used}
    if listener.policy.audit is None:
        more["audit"] = assembly.audit_of(listener)
    return attrs.evolve(listener.policy, **more) if more else listener.policy


def _forward_factory(
    listener: ForwardListener, assembly: Assembly, observers: Observers, around: Around, before: Sequence[Served]
) -> ForwardProxyFactory:
    from txproxy.forward.policy_parts import make_parts
    from txproxy.forward.proxy_factory import ForwardProxyFactory

    policy = _policy(listener, assembly)
    parts = [one.forward.parts for one in forward_factories(one.factory for one in before)]
    limits = assembly.limits
    outer = (*telling_of(assembly.config, listener), *limits.outermost(listener), *limits.within(listener))
    return ForwardProxyFactory(
        policy,
        limits=listener.limits,
        tolerate=listener.tolerate,
        observers=observers.exchanges,
        protocols=listener.protocols,
        http2=listener.http2,
        h2c=listener.h2c,
        resolver=around.resolver,
        middleware=(*outer, *code_of(listener, around.reactor), *assembly.caching_of(listener)),
        reactor=around.reactor,
        parts=make_parts(policy, around.reactor, parts),
    )


def _reverse_factory(
    listener: ReverseListener, assembly: Assembly, tls: ServerTls | None, observers: Observers, around: Around
) -> ReverseProxyFactory:
    pools, via = assembly.pools, via_entry(listener.via, listener.via_mark)
    config, limits, reactor = assembly.config, assembly.limits, around.reactor
    wire_limits, others = body_bounds(listener, config.routes_of(listener))

    def guarded(route: RouteConfig | None, action: Action) -> Action:
        login = login_of(listener, route)
        asked = assembly.logins.required(login) if login is not None else None
        if route is not None:
            action = with_code(action, route, config, reactor)
        return limits.around_action(listener, route, action, asked)

    routes = [
        Route(route.name, route.match, guarded(route, action_of(route, pools, via, others)))
        for route in config.routes_of(listener)
    ]
    default = default_action(listener, pools, via, others)
    if default is not None:
        default = guarded(None, default)
    allotments = assembly.allotments_of(listener)
    bounding = (BoundsMiddleware(allotments.bounds),) if allotments is not None else ()
    return ReverseProxyFactory(
        mode_of(listener, default, routes, via, tls),
        via=listener.via,
        limits=wire_limits,
        tolerate=listener.tolerate,
        observers=observers.exchanges,
        resolver=around.resolver,
        middleware=(
            *telling_of(assembly.config, listener),
            *limits.outermost(listener),
            *code_of(listener, around.reactor),
            *bounding,
            *assembly.caching_of(listener),
            *limits.adaptive,
        ),
        audit=assembly.audit_of(listener),
        http2=listener.http2,
        h2c=listener.h2c,
        reactor=around.reactor,
    )


def _stream_factory(listener: TcpListener, assembly: Assembly, observers: Observers, around: Around) -> StreamFactory:
    from txproxy.stream.stream_factory import StreamFactory

    pools = assembly.pools
    allotments = assembly.allotments_of(listener)
    pool = pools[listener.pool].pool if listener.pool is not None else None
    sni = {server: pools[name].pool for server, name in listener.sni}
    return StreamFactory(
        pool,
        sni=sni,
        limits=listener.limits,
        observers=observers.streams,
        resolver=around.resolver,
        bounds=allotments.bounds if allotments is not None else None,
        middleware=(*assembly.limits.outermost(listener), *make_all(listener.middleware)),
        audit=assembly.audit_of(listener),
        reactor=around.reactor,
    )
