"""Upstreams that do the same work: who is available, whose turn it is, and who waits.

A pool is a live object: add, remove, weigh, drain, disable and enable take effect at once, while it serves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

import attrs
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.web.resource import IResource

from txproxy.errors import ConfigError
from txproxy.interfaces.address import Address
from txproxy.interfaces.context import RequestContext
from txproxy.net.deadlines import NEVER
from txproxy.net.dns.resolver import Resolver
from txproxy.upstreams.availability import may_be_ejected
from txproxy.upstreams.balancing.strategy import BalancingStrategy
from txproxy.upstreams.ejection import Breaker
from txproxy.upstreams.health.checks import LastCheck
from txproxy.upstreams.keepers import Keeper, Keepers
from txproxy.upstreams.pool_settings import PoolSettings, checked_weight
from txproxy.upstreams.proxy_preface import prefaced
from txproxy.upstreams.retry_budget import Retry, RetryCount
from txproxy.upstreams.turns import Turns
from txproxy.upstreams.upstream import State, Upstream
from txproxy.upstreams.upstream_urls import upstream_from

if TYPE_CHECKING:
    from txproxy.upstreams.health.probe import Dial

_log = Logger()

# of a pool that is given none
DEFAULT_NAME: Final = "pool"


class Pool(Turns):
    """Upstreams that do the same work, and a strategy that says which is next.

    ``upstreams`` are URLs as on the command line, :class:`Upstream` objects, or twisted.web resources, which are served
    within this process; ``strategy`` is one of the names of the command line, or an object with
    :class:`txproxy.upstreams.balancing.strategies.IStrategy`. A wrong value is a
    ``ConfigError``, which is a ``ValueError``.
    """

    # Where several processes have a pool together: who is told of what checks and traffic find of an upstream, and of
    # its failures in a row.
    on_change: Callable[[Upstream], None] | None = None
    on_strike: Callable[[Upstream, str], None] | None = None

    def __init__(
        self,
        upstreams: Iterable[str | Upstream | IResource],
        strategy: str | BalancingStrategy = "round-robin",
        *,
        name: str = DEFAULT_NAME,
        settings: PoolSettings | None = None,
        clock: Any = None,
    ) -> None:
        super().__init__(name, strategy, settings, clock)
        self.retries = RetryCount()
        self._keepers = Keepers(self)
        self._joined: list[Callable[[Upstream], None]] = []
        self._parted: list[Callable[[Upstream], None]] = []
        for item in upstreams:
            self._join(item, warm=True)
        if not self.upstreams:
            raise ConfigError("a pool needs at least one upstream")
        self.refresh()

    def use_clock(self, clock: Any) -> None:
        """Tell the time by ``clock`` (a reactor). The first one that a pool is told stays."""
        if self.clock is None:
            ahead = clock.seconds() - self.seconds()
            self.clock = clock
            self.seconds = clock.seconds
            for upstream in self.upstreams:
                upstream.shift(ahead)
                upstream.begin(clock.seconds(), warm=True)
            self.refresh()

    def start(
        self, clock: Any, dial: Dial, resolver: Resolver | None = None, tolerate: frozenset[str] = frozenset()
    ) -> None:
        """Somebody serves from this pool: check its upstreams and look up their names, by ``clock``, ``dial`` and
        ``resolver`` of the first who does, who may ``tolerate`` more than the pool does.
        """
        self.use_clock(clock)
        self._keepers.start(clock, dial, resolver, tolerate)

    def stop(self) -> None:
        """The same one serves no more. The last one stops checks and look-ups."""
        self._keepers.stop()

    def look_after(self, keeper: Keeper) -> None:
        """Have ``keeper`` at work while somebody serves."""
        self._keepers.add(keeper)

    def lead(self, leads: bool) -> None:
        """Whether it is this pool that asks its upstreams how they are: another process may do that for all."""
        self._keepers.lead(leads)

    def check_as(self, host: str | None) -> None:
        """Requests are sent with this Host: let checks that name none send it as well. It is that of
        :class:`txproxy.reverse.ToPool`, and to be said before anybody serves.
        """
        self.settings = self.settings.checked_as(host)

    @property
    def checked(self) -> bool:
        """Whether anybody asks its upstreams whether they are well."""
        return self._keepers.checks

    def last_check(self, upstream: Upstream) -> LastCheck | None:
        """What the last active check of ``upstream`` has found, if there was one."""
        return self._keepers.last_check(upstream)

    def address_for(self, upstream: Upstream, context: RequestContext) -> Address:
        """Where a request of ``client`` connects to: the upstream's address, with a header of the PROXY protocol if the
        pool sends one, and with what is tolerated there.
        """
        version, tolerate, address = self.settings.proxy_protocol, self.settings.tolerate, upstream.address
        if tolerate:
            address = attrs.evolve(address, tolerate=tolerate)
        return prefaced(address, version, context) if version else address

    def attention(self, upstream: Upstream, has_body: bool) -> Callable[[int], None]:
        """What to call with the status when ``upstream`` answers a request that is sent now. Only needed where the pool
        is ``curious``.
        """
        if not self.times or has_body:
            # How long a body takes is its client's to say: nobody is to make an upstream look slow.
            return upstream.answered
        began = self.seconds()

        def answered(status: int) -> None:
            self.strategy.measured(upstream, self.seconds() - began)
            upstream.answered(status)

        return answered

    # -- retries

    def may_retry(self) -> bool:
        """Whether the budget allows one more."""
        return self.retries.may_have_one_more(sum(upstream.active for upstream in self.upstreams))

    def gone(self, upstream: Upstream) -> Deferred[bool]:
        """Whether ``upstream``, which has cut off a request, takes no connections at all."""
        return self._keepers.gone(upstream)

    def retry(self, upstream: Upstream, answered: Callable[[int], None] | None) -> Retry:
        """The party of a retry at ``upstream``, and of who else is to know when it is ``answered``."""
        return Retry(self.retries, upstream, answered)

    # -- who serves

    def eject(self, upstream: Upstream, cause: str) -> None:
        """Its traffic has failed often enough: send it none for a while, unless too few would be left."""
        ejection = self.settings.ejection
        if ejection is None or upstream.breaker is Breaker.OPEN:
            return
        if not may_be_ejected(upstream, self.upstreams, ejection.share):
            if upstream.fail(cause):
                _log.warn(
                    "{upstream} of {pool} fails, and is not ejected, as too few would be left: {cause}",
                    upstream=upstream.name,
                    pool=self.name,
                    cause=cause,
                )
            return
        now = self.seconds()
        until = upstream.open(now, cause)
        _log.info(
            "{upstream} of {pool} is ejected for {time:.0f} s: {cause}",
            upstream=upstream.name,
            pool=self.name,
            time=until - now,
            cause=cause,
        )
        self.changed(upstream)

    def changed(self, upstream: Upstream) -> None:
        """What checks or traffic tell of ``upstream`` has changed."""
        self.refresh()
        if self.on_change is not None:
            self.on_change(upstream)

    # -- while it serves

    def find(self, name: str) -> Upstream:
        """The upstream of that name; ``KeyError`` if there is none."""
        for upstream in self.upstreams:
            if upstream.name == name:
                return upstream
        raise KeyError(name)

    def add(self, item: str | Upstream | IResource) -> Upstream:
        """One more upstream; it starts slowly, if the pool is set to."""
        upstream = self._join(item, warm=False)
        self.refresh()
        if upstream.resolve:
            self._keepers.look_up(upstream)
        return upstream

    def remove(self, upstream: str | Upstream) -> None:
        """One less. What it carries now goes on; the last one cannot be removed."""
        gone = self._named(upstream)
        if len(self.upstreams) == 1:
            raise ConfigError(f"{gone.name} is the last upstream of {self.name}; a pool needs at least one")
        self._part(gone)
        self.refresh()

    def replace(self, upstream: Upstream, other: Upstream) -> Upstream:
        """The ``other`` one instead of ``upstream``, which may have the same name. What that carries now goes on."""
        self._part(self._named(upstream))
        return self.add(other)

    def weigh(self, upstream: str | Upstream, weight: int) -> None:
        """Give it another weight, 1 to ``MOST_WEIGHT``; with 0 it gets no new clients, as in :meth:`drain`."""
        self._named(upstream).weigh(checked_weight(weight), self.seconds())
        self.refresh()

    def drain(self, upstream: str | Upstream, seconds: float = NEVER) -> None:
        """Send it no new clients; those that are pinned to it may stay for ``seconds``, then it is disabled."""
        now = self.seconds()
        self._named(upstream).order(State.DRAINING, "drained by the administrator", now, now + seconds)
        self.refresh()

    def disable(self, upstream: str | Upstream) -> None:
        """Send it nothing more."""
        self._named(upstream).order(State.DISABLED, "disabled by the administrator", self.seconds())
        self.refresh()

    def enable(self, upstream: str | Upstream) -> None:
        """Let it serve again, after a drain or a disable."""
        self._named(upstream).order(State.HEALTHY, "", self.seconds())
        self.refresh()

    def watch(self, joined: Callable[[Upstream], None], parted: Callable[[Upstream], None]) -> None:
        """Be told of each upstream, those that are here and those to come, and of each that leaves."""
        self._joined.append(joined)
        self._parted.append(parted)
        for upstream in self.upstreams:
            joined(upstream)

    def _named(self, upstream: str | Upstream) -> Upstream:
        if isinstance(upstream, Upstream):
            if upstream not in self.upstreams:
                raise KeyError(upstream.name)
            return upstream
        return self.find(upstream)

    def _part(self, upstream: Upstream) -> None:
        self.upstreams.remove(upstream)
        upstream.pool = None
        for told in self._parted:
            told(upstream)

    def _join(self, item: str | Upstream | IResource, warm: bool) -> Upstream:
        upstream = upstream_from(item, self.settings.tls)
        names = {other.name for other in self.upstreams}
        if upstream.pool is not None or upstream.name in names:
            raise ConfigError(f"{upstream.name} is in a pool already; each upstream is named once")
        upstream.pool = self
        upstream.begin(self.seconds(), warm)
        self.upstreams.append(upstream)
        for told in self._joined:
            told(upstream)
        return upstream
