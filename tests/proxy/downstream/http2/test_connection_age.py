"""Connections that are old enough are ended, and lose nothing."""

import pytest

from txproxy import Limits

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
LARGEST = (1 << 31) - 1


@pytest.fixture
def old(make_world):
    """A world whose connections live for 10 s."""
    return make_world(limits=Limits(http2_age=10))


def test_an_old_one_is_told_twice_and_what_runs_ends(old):
    client = old.client()
    stream = client.ask()
    old.proxy.advance(9.5)
    assert not client.turn().goaways
    old.proxy.advance(1)
    # The answer to the PING says that nothing more is on its way.
    assert client.turn().goaways == [(LARGEST, 0), (stream, 0)] and not client.connection.ended
    old.upstreams[0].send(OK)
    assert client.turn().responses[stream].body == b"hi" and client.connection.ended


def test_an_old_one_without_a_request_goes_at_once(old):
    client = old.client()
    old.proxy.advance(11)
    assert [code for _, code in client.turn().goaways] == [0, 0] and client.connection.ended


def test_one_that_leaves_before_is_forgotten(old):
    client = old.client()
    client.connection.drop()
    # Nobody is looked after any more.
    assert not old.proxy.clock.getDelayedCalls()


def test_by_default_none_is_old(world):
    client = world.client()
    for _ in range(20):
        stream = client.ask()
        world.upstreams[-1].send(OK)
        world.proxy.advance(60)
        assert client.turn().responses[stream].body == b"hi"
    assert not client.goaways
