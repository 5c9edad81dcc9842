"""Who looks after the upstreams of a pool while somebody serves from it: active checks, look-ups of names, others."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.defer import Deferred, succeed

from txproxy.net.dns.resolver import Resolver
from txproxy.upstreams.discovery.members import ChangingPool, Members
from txproxy.upstreams.health.checks import Checks, LastCheck
from txproxy.upstreams.health.reconnecting import Reconnecting
from txproxy.upstreams.pool_settings import PoolSettings
from txproxy.upstreams.upstream import Upstream
from txproxy.wire.proxy_protocol import header

if TYPE_CHECKING:
    from txproxy.upstreams.health.probe import Dial


class Keeper(Protocol):
    """Looks after the upstreams of a pool while it is in use."""

    def start(self) -> None:
        """Begin, or go on."""

    def stop(self) -> None:
        """Pause, and leave no timer behind."""


class KeptPool(ChangingPool, Protocol):
    """What keepers need of the pool whose upstreams they look after."""

    @property
    def name(self) -> str:
        """What it is called in logs."""

    @property
    def settings(self) -> PoolSettings:
        """How its upstreams are checked."""

    @property
    def clock(self) -> Any:
        """What tells it the time."""

    def watch(self, joined: Callable[[Upstream], None], parted: Callable[[Upstream], None]) -> None:
        """Be told of each upstream that is here, comes or leaves."""


class Keepers:
    """Those of ``pool``: at work from the first who serves from it to the last."""

    def __init__(self, pool: KeptPool) -> None:
        self._pool = pool
        self._users = 0
        # whether it is this pool that checks: another process may do that for all
        self._leads = True
        self._checks: Checks | None = None
        self._reconnecting: Reconnecting | None = None
        self._resolver: Resolver | None = None
        # by whom they look after: the whole pool, or one upstream that stands for others
        self._keepers: dict[object, Keeper] = {}

    def start(self, clock: Any, dial: Dial, resolver: Resolver | None, tolerate: frozenset[str]) -> None:
        """Somebody serves; the first one begins it all, by these. See :meth:`txproxy.upstreams.pool.Pool.start`."""
        self._users += 1
        if self._users > 1:
            return
        self._reconnecting = self._reconnecting or Reconnecting(dial)
        self._resolver = self._resolver or resolver or Resolver(clock)
        if self._checks is None:
            self._checks = self._begin_checks(clock, dial, tolerate)
        for keeper in self._keepers.values():
            if self._leads or keeper is not self._checks:
                keeper.start()
        for upstream in [upstream for upstream in self._pool.upstreams if upstream.resolve]:
            self.look_up(upstream)

    def _begin_checks(self, clock: Any, dial: Dial, tolerate: frozenset[str]) -> Checks | None:
        pool, settings = self._pool, self._pool.settings
        if settings.health is None:
            return None
        version = settings.proxy_protocol
        first = header(version, None, None) if version else b""
        tolerate = settings.tolerate | tolerate
        checks = Checks(settings.health, clock, dial, name=pool.name, preface=first, tolerate=tolerate)
        pool.watch(checks.watch, checks.forget)
        self._keepers[pool] = checks
        return checks

    def stop(self) -> None:
        """The same one serves no more. The last one stops them all."""
        self._users -= 1
        if not self._users:
            for keeper in self._keepers.values():
                keeper.stop()

    def add(self, keeper: Keeper) -> None:
        """One more, at once at work if somebody serves."""
        self._keepers[keeper] = keeper
        if self._users:
            keeper.start()

    def look_up(self, upstream: Upstream) -> None:
        """Keep the members that ``upstream`` stands for what its name says, while somebody serves."""
        if self._users and upstream not in self._keepers:
            assert self._resolver is not None, "who serves has given one"
            self._keepers[upstream] = members = Members(self._pool, upstream, self._pool.clock, self._resolver)
            members.start()

    def lead(self, leads: bool) -> None:
        """Whether it is this pool that asks its upstreams how they are."""
        self._leads = leads
        if self._checks is None or not self._users:
            return
        if leads:
            self._checks.start()
        else:
            self._checks.stop()

    @property
    def checks(self) -> bool:
        """Whether anybody asks the upstreams whether they are well."""
        return bool(self._users) and self._checks is not None

    def last_check(self, upstream: Upstream) -> LastCheck | None:
        """What the last active check of ``upstream`` has found, if there was one."""
        return self._checks.last(upstream) if self._checks is not None else None

    def gone(self, upstream: Upstream) -> Deferred[bool]:
        """Whether ``upstream`` takes no connections at all."""
        return self._reconnecting.gone(upstream.address) if self._reconnecting is not None else succeed(False)
