"""What is counted of what has ended."""

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from txproxy.cache.answering.cache_status import CacheVerdict, ForwardedFor, Served
from txproxy.interfaces.address import Address
from txproxy.interfaces.attempt import Attempt
from txproxy.interfaces.connection import ClientConnection
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.record import AttemptRecord, ExchangeRecord
from txproxy.observe.request_counts import BOUNDS, Histogram, RequestCounts, Times
from txproxy.upstreams.choice import PoolAttempt
from txproxy.upstreams.pool import Pool
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead


def attempt(upstream=None, reused=False, began=0.5, connected=0.75):
    """One at an upstream of a pool, or at somebody else's."""
    address = Address("a", 80)
    went = PoolAttempt(upstream, address, None, upstream, None) if upstream is not None else Attempt(address, None)
    return AttemptRecord(went, began, connected, 1.0, reused, None, 200)


def record(method=b"GET", status=200, rule="", outcome="ok", seconds=0.003, first_byte=0.002, attempts=1, cache=None):
    context = RequestContext(ClientConnection("127.0.0.1"))
    context.rule, context.cache = rule, cache
    request = RequestHead(method, b"/", Headers.from_lines([]), body=5)
    made = tuple(attempt(reused=True) for _ in range(attempts)) if isinstance(attempts, int) else attempts
    return ExchangeRecord(request, context, outcome, "", status, 10, 5, made, first_byte, seconds)


@pytest.fixture
def counts():
    return RequestCounts()


def test_requests_are_counted_by_route_status_and_method(counts):
    for more in ({}, {}, {"status": 404}, {"method": b"POST"}, {"rule": "api"}):
        counts.exchange(record(**more))
    assert {key: row.count for key, row in counts.rows.items()} == {
        ("", 200, b"GET", "", ""): 2, ("", 404, b"GET", "", ""): 1, ("", 200, b"POST", "", ""): 1,
        ("api", 200, b"GET", "", ""): 1,
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
    route = counts.routes[""]
    assert sum(route.first_bytes.counts) == 1 and route.first_bytes.seconds == 0.3


def test_what_clients_make_up_is_no_row_of_its_own(counts):
    for number in range(500):
        counts.exchange(record(method=b"M%d" % number))
    assert [(key, row.count) for key, row in counts.rows.items()] == [(("", 200, b"other", "", ""), 500)]
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
        record: object = None

    for outcome in ("ok", "ok", "connection_refused"):
        counts.stream(Stream(outcome))
    assert counts.streams == {"ok": 2, "connection_refused": 1} and counts.stream_bytes == [9, 12]


def test_how_long_it_takes_to_connect_is_counted_by_pool_and_upstream(counts):
    pool = Pool(["http://a:1", "http://b:2"], name="app")
    one, other = pool.upstreams
    for attempts in (
        (attempt(one),),
        (attempt(one, reused=True),),
        (attempt(one, connected=None), attempt(other, began=0.0, connected=0.01)),
        (attempt(one, reused=True), attempt(one)),
        (attempt(),),
        (),
    ):
        counts.exchange(record(attempts=attempts))
    assert {key: (sum(one.counts), one.seconds) for key, one in counts.connects.items()} == {
        ("app", "http://a:1"): (2, 0.5), ("app", "http://b:2"): (1, 0.01),
    }  # fmt: skip
    pool.remove(one)
    counts.exchange(record(attempts=(attempt(one),)))
    assert sum(counts.connects["app", "http://a:1"].counts) == 2, "it is of no pool any more"
    assert counts.routes[""].retries == 2


def test_what_a_route_has_is_the_sum_of_its_rows(counts):
    for more in ({}, {"status": 404, "seconds": 0.2}, {"method": b"POST", "first_byte": None}, {"rule": "api"}):
        counts.exchange(record(**more))
    route = counts.routes[""]
    assert list(counts.routes) == ["", "api"]
    assert (sum(route.durations.counts), route.durations.seconds) == (3, pytest.approx(0.206))
    assert (sum(route.first_bytes.counts), route.first_bytes.seconds) == (2, pytest.approx(0.004))


def test_what_was_not_counted_yet_is_when_somebody_asks(counts):
    for number in range(1, 600):
        counts.exchange(record(seconds=0.5, first_byte=0.5 if number % 2 else 0.25))
        if number in (1, 255, 256, 257):
            assert [row.count for row in counts.rows.values()] == [number]
    route = counts.routes[""]
    assert (sum(route.durations.counts), sum(route.first_bytes.counts)) == (599, 599)
    assert (route.durations.seconds, route.first_bytes.seconds) == (299.5, 299.5 - 299 * 0.25)


def test_how_long_requests_take_is_told_by_the_upstream_that_was_asked_last(counts):
    pool = Pool(["http://a:1", "http://b:2"], name="app")
    one, other = pool.upstreams
    for attempts, more in (
        ((attempt(one),), {}),
        ((attempt(one), attempt(other)), {"seconds": 3.0, "first_byte": 2.0}),
        ((attempt(other, reused=True),), {"rule": "api", "seconds": 1.0, "first_byte": 1.0}),
        ((attempt(other),), {"status": 504, "outcome": "connection_timeout", "seconds": 5.0, "first_byte": None}),
        ((attempt(),), {}),
        ((), {}),
    ):
        counts.exchange(record(attempts=attempts, **more))
    found = {
        key: (sum(one.durations.counts), one.durations.seconds, sum(one.first_bytes.counts), one.first_bytes.seconds)
        for key, one in counts.upstreams.items()
    }
    assert found["app", "http://b:2"] == (3, 9.0, 2, 3.0)
    assert found["app", "http://a:1"][::2] == (1, 1) and len(found) == 2
    assert sum(row.count for row in counts.rows.values()) == 6
    pool.remove(one)
    counts.exchange(record(attempts=(attempt(one),)))
    assert counts.upstreams["app", "http://a:1"].durations.counts == [0, 0, 1] + [0] * (len(BOUNDS) - 2)


SECONDS = st.sampled_from([0.0, *BOUNDS, *(one * 1.0001 for one in BOUNDS), -1.0, 1e9])


@given(st.lists(SECONDS, max_size=40))
def test_what_is_counted_together_is_what_would_be_one_by_one(told):
    times = Times()
    for one in told:
        times.told.append(one)
    times.settle()
    by_itself = Histogram()
    for one in told:
        by_itself.add(one)
    assert times.counts == by_itself.counts and times.seconds == pytest.approx(by_itself.seconds) and not times.told


def test_rows_that_have_their_turns_are_told_apart(counts):
    pool = Pool([f"http://a:{port}" for port in range(1, 101)], name="app")
    for _ in range(3):
        for upstream in pool.upstreams:
            for more in ({}, {"status": 304}, {"method": b"HEAD"}, {"method": b"M"}, {"method": b"N"}, {"rule": "api"}):
                counts.exchange(record(attempts=(attempt(upstream, reused=True),), first_byte=0.003, **more))
    assert len(counts.rows) == 100 * 5
    assert {(key[:3], row.count) for key, row in counts.rows.items()} == {
        (("", 200, b"GET"), 3), (("", 304, b"GET"), 3), (("", 200, b"HEAD"), 3), (("", 200, b"other"), 6),
        (("api", 200, b"GET"), 3),
    }  # fmt: skip
    assert sum(row.sent for row in counts.rows.values()) == 100 * 18 * 10
