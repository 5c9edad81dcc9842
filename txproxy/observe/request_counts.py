"""What became of the requests of a listener, in numbers: as many as its configuration has names for."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any, Final, Protocol

from txproxy.interfaces.record import ExchangeRecord

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
    """So many requests of one ``route``."""

    __slots__ = ("route", "count")

    def __init__(self, route: Route) -> None:
        self.route = route
        self.count = 0


class FinishedStream(Protocol):
    """A raw stream, as far as it is counted."""

    outcome: str
    sent: int
    received: int


class RequestCounts:
    """What is counted of one listener. It is told of each exchange, and of each raw stream, that is over."""

    __slots__ = ("rows", "routes", "failures", "cache", "cache_stored", "streams", "stream_bytes")

    def __init__(self) -> None:
        # by route, status and method
        self.rows: dict[tuple[str, int, bytes], Row] = {}
        self.routes: dict[str, Route] = {}
        # by outcome
        self.failures: dict[str, int] = {}
        # by what the cache has done with them, and why they were sent on
        self.cache: dict[tuple[Any, Any], int] = {}
        self.cache_stored = 0
        # by outcome
        self.streams: dict[str, int] = {}
        # to clients, and from them
        self.stream_bytes = [0, 0]

    def exchange(self, record: ExchangeRecord) -> None:
        """One that is over."""
        context, method = record.context, record.request.method
        row = self.rows.get((context.rule, record.status, method))
        if row is None:
            row = self._row(context.rule, record.status, method)
        row.count += 1
        route = row.route
        seconds = record.seconds
        histogram = route.durations
        histogram.counts[bisect_left(BOUNDS, seconds)] += 1
        histogram.seconds += seconds
        seconds = record.first_byte  # type: ignore[assignment]
        if seconds is not None:
            histogram = route.first_bytes
            histogram.counts[bisect_left(BOUNDS, seconds)] += 1
            histogram.seconds += seconds
        route.sent += record.sent
        route.received += record.received
        if len(record.attempts) > 1:
            route.retries += len(record.attempts) - 1
        if record.outcome not in _WELL:
            self.failures[record.outcome] = self.failures.get(record.outcome, 0) + 1
        verdict = context.cache
        if verdict is not None:
            key = (verdict.served, verdict.forwarded)
            self.cache[key] = self.cache.get(key, 0) + 1
            if verdict.stored:
                self.cache_stored += 1

    def _row(self, rule: str, status: int, method: bytes) -> Row:
        if method not in _METHODS:
            # A client may make up as many as it likes.
            method = _OTHER
        if rule not in self.routes and len(self.routes) >= _MOST_ROUTES:
            rule = "other"
        key = (rule, status, method)
        row = self.rows.get(key)
        if row is None:
            self.rows[key] = row = Row(self.routes.setdefault(rule, Route()))
        return row

    def stream(self, stream: FinishedStream) -> None:
        """One raw stream that has ended."""
        self.streams[stream.outcome] = self.streams.get(stream.outcome, 0) + 1
        self.stream_bytes[0] += stream.sent
        self.stream_bytes[1] += stream.received
