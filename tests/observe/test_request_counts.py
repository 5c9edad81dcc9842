"""What is counted of what has ended."""

import attrs
import pytest

from txproxy.cache.answering.cache_status import CacheVerdict, ForwardedFor, Served
from txproxy.interfaces.connection import ClientConnection
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.record import ExchangeRecord
from txproxy.observe.request_counts import BOUNDS, RequestCounts
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead


def record(method=b"GET", status=200, rule="", outcome="ok", seconds=0.003, first_byte=0.002, attempts=1, cache=None):
    context = RequestContext(ClientConnection("127.0.0.1"))
    context.rule, context.cache = rule, cache
    request = RequestHead(method, b"/", Headers.from_lines([]))
    return ExchangeRecord(
        request, context, outcome, "", status, 10, 5, tuple(object() for _ in range(attempts)), first_byte, seconds
    )


@pytest.fixture
def counts():
    return RequestCounts()


def test_requests_are_counted_by_route_status_and_method(counts):
    for more in ({}, {}, {"status": 404}, {"method": b"POST"}, {"rule": "api"}):
        counts.exchange(record(**more))
    assert {key: row.count for key, row in counts.rows.items()} == {
        ("", 200, b"GET"): 2, ("", 404, b"GET"): 1, ("", 200, b"POST"): 1, ("api", 200, b"GET"): 1,
    }  # fmt: skip
    route = counts.routes[""]
    assert (route.sent, route.received, route.retries) == (40, 20, 0)


@pytest.mark.parametrize(("seconds", "place"), [(0.0, 0), (0.001, 0), (0.0011, 1), (60.0, 14), (61.0, 15), (1e9, 15)])
def test_how_long_they_take_is_counted_by_bounds(counts, seconds, place):
    counts.exchange(record(seconds=seconds, first_byte=None))
    route = counts.routes[""]
    assert route.durations.counts == [int(at == place) for at in range(len(BOUNDS) + 1)]
    assert route.durations.seconds == seconds and sum(route.first_bytes.counts) == 0
    counts.exchange(record(first_byte=0.3))
    assert sum(route.first_bytes.counts) == 1 and route.first_bytes.seconds == 0.3


def test_what_clients_make_up_is_no_row_of_its_own(counts):
    for number in range(500):
        counts.exchange(record(method=b"M%d" % number))
    assert [(key, row.count) for key, row in counts.rows.items()] == [(("", 200, b"other"), 500)]
    for number in range(2000):
        counts.exchange(record(rule=f"r{number}"))
    assert len(counts.routes) <= 1001 and sum(row.count for row in counts.rows.values()) == 2500


def test_retries_and_failures_are_counted(counts):
    for outcome, attempts in [("ok", 3), ("tunnel", 1), ("answered", 0), ("client-gone", 1), ("connection_refused", 2)]:
        counts.exchange(record(outcome=outcome, attempts=attempts))
    assert counts.routes[""].retries == 3
    assert counts.failures == {"client-gone": 1, "connection_refused": 1}


def test_what_the_cache_has_done_is_counted(counts):
    hit = CacheVerdict(served=Served.HIT)
    miss = CacheVerdict(served=Served.MISS, forwarded=ForwardedFor.URI_MISS, stored=True)
    for verdict in (hit, hit, miss, None):
        counts.exchange(record(cache=verdict))
    assert counts.cache == {(Served.HIT, None): 2, (Served.MISS, ForwardedFor.URI_MISS): 1}
    assert counts.cache_stored == 1


def test_streams_are_counted(counts):
    @attrs.define
    class Stream:
        outcome: str
        sent: int = 3
        received: int = 4

    for outcome in ("ok", "ok", "connection_refused"):
        counts.stream(Stream(outcome))
    assert counts.streams == {"ok": 2, "connection_refused": 1} and counts.stream_bytes == [9, 12]
