"""A client of HTTP/2 that sends nothing more, and may still read."""

import pytest

from tests.proxy.downstream.http2.http2_peer import POST
from txproxy import Limits

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


def turn(world, client, seconds=0):
    """What the client hears, which says nothing."""
    world.proxy.advance(seconds)
    came = client.connection.take()
    for event in client.h2.receive_data(client._without_goaways(came)):
        client._heard(event)
    client.h2.data_to_send()
    return client


def test_a_request_that_is_complete_is_answered(world):
    client = world.client()
    stream = client.ask()
    client.connection.end()
    assert not world.upstreams[0].reset and not client.connection.closed
    world.upstreams[0].send(OK)
    response = turn(world, client).responses[stream]
    assert (response.status, response.body, response.ended) == (200, b"hi", True)
    # With the last of them all is over.
    assert client.connection.closed and not client.goaways and world.outcomes == ["ok"]


def test_several_are_answered_one_after_the_other(world):
    client = world.client()
    one, other = client.ask(), client.ask()
    client.connection.end()
    for upstream in world.upstreams:
        assert not client.connection.closed
        upstream.send(OK)
    assert [turn(world, client).responses[stream].body for stream in (one, other)] == [b"hi", b"hi"]
    assert client.connection.closed and world.outcomes == ["ok", "ok"]


def test_one_that_is_not_answered_soon_is_cancelled(world):
    client = world.client()
    client.ask()
    client.connection.end()
    for _ in range(3):
        world.proxy.advance(1)
    assert world.upstreams[0].reset and client.connection.closed and world.outcomes == ["client-gone"]


def test_a_response_that_has_begun_by_then_goes_on(world):
    client = world.client()
    stream = client.ask()
    client.connection.end()
    world.upstreams[0].send(OK[:-1])
    for _ in range(5):
        turn(world, client, 1)
    assert not client.connection.closed
    world.upstreams[0].send(OK[-1:])
    assert turn(world, client).responses[stream].body == b"hi" and client.connection.closed


def test_one_that_is_not_complete_is_cancelled_at_once(world):
    client = world.client()
    whole, part = client.ask(), client.ask(*POST, ended=False)
    client.body(part, b"x")
    client.connection.end()
    world.proxy.advance(0)
    assert world.upstreams[1].reset and not world.upstreams[0].reset
    world.upstreams[0].send(OK)
    assert turn(world, client).responses[whole].body == b"hi" and client.responses[part].reset == 8
    assert sorted(world.outcomes) == ["client-gone", "ok"] and client.connection.closed


@pytest.mark.parametrize("before", [True, False])
def test_what_needs_a_window_that_nobody_opens_is_cut_off(make_world, before):
    world = make_world(limits=Limits())
    client = world.client(windows=False)
    stream = client.ask()
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n" + b"x" * 70000
    if before:
        world.upstreams[0].send(answer)
    client.connection.end()
    if not before:
        world.upstreams[0].send(answer)
    for _ in range(3):
        turn(world, client, 1)
    response = client.responses[stream]
    assert len(response.body) == 65535 and not response.ended and response.reset == 8 and client.connection.closed


def test_without_a_request_it_ends_at_once(world):
    client = world.client()
    client.connection.end()
    world.proxy.advance(0)
    assert client.connection.closed and not client.goaways


def test_who_is_gone_altogether_is_found_by_what_is_said_to_it(world):
    client = world.client()
    client.ask()
    client.connection.end()
    client.connection.drop()
    world.proxy.advance(0)
    assert world.upstreams[0].reset and world.outcomes == ["client-gone"]
    assert not [one for one in world.proxy.factory.services.deadlines._watched if type(one).__name__ == "HalfClosed"]


def test_at_a_stop_it_is_waited_for_as_others_are(world):
    client = world.client()
    stream = client.ask()
    world.proxy.factory.drain()
    client.turn()
    client.connection.end()
    world.upstreams[0].send(OK)
    assert turn(world, client).responses[stream].body == b"hi" and client.connection.closed
