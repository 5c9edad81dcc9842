"""The upstream's side: whose time it is."""

import pytest

from tests.net.sockets import World
from tests.proxy.exchanges.test_exchange import GET, POST, status
from txproxy import Limits, Pool, ReverseProxyFactory
from txproxy.testing import ProxyInMemory

RESPONSE_BEGUN = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 100000


def test_an_upload_may_take_longer_than_a_response(make):
    proxy = make(Limits(min_body_rate=0))
    client = proxy.connect()
    client.send(b"PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 20\r\n\r\n")
    proxy.upstream.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    client.take()
    for _ in range(20):
        proxy.advance(10)
        client.send(b"x")
    proxy.advance(59)
    assert not client.received
    proxy.advance(3)
    assert status(client.received) == 504


def test_an_upstream_that_takes_no_more_of_an_upload_is_too_late():
    proxy = ProxyInMemory(lambda reactor: ReverseProxyFactory(Pool(["http://10.0.0.1:80"]), reactor=reactor))
    client = proxy.connect()
    client.send(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
    proxy.upstream.stop_reading()
    while not client.paused:
        client.send(b"x" * 10000)
    proxy.advance(62)
    assert status(client.received) == 504
    proxy.close()


@pytest.mark.parametrize("rest_of_request", [b"", POST[-2:]])
def test_an_upstream_is_not_late_while_its_client_is_slow(proxy, rest_of_request):
    client = proxy.connect()
    client.send(POST[: len(POST) - len(rest_of_request)])
    client.stop_reading()
    proxy.upstream.send(RESPONSE_BEGUN)
    client.send(rest_of_request)
    assert proxy.upstream.paused
    proxy.advance(70)
    assert not client.closed and not proxy.upstream.closed
    client.read_on()
    proxy.upstream.send(b"x" * 900000)
    assert client.received.endswith(b"x" * 1000000)


def test_an_upstream_whose_client_is_slow_no_more_may_be_late_again(proxy):
    client = proxy.connect()
    client.send(POST)
    client.stop_reading()
    proxy.upstream.send(RESPONSE_BEGUN)
    proxy.advance(70)
    client.read_on()
    proxy.advance(62)
    assert client.closed and proxy.upstream.reset


def test_a_client_that_takes_nothing_is_dropped_though_it_has_sent_all(proxy):
    client = proxy.connect()
    client.send(POST[:-2])
    client.stop_reading()
    proxy.upstream.send(RESPONSE_BEGUN)
    client.send(POST[-2:])
    proxy.advance(78)
    assert client.closed and proxy.upstream.reset


# More than the kernel and a transport hold for a client that takes nothing.
LONG = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"2710\r\n%b\r\n" % (b"x" * 10000) * 18 + b"0\r\n\r\n"
SHORT = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def test_a_client_that_is_slow_at_last_holds_up_nobody_else():
    world = World(Limits(keep_per_address=1))
    slow, serves = world.connect()
    slow.sendall(GET)
    world.until(lambda: world.upstreams, "it is asked for")
    world.hear(world.upstreams[0])
    world.request(GET)
    world.carry(world.upstreams[1], SHORT, world.client, len(SHORT))
    # What has come of it within a turn goes out when the other connection is closed, to make room for this one.
    world.upstreams[0].sendall(LONG)
    while serves.exchange is not None:
        world.reactor.read(patience=0.01)
    assert serves.transport.producerPaused
    world.turns()
    del world.upstreams[1]
    assert world.request(GET).startswith(b"GET /x ")
    assert world.carry(world.upstreams[0], SHORT, world.client, len(SHORT)).endswith(b"ok")
    world.close()
