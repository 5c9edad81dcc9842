"""What became of the requests of a listener, in numbers: as many as its configuration has names for."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from txproxy.interfaces.record import AttemptRecord, ExchangeRecord, FinishedExchange, FinishedStream, momentary
from txproxy.upstreams.choice import PoolAttempt
from txproxy.upstreams.pool import Pool

# Upper bounds of durations, in seconds.
BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_METHODS: Final = frozenset(b"GET HEAD POST PUT PATCH DELETE OPTIONS TRACE CONNECT".split())
_OTHER: Final = b"other"
# So many names of routes and rules are told apart. A configuration has fewer; an embedder's middleware may not.
_MOST_ROUTES: Final = 1000
# by route, status, method, pool and upstream
Key: TypeAlias = "tuple[str, int, bytes, str, str]"
_NOWHERE: Final = ("", "")
_WELL: Final = frozenset({"ok", "tunnel", "answered"})
# So many of one row are counted together: it takes less than to look at each, and what is needed for that is then at
# hand in the processor.
MOST_TOLD: Final = 256
# To sort fewer than these takes longer than to look at each.
_FEW: Final = 8
# So many upstreams have rows at hand.
_MOST_AT_HAND: Final = 64


class Histogram:
    """How often something took how long. ``counts`` are those up to each of the bounds and not up to the one before,
    and last those above all; ``seconds`` is their sum.
    """

    __slots__ = ("counts", "seconds")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        """It took so long once more."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds

    def add_all(self, counts: Sequence[int], seconds: float) -> None:
        """What another one has counted."""
        self.counts = [one + other for one, other in zip(self.counts, counts, strict=True)]
        self.seconds += seconds


class Route:
    """The requests of one route or rule: how long they took in all, and until the response began, those that were
    tried again, and their bodies' bytes.
    """

    __slots__ = ("durations", "first_bytes", "retries", "sent", "received")

    def __init__(self) -> None:
        self.durations = Histogram()
        self.first_bytes = Histogram()
        self.retries = 0
        self.sent = 0
        self.received = 0


class Timed:
    """How long the requests took that an upstream was asked last for, and how long it was until their responses
    began.
    """

    __slots__ = ("durations", "first_bytes")

    def __init__(self) -> None:
        self.durations = Histogram()
        self.first_bytes = Histogram()


class Times:
    """How long something took: ``counts`` and ``seconds`` as a :class:`Histogram` has them, without what is ``told``,
    which is still to be counted.
    """

    __slots__ = ("counts", "seconds", "told")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0
        self.told: list[float] = []

    def settle(self) -> None:
        """Count what was told."""
        told, counts = self.told, self.counts
        self.seconds += sum(told)
        if len(told) < _FEW:
            for one in told:
                counts[bisect_left(BOUNDS, one)] += 1
        else:
            told.sort()
            before, count = 0, len(told)
            for place in range(bisect_left(BOUNDS, told[0]), len(BOUNDS)):
                up_to = bisect_right(told, BOUNDS[place])
                counts[place] += up_to - before
                before = up_to
                if up_to == count:
                    break
            counts[-1] += count - before
        told.clear()


class Row:
    """The requests of one route, status and method that one upstream was asked last for, or none. All that is counted
    of a request is added to one of these, without another look-up: what is asked of a route or an upstream is the sum
    of its rows. Those whose responses have begun and ended at once, as small ones do, are in ``at_once``, and not in
    ``durations`` and ``first_bytes``.

    ``rule`` and ``method`` are those of the request that was last told of: rows may be of several that have no row of
    their own.
    """

    __slots__ = (
        "rule", "method", "at_once", "durations", "first_bytes", "sizes", "retries", "sent", "received",
    )  # fmt: skip

    def __init__(self) -> None:
        self.rule = ""
        self.method = b""
        self.at_once = Times()
        self.durations = Times()
        self.first_bytes = Times()
        # of the responses that are still to be counted
        self.sizes: list[int] = []
        self.retries = self.sent = self.received = 0

    def settle(self) -> None:
        """Count what was told."""
        self.sent += sum(self.sizes)
        self.sizes.clear()
        for one in (self.at_once, self.durations, self.first_bytes):
            if one.told:
                one.settle()

    def add_times(self, durations: Histogram, first_bytes: Histogram) -> None:
        """Add to these how long they took, and until they began."""
        for kept in (durations, first_bytes):
            kept.add_all(self.at_once.counts, self.at_once.seconds)
        durations.add_all(self.durations.counts, self.durations.seconds)
        first_bytes.add_all(self.first_bytes.counts, self.first_bytes.seconds)

    @property
    def count(self) -> int:
        """So many they are."""
        return sum(self.at_once.counts) + sum(self.durations.counts)


# of no method that a request could have
_NO_ROW: Final = Row()
_NO_ROW.method = b" "


def _place(upstream: Any) -> tuple[str, str]:
    """The names of the pool and of an upstream of it."""
    pool = upstream.pool if upstream is not None else None
    return (pool.name, upstream.name) if isinstance(pool, Pool) else _NOWHERE


def _nobody(record: ExchangeRecord, is_stream: bool) -> None:
    """Nobody wants to know."""


class RequestCounts:
    """What is counted of one listener. It is told of each exchange, and of each raw stream, that is over. ``failed`` is
    told of those that may have failed, and whether each was a raw stream.
    """

    __slots__ = (
        "connects", "failures", "cache", "cache_stored", "streams", "stream_bytes", "_rows", "_rules", "_at_hand",
        "_failed",
    )  # fmt: skip

    def __init__(self, failed: Callable[[ExchangeRecord, bool], None] = _nobody) -> None:
        self._failed = failed
        # by route, status and method, and by the pool and the upstream, which are empty where it is none of a pool
        self._rows: dict[Key, Row] = {}
        self._rules: set[str] = set()
        # by upstream and status, the rows that were told of one last
        self._at_hand: dict[Any, dict[int, Row]] = {}
        # how long it took to connect, by pool and upstream
        self.connects: dict[tuple[str, str], Histogram] = {}
        # by outcome
        self.failures: dict[str, int] = {}
        # by what the cache has done with them, and why they were sent on
        self.cache: dict[tuple[Any, Any], int] = {}
        self.cache_stored = 0
        # by outcome
        self.streams: dict[str, int] = {}
        # to clients, and from them
        self.stream_bytes = [0, 0]

    @property
    def rows(self) -> dict[Key, Row]:
        """What was counted, by route, status, method, pool and upstream."""
        self._settle()
        return self._rows

    @property
    def routes(self) -> dict[str, Route]:
        """What was counted of each route, in the order in which they had their first request."""
        found: dict[str, Route] = {}
        for (rule, *_), row in self.rows.items():
            route = found.setdefault(rule, Route())
            row.add_times(route.durations, route.first_bytes)
            route.retries += row.retries
            route.sent += row.sent
            route.received += row.received
        return found

    @property
    def upstreams(self) -> dict[tuple[str, str], Timed]:
        """How long requests took, by the pool and the upstream that was asked last for them."""
        found: dict[tuple[str, str], Timed] = {}
        for (_, _, _, pool, upstream), row in self.rows.items():
            if upstream:
                timed = found.setdefault((pool, upstream), Timed())
                row.add_times(timed.durations, timed.first_bytes)
        return found

    @momentary
    def exchange(self, over: FinishedExchange) -> None:
        """One that is over."""
        standing, status = over.standing, over.status
        if standing is not None and status < 500:
            # It has gone well, at once, and there is no more to be counted of it.
            upstream = over.tracker
            try:
                row = self._at_hand[upstream][status]
            except KeyError:
                row = _NO_ROW
            if row.rule != standing.rule or row.method != over.request.method:
                row = self._take_up(standing.rule, status, over.request.method, upstream)
            row.at_once.told.append(over.seconds)
            sizes = row.sizes
            sizes.append(over.sent)
            if len(sizes) >= MOST_TOLD:
                row.settle()
            return
        context, request, plan = over.context, over.request, over.plan
        attempt: Any = plan.attempt if plan is not None else over.attempt
        upstream = attempt.upstream if attempt is not None else None
        try:
            row = self._at_hand[upstream][status]
        except KeyError:
            row = _NO_ROW
        if row.rule != context.rule or row.method != request.method:
            row = self._take_up(context.rule, status, request.method, upstream)
        seconds, first_byte = over.seconds, over.first_byte
        # Small responses begin and end at once.
        if seconds == first_byte:
            row.at_once.told.append(seconds)
        else:
            row.durations.told.append(seconds)
            if first_byte is not None:
                row.first_bytes.told.append(first_byte)
        sizes = row.sizes
        sizes.append(over.sent)
        outcome = over.outcome
        if outcome != "ok" or status >= 500 or request.body or over.eventful or context.cache is not None:
            self._count_more(over, row, outcome)
        if len(sizes) >= MOST_TOLD:
            row.settle()

    def _take_up(self, rule: str, status: int, method: bytes, upstream: Any) -> Row:
        """The row of such requests, from now on at hand."""
        rows = self._at_hand.get(upstream)
        if rows is None:
            if len(self._at_hand) >= _MOST_AT_HAND:
                self._settle()
            self._at_hand[upstream] = rows = {}
        rows[status] = row = self.row(rule, status, method, upstream)
        row.rule, row.method = rule, method
        return row

    def _settle(self) -> None:
        """Count all of which it was told."""
        for row in self._rows.values():
            if row.sizes:
                row.settle()
        # Upstreams that are no more are not to be kept here.
        self._at_hand.clear()

    def _count_more(self, over: FinishedExchange, row: Row, outcome: str) -> None:
        """What most have not: a body of its own, a connection to be made, a failure, or a cache."""
        context = over.context
        if over.received or over.eventful:
            row.received += over.received
            attempts = over.attempts
            row.retries += max(0, len(attempts) - 1)
            self._connected(attempts)
        if outcome not in _WELL:
            self.failures[outcome] = self.failures.get(outcome, 0) + 1
        if over.status >= 500 or outcome not in ("ok", "answered"):
            self._failed(ExchangeRecord.of(over), False)
        verdict = context.cache
        if verdict is not None:
            key = (verdict.served, verdict.forwarded)
            self.cache[key] = self.cache.get(key, 0) + 1
            if verdict.stored:
                self.cache_stored += 1

    def _connected(self, attempts: Sequence[AttemptRecord]) -> None:
        """Count how long it took those of ``attempts`` to connect that had to, and went to an upstream of a pool."""
        for one in attempts:
            if one.reused or one.connected is None or not isinstance(one.attempt, PoolAttempt):
                continue
            upstream = one.attempt.upstream
            pool = upstream.pool
            if isinstance(pool, Pool):
                self.connects.setdefault((pool.name, upstream.name), Histogram()).add(one.connected - one.began)

    def row(self, rule: str, status: int, method: bytes, upstream: Any) -> Row:
        """Where such requests are counted, for who does so itself for a while. They have gone well, and have nothing
        that :meth:`_count_more` looks at.
        """
        if method not in _METHODS:
            # A client may make up as many as it likes.
            method = _OTHER
        if rule not in self._rules and len(self._rules) >= _MOST_ROUTES:
            rule = "other"
        self._rules.add(rule)
        return self._rows.setdefault((rule, status, method, *_place(upstream)), Row())

    def stream(self, stream: FinishedStream) -> None:
        """One raw stream that has ended."""
        self.streams[stream.outcome] = self.streams.get(stream.outcome, 0) + 1
        self.stream_bytes[0] += stream.sent
        self.stream_bytes[1] += stream.received
        if stream.record is not None:
            self._failed(stream.record, True)
