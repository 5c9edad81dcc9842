"""What became of the requests of a listener, in numbers: as many as its configuration has names for."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from txproxy.interfaces.record import AttemptRecord, ExchangeRecord
from txproxy.upstreams.choice import PoolAttempt
from txproxy.upstreams.pool import Pool

# Upper bounds of durations, in seconds.
BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_METHODS: Final = frozenset(b"GET HEAD POST PUT PATCH DELETE OPTIONS TRACE CONNECT".split())
_OTHER: Final = b"other"
# So many names of routes and rules are told apart. A configuration has fewer; an embedder's middleware may not.
_MOST_ROUTES: Final = 1000
_WELL: Final = frozenset({"ok", "tunnel", "answered"})


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


class Row:
    """The requests of one route, status and method. All that is counted of a request is added to one of these, without
    another look-up: what is asked of a route is the sum of its rows.
    """

    __slots__ = ("durations", "seconds", "first_bytes", "first_seconds", "retries", "sent", "received")

    def __init__(self) -> None:
        self.durations = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0
        self.first_bytes = [0] * (len(BOUNDS) + 1)
        self.first_seconds = 0.0
        self.retries = self.sent = self.received = 0

    @property
    def count(self) -> int:
        """So many they are."""
        return sum(self.durations)


class FinishedStream(Protocol):
    """A raw stream, as far as it is counted."""

    outcome: str
    sent: int
    received: int
    record: ExchangeRecord | None


def _nobody(record: ExchangeRecord, is_stream: bool) -> None:
    """Nobody wants to know."""


class RequestCounts:
    """What is counted of one listener. It is told of each exchange, and of each raw stream, that is over. ``failed`` is
    told of those that may have failed, and whether each was a raw stream.
    """

    __slots__ = (
        "rows",
        "connects",
        "failures",
        "cache",
        "cache_stored",
        "streams",
        "stream_bytes",
        "_rules",
        "_failed",
    )

    def __init__(self, failed: Callable[[ExchangeRecord, bool], None] = _nobody) -> None:
        self._failed = failed
        # by route, status and method
        self.rows: dict[tuple[str, int, bytes], Row] = {}
        self._rules: set[str] = set()
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
    def routes(self) -> dict[str, Route]:
        """What was counted of each route, in the order in which they had their first request."""
        found: dict[str, Route] = {}
        for (rule, _, _), row in self.rows.items():
            route = found.setdefault(rule, Route())
            route.durations.add_all(row.durations, row.seconds)
            route.first_bytes.add_all(row.first_bytes, row.first_seconds)
            route.retries += row.retries
            route.sent += row.sent
            route.received += row.received
        return found

    def exchange(self, record: ExchangeRecord) -> None:
        """One that is over."""
        context = record.context
        row = self.rows.get((context.rule, record.status, record.request.method))
        if row is None:
            row = self._row(context.rule, record.status, record.request.method)
        seconds = record.seconds
        row.durations[bisect_left(BOUNDS, seconds)] += 1
        row.seconds += seconds
        first_byte = record.first_byte
        if first_byte is not None:
            row.first_bytes[bisect_left(BOUNDS, first_byte)] += 1
            row.first_seconds += first_byte
        row.sent += record.sent
        if record.received:
            row.received += record.received
        attempts = record.attempts
        if attempts and (not attempts[0].reused or len(attempts) > 1):
            row.retries += len(attempts) - 1
            self._connected(attempts)
        outcome = record.outcome
        if outcome == "ok" or outcome == "answered":
            if record.status >= 500:
                self._failed(record, False)
        else:
            if outcome not in _WELL:
                self.failures[outcome] = self.failures.get(outcome, 0) + 1
            self._failed(record, False)
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

    def _row(self, rule: str, status: int, method: bytes) -> Row:
        if method not in _METHODS:
            # A client may make up as many as it likes.
            method = _OTHER
        if rule not in self._rules and len(self._rules) >= _MOST_ROUTES:
            rule = "other"
        self._rules.add(rule)
        return self.rows.setdefault((rule, status, method), Row())

    def stream(self, stream: FinishedStream) -> None:
        """One raw stream that has ended."""
        self.streams[stream.outcome] = self.streams.get(stream.outcome, 0) + 1
        self.stream_bytes[0] += stream.sent
        self.stream_bytes[1] += stream.received
        if stream.record is not None:
            self._failed(stream.record, True)
