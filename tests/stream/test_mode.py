"""The tcp mode, in memory."""

import pytest

from txproxy import Limits, Pool
from txproxy.errors import ConnectionRefused
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
