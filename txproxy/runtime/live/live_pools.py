"""The pools of a configuration, alive."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs

from txproxy.components.named_code import NamedCode
from txproxy.config.model import (
    Config,
    PoolConfig,
    ReverseListener,
)
from txproxy.config.own_code.named_discovery import make_ask
from txproxy.config.own_code.named_strategy import make_strategy
from txproxy.errors import ConfigError
from txproxy.proxy.factory import ProxyFactory
from txproxy.proxy.upstream.upstream_protocols import http2_upstream
from txproxy.reverse.route_actions.pool_action import PoolAction
from txproxy.upstreams.affinity import Affinity, TableAffinity, affinity_from
from txproxy.upstreams.discovery.own_source import OwnSource
from txproxy.upstreams.overlay import Overlay
from txproxy.upstreams.pool import Pool
from txproxy.upstreams.several_processes.shared_pins import SharedPins
from txproxy.upstreams.several_processes.shared_room import SharedRoom
from txproxy.upstreams.several_processes.shared_standing import SharedStanding
from txproxy.upstreams.several_processes.shared_strikes import SharedStrikes
from txproxy.upstreams.upstream import Upstream
from txproxy.upstreams.upstream_urls import parse_tcp_upstream, parse_upstream

# Who serves no raw streams does without.
if TYPE_CHECKING:
    from txproxy.cluster.record_locks import RecordLocks
    from txproxy.stream.stream_factory import StreamFactory

Factory: TypeAlias = "ProxyFactory | StreamFactory"

_KEY_SIZE: Final = 32
# What names stand for is found again so many seconds after they are read again, or is something else.
_FOUND_AGAIN: Final = 30.0


class LivePool:
    """A pool, and what keeps clients at its upstreams. ``key`` signs their cookies. Clients that are remembered are so
    by several processes together where that is ``shared``, and these may have ``locks``.
    """

    def __init__(self, config: PoolConfig, key: bytes, shared: bool = False, locks: RecordLocks | None = None) -> None:
        self.config = config
        self._table: type[TableAffinity] = SharedPins if shared else TableAffinity
        self.key = key
        upstreams = [self._made(text) for text in config.upstreams]
        strategy: Any = config.strategy
        if isinstance(strategy, NamedCode):
            try:
                strategy = make_strategy(strategy)
            except ConfigError as fault:
                raise fault.at("pools", config.name, "strategy") from None
        self.pool = Pool(upstreams, strategy, name=config.name, settings=config.settings)
        self.pool.strategy_name = str(config.strategy)
        self.overlay = Overlay(self.pool, config.upstreams, self._made)
        self.source: OwnSource | None = None
        if config.discovery is not None:
            code = config.discovery.code
            self.source = OwnSource(self.pool, code.name, make_ask(code), self._made, config.discovery.interval)
            self.pool.look_after(self.source)
            self.overlay.follows = True
        self.standing = SharedStanding(self.overlay)
        self.room = SharedRoom(self.pool, locks)
        self.strikes = SharedStrikes(self.pool)
        self._affinities: dict[str, Affinity] = {}
        # of the pool before this one, until they are asked for
        self._before: dict[str, Affinity] = {}

    def _made(self, text: str) -> Upstream:
        config = self.config
        made = parse_tcp_upstream(text) if config.tcp else parse_upstream(text, config.settings.tls)
        if "h2" in made.address.protocols:
            http2_upstream()
        return made

    def affinity(self, kind: str | None) -> Affinity | None:
        """The one of this kind. All routes share it, so that a client that is pinned by one is by all."""
        if kind is None:
            return None
        if kind not in self._affinities:
            self._affinities[kind] = made = affinity_from(kind, self.pool, self.key, self._table)
            before = self._before.pop(kind, None)
            if isinstance(made, TableAffinity) and isinstance(before, self._table):
                made.follow(before)
        return self._affinities[kind]

    @property
    def pins(self) -> Mapping[str, SharedPins]:
        """The clients that several processes remember together, by kind."""
        return {kind: pins for kind, pins in self._affinities.items() if isinstance(pins, SharedPins)}

    def follow(self, before: LivePool, clock: Any) -> None:
        """Take over what was known of upstreams that were in the pool ``before`` this one, and what was changed."""
        pool = self.pool
        pool.use_clock(clock)
        ejection = before.pool.settings.ejection
        known = {upstream.name: (_alone(upstream), upstream.unhealthy) for upstream in before.pool.upstreams}
        if self.source is not None and before.source is not None and before.source.answer:
            # Until it is asked again.
            self.source.follow(before.source.answer)
        self.overlay.follow(before.overlay)
        self.room.follow(before.room)
        self._before = {**before._affinities}
        until = pool.seconds() + _FOUND_AGAIN

        def joined(upstream: Upstream) -> None:
            # also those that names are found to have, which are looked up again
            old, unhealthy = known.pop(upstream.name, (None, None))
            if old is None or pool.seconds() > until:
                return
            if pool.settings.ejection == ejection:
                upstream.take_over(old)
            if unhealthy is not None and pool.settings.health is not None:
                upstream.checked(False, unhealthy)

        pool.watch(joined, lambda upstream: None)
        pool.refresh()


def _alone(upstream: Upstream) -> Upstream:
    """What traffic has told of ``upstream``, in one that keeps nothing of its pool."""
    alone = Upstream(upstream.address, upstream.authority)
    alone.take_over(upstream)
    return alone


def checked_as_asked(pool: PoolConfig, config: Config) -> PoolConfig:
    """``pool``, whose checks send the Host that its requests are sent with, if there is one such."""
    actions = [route.action for route in config.routes]
    hosts = {pool.host}
    hosts |= {action.host for action in actions if isinstance(action, PoolAction) and action.pool == pool.name}
    hosts |= {one.host for one in config.listeners if isinstance(one, ReverseListener) and one.pool == pool.name}
    # The client's own is not known.
    hosts.discard(None)
    return attrs.evolve(pool, settings=pool.settings.checked_as(hosts.pop() if len(hosts) == 1 else None))


def live_pool(
    config: PoolConfig,
    reactor: Any,
    before: Mapping[str, LivePool],
    shared: bool = False,
    locks: RecordLocks | None = None,
) -> LivePool:
    """The pool of a configuration: the one that was there ``before``, if nothing of it has changed; else a new one,
    which knows what that knew. What clients it remembers is ``shared`` by several processes, which may have ``locks``.
    """
    old = before.get(config.name)
    if old is None:
        return LivePool(config, config.sticky_key or os.urandom(_KEY_SIZE), shared, locks)
    if old.config == config:
        return old
    # Who has a cookie shall not lose it by a reload.
    kept = old.key if old.config.sticky_key is None else os.urandom(_KEY_SIZE)
    pool = LivePool(config, config.sticky_key or kept, shared, locks)
    pool.follow(old, reactor)
    return pool
