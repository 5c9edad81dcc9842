"""Where an upstream has so many places, a request with a body takes one when the first part of that is there."""

from collections import Counter

import pytest

from tests.proxy.exchanges.test_exchange import GET, OK, POST, status
from txproxy import Limits, Pool, PoolSettings, ReverseProxyFactory
from txproxy.errors import DialError, UpstreamUnavailable
from txproxy.interfaces.plan import Postponed
from txproxy.proxy.exchanges.early_body import FIRST_PART
from txproxy.testing import ProxyInMemory
from txproxy.upstreams.ejection import Breaker, Ejection

HEAD = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
CHUNKED = b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
LONG = HEAD % 1_000_000
BEGUN = b"HTTP/1.1 200 OK\r\nDate: D\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n"


@pytest.fixture
def make():
    made = []

    def make(*upstreams, limits=None, **pool):
        pool = Pool(upstreams or ["http://10.0.0.1;max=1"], **pool)
        made.append(ProxyInMemory(lambda reactor: ReverseProxyFactory(pool, limits=limits, via=None, reactor=reactor)))
        made[-1].pool = pool
        return made[-1]

    yield make
    for proxy in made:
        proxy.close()
        assert [upstream.active for upstream in proxy.pool.upstreams] == [0] * len(proxy.pool.upstreams)
        assert not proxy.pool._lent


def carried(proxy):
    """Bodies, or what there is of them, as the upstreams got them."""
    return [connection.received.partition(b"\r\n\r\n")[2] for connection in proxy.network.connections]


def ask(proxy, request=GET):
    client = proxy.connect()
    client.send(request)
    return client


@pytest.mark.parametrize("begin", [LONG, CHUNKED, LONG + b"x", CHUNKED + b"1\r\nx\r\n"])
def test_who_sends_no_body_keeps_nobody_from_a_place(make, begin):
    proxy = make("http://10.0.0.1;max=4")
    slow = [ask(proxy, begin) for _ in range(4)]
    assert not proxy.network.connections
    for seconds in range(60):
        other = ask(proxy)
        proxy.upstream.send(OK)
        assert other.received == OK
        for at, client in enumerate(slow):
            client.send(b"x" if begin.startswith(LONG) else b"1\r\nx\r\n")
            if client.closed or client.ended:
                assert status(client.received) == 408
                # as whoever means it does
                slow[at] = ask(proxy, begin)
        proxy.advance(1)
        # now they may have all the places that there are
        assert proxy.pool.upstreams[0].active <= 4, seconds


def test_a_body_that_comes_with_its_head_waits_for_nothing(make):
    proxy = make()
    client = ask(proxy, POST)
    assert carried(proxy) == [b"hello"]
    proxy.upstream.send(OK)
    assert client.received == OK
    assert proxy.pool.upstreams[0].served == 1


def test_a_body_that_comes_after_its_head_goes_whole(make):
    proxy = make()
    client = ask(proxy, HEAD % 10)
    client.send(b"12345")
    assert not proxy.network.connections and not proxy.pool.upstreams[0].active
    client.send(b"67890")
    assert carried(proxy) == [b"1234567890"]
    proxy.upstream.send(OK)
    assert client.received == OK


def test_chunks_and_trailers_are_kept(make):
    proxy = make()
    client = ask(proxy, CHUNKED.replace(b"\r\n\r\n", b"\r\nTrailer: X-Sum\r\n\r\n") + b"3\r\nabc\r\n")
    client.send(b"3\r\ndef\r\n0\r\nX-Sum: 6\r\n\r\n")
    assert carried(proxy) == [b"3\r\nabc\r\n3\r\ndef\r\n0\r\nX-Sum: 6\r\n\r\n"]


def test_the_first_part_of_a_long_one_is_enough(make):
    proxy = make()
    client = ask(proxy, LONG + b"x" * (FIRST_PART - 1))
    assert not proxy.network.connections
    client.send(b"x")
    assert carried(proxy) == [b"x" * FIRST_PART]
    client.send(b"y")
    assert carried(proxy) == [b"x" * FIRST_PART + b"y"]
    # The place is its own now, however slow it is.
    other = ask(proxy)
    proxy.advance(2)
    assert not client.received and not other.received
    client.send(b"x" * (1_000_000 - FIRST_PART - 1))
    proxy.upstream.send(OK)
    assert client.received == OK
    proxy.upstream.send(OK)
    assert other.received == OK


def test_who_waits_for_the_response_first_goes_on_where_there_is_room(make):
    proxy = make()
    client = ask(proxy, CHUNKED + b"1\r\nq\r\n")
    proxy.advance(2)
    assert carried(proxy) == [b"1\r\nq\r\n"]
    proxy.upstream.send(BEGUN)
    client.send(b"1\r\nr\r\n")
    assert carried(proxy) == [b"1\r\nq\r\n1\r\nr\r\n"]
    # What is answered has its place for good.
    other = ask(proxy)
    proxy.advance(2)
    assert client.received == BEGUN and not other.received
    client.send(b"0\r\n\r\n")
    proxy.upstream.send(b"0\r\n\r\n")
    proxy.upstream.send(OK)
    assert other.received == OK


def test_and_leaves_as_soon_as_somebody_waits(make):
    proxy = make()
    client = ask(proxy, CHUNKED + b"1\r\nq\r\n")
    proxy.advance(2)
    upstream = proxy.upstream
    other = ask(proxy)
    assert status(client.received) == 408 and upstream.reset
    proxy.upstream.send(OK)
    assert other.received == OK


def test_who_has_sent_the_first_part_by_then_stays(make):
    proxy = make()
    client = ask(proxy, LONG)
    proxy.advance(2)
    client.send(b"x" * FIRST_PART)
    other = ask(proxy)
    proxy.advance(2)
    assert not client.received and not other.received


def test_where_there_is_no_room_it_waits_on(make):
    proxy = make()
    client = ask(proxy, CHUNKED + b"1\r\nq\r\n")
    other = ask(proxy)
    # It is in nobody's way there, and does not wait in the queue, where it had too little time.
    proxy.advance(20)
    assert len(proxy.network.connections) == 1 and not client.received and not proxy.pool.waiting
    proxy.upstream.send(OK)
    assert other.received == OK
    proxy.advance(2)
    assert proxy.upstream.received.endswith(b"1\r\nq\r\n")
    proxy.upstream.send(OK)
    assert status(client.received) == 200


def test_a_rate_is_asked_of_who_waits_as_well(make):
    proxy = make()
    client = ask(proxy, LONG)
    ask(proxy)
    for _ in range(29):
        client.send(b"x")
        proxy.advance(1)
    assert not client.received
    proxy.advance(4)
    assert status(client.received) == 408


@pytest.mark.parametrize(("version", "says"), [(b"1", b"HTTP/1.1 100 Continue\r\n\r\n"), (b"0", b"")])
def test_who_asks_whether_it_may_send_is_told_so(make, version, says):
    proxy = make()
    head = (
        (HEAD % 4).replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n").replace(b"HTTP/1.1", b"HTTP/1." + version)
    )
    client = ask(proxy, head)
    assert not proxy.network.connections and client.take() == says
    client.send(b"body")
    assert carried(proxy) == [b"body"]
    proxy.upstream.send(OK)
    assert status(client.received) == 200


def test_what_is_too_large_is_refused_before_anybody_is_asked(make):
    proxy = make(limits=Limits(max_body_size=5))
    client = ask(proxy, CHUNKED + b"3\r\nabc\r\n")
    client.send(b"3\r\ndef\r\n")
    # The limit of the whole proxy is the codec's.
    assert status(client.received) == 413 and not proxy.network.connections


def test_what_is_malformed_as_well(make):
    proxy = make()
    client = ask(proxy, CHUNKED + b"3\r\nabc\r\n")
    client.send(b"x\r\n")
    assert status(client.received) == 400 and not proxy.network.connections


def test_a_client_that_leaves_leaves_nothing(make):
    proxy = make()
    client = ask(proxy, LONG + b"abc")
    client.drop()
    proxy.advance(2)
    assert not proxy.network.connections


def test_what_was_gathered_goes_to_another_if_the_first_cannot_be_reached(make):
    proxy = make("http://10.0.0.1;max=1", "http://10.0.0.2;max=1")
    proxy.network.script.append(DialError("refused"))
    client = ask(proxy, HEAD % 6)
    client.send(b"abc")
    client.send(b"def")
    assert len(proxy.network.dialed) == 2 and carried(proxy) == [b"abcdef"]
    proxy.upstream.send(OK)
    assert client.received == OK


def test_whose_body_is_not_there_waits_outside_of_the_queue(make):
    proxy = make()
    first = ask(proxy)
    second = ask(proxy, HEAD % 6)
    third = ask(proxy)
    second.send(b"abc")
    assert proxy.pool.waiting == 1
    # It is not too late after the time that one may be in the queue either.
    proxy.advance(proxy.pool.settings.queue_timeout - 1)
    proxy.upstream.send(OK)
    proxy.upstream.send(OK)
    assert first.received == OK and third.received == OK and not second.received
    second.send(b"def")
    proxy.upstream.send(OK)
    assert second.received == OK


def asked(proxy):
    """Who got a request, in this order."""
    return [one.address.host for one in proxy.network.connections if one.received]


TWO = ("http://10.0.0.1;max=2", "http://10.0.0.2;max=2")
PUT = LONG.replace(b"POST", b"PUT")


def test_who_goes_on_without_is_repeated_no_more_often_than_others(make):
    proxy = make(*TWO, settings=PoolSettings(retries=1))
    client = ask(proxy, PUT)
    for _ in range(20):
        proxy.advance(1)
        for connection in proxy.network.connections:
            if connection.received and not connection.closed:
                connection.drop()
    assert asked(proxy) == ["10.0.0.1", "10.0.0.2"]
    assert status(client.received) == 502


def test_a_place_at_another_is_lent_as_well(make):
    proxy = make("http://10.0.0.1;max=1", "http://10.0.0.2;max=1", settings=PoolSettings(retries=1))
    client = ask(proxy, PUT)
    proxy.advance(2)
    proxy.upstream.drop()
    assert asked(proxy) == ["10.0.0.1", "10.0.0.2"]
    ask(proxy)
    assert not client.received
    ask(proxy)
    assert status(client.received) == 408


def test_nobody_waits_behind_one_that_was_in_the_queue_for_another_attempt(make):
    proxy = make("http://10.0.0.1;max=1", "http://10.0.0.2;max=1", settings=PoolSettings(retries=1))
    client = ask(proxy, PUT)
    proxy.advance(2)
    first = ask(proxy)
    proxy.network.connections[0].drop()
    other = ask(proxy)
    # One of them is at the first, and has nothing to do with it.
    third = ask(proxy)
    assert proxy.pool.waiting == 2 and not client.received
    proxy.network.connections[1].send(OK)
    proxy.advance(0.1)
    assert first.received == OK and status(client.received) == 408 and proxy.pool.waiting == 0
    for connection in proxy.network.connections:
        if not connection.closed:
            connection.send(OK)
    assert other.received == third.received == OK


def test_the_rate_counts_on_when_the_upstream_goes(make):
    proxy = make(*TWO, settings=PoolSettings(retries=1))
    client = ask(proxy, PUT)
    proxy.advance(20)
    proxy.upstream.drop()
    assert asked(proxy) == ["10.0.0.1", "10.0.0.2"]
    proxy.advance(8)
    assert not client.received
    proxy.advance(4)
    assert status(client.received) == 408


def in_two_parts(proxy, client_count):
    """As many requests one after the other, whose bodies come after their heads; gives who got how many."""
    got = Counter()
    for _ in range(client_count):
        client = ask(proxy, HEAD % 4)
        client.send(b"body")
        (connection,) = [one for one in proxy.network.connections if one.take().endswith(b"body")]
        connection.send(OK)
        assert client.received == OK
        got[connection.address.host] += 1
    return got


@pytest.mark.parametrize(
    ("strategy", "weight", "share"),
    [("round-robin", 1, 20), ("round-robin", 3, 30), ("least-connections", 1, 20), ("ip-hash", 1, 0)],
)
def test_bodies_that_come_after_their_heads_are_shared_out_as_others_are(make, strategy, weight, share):
    proxy = make("http://10.0.0.1;max=9", f"http://10.0.0.2;max=9;weight={weight}", strategy=strategy)
    got = in_two_parts(proxy, 40)
    assert got["10.0.0.2"] in ((share, 40 - share) if not share else (share,))
    assert sum(upstream.served for upstream in proxy.pool.upstreams) == 40


@pytest.mark.parametrize("before", [0, 1])
def test_who_was_ejected_gets_its_trial_by_such_requests_too(make, before):
    proxy = make(*TWO, settings=PoolSettings(ejection=Ejection(failures=1)))
    bad = proxy.pool.upstreams[0]
    bad.struck("for a test")
    proxy.advance(31)
    in_two_parts(proxy, before)
    in_two_parts(proxy, 2)
    assert bad.served and bad.breaker is Breaker.CLOSED


def test_a_body_that_does_not_come_takes_no_trial(make):
    proxy = make(*TWO, settings=PoolSettings(ejection=Ejection(failures=1)))
    bad = proxy.pool.upstreams[0]
    bad.struck("for a test")
    proxy.advance(31)
    ask(proxy, LONG)
    assert not bad.served
    in_two_parts(proxy, 2)
    assert bad.served == 1 and bad.breaker is Breaker.CLOSED


def test_a_pool_without_anybody_waits_for_no_body(make):
    proxy = make()
    proxy.pool.disable("http://10.0.0.1")
    client = ask(proxy, LONG)
    assert status(client.received) == 503


def test_nor_does_one_that_has_lost_all(make):
    proxy = make()
    client = ask(proxy, LONG)
    proxy.pool.disable("http://10.0.0.1")
    proxy.advance(2)
    assert status(client.received) == 503


def test_without_a_bound_the_head_goes_at_once(make):
    proxy = make("http://10.0.0.1")
    ask(proxy, LONG)
    assert carried(proxy) == [b""]


def raising(fault):
    def decide(late):
        raise fault

    return decide


@pytest.mark.parametrize(
    ("postponed", "said"),
    [
        (Postponed(raising(UpstreamUnavailable("nobody")), lambda tracker, exchange: tracker), 503),
        (Postponed(raising(RuntimeError("a mistake")), lambda tracker, exchange: tracker), 500),
    ],
)
def test_a_decision_that_cannot_be_made_is_answered_and_asks_nobody(proxy, postponed, said):
    proxy.factory.handle = lambda head, context: postponed
    client = ask(proxy, POST)
    assert status(client.received) == said and not proxy.network.dialed


def test_what_the_plan_to_come_will_not_take_is_not_waited_for(proxy):
    postponed = Postponed(raising(AssertionError), lambda tracker, exchange: tracker, max_body=4)
    proxy.factory.handle = lambda head, context: postponed
    assert status(ask(proxy, HEAD % 5).received) == 413
