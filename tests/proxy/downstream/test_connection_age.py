"""Connections that are old enough are ended, and lose nothing."""

import pytest

from tests.proxy.caching.caching_proxy import CachingProxy, get
from tests.proxy.downstream.http2.conftest import World
from tests.proxy.exchanges.test_exchange import GET
from txproxy import ForwardPolicy, ForwardProxyFactory, Limits, Pool, ReverseProxyFactory
from txproxy.testing import ProxyInMemory

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
LAST = b"\r\nConnection: close\r\n"
LARGEST = (1 << 31) - 1
# 10 s, of which nothing else takes the client.
OLD = Limits(connection_age=10, idle_timeout=1000)


@pytest.fixture
def make(closing):
    """Makes proxies of a factory on the reactor that it is given, all of which are left with nothing behind."""
    return lambda build: closing(ProxyInMemory(build))


@pytest.fixture
def reverse(make):
    return make(lambda reactor: in_reverse(reactor, via=None))


@pytest.fixture
def make_world(closing):
    return lambda **settings: closing(World(**settings))


def in_reverse(reactor, **more):
    return ReverseProxyFactory(Pool(["http://10.0.0.1:80"]), limits=OLD, reactor=reactor, **more)


def left(proxy, client):
    """Whether its connection is closed, or about to be."""
    proxy.clock.advance(0)
    return client.closed or client.ended


def asks(proxy, client):
    """What a request is answered with."""
    client.send(GET)
    proxy.upstream.send(OK)
    return client.take()


def test_the_next_response_of_http1_is_the_last(reverse):
    client = reverse.connect()
    assert LAST not in asks(reverse, client)
    reverse.advance(9.4)
    assert LAST not in asks(reverse, client)
    reverse.advance(20)
    # The next request may be on its way: it is answered, and nothing was closed before.
    assert not left(reverse, client)
    answer = asks(reverse, client)
    assert LAST in answer and answer.endswith(b"hi") and left(reverse, client)


def test_requests_behind_the_last_of_http1_are_not_served(reverse):
    client = reverse.connect()
    reverse.advance(11)
    client.send(GET * 3)
    reverse.upstream.send(OK)
    assert client.received.count(b"HTTP/1.1 200") == 1 and left(reverse, client)
    assert reverse.upstream.take().count(b"GET ") == 1


def test_a_response_of_http1_that_has_not_begun_says_so_itself(reverse):
    client = reverse.connect()
    client.send(GET)
    reverse.advance(11)
    assert not left(reverse, client)
    reverse.upstream.send(OK)
    assert LAST in client.received and left(reverse, client)


def test_one_of_http1_that_has_begun_goes_to_its_end_and_the_next_is_the_last(reverse):
    client = reverse.connect()
    client.send(GET)
    reverse.upstream.send(OK[:-1])
    reverse.advance(11)
    reverse.upstream.send(OK[-1:])
    assert client.take().endswith(b"hi") and not left(reverse, client)
    assert LAST in asks(reverse, client) and left(reverse, client)


def test_what_is_answered_without_an_exchange_grows_old_as_well():
    proxy = CachingProxy(
        build=lambda reactor, middleware, observers: in_reverse(reactor, middleware=middleware, observers=observers)
    )
    client = proxy.connect()
    request = get()
    client.send(request)
    proxy.question()[0].send(proxy.response(cache_control="max-age=60"))
    for _ in range(3):
        client.send(request)
    assert client.take().count(b"HTTP/1.1 200") == 4
    proxy.advance(11)
    client.send(request)
    assert LAST in client.take() and left(proxy, client)
    proxy.close()


def test_a_tunnel_has_an_age_of_its_own(make):
    policy = ForwardPolicy(allow_destinations=["10.0.0.0/8"])
    proxy = make(lambda reactor: ForwardProxyFactory(policy, limits=OLD, reactor=reactor))
    client = proxy.connect()
    client.send(b"CONNECT 10.0.0.1:443 HTTP/1.1\r\nHost: 10.0.0.1:443\r\n\r\n")
    assert client.take().startswith(b"HTTP/1.1 200 ")
    proxy.advance(60)
    client.send(b"there")
    assert proxy.upstream.take() == b"there" and not left(proxy, client)


def test_one_of_http1_that_leaves_before_is_forgotten(reverse):
    reverse.connect().drop()
    assert not reverse.clock.getDelayedCalls()


@pytest.fixture
def old(make_world):
    """A world whose connections live for 10 s."""
    return make_world(limits=Limits(connection_age=10))


def test_an_old_one_of_http2_is_told_twice_and_what_runs_ends(old):
    client = old.client()
    stream = client.ask()
    old.proxy.advance(9.5)
    assert not client.turn().goaways
    old.proxy.advance(1)
    # The answer to the PING says that nothing more is on its way.
    assert client.turn().goaways == [(LARGEST, 0), (stream, 0)] and not client.connection.ended
    old.upstreams[0].send(OK)
    assert client.turn().responses[stream].body == b"hi" and client.connection.ended


def test_an_old_one_of_http2_without_a_request_goes_at_once(old):
    client = old.client()
    old.proxy.advance(11)
    assert [code for _, code in client.turn().goaways] == [0, 0] and client.connection.ended


def test_one_of_http2_that_leaves_before_is_forgotten(old):
    client = old.client()
    client.connection.drop()
    # Nobody is looked after any more.
    assert not old.proxy.clock.getDelayedCalls()


def test_by_default_none_is_old(make_world):
    world = make_world()
    client = world.client()
    for _ in range(20):
        stream = client.ask()
        world.upstreams[-1].send(OK)
        world.proxy.advance(60)
        assert client.turn().responses[stream].body == b"hi"
    assert not client.goaways
