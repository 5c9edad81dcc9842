"""Where raw streams go, and what they may use."""

import datetime

import pytest
from twisted.internet.address import IPv4Address
from twisted.logger import capturedLogs, formatEvent

from txproxy import Allotments, Bandwidth, Pool, Quota
from txproxy.errors import ConnectionRefused, RequestDenied
from txproxy.interfaces import Trace
from txproxy.limits.usage import Usage
from txproxy.stream.stream_factory import StreamFactory
from txproxy.testing import MemoryConnection, ProxyInMemory
from txproxy.upstreams.ejection import Breaker, Ejection
from txproxy.upstreams.pool_settings import PoolSettings


def test_the_next_upstream_is_tried_when_connecting_fails(proxy):
    proxy.network.script = [ConnectionRefused("no")]
    client = proxy.connect()
    assert [address.host for address in proxy.network.dialed] == ["10.0.0.1", "10.0.0.2"]
    client.send(b"x")
    assert proxy.upstream.received == b"x"


def test_without_an_upstream_the_client_is_reset(proxy, ended):
    proxy.network.script = [ConnectionRefused("no"), ConnectionRefused("no")]
    client = proxy.connect()
    proxy.clock.advance(0)
    assert client.reset
    assert [stream.outcome for stream in ended] == ["destination_unavailable"]


def test_a_stream_that_lasts_closes_a_breaker_when_it_is_connected(serve):
    proxy = serve(ejection=Ejection(failures=1))
    proxy.network.script = [ConnectionRefused("no")]
    proxy.connect()
    bad = proxy.pool.upstreams[0]
    assert bad.breaker is Breaker.OPEN
    proxy.advance(31)
    for _ in range(2):
        proxy.connect()
    assert (bad.breaker, bad.active) == (Breaker.CLOSED, 1)


def test_a_stream_that_has_tried_all_primaries_goes_on_to_the_backups(serve):
    proxy = serve()
    proxy.pool.add("http://10.0.0.9:5432;backup")
    proxy.network.script = [ConnectionRefused("no")] * 2
    client = proxy.connect()
    assert [address.host for address in proxy.network.dialed] == ["10.0.0.1", "10.0.0.2", "10.0.0.9"]
    client.send(b"x")
    assert proxy.upstream.received == b"x"


@pytest.mark.parametrize(
    ("longest", "why"), [(0, "the queue of pool is full"), (1, "no upstream of pool had room in time")]
)
def test_who_finds_no_room_is_closed_and_the_pool_says_why(make_proxy, ended, longest, why):
    pool = Pool(["http://10.0.0.1:1;max=1"], settings=PoolSettings(queue=longest, queue_timeout=5))
    proxy = make_proxy(pool)
    proxy.connect()
    second = proxy.connect()
    proxy.advance(6)
    assert second.reset
    assert [(one.outcome, one.detail, one.upstream) for one in ended] == [("destination_unavailable", why, None)]


def test_after_a_failure_it_is_told_of_that_and_not_of_the_queue(make_proxy, ended):
    pool = Pool(["http://10.0.0.1:1", "http://10.0.0.2:1;max=1"], settings=PoolSettings(queue=0))
    proxy = make_proxy(pool)
    for script in ([], [], [ConnectionRefused("no")]):
        proxy.network.script = script
        proxy.connect()
    told = [(one.outcome, one.detail, str(one.upstream)) for one in ended]
    assert told == [("destination_unavailable", "no upstream can be reached: no", "10.0.0.1:1")]


def test_each_attempt_is_in_the_record_with_its_times(make_proxy, ended):
    proxy = make_proxy(Pool(["http://10.0.0.1:1", "http://10.0.0.2:1"]))
    proxy.network.script = ["hang"]
    client = proxy.connect()
    proxy.clock.advance(2)
    proxy.network.hanging.pop()[0].errback(ConnectionRefused("no"))
    proxy.clock.advance(3)
    client.drop(clean=True)
    (stream,) = ended
    first, second = stream.record.attempts
    assert (str(first.address), first.fault.detail, first.connected, first.ended) == ("10.0.0.1:1", "no", None, 2.0)
    assert (str(second.address), second.fault, second.connected, second.ended) == ("10.0.0.2:1", None, 2.0, 5.0)
    assert (stream.record.first_byte, stream.seconds, str(stream.upstream)) == (2.0, 5.0, "10.0.0.2:1")


def test_a_trace_tells_whom_the_pool_has_chosen(make_proxy):
    proxy = make_proxy(Pool(["http://10.0.0.1:1", "http://10.0.0.2:1"]))
    stream = proxy.factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 50000))
    trace = stream.context.trace = Trace()
    client = MemoryConnection(proxy.clock, stream)
    client.drop()
    said = str(trace).splitlines()
    assert "http://10.0.0.1:1: chosen" in said[1] and said[3] == "sent: nothing; a tunnel to 10.0.0.1:1"


class Failing:
    """Somebody else's program, which has a fault."""

    def __call__(self, *words):
        raise KeyError("own")


def test_a_dialer_that_raises_is_a_failed_attempt(make_proxy, ended):
    proxy = make_proxy(Pool(["http://10.0.0.1:1", "http://10.0.0.2:1"]))
    proxy.network.dial = Failing()
    with capturedLogs() as events:
        client = proxy.connect()
    proxy.clock.advance(0)
    assert client.reset
    assert [(one.outcome, one.detail) for one in ended] == [
        ("destination_unavailable", "no upstream can be reached: dialing failed")
    ]
    assert [event["log_failure"].type for event in events if "log_failure" in event] == [KeyError] * 2


@pytest.mark.parametrize("method", ["take", "wait", "address_for"])
@pytest.mark.parametrize("tried", [False, True])
def test_a_pool_that_fails_closes_the_stream_and_keeps_no_place(make_proxy, ended, method, tried):
    pool = Pool(["http://10.0.0.1:1"] if method == "wait" else ["http://10.0.0.1:1", "http://10.0.0.2:1"])
    proxy = make_proxy(pool)
    if tried:
        proxy.network.script = ["hang"]
    elif method == "wait":
        pool.disable("http://10.0.0.1:1")
    client = proxy.connect() if tried else None
    setattr(pool, method, Failing())
    with capturedLogs() as events:
        if tried:
            proxy.network.hanging.pop()[0].errback(ConnectionRefused("no"))
        else:
            client = proxy.connect()
    proxy.clock.advance(0)
    assert client.reset
    assert [(one.outcome, one.detail) for one in ended] == [("proxy_internal_error", "the mode failed")]
    assert [event["log_failure"].type for event in events if "log_failure" in event] == [KeyError]
    assert [upstream.active for upstream in pool.upstreams] == [0] * len(pool.upstreams)


def test_a_strategy_that_fails_while_a_stream_waits_is_said_as_its_own_fault(make_proxy, ended):
    pool = Pool(["http://10.0.0.1:1;max=1"])
    proxy = make_proxy(pool)
    first, second = proxy.connect(), proxy.connect()
    pool.take = Failing()
    with capturedLogs() as events:
        first.drop()
    assert [(one.outcome, one.detail) for one in ended if one.outcome != "ok"] == [
        ("proxy_internal_error", "the mode failed")
    ]
    assert [event["log_failure"].type for event in events if "log_failure" in event] == [KeyError]
    proxy.clock.advance(0)
    assert second.reset


# -- what a client may use


@pytest.fixture
def bounded(ended):
    made = []

    def run(**words):
        def build(reactor):
            usage = Usage(reactor, now=lambda: datetime.datetime(2026, 3, 30))
            bounds = Allotments(reactor, usage=usage, **words).bounds
            pool = Pool(["http://10.0.0.1:5432"])
            return StreamFactory(pool, bounds=bounds, observers=(ended.append,), reactor=reactor)

        made.append(ProxyInMemory(build))
        return made[0]

    yield run
    for one in made:
        one.close()


def test_both_directions_are_shaped(bounded):
    proxy = bounded(bandwidths=[Bandwidth(down=4000, up=8000)])
    client = proxy.connect()
    client.send(bytes(4000))
    proxy.upstream.send(bytes(4000))
    assert (len(proxy.upstream.received), len(client.received)) == (2000, 1000)
    proxy.advance(0.2)
    assert 3000 <= len(proxy.upstream.received) < 4000 and 1500 <= len(client.received) < 3000
    proxy.advance(0.7)
    assert len(proxy.upstream.received) == len(client.received) == 4000


def test_a_quota_that_is_used_up_ends_the_stream_and_refuses_the_next(bounded, ended):
    proxy = bounded(quotas=[Quota(day=1000)])
    client = proxy.connect()
    client.send(bytes(600))
    proxy.upstream.send(bytes(600))
    proxy.advance(2.1)
    assert client.closed and proxy.upstream.closed
    with capturedLogs() as events:
        refused = proxy.connect()
    proxy.clock.advance(0)
    assert refused.reset
    assert len(proxy.network.dialed) == 1
    why = "client 127.0.0.1 has used up the day's 1000 bytes"
    told = [(one.outcome, one.detail, one.received, one.sent) for one in ended]
    assert told == [("ok", why, 600, 600), ("http_request_denied", why, 0, 0)]
    assert ended[1].context.verdict.rule == "quotas"
    assert any(why in formatEvent(event) for event in events)
    # Others have theirs.
    proxy.connect("192.0.2.1").send(b"x")
    assert proxy.upstream.received == b"x"


def test_what_a_stream_uses_is_counted_when_it_ends(bounded, ended):
    proxy = bounded(quotas=[Quota(day=1000)])
    client = proxy.connect()
    client.send(bytes(1000))
    client.drop()
    proxy.clock.advance(0)
    assert proxy.connect().disconnecting
    assert ended[0].seconds == 0.0 and ended[0].received == 1000


def test_what_is_held_back_of_a_client_that_has_left_still_passes(bounded, ended):
    proxy = bounded(bandwidths=[Bandwidth(up=1000)])
    client = proxy.connect()
    client.send(bytes(1000))
    client.drop(clean=True)
    assert ended == [] and len(proxy.upstream.received) < 1000
    proxy.advance(2)
    assert len(proxy.upstream.received) == 1000
    assert [(one.outcome, one.received) for one in ended] == [("ok", 1000)]


def test_who_may_use_nothing_takes_nobodys_turn(make_proxy, ended):
    def find(client_ip, user, rule):
        if client_ip == "192.0.2.1":
            raise RequestDenied("no more")

    pool = Pool(["http://10.0.0.1:1", "http://10.0.0.2:1"])
    proxy = make_proxy(pool, bounds=find)
    proxy.connect()
    proxy.connect("192.0.2.1")
    proxy.connect()
    assert [address.host for address in proxy.network.dialed] == ["10.0.0.1", "10.0.0.2"]
    assert [(one.client_ip, one.outcome, one.detail) for one in ended] == [
        ("192.0.2.1", "http_request_denied", "no more")
    ]


def test_a_quota_that_others_use_up_ends_a_stream_that_is_not_connected_yet(bounded, ended):
    proxy = bounded(quotas=[Quota(day=1000)])
    client = proxy.connect()
    proxy.network.script = ["hang"]
    waiting = proxy.connect()
    client.send(bytes(1001))
    proxy.advance(2.1)
    assert waiting.reset and proxy.network.hanging[0][0].called
    assert {one.outcome for one in ended} == {"ok", "http_request_denied"}
