"""Upstreams that do the same work: who is available, whose turn it is, and who waits.

A pool is a live object: add, remove, weigh, drain, disable and enable take effect at once, while it serves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

import attrs
from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import Logger
from twisted.web.resource import IResource

from txproxy.errors import ConfigError, UpstreamUnavailable
from txproxy.interfaces.address import Address
from txproxy.interfaces.attempt import Tracker
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.plan import Uploading
from txproxy.net.deadlines import NEVER
from txproxy.net.dns.resolver import Resolver
from txproxy.upstreams.availability import available, last_resort, may_be_ejected, spare
from txproxy.upstreams.balancing.strategies import strategy_from
from txproxy.upstreams.balancing.strategy import BalancingStrategy
from txproxy.upstreams.discovery.members import Members
from txproxy.upstreams.ejection import Breaker
from txproxy.upstreams.health.checks import Checks, LastCheck
from txproxy.upstreams.health.reconnecting import Reconnecting
from txproxy.upstreams.loan import Loan
from txproxy.upstreams.pool_settings import PoolSettings, checked_weight
from txproxy.upstreams.proxy_preface import prefaced
from txproxy.upstreams.queue import Queue
from txproxy.upstreams.retry_budget import Retry, RetryCount
from txproxy.upstreams.upstream import State, Upstream
from txproxy.upstreams.upstream_urls import upstream_from
from txproxy.wire.message import RequestHead
from txproxy.wire.proxy_protocol import header

if TYPE_CHECKING:
    from txproxy.upstreams.health.probe import Dial

_log = Logger()

# of a pool that is given none
DEFAULT_NAME: Final = "pool"


class Keeper(Protocol):
    """Looks after the upstreams of a pool while it is in use."""

    def start(self) -> None:
        """Begin, or go on."""

    def stop(self) -> None:
        """Pause, and leave no timer behind."""


_Skip: TypeAlias = Callable[[Upstream], bool]


class Pool:
    """Upstreams that do the same work, and a strategy that says which is next.

    ``upstreams`` are URLs as on the command line, :class:`Upstream` objects, or twisted.web resources, which are served
    within this process; ``strategy`` is one of the names of the command line, or an object with
    :class:`txproxy.upstreams.balancing.strategies.IStrategy`. A wrong value is a
    ``ConfigError``, which is a ``ValueError``.
    """

    # Where several processes have a pool together: who is told of what checks and traffic find of an upstream, and of
    # its failures in a row; who may make room where there is none, and says whether that was so; and whether it is this
    # one that checks.
    on_change: Callable[[Upstream], None] | None = None
    on_strike: Callable[[Upstream, str], None] | None = None
    on_full: Callable[[], bool] | None = None
    _leads = True

    def __init__(
        self,
        upstreams: Iterable[str | Upstream | IResource],
        strategy: str | BalancingStrategy = "round-robin",
        *,
        name: str = DEFAULT_NAME,
        settings: PoolSettings | None = None,
        clock: Any = None,
    ) -> None:
        self.name = name
        self.strategy_name = strategy if isinstance(strategy, str) else type(strategy).__name__
        self.settings = settings or PoolSettings()
        self.retries = RetryCount()
        self.seconds: Callable[[], float] = monotonic if clock is None else clock.seconds
        self.clock = clock
        self.strategy: Any = self._strategy_of(strategy)
        self._pick: Callable[[RequestHead | None, RequestContext | None, _Skip | None], Upstream | None]
        self._pick = self.strategy.choose
        self._counts: bool = self.strategy.counts
        self.times: bool = self.strategy.times
        # whether it matters when the response to a request begins
        self.curious = self.times
        self.upstreams: list[Upstream] = []
        self._serving: list[Upstream] = []
        # backups that could serve, and have not to: the last resort of requests that have tried all who do
        self._spare: list[Upstream] = []
        self._wake = NEVER
        # whether an upstream may be full, so that choosing has to ask
        self._bounded = self._all_doubted = False
        # whether an upstream has a bound of its own, so that nobody is to keep a place without need
        self.counts_places = False
        # whether it matters when a request ends
        self.listens = self._counts
        # the places of requests whose bodies come slowly
        self._lent: dict[Loan, None] = {}
        self._queue = Queue(self, self.settings.queue, self.settings.queue_timeout)
        # the one of the whole pool, and those of upstreams that stand for others
        self._keepers: dict[object, Keeper] = {}
        self._users = 0
        self._reconnecting: Reconnecting | None = None
        self._resolver: Resolver | None = None
        self._joined: list[Callable[[Upstream], None]] = []
        self._parted: list[Callable[[Upstream], None]] = []
        for item in upstreams:
            self._join(item, warm=True)
        if not self.upstreams:
            raise ConfigError("a pool needs at least one upstream")
        self.refresh()

    def _strategy_of(self, given: str | BalancingStrategy) -> Any:
        if isinstance(given, str):
            return strategy_from(given, lambda: self.seconds())
        if not callable(getattr(given, "choose", None)):
            raise ConfigError(f"{given!r} is no strategy", "accepted is the name of one, or an IStrategy")
        return given

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
        self._users += 1
        if self._users > 1:
            return
        self._reconnecting = self._reconnecting or Reconnecting(dial)
        self._resolver = self._resolver or resolver or Resolver(clock)
        if self.settings.health is not None and self not in self._keepers:
            version = self.settings.proxy_protocol
            first = header(version, None, None) if version else b""
            checks = Checks(
                self.settings.health,
                clock,
                dial,
                name=self.name,
                preface=first,
                tolerate=self.settings.tolerate | tolerate,
            )
            self.watch(checks.watch, checks.forget)
            self._keepers[self] = checks
        for kept, keeper in self._keepers.items():
            if self._leads or kept is not self:
                keeper.start()
        for upstream in [upstream for upstream in self.upstreams if upstream.resolve]:
            self._look_up(upstream)

    def look_after(self, keeper: Keeper) -> None:
        """Have ``keeper`` at work while somebody serves."""
        self._keepers[keeper] = keeper
        if self._users:
            keeper.start()

    def check_as(self, host: str | None) -> None:
        """Requests are sent with this Host: let checks that name none send it as well. It is that of
        :class:`txproxy.reverse.ToPool`, and to be said before anybody serves.
        """
        self.settings = self.settings.checked_as(host)

    def stop(self) -> None:
        """The same one serves no more. The last one stops checks and look-ups."""
        self._users -= 1
        if not self._users:
            for keeper in self._keepers.values():
                keeper.stop()

    def _look_up(self, upstream: Upstream) -> None:
        """Keep the members that ``upstream`` stands for what its name says, while somebody serves."""
        if self._users and upstream not in self._keepers:
            assert self._resolver is not None, "who serves has given one"
            self._keepers[upstream] = members = Members(self, upstream, self.clock, self._resolver)
            members.start()

    # -- choosing

    def take(
        self, head: RequestHead | None, context: RequestContext, tried: tuple[Upstream, ...] = ()
    ) -> Upstream | None:
        """Whose turn it is, leaving out those that were ``tried`` and those that are full; it counts one more active
        request. None if there is nobody.
        """
        if self._wake is not NEVER and self.seconds() >= self._wake:
            self.refresh()
        if tried:
            upstream = self._with_place(self._another(head, context, tried), head, context, tried)
        elif self._bounded:
            upstream = self._pick(head, context, _is_full)
            if upstream is not None and upstream.places is not None:
                upstream = self._with_place(upstream, head, context, tried)
        else:
            upstream = self._pick(head, context, None)
        if upstream is not None:
            upstream.active += 1
            upstream.served += 1
            if self._counts:
                self.strategy.changed(upstream)
        elif self.on_full is not None and self.on_full():
            return self.take(head, context, tried)
        return upstream

    def take_unasked(self) -> Upstream | None:
        """The same for a request of which the strategy asks nothing, if nobody has to be told of its response."""
        if self._wake is not NEVER and self.seconds() >= self._wake:
            self.refresh()
        if self.curious:
            return None
        upstream: Upstream | None = self.strategy.choose(None, None, _is_full if self._bounded else None)
        if upstream is not None and upstream.places is not None:
            upstream = self._with_place(upstream, None, None, ())
        if upstream is not None:
            upstream.active += 1
            upstream.served += 1
            if self._counts:
                self.strategy.changed(upstream)
        return upstream

    def _another(
        self, head: RequestHead | None, context: RequestContext | None, tried: tuple[Upstream, ...]
    ) -> Upstream | None:
        """Whose turn it is of those that have room and were not ``tried``."""
        upstream = self._pick(head, context, lambda other: other in tried or other.active >= other.room)
        if upstream is None and tried and self._spare:
            upstream = last_resort(self._serving, self._spare, tried)
        return upstream

    def _with_place(
        self,
        upstream: Upstream | None,
        head: RequestHead | None,
        context: RequestContext | None,
        tried: tuple[Upstream, ...],
    ) -> Upstream | None:
        """``upstream``, with a place that is taken if it has such; where others have all of them, the next one."""
        while upstream is not None and upstream.places is not None and not upstream.places.take():
            # It is full from now on, and nobody else's strategy is to say it once more.
            upstream = self._another(head, context, tried)
            if upstream is not None and upstream.active >= upstream.room:
                return None
        return upstream

    def look_again(self, upstreams: Iterable[Upstream]) -> None:
        """These were full, as other processes have their places, and may have room by now."""
        for upstream in upstreams:
            upstream.give_room(all_of_it=self._all_doubted)
        if self._queue:
            self._serve_queue()

    def tick(self) -> None:
        """Let time take its effect, for those who look at states before they take."""
        if self._wake is not NEVER and self.seconds() >= self._wake:
            self.refresh()

    def take_pinned(self, upstream: Upstream) -> bool:
        """Count a request of one who is pinned to ``upstream``, which has room as far as is known; whether it has."""
        if upstream.places is not None and not upstream.places.take():
            return False
        self._count(upstream)
        return True

    def take_this(self, upstream: Upstream, place: int | None = None) -> None:
        """Count a request that another process has begun at ``upstream``, with the ``place`` that it has taken there if
        it has one, be there room or not.
        """
        if upstream.places is not None:
            upstream.places.take_over(place)
        self._count(upstream)

    def _count(self, upstream: Upstream) -> None:
        upstream.active += 1
        upstream.served += 1
        if upstream.active > upstream.room and self.on_full is not None:
            self.on_full()
        if self._counts:
            self.strategy.changed(upstream)

    def wait(
        self, head: RequestHead | None, context: RequestContext, tried: tuple[Upstream, ...] = ()
    ) -> Deferred[Upstream]:
        """Wait until an upstream has room. ``UpstreamUnavailable`` if there is none, or it takes too long."""
        context.waited_for = self
        if not self.others(tried) or self.clock is None:
            return fail(UpstreamUnavailable(f"no upstream of {self.name} is available"))
        granted = self._queue.wait(self.clock, head, context, tried)
        self.listens = True
        if self._lent:
            self._call_in(tried)
        return granted

    def lend(self, tracker: Tracker, exchange: Uploading) -> Tracker:
        """The place of ``tracker`` is that of an ``exchange`` whose body comes slowly. It is taken back as soon as
        somebody else waits for one.
        """
        loan = Loan(tracker, exchange, self._lent)
        self._lent[loan] = None
        if self._queue:
            # It was in the queue itself, for another attempt. Its exchange is just about to begin this one.
            self.clock.callLater(0, self._somebody_waits)
        return loan

    def _somebody_waits(self) -> None:
        if self._queue:
            self._call_in(())

    def _call_in(self, tried: tuple[Upstream, ...]) -> None:
        """Somebody waits."""
        for loan in list(self._lent):
            if not loan.exchange.body_late:
                # It has earned its place.
                del self._lent[loan]
            elif loan.upstream not in tried:
                loan.revoke()
                return

    def released(self, upstream: Upstream) -> None:
        """A request of ``upstream`` has ended."""
        if self._counts:
            self.strategy.changed(upstream)
        if self._queue:
            self._serve_queue()

    def _serve_queue(self) -> None:
        self._queue.serve()
        self.listens = self._counts or bool(self._queue)

    @property
    def checked(self) -> bool:
        """Whether anybody asks its upstreams whether they are well."""
        return bool(self._users) and self in self._keepers

    def last_check(self, upstream: Upstream) -> LastCheck | None:
        """What the last active check of ``upstream`` has found, if there was one."""
        checks = self._keepers.get(self)
        return checks.last(upstream) if isinstance(checks, Checks) else None

    @property
    def waiting(self) -> int:
        """How many requests wait for room."""
        return len(self._queue)

    @property
    def full(self) -> bool:
        """Whether no upstream that serves has room."""
        return all(map(_is_full, self._serving))

    @property
    def exhausted(self) -> bool:
        """Whether backups have none either."""
        return self.full and all(map(_is_full, self._spare))

    def others(self, tried: tuple[Upstream, ...]) -> bool:
        """Whether there is an upstream that was not ``tried`` and could serve, backups included, though it may be
        full.
        """
        if not tried:
            return bool(self._serving or self._spare)
        return any(upstream not in tried for upstream in (*self._serving, *self._spare))

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
        return self._reconnecting.gone(upstream.address) if self._reconnecting is not None else succeed(False)

    def retry(self, upstream: Upstream, answered: Callable[[int], None] | None) -> Retry:
        """The party of a retry at ``upstream``, and of who else is to know when it is ``answered``."""
        return Retry(self.retries, upstream, answered)

    # -- who serves

    def refresh(self) -> None:
        """Something has changed: find out who is available, and tell the strategy."""
        now = self.seconds()
        self._wake = NEVER
        for upstream in self.upstreams:
            self._wake = min(self._wake, upstream.settle(now, self.settings.slow_start))
        self._serving = serving = available(self.upstreams, self.settings.panic)
        self._spare = spare(self.upstreams, serving)
        doubted = [upstream for upstream in serving if upstream.breaker is not Breaker.CLOSED]
        # Clients that are pinned may be sent to others as well.
        self.curious = self.times or any(upstream.breaker is not Breaker.CLOSED for upstream in self.upstreams)
        # To try one with a single request takes others that carry the rest.
        self._all_doubted = len(doubted) == len(serving)
        for upstream in self.upstreams:
            upstream.give_room(all_of_it=self._all_doubted)
        self._bounded = any(upstream.room is not NEVER for upstream in serving)
        self.counts_places = any(upstream.max for upstream in self.upstreams)
        self.strategy.update(serving)
        self._queue.time_will_tell(self._wake)
        if self._queue:
            self._serve_queue()

    def eject(self, upstream: Upstream, cause: str) -> None:
        """Its traffic has failed often enough: send it none for a while, unless too few would be left."""
        ejection = self.settings.ejection
        if ejection is None or upstream.breaker is Breaker.OPEN:
            return
        if not may_be_ejected(upstream, self.upstreams, ejection.share):
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

    def lead(self, leads: bool) -> None:
        """Whether it is this pool that asks its upstreams how they are: another process may do that for all."""
        self._leads = leads
        checks = self._keepers.get(self)
        if checks is None or not self._users:
            return
        if leads:
            checks.start()
        else:
            checks.stop()

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
            self._look_up(upstream)
        return upstream

    def remove(self, upstream: str | Upstream) -> None:
        """One less. What it carries now goes on; the last one cannot be removed."""
        gone = self._named(upstream)
        if len(self.upstreams) == 1:
            raise ConfigError(f"{gone.name} is the last upstream of {self.name}; a pool needs at least one")
        self.upstreams.remove(gone)
        gone.pool = None
        for told in self._parted:
            told(gone)
        self.refresh()

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


def _is_full(upstream: Upstream) -> bool:
    return upstream.active >= upstream.room
