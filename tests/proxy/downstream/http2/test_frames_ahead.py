"""Who sends much at once over HTTP/2 has a share of each turn."""

from tests.proxy.downstream.http2.http2_peer import GET
from tests.wire.http2.taken_apart import goaways
from txproxy.wire.http2 import frames

PING = frames.ping(b"12345678")


def test_who_asks_much_at_once_lets_others_have_their_turn(world):
    many, one = world.client(), world.client()
    for _ in range(40):
        many.h2.send_headers(many.h2.get_next_available_stream_id(), GET, end_stream=True)
    many.turn()
    assert len(world.upstreams) == 16
    one.ask()
    assert len(world.upstreams) == 17
    world.proxy.clock.advance(0)
    assert len(world.upstreams) == 41


def test_frames_of_no_use_wait_as_well(world):
    many = world.client()
    many.connection.send(PING * 1000)
    assert 256 <= many.connection.take().count(b"12345678") < 300
    world.proxy.clock.advance(0)
    assert 700 < many.connection.take().count(b"12345678") <= 744


def test_no_more_is_read_of_who_is_far_ahead(world):
    many = world.client()
    many.h2.send_headers(1, GET, end_stream=True)
    many.connection.send(many.h2.data_to_send() + frames.window_update(0, 100) * 300)
    assert not many.connection.paused
    # It is late in this turn: all of it waits.
    many.connection.send(b"".join(frames.window_update(0, 1) for _ in range(1000)))
    assert not many.connection.paused and len(world.upstreams) == 1
    unknown = frames.header(16000, 0xFA, 0, 0) + b"x" * 16000
    many.connection.send(unknown * 4)
    assert many.connection.paused
    world.proxy.clock.advance(0)
    assert not many.connection.paused
    world.upstreams[0].send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
    assert many.turn().responses[1].body == b"hi"


def test_who_leaves_meanwhile_is_forgotten(world):
    many = world.client()
    many.connection.send(PING * 1000)
    many.connection.drop()
    world.proxy.clock.advance(0)
    assert len(world.proxy.factory.admission) == 0


def test_a_fault_in_what_waits_ends_the_connection(world):
    many = world.client()
    many.connection.send(PING * 300 + frames.header(1, frames.PING, 0, 0) + b"x")
    world.proxy.clock.advance(0)
    # FRAME_SIZE_ERROR
    assert goaways(many.connection.take())[-1][1] == 6 and many.connection.ended
