"""One upstream: its states over time, and how it is tried again."""

import pytest
from twisted.internet.task import Clock

from tests.upstreams.asking import BAD, BODY, CLIENT, GET, OK, ask, at, eject_first
from txproxy import Pool
from txproxy.upstreams.ejection import Breaker, Ejection
from txproxy.upstreams.pool_settings import PoolSettings
from txproxy.upstreams.upstream import State


def test_slow_start_is_linear_and_not_at_process_start():
    clock = Clock()
    pool = Pool(["http://a;weight=100", "http://b;weight=100"], settings=PoolSettings(slow_start=10), clock=clock)
    a = pool.upstreams[0]
    assert a.effective == 100
    a.checked(False, "down")
    a.checked(True, "")
    shares = []
    for _ in range(11):
        pool.take(None, CLIENT).ended(None, 200)
        shares.append(round(a.effective))
        clock.advance(1)
    assert shares == [10, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100]
    added = pool.add("http://c;weight=100")
    assert added.effective == 10


def test_a_drain_keeps_pinned_clients_until_its_deadline(serve):
    proxy = serve(2, sticky="cookie")
    first = proxy.connect()
    first.send(GET)
    assert proxy.upstream.address.host == "10.0.0.1"
    proxy.upstream.send(OK)
    cookie = next(line for line in first.received.split(b"\r\n") if line.startswith(b"Set-Cookie: "))
    pinned = GET[:-2] + cookie.replace(b"Set-Cookie", b"Cookie").partition(b";")[0] + b"\r\n\r\n"
    proxy.pool.drain("http://10.0.0.1", 60)
    assert {ask(proxy, {}) for _ in range(4)} == {"2"}
    again = proxy.connect()
    again.send(pinned)
    assert proxy.upstream.address.host == "10.0.0.1"
    proxy.upstream.send(OK)
    assert b"Set-Cookie" not in again.received
    proxy.advance(61)
    late = proxy.connect()
    late.send(pinned)
    assert proxy.upstream.address.host == "10.0.0.2"
    proxy.upstream.send(OK)
    assert b"Set-Cookie" in late.received
    assert proxy.pool.find("http://10.0.0.1").cause == "drained"


def test_what_an_upstream_still_has_from_before_does_not_keep_it_from_being_tried(serve):
    proxy = serve(2, ejection=Ejection(failures=1))
    old = [proxy.connect() for _ in range(4)]
    for client in old:
        client.send(GET)
    bad = eject_first(proxy)
    assert bad.active == 2
    proxy.advance(31)
    for _ in range(4):
        proxy.connect().send(GET)
    assert bad.active == 3


def test_an_old_request_that_ends_makes_no_room_for_more_than_one_trial(serve):
    proxy = serve(2, ejection=Ejection(failures=1))
    old = [proxy.connect() for _ in range(6)]
    for client in old:
        client.send(GET)
    bad = eject_first(proxy)
    proxy.advance(31)
    proxy.pool.tick()
    for client in old:
        client.drop()
    assert bad.breaker is Breaker.HALF_OPEN and bad.active == 0
    for _ in range(6):
        proxy.connect().send(GET)
    assert bad.active == 1


@pytest.mark.parametrize("left_at", ["dialing", "sent"])
def test_a_trial_whose_client_leaves_makes_room_for_another(serve, left_at):
    proxy = serve(2, ejection=Ejection(failures=1))
    bad = eject_first(proxy)
    proxy.advance(31)
    for _ in range(2):
        proxy.network.script = ["hang"] if left_at == "dialing" else []
        one, other = proxy.connect(), proxy.connect()
        one.send(GET)
        other.send(GET)
        assert (bad.breaker, bad.active) == (Breaker.HALF_OPEN, 1)
        one.drop()
        other.drop()
        assert (bad.breaker, bad.active) == (Breaker.HALF_OPEN, 0)


def test_a_client_that_takes_its_time_with_a_trial_keeps_no_others_from_one(serve):
    proxy = serve(2, ejection=Ejection(failures=1))
    bad = eject_first(proxy)
    proxy.advance(31)
    for number in (1, 2):
        for _ in range(6):
            proxy.connect().send(BODY)
        assert (bad.breaker, bad.active) == (Breaker.HALF_OPEN, number)
        proxy.advance(10.1)
    assert {ask(proxy, {}) for _ in range(2)} == {"1", "2"}
    assert (bad.breaker, bad.active) == (Breaker.CLOSED, 2)


def test_a_trial_that_lasts_closes_the_breaker_when_it_is_answered(serve):
    proxy = serve(2, ejection=Ejection(failures=1))
    bad = eject_first(proxy)
    proxy.advance(31)
    for _ in range(2):
        proxy.connect().send(GET)
    at(proxy, "1")[-1].send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
    assert (bad.breaker, bad.active, bad.state) == (Breaker.CLOSED, 1, State.HEALTHY)


def test_a_pinned_client_is_a_trial_as_well(serve):
    proxy = serve(2, ejection=Ejection(failures=1), sticky="ip")
    bad = proxy.pool.upstreams[0]
    assert ask(proxy, {}) == "1"
    proxy.pool.drain(bad)
    assert ask(proxy, {"1": BAD}) == "1"
    assert bad.breaker is Breaker.OPEN
    proxy.advance(31)
    assert ask(proxy, {}) == "1"
    assert (bad.breaker, bad.state) == (Breaker.CLOSED, State.DRAINING)


def test_states_are_told_as_they_are_though_nobody_has_asked_since():
    clock = Clock()
    pool = Pool(["http://a", "http://b", "http://c"], settings=PoolSettings(ejection=Ejection(failures=1)), clock=clock)
    a, b, _ = pool.upstreams
    pool.drain(a, 10)
    b.active = 1
    b.ended(None, 503)
    assert (a.state, b.state) == (State.DRAINING, State.EJECTED)
    clock.advance(31)
    assert (a.state, a.cause, a.since) == (State.DISABLED, "drained", 10)
    # It is about to be tried, and may be as it was.
    assert (b.state, b.cause) == (State.FAILING, "status 503")


def test_to_enable_what_is_enabled_is_no_cold_start():
    clock = Clock()
    pool = Pool(["http://a;weight=100"], settings=PoolSettings(slow_start=10), clock=clock)
    clock.advance(100)
    pool.enable("http://a")
    assert pool.upstreams[0].effective == 100


@pytest.mark.parametrize("status", [200, 404, 500])
@pytest.mark.parametrize("struck", [0, 1, 3])
@pytest.mark.parametrize("settings", ["", ";max=4"])
@pytest.mark.parametrize("strategy", ["round-robin", "least-connections"])
def test_several_that_end_together_are_as_many_that_end(status, struck, settings, strategy):
    states = []
    for together in (True, False):
        clock = Clock()
        pool = Pool(
            [f"http://a{settings}", "http://b"],
            strategy,
            settings=PoolSettings(ejection=Ejection(eject_on="5xx", failures=3, base=5)),
            clock=clock,
        )
        first = pool.upstreams[0]
        for _ in range(struck):
            first.active += 1
            first.ended(None, 503)
        clock.advance(6)
        taken = [one for one in (pool.take(None, CLIENT) for _ in range(6)) if one is first]
        if together:
            first.all_ended(len(taken), status)
        else:
            for one in taken:
                one.ended(None, status)
        states.append(
            (len(taken), first.active, first.failures, first.breaker, first.unhealthy, first.room, first.state)
        )
        assert taken and first.active == 0
    assert states[0] == states[1]
