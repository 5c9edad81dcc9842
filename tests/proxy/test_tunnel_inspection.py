"""A tunnel with a gate: nothing reaches the other side before the gate opens."""

import pytest
from zope.interface import implementer

from txproxy import Limits
from txproxy.errors import RequestDenied
from txproxy.interfaces import Address, IMode, Plan
from txproxy.proxy.factory import ProxyFactory
from txproxy.testing import ProxyInMemory

CONNECT = b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n"
STANDS = b"HTTP/1.1 200 Connection established\r\n\r\n"


class Word:
    """Opens for a word, and wants all of it."""

    farewell = b"bye"

    def __init__(self, word):
        self.word = word

    def opens(self, data):
        if not data.startswith(self.word[: len(data)]):
            raise RequestDenied("that is not the word")
        return len(data) >= len(self.word)


@implementer(IMode)
class Gated:
    """Tunnels with a gate."""

    def plan(self, head, client):
        plan = Plan(Address("a.example", 443), None)
        plan.gate = Word(b"open")
        return plan


@pytest.fixture
def finished():
    return []


@pytest.fixture
def proxy(finished):
    limits = Limits(header_timeout=5)
    made = ProxyInMemory(
        lambda reactor: ProxyFactory(Gated(), limits=limits, observers=(finished.append,), reactor=reactor)
    )
    yield made
    made.close()


@pytest.fixture
def client(proxy):
    client = proxy.connect()
    client.send(CONNECT)
    assert client.take() == STANDS
    return client


def test_what_was_held_goes_first_when_the_gate_opens(proxy, client):
    client.send(b"op")
    assert proxy.upstream.received == b""
    client.send(b"en, and more")
    assert proxy.upstream.take() == b"open, and more"
    client.send(b" of it")
    proxy.upstream.send(b"answer")
    assert (proxy.upstream.received, client.received) == (b" of it", b"answer")


def test_what_comes_with_the_request_is_looked_at_too(proxy):
    client = proxy.connect()
    client.send(CONNECT + b"open")
    assert proxy.upstream.received == b"open"


def test_who_is_turned_away_gets_a_farewell_and_the_other_side_nothing(proxy, client, finished):
    client.send(b"shut")
    proxy.advance(0)
    assert client.received == b"bye"
    assert client.closed and proxy.upstream.closed
    assert proxy.upstream.received == b""
    (exchange,) = finished
    assert (exchange.outcome, exchange.detail) == ("http_request_denied", "that is not the word")


def test_a_client_that_is_turned_away_at_once_has_its_200_before(proxy, finished):
    client = proxy.connect()
    client.send(CONNECT + b"shut")
    proxy.advance(0)
    assert client.received == STANDS + b"bye" and client.closed
    assert len(finished) == 1


def test_bytes_that_the_other_side_sends_first_wait_for_the_gate(proxy, client):
    proxy.upstream.send(b"220 hello")
    assert client.received == b"" and proxy.upstream.paused
    client.send(b"open")
    assert client.received == b"220 hello" and not proxy.upstream.paused


def test_they_are_not_for_who_is_turned_away(proxy, client):
    proxy.upstream.send(b"220 hello")
    client.send(b"shut")
    assert client.received == b"bye"


def test_a_silent_client_is_let_go(proxy, client, finished):
    client.send(b"op")
    proxy.advance(4.5)
    assert not client.closed
    proxy.advance(2)
    assert client.closed and proxy.upstream.closed
    assert finished[0].detail == "the tunnel's client was silent for too long"


@pytest.mark.parametrize("leave", ["end", "drop"])
def test_a_client_that_leaves_takes_the_other_side_with_it(proxy, client, finished, leave):
    client.send(b"op")
    getattr(client, leave)()
    proxy.advance(0)
    assert proxy.upstream.closed and client.closed
    assert proxy.upstream.received == b""
    assert len(finished) == 1


@pytest.mark.parametrize("leave", ["end", "drop"])
def test_an_other_side_that_leaves_takes_the_client_with_it(proxy, client, finished, leave):
    getattr(proxy.upstream, leave)()
    proxy.advance(0)
    assert client.closed and client.received == b""
    assert finished[0].outcome == "connection_terminated"


def test_a_client_that_closed_its_side_while_it_waited_has_no_more_to_say(proxy, finished):
    proxy.network.script.append("hang")
    client = proxy.connect()
    client.send(CONNECT + b"op")
    client.end()
    proxy.network.answer()
    proxy.advance(0)
    assert client.closed and proxy.upstream.closed
    assert proxy.upstream.received == b""
    assert len(finished) == 1


def test_a_proxy_that_stops_leaves_no_gate_behind(proxy, client):
    proxy.factory.stop()
    proxy.advance(0)
    assert client.reset and proxy.upstream.closed
