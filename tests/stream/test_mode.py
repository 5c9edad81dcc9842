"""The tcp mode, in memory."""

import pytest

from txproxy import Limits, Pool
from txproxy.errors import ConnectionRefused
from txproxy.reverse.health import HealthCheck
from txproxy.reverse.pool import Ejection, PoolSettings
from txproxy.reverse.upstream import Breaker, State
from txproxy.stream.mode import StreamFactory
from txproxy.testing import ProxyInMemory


@pytest.fixture
def ended():
    return []


@pytest.fixture
def proxy(ended):
    pool = Pool(["http://10.0.0.1:5432", "http://10.0.0.2:5432"])
    made = ProxyInMemory(
        lambda reactor: StreamFactory(
            pool, limits=Limits(max_connections=2), observers=(ended.append,), reactor=reactor
        )
    )
    yield made
    made.close()


def test_bytes_go_both_ways_until_both_sides_have_closed(proxy, ended):
    client = proxy.connect()
    upstream = proxy.upstream
    client.send(b"question")
    upstream.send(b"answer")
    assert (upstream.received, client.received) == (b"question", b"answer")
    client.end()
    assert upstream.ended
    upstream.send(b"late")
    assert client.received == b"answerlate"
    upstream.end()
    proxy.clock.advance(0)
    assert client.closed and upstream.closed
    assert [(stream.outcome, stream.sent) for stream in ended] == [("ok", 10)]


def test_nothing_is_read_of_a_client_before_an_upstream_is_there(proxy):
    proxy.network.script = ["hang"]
    client = proxy.connect()
    assert client.paused
    proxy.network.answer()
    assert not client.paused


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


def test_a_client_that_leaves_while_dialing_cancels_it(proxy):
    proxy.network.script = ["hang"]
    client = proxy.connect()
    client.drop()
    assert proxy.network.hanging[0][0].called


def test_a_reset_is_passed_on(proxy):
    client = proxy.connect()
    proxy.upstream.drop()
    proxy.clock.advance(0)
    assert client.reset


def test_over_the_limit_of_connections_the_next_waits(proxy):
    first = proxy.connect()
    proxy.connect()
    third = proxy.connect()
    assert len(proxy.network.dialed) == 2
    first.drop()
    assert len(proxy.network.dialed) == 3
    assert not third.closed


def test_a_stop_ends_what_runs_before_it_returns(proxy, ended):
    proxy.network.script = ["hang"]
    waiting, client = proxy.connect(), proxy.connect()
    proxy.factory.stop()
    assert sorted(stream.outcome for stream in ended) == ["client-gone", "ok"]
    proxy.clock.advance(0)
    assert waiting.closed and client.closed
    assert len(ended) == 2


@pytest.fixture
def serve():
    """Serves two upstreams; keyword arguments are the pool's settings."""
    made = []

    def serve(*more, **settings):
        pool = Pool(["http://10.0.0.1:5432" + "".join(more), "http://10.0.0.2:5432"], settings=PoolSettings(**settings))
        proxy = ProxyInMemory(lambda reactor: StreamFactory(pool, reactor=reactor))
        proxy.pool = pool
        made.append(proxy)
        return proxy

    yield serve
    for proxy in made:
        proxy.close()


def test_upstreams_are_checked_while_a_port_listens(serve):
    proxy = serve(health=HealthCheck(kind="connect", interval=1, fall=1, rise=1))
    proxy.factory.doStart()
    proxy.advance(2)
    checked = len(proxy.network.dialed)
    assert checked >= 2
    proxy.network.script = [ConnectionRefused("no")] * 2
    proxy.advance(1)
    assert State.UNHEALTHY in [upstream.state for upstream in proxy.pool.upstreams]
    proxy.factory.doStop()
    proxy.advance(2)
    assert len(proxy.network.dialed) > checked
    proxy.network.script = []
    proxy.advance(2)
    assert {upstream.state for upstream in proxy.pool.upstreams} == {State.HEALTHY}


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


@pytest.mark.parametrize("phase", ["queued", "dialing", "connected", "half closed"])
def test_whoever_leaves_is_counted_nowhere(serve, phase):
    proxy = serve(";max=1")
    proxy.pool.disable("http://10.0.0.2:5432")
    if phase == "dialing":
        proxy.network.script = ["hang"]
    first, client = proxy.connect(), proxy.connect()
    assert (proxy.pool.waiting, proxy.pool.upstreams[0].active) == (1, 1)
    if phase == "queued":
        client.drop()
    if phase == "half closed":
        proxy.upstream.end()
    first.drop()
    client.drop()
    proxy.clock.advance(0)
    assert [upstream.active for upstream in proxy.pool.upstreams] == [0, 0]
    assert proxy.pool.waiting == 0
