"""The life of a client connection: its place, its end, and who goes at which."""

import pytest

from tests.proxy.downstream.socks_world import BY_NAME, CONNECT, FREE, World
from tests.proxy.downstream.test_http1 import LARGE, answer_all
from tests.proxy.exchanges.test_exchange import GET, OK


@pytest.fixture(params=[("http",), ("socks5",), ("http", "socks5")], ids="-".join)
def make_any(request, closing):
    """Makes a proxy for two clients that speak one of these, or have not said anything yet."""
    return lambda: closing(World(protocols=request.param, max_connections=2))


def test_over_the_limit_of_connections_the_next_waits(proxy):
    first, second, third = proxy.connect(), proxy.connect(), proxy.connect()
    assert third.paused and not second.paused
    first.drop()
    assert not third.paused
    third.send(GET)
    proxy.upstream.send(OK)
    assert third.received == OK


def test_who_takes_no_responses_is_dropped(proxy):
    client = proxy.connect()
    client.stop_reading()
    client.send(GET * 20)
    answer_all(proxy, LARGE)
    proxy.advance(70)
    assert not client.closed
    proxy.advance(8)
    assert client.closed


def test_a_drain_ends_idle_connections_and_lets_running_exchanges_end(proxy):
    idle, _ = proxy.exchange(GET, OK)
    busy = proxy.connect()
    busy.send(GET)
    done = proxy.factory.drain()
    proxy.advance(2)
    assert idle.closed and not idle.reset and not busy.closed and not done.called
    proxy.upstream.send(OK)
    proxy.clock.advance(0)
    assert b"Connection: close" in busy.received and busy.received.endswith(b"ok")
    assert busy.closed and done.called


@pytest.mark.parametrize("asked_before", [False, True])
def test_a_request_that_is_on_its_way_at_a_drain_is_answered_as_the_last_one(proxy, asked_before):
    client = proxy.connect()
    if asked_before:
        client.send(GET)
        proxy.upstream.send(OK)
        client.take()
    done = proxy.factory.drain()
    proxy.advance(0.8)
    client.send(GET[:10])
    proxy.advance(20)
    client.send(GET[10:])
    proxy.upstream.send(OK)
    assert b"Connection: close" in client.received and client.received.endswith(b"ok")
    proxy.clock.advance(0)
    assert client.closed and done.called


def test_a_client_that_was_promised_to_be_kept_may_ask_once_more_at_a_drain(proxy):
    client = proxy.connect()
    client.send(GET)
    proxy.upstream.send(OK[:-1])
    proxy.factory.drain()
    proxy.upstream.send(OK[-1:])
    proxy.clock.advance(0)
    assert client.take() == OK and not client.closed
    client.send(GET)
    proxy.upstream.send(OK)
    assert b"Connection: close" in client.received
    proxy.clock.advance(0)
    assert client.closed


def test_who_still_takes_its_response_at_a_drain_gets_all_of_it(proxy):
    client = proxy.connect()
    client.stop_reading()
    client.send(GET)
    proxy.upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100000)
    done = proxy.factory.drain()
    proxy.advance(10)
    assert not client.closed
    client.read_on()
    assert client.received.count(b"x") == 100000
    proxy.advance(2)
    assert client.closed and not client.reset and done.called


def test_those_who_wait_for_a_place_get_theirs_at_a_drain(proxy):
    clients = [proxy.connect() for _ in range(4)]
    done = proxy.factory.drain()
    for client in clients:
        if client is clients[2]:
            clients[3].drop()
        client.send(GET if not client.closed else b"")
        if client.closed:
            continue
        proxy.upstream.send(OK)
        proxy.clock.advance(0)
        assert b"Connection: close" in client.received and client.closed
    assert done.called


def test_after_a_stop_nobody_is_served(proxy):
    proxy.factory.stop()
    assert proxy.factory.buildProtocol(None) is None


def test_a_stop_ends_what_runs_before_it_returns(proxy):
    finished = []
    proxy.factory.services.observed, proxy.factory.services.tell = True, finished.append
    client = proxy.connect()
    client.send(GET)
    proxy.factory.stop()
    assert [exchange.outcome for exchange in finished] == ["stopped"]
    proxy.clock.advance(0)
    assert client.reset and proxy.upstream.reset
    assert len(finished) == 1


def test_a_drain_waits_for_a_first_word_and_then_for_the_rest(make_any):
    proxy = make_any()
    said = FREE + BY_NAME if "socks5" in proxy.factory.protocols else CONNECT
    client, silent = proxy.connect(), proxy.connect()
    done = proxy.factory.drain()
    proxy.advance(0.8)
    client.send(said[:1])
    proxy.advance(20)
    assert silent.closed and not client.closed
    client.send(said[1:])
    assert len(proxy.network.dialed) == 1 and not done.called
    client.drop()
    assert done.called


def test_a_stop_ends_those_who_wait_for_a_place_and_gives_them_none(make_any):
    proxy = make_any()
    clients = [proxy.connect() for _ in range(6)]
    proxy.factory.stop()
    proxy.clock.advance(0)
    assert all(client.reset for client in clients)
    assert not any(client.received for client in clients) and not len(proxy.factory.admission)


def test_who_closes_its_side_while_it_waits_for_a_place_leaves_it_to_the_next(make_any):
    proxy = make_any()
    first, second, third, fourth = (proxy.connect() for _ in range(4))
    third.end()
    first.drop()
    second.drop()
    assert not fourth.paused
    proxy.clock.advance(0)
    assert third.closed and not fourth.closed
