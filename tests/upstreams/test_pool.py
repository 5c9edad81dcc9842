"""Upstreams and whose turn it is."""

import pytest
from twisted.internet.task import Clock

from tests.upstreams.asking import BODY, CLIENT, GET, OK, ask
from txproxy import Pool
from txproxy.errors import ConfigError
from txproxy.upstreams.upstream import State


def test_an_unknown_strategy_is_refused():
    with pytest.raises(ValueError, match="accepted: round-robin"):
        Pool(["http://a"], strategy="fastest")


def test_a_pool_is_not_empty():
    with pytest.raises(ConfigError):
        Pool([])


def test_a_pool_is_changed_while_it_serves(serve):
    proxy = serve(1)
    added = proxy.pool.add("http://10.0.0.2;weight=3")
    assert sorted(ask(proxy, {}) for _ in range(8)) == ["1"] * 2 + ["2"] * 6
    proxy.pool.weigh(added, 1)
    assert sorted(ask(proxy, {}) for _ in range(8)) == ["1"] * 4 + ["2"] * 4
    proxy.pool.disable("http://10.0.0.1")
    assert {ask(proxy, {}) for _ in range(4)} == {"2"}
    proxy.pool.enable("http://10.0.0.1")
    proxy.pool.remove(added)
    assert {ask(proxy, {}) for _ in range(4)} == {"1"}
    with pytest.raises(ConfigError, match="at least one"):
        proxy.pool.remove("http://10.0.0.1")
    with pytest.raises(KeyError):
        proxy.pool.drain("http://10.0.0.9")
    with pytest.raises(ConfigError, match="0 to 1000"):
        proxy.pool.weigh("http://10.0.0.1", -1)
    with pytest.raises(ConfigError, match="already"):
        proxy.pool.add("http://10.0.0.1")


def test_a_removed_upstream_ends_what_it_carries(serve):
    proxy = serve(2)
    client = proxy.connect()
    client.send(GET)
    upstream = proxy.upstream
    proxy.pool.remove("http://10.0.0.1")
    upstream.send(OK)
    assert client.received.endswith(b"ok")


def test_a_pool_that_is_told_the_time_by_another_clock_loses_none():
    pool = Pool(["http://a", "http://b"])
    pool.drain("http://a", 60)
    clock = Clock()
    clock.advance(1e9)
    pool.use_clock(clock)
    a = pool.upstreams[0]
    assert a.state is State.DRAINING
    assert abs(a.since - clock.seconds()) < 30
    clock.advance(61)
    assert a.state is State.DISABLED
    assert pool.take(None, CLIENT).address.host == "b"


def test_a_client_that_sends_its_body_slowly_makes_no_upstream_look_slow(serve):
    proxy = serve(2, "least-time")
    averages = proxy.pool.strategy._averages
    client = proxy.connect()
    client.send(BODY + b"he")
    proxy.advance(20)
    client.send(b"llo")
    proxy.upstream.send(OK)
    assert list(averages.values()) == [None, None]
    proxy.connect().send(GET)
    proxy.advance(3)
    proxy.upstream.send(OK)
    assert {average and round(average[0], 3) for average in averages.values()} == {None, 3.0}
