"""What comes of a request after its response: dropped for a moment, and then told that it is not wanted."""

import pytest

from tests.proxy.downstream.http2.http2_peer import POST
from tests.wire.http2.taken_apart import frame, resets
from txproxy.wire.http2 import frames

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


@pytest.fixture
def answered(world):
    """A client of an upload that was answered before any of it had come, and its stream."""
    client = world.client()
    stream = client.ask(*POST, ended=False)
    world.upstreams[0].send(OK)
    assert client.turn().responses[stream].ended
    return client, stream


def test_what_was_on_its_way_ends_it_without_a_reset(world, answered):
    client, stream = answered
    client.body(stream, b"x" * 10_000)
    client.body(stream, b"x", ended=True)
    world.proxy.advance(5)
    assert client.turn().responses[stream].reset is None
    # It counts no more, and nothing has gone to anybody.
    assert world.proxy.factory.services.streams == 0 and b"x" * 100 not in world.upstreams[0].received


def test_what_does_not_end_it_is_told_after_a_moment(world, answered):
    client, stream = answered
    world.proxy.advance(0.4)
    assert client.turn().responses[stream].reset is None
    world.proxy.advance(0.7)
    assert client.turn().responses[stream].reset == 0 and world.proxy.factory.services.streams == 0


def test_much_of_it_is_told_at_once(world, answered):
    client, stream = answered
    for _ in range(5):
        client.h2.send_data(stream, b"x" * 16384)
    assert client.turn().responses[stream].reset == 0
    # Its place in the connection's window is free again.
    assert client.h2.outbound_flow_control_window > 15 << 20


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (frame(frames.WINDOW_UPDATE, 0, 1, bytes(4)), 1),
        (frame(frames.HEADERS, frames.END_HEADERS, 1, b"\x00\x01x\x01y"), 1),
        (frame(frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, 1, b"\x82"), 1),
        (frame(frames.RST_STREAM, 0, 1, bytes(4)), None),
    ],
)
def test_what_is_malformed_is_found_still(world, answered, sent, code):
    client, _ = answered
    client.connection.send(sent)
    assert resets(client.connection.take()) == ([(1, code)] if code else [])
    assert world.proxy.factory.services.streams == 0 and world.outcomes == ["ok"]


def test_it_goes_with_its_connection(world, answered):
    client, _ = answered
    client.connection.drop()
    assert world.proxy.factory.services.streams == 0


def test_a_drain_waits_for_it(world, answered):
    client, _ = answered
    world.proxy.factory.drain()
    client.turn()
    assert not client.connection.ended
    world.proxy.advance(1)
    assert client.connection.ended and [code for _, code in client.goaways] == [0, 0]
