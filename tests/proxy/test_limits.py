"""What the limits of a proxy are to its codecs."""

import pytest

from txproxy import Limits, Pool, ReverseProxyFactory
from txproxy.interfaces import Address
from txproxy.testing import ProxyInMemory
from txproxy.upstreams.health.health_check import HealthCheck
from txproxy.upstreams.pool_settings import PoolSettings
from txproxy.upstreams.upstream import State
from txproxy.wire.http2.own_settings import grown_in


@pytest.mark.parametrize(
    ("limits", "max_head", "max_target"),
    [
        ({}, 65536, 8192),
        ({"max_header_size": 131072}, 131072, 16384),
        ({"max_header_size": 800}, 800, 100),
        ({"max_target_size": 60000}, 65536, 60000),
        ({"max_target_size": 100000}, 65536, 65536),
    ],
)
def test_a_target_may_have_an_eighth_of_a_head_unless_told(limits, max_head, max_target):
    wire = Limits(**limits).wire()
    assert (wire.max_head, wire.max_target) == (max_head, max_target)


@pytest.mark.parametrize(
    ("limits", "size", "fields", "status"),
    [
        ({}, 9000, 10, 414),
        ({"max_target_size": 10000}, 9000, 10, None),
        ({"max_header_size": 80000}, 9000, 10, None),
        ({"max_target_size": 65536}, 65530, 10, 431),
        ({}, 10, 100, 431),
        ({"max_fields": 101}, 10, 100, None),
        ({"max_fields": 3}, 10, 3, 431),
    ],
)
def test_targets_and_fields_of_requests_are_bounded_as_told(limits, size, fields, status):
    proxy = ProxyInMemory(
        lambda reactor: ReverseProxyFactory(Pool(["http://10.0.0.1"]), limits=Limits(**limits), reactor=reactor)
    )
    client = proxy.connect()
    for _ in range(2):
        # A second time the fields are known already.
        client.send(b"GET /%b HTTP/1.1\r\nHost: a\r\n%b\r\n" % (b"a" * (size - 1), b"A: b\r\n" * fields))
        if status is not None:
            assert client.received.startswith(b"HTTP/1.1 %d " % status)
            break
        proxy.upstream.send(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 5000 + b"Content-Length: 0\r\n\r\n")
        assert client.take().count(b"\r\nA: b") == 5000
    proxy.close()


@pytest.mark.parametrize("says", ["pool", "listener", None])
def test_a_bare_lf_in_responses_is_tolerated_for_a_pool_or_a_listener(says):
    old = ("bare-lf",)
    settings = PoolSettings(tolerate=old if says == "pool" else (), health=HealthCheck(fall=1))
    pool = Pool(["http://10.0.0.1"], settings=settings)
    proxy = ProxyInMemory(
        lambda reactor: ReverseProxyFactory(pool, tolerate=old if says == "listener" else (), reactor=reactor)
    )
    client = proxy.connect()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    proxy.upstream.send(b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok")
    if says is None:
        assert client.received.startswith(b"HTTP/1.1 502 ")
    else:
        head, _, body = client.received.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n") and body == b"ok" and b"\n" not in head.replace(b"\r\n", b"")
    # and so for its checks
    while len(proxy.network.connections) < 2:
        proxy.advance(1)
    proxy.upstream.send(b"HTTP/1.1 200 OK\nContent-Length: 0\nConnection: close\n\n")
    assert pool.upstreams[0].state is (State.HEALTHY if says is not None else State.UNHEALTHY)
    proxy.close()


def test_a_connection_that_is_kept_with_tolerance_serves_nobody_without():
    assert Address("10.0.0.1", 80).key != Address("10.0.0.1", 80, tolerate=frozenset({"bare-lf"})).key


def test_windows_of_streams_grow_where_they_are_not_said():
    limits = Limits()
    assert (limits.http2().growth, limits.http2_upstream().growth) == (13 << 20, 13 << 20)
    # All of an upstream's streams have room beside what some have grown by.
    said = limits.http2_upstream()
    assert grown_in(said.connection_window) >= said.streams * said.stream_window + said.growth
    limits = Limits(stream_window=1 << 20, upstream_stream_window=1 << 20)
    assert (limits.http2().growth, limits.http2_upstream().growth) == (0, 0)
    assert limits.http2_upstream().connection_window == 100 << 20
    assert Limits(connection_window=1 << 20).http2().growth == 0
