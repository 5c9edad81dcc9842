"""Another factory for the same listener."""

import pytest

from tests.proxy.exchanges.test_exchange import GET, OK, status
from txproxy import Limits
from txproxy.proxy.downstream.serving import ServedBy


@pytest.fixture
def other(make):
    return make(Limits(max_connections=1, max_header_size=300), upstreams=["http://10.0.0.9"])


def hand_over(proxy, other, served_by):
    served_by.factory = other.factory
    return proxy.factory.retire()


@pytest.fixture
def served_by(proxy):
    current = ServedBy(proxy.factory)
    build = proxy.factory.buildProtocol

    def build_for_listener(addr):
        protocol = build(addr)
        protocol.served_by = current
        return protocol

    proxy.factory.buildProtocol = build_for_listener
    return current


def test_an_idle_connection_goes_to_the_other_at_once(proxy, other, served_by):
    client, _ = proxy.exchange(GET, OK)
    fresh = proxy.connect()
    gone = hand_over(proxy, other, served_by)
    assert gone.called and len(other.factory.admission) == 2
    for one in (client, fresh):
        one.take()
        one.send(GET)
        other.upstream.send(OK)
        assert one.take() == OK
    assert [address.host for address in other.network.dialed] == ["10.0.0.9"]
    # and is under its limits
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\nA: " + b"a" * 400 + b"\r\n\r\n")
    assert status(client.received) == 431
    for one in (client, fresh):
        one.drop()
    assert len(other.factory.admission) == 0


def test_a_request_that_runs_ends_as_it_has_begun_and_the_next_goes_to_the_other(proxy, other, served_by):
    client = proxy.connect()
    client.send(GET)
    gone = hand_over(proxy, other, served_by)
    third = other.network.connections
    client.send(GET)
    assert not gone.called and not third
    proxy.upstream.send(OK)
    assert client.take() == OK and gone.called
    other.upstream.send(OK)
    assert client.take() == OK
    client.drop()
    other.clock.advance(0)


def test_a_head_that_has_begun_is_read_on_by_the_other(proxy, other, served_by):
    client = proxy.connect()
    client.send(GET[:7])
    assert hand_over(proxy, other, served_by).called
    client.send(GET[7:])
    other.upstream.send(OK)
    assert client.received == OK
    client.drop()


def test_who_waits_for_a_place_waits_for_one_of_the_other(proxy, other, served_by):
    clients = [proxy.connect() for _ in range(4)]
    assert clients[3].paused
    assert hand_over(proxy, other, served_by).called
    assert len(other.factory.admission) == 2 and clients[2].paused
    for client in clients[:2]:
        client.drop()
    assert not clients[2].paused and clients[3].paused
    clients[2].send(GET)
    other.upstream.send(OK)
    assert clients[2].received == OK
    for client in clients[2:]:
        client.drop()


def test_where_nobody_follows_a_connection_is_kept_until_its_next_request(proxy, served_by):
    client, _ = proxy.exchange(GET, OK)
    client.take()
    served_by.factory = None
    gone = proxy.factory.retire()
    proxy.advance(60)
    assert not client.closed and not gone.called
    client.send(GET)
    proxy.upstream.send(OK)
    proxy.clock.advance(0)
    assert b"Connection: close" in client.received and client.closed and gone.called


def test_what_one_mode_knew_of_a_client_is_not_known_to_the_next(proxy, other, served_by):
    client, _ = proxy.exchange(GET, OK)
    (protocol,) = proxy.factory.admission.everyone()
    protocol.connection.memo = object()
    hand_over(proxy, other, served_by)
    known = protocol.connection
    assert (known.peer_ip, known.memo, known.transport) == ("127.0.0.1", None, client)
    client.drop()


def test_upstream_connections_that_are_its_own_end_where_it_leaves(proxy, other, served_by):
    client, upstream = proxy.exchange(GET.replace(b"\r\n\r\n", b"\r\nAuthorization: NTLM x\r\n\r\n"), OK)
    proxy.clock.advance(0)
    assert not upstream.closed
    hand_over(proxy, other, served_by)
    proxy.clock.advance(0)
    assert upstream.closed and not client.closed
    client.drop()
