"""The example of the module, and what is found when everybody has left."""

import pytest
from twisted.internet.protocol import Protocol

from txproxy import Pool, ReverseProxyFactory
from txproxy.interfaces import Address
from txproxy.testing import ProxyInMemory

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
RESPONSE = b"HTTP/1.1 204 No Content\r\n\r\n"


def reverse(reactor):
    return ReverseProxyFactory(Pool(["http://10.0.0.1:80"]), reactor=reactor)


def test_both_sides_are_played():
    proxy = ProxyInMemory(reverse)
    client, upstream = proxy.exchange(REQUEST, RESPONSE)
    assert upstream is proxy.upstream
    assert (upstream.address.host, upstream.received[:16]) == ("10.0.0.1", b"GET / HTTP/1.1\r\n")
    assert client.received.startswith(b"HTTP/1.1 204 ")
    proxy.close()
    assert client.closed
    assert upstream.closed


def test_a_client_comes_from_where_it_is_said_to():
    proxy = ProxyInMemory(reverse)
    client = proxy.connect("192.0.2.7")
    client.send(REQUEST)
    assert b"X-Forwarded-For: 192.0.2.7\r\n" in proxy.upstream.received
    proxy.close()


def test_time_passes_in_steps_that_let_timers_set_timers():
    proxy = ProxyInMemory(reverse)
    seen = []

    def again():
        seen.append(proxy.clock.seconds())
        if len(seen) < 3:
            proxy.clock.callLater(0.5, again)

    proxy.clock.callLater(0.5, again)
    proxy.advance(2)
    assert len(seen) == 3
    proxy.close()


def test_a_timer_that_is_left_is_found():
    proxy = ProxyInMemory(reverse)
    proxy.clock.callLater(3600, print)
    with pytest.raises(AssertionError, match="a timer is left"):
        proxy.close()


def test_a_connection_that_is_left_is_found():
    proxy = ProxyInMemory(reverse)
    proxy.network.dial(Address("10.0.0.2", 80), Protocol)
    with pytest.raises(AssertionError, match="an upstream connection is open"):
        proxy.close()
