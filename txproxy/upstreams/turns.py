"""Whose turn it is of some upstreams: who of them serves, who is full, and who waits for one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import monotonic
from typing import Any, TypeAlias

from twisted.internet.defer import Deferred, fail

from txproxy.errors import ConfigError, UpstreamUnavailable
from txproxy.interfaces.attempt import Tracker
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.plan import Uploading
from txproxy.net.deadlines import NEVER
from txproxy.upstreams.availability import available, last_resort, spare
from txproxy.upstreams.balancing.strategies import strategy_from
from txproxy.upstreams.balancing.strategy import BalancingStrategy
from txproxy.upstreams.ejection import Breaker
from txproxy.upstreams.pool_settings import PoolSettings
from txproxy.upstreams.upstream import Upstream
from txproxy.upstreams.waiting.loan import Loans
from txproxy.upstreams.waiting.queue import Queue
from txproxy.wire.message import RequestHead

_Skip: TypeAlias = Callable[[Upstream], bool]


class Turns:
    """The part of a :class:`txproxy.upstreams.pool.Pool` that each request asks.

    A pool is one, and has none: what is asked of it for each request costs no call more, and its states are read as
    attributes.
    """

    # Where several processes have a pool together: who may make room where there is none, and says whether that was so.
    on_full: Callable[[], bool] | None = None

    def __init__(
        self, name: str, strategy: str | BalancingStrategy, settings: PoolSettings | None, clock: Any = None
    ) -> None:
        self.name = name
        self.strategy_name = strategy if isinstance(strategy, str) else type(strategy).__name__
        self.settings = settings or PoolSettings()
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
        # the only one that serves, where that is all there is to know: it takes any number, and nobody is told of each
        self._only: Upstream | None = None
        # whether an upstream may be full, so that choosing has to ask
        self._bounded = self._all_doubted = False
        # whether an upstream has a bound of its own, so that nobody is to keep a place without need
        self.counts_places = False
        # whether it matters when a request ends
        self.listens = self._counts
        # the places of requests whose bodies come slowly
        self._lent = Loans()
        self._queue = Queue(self, self.settings.queue, self.settings.queue_timeout)

    def _strategy_of(self, given: str | BalancingStrategy) -> Any:
        if isinstance(given, str):
            return strategy_from(given, lambda: self.seconds())
        if not callable(getattr(given, "choose", None)):
            raise ConfigError(f"{given!r} is no strategy", "accepted is the name of one, or an IStrategy")
        return given

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
        only = self._only
        if only is not None:
            only.active += 1
            only.served += 1
            return only
        if self.curious:
            return None
        upstream: Upstream | None = self.strategy.choose(None, None, _is_full if self._bounded else None)
        if upstream is None:
            return None
        if upstream.places is not None:
            upstream = self._with_place(upstream, None, None, ())
            if upstream is None:
                return None
        # as in take: a call would cost what this way saves
        upstream.active += 1
        upstream.served += 1
        if self._counts:
            self.strategy.changed(upstream)
        return upstream

    def take_all_unasked(self, count: int) -> Upstream | None:
        """The same for so many, of whom each would be sent to the same one; None, with nothing done, where each has to
        be asked for.
        """
        if self._wake is not NEVER and self.seconds() >= self._wake:
            self.refresh()
        only = self._only
        if only is not None:
            only.active += count
            only.served += count
        return only

    @property
    def _minds(self) -> bool:
        """Whether it matters that it is asked for each turn, though there is but one whose turn it is."""
        return self._bounded or self._counts or self.curious or not type(self.strategy).__dict__.get("alike", False)

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
            self._lent.call_in(tried)
        return granted

    def lend(self, tracker: Tracker, exchange: Uploading) -> Tracker:
        """The place of ``tracker`` is that of an ``exchange`` whose body comes slowly. It is taken back as soon as
        somebody else waits for one.
        """
        loan = self._lent.lend(tracker, exchange)
        if self._queue:
            # It was in the queue itself, for another attempt. Its exchange is just about to begin this one.
            self.clock.callLater(0, self._somebody_waits)
        return loan

    def _somebody_waits(self) -> None:
        if self._queue:
            self._lent.call_in(())

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
        self._only = serving[0] if len(serving) == 1 and not self._minds else None
        self._queue.time_will_tell(self._wake)
        if self._queue:
            self._serve_queue()


def _is_full(upstream: Upstream) -> bool:
    return upstream.active >= upstream.room
