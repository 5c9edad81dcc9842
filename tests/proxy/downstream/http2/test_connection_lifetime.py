"""How long a client's connection of HTTP/2 lasts."""

import pytest
from hpack import Encoder

from tests.net.sockets import World
from tests.proxy.downstream.http2.http2_peer import GET
from tests.wire.http2.taken_apart import goaways, taken_apart
from txproxy.net.transports.any_transports import unsent
from txproxy.proxy.downstream.client_states import ClientState
from txproxy.wire.http2 import frames

OK = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 2\r\n\r\nhi"

# -- its time


def test_a_client_without_requests_is_told_that_it_is_closed(world):
    client = world.client()
    stream = client.ask()
    world.upstreams[0].send(OK)
    client.turn()
    world.proxy.advance(70)
    # What is of no use does not keep it.
    client.h2.ping(b"12345678")
    client.turn()
    world.proxy.advance(8)
    assert client.turn().goaways == [(stream, 0)]
    world.proxy.advance(4)
    assert client.connection.closed


def test_a_client_that_says_nothing_after_its_preface_is_closed(world):
    client = world.client()
    world.proxy.advance(32)
    assert client.turn().goaways == [(0, 0)]


def test_who_has_sent_more_than_its_share_is_not_idle(world):
    client = world.client()
    client.h2.send_headers(1, GET, end_stream=True)
    # On a slow machine it takes a while until all that is before the request has had its turn.
    client.connection.send(frames.ping(b"12345678") * 1500 + client.h2.data_to_send())
    world.proxy.clock.advance(32)
    world.proxy.advance(0)
    world.upstreams[0].send(OK)
    assert client.turn().responses[1].body == b"hi" and not client.goaways


@pytest.mark.parametrize("begun", [frames.PREFACE[:10], frames.PREFACE + frames.settings([]) + b"\0\0"])
def test_what_has_begun_has_to_be_complete_in_time(world, begun):
    connection = world.proxy.connect()
    connection.send(begun)
    world.proxy.advance(19)
    assert not connection.ended
    world.proxy.advance(3)
    assert connection.ended and goaways(connection.received) == [(0, 0)]


def test_half_a_frame_after_a_request_has_the_time_of_a_head(world):
    client = world.client()
    client.ask()
    world.upstreams[0].send(OK)
    client.turn()
    client.connection.send(b"\0")
    world.proxy.advance(32)
    assert client.turn().goaways == [(1, 0)]


def test_streams_that_run_have_no_such_time(world):
    client = world.client()
    stream = client.ask()
    for _ in range(4):
        world.proxy.advance(50)
        world.upstreams[0].send(b"HTTP/1.1 103 Early Hints\r\n\r\n")
    world.upstreams[0].send(OK)
    response = client.turn().responses[stream]
    assert response.status == 200 and len(response.heads) == 5 and not client.goaways


def test_output_that_nobody_reads_has_bounds_in_size_and_time(world):
    client = world.client()
    client.ask()
    connection = client.connection
    connection.stop_reading()
    ping = frames.ping(b"12345678")
    while not connection.paused and connection.waiting < 200_000:
        connection.send(ping * 100)
        world.proxy.advance(0.5)
    assert connection.paused and connection.waiting < 150_000 and not connection.ended
    world.proxy.advance(160)
    assert connection.reset


# -- the end


def test_a_drain_tells_the_client_twice_and_loses_no_request(world):
    client = world.client()
    first = client.ask()
    world.proxy.factory.drain()
    told = client.connection.received
    assert goaways(told) == [(frames.LAST_STREAM, 0)]
    # This one was on its way.
    client.connection.received = b""
    client.h2.send_headers(3, GET, end_stream=True)
    client.connection.send(client.h2.data_to_send())
    client.connection.received = told + client.connection.received
    client.turn()
    assert client.goaways == [(frames.LAST_STREAM, 0), (3, 0)]
    for upstream in world.upstreams:
        upstream.send(OK)
    client.turn()
    assert client.responses[first].body == client.responses[3].body == b"hi"
    assert client.connection.ended and world.outcomes == ["ok", "ok"]


def test_a_fault_after_the_last_stream_of_a_drain_ends_it_but_once(world):
    client = world.client()
    stream = client.ask()
    world.proxy.factory.drain()
    client.turn()
    client.connection.send(frames.rst_stream(stream, 8) + frames.window_update(0, 0))
    assert goaways(client.connection.take())[-1] == (stream, 1)
    assert client.connection.ended and world.outcomes == ["client-gone"]


def test_a_drain_does_not_wait_long_for_who_does_not_answer(world):
    connection = world.proxy.connect()
    connection.send(frames.PREFACE + frames.settings([]) + frames.SETTINGS_ACK)
    world.proxy.factory.drain()
    assert goaways(connection.take()) == [(frames.LAST_STREAM, 0)]
    world.proxy.advance(1.5)
    assert goaways(connection.take()) == [(0, 0)] and connection.ended


def test_a_drain_lets_who_reads_slowly_read_what_its_system_holds():
    world = World(h2c=True)
    client, protocol = world.connect(kernel=400_000)
    window = [(frames.INITIAL_WINDOW_SIZE, 1 << 20)]
    client.sendall(frames.PREFACE + frames.settings(window) + frames.window_update(0, 1 << 20) + frames.SETTINGS_ACK)
    client.sendall(frames.headers(1, Encoder().encode(GET), True, 16384))
    world.until(lambda: world.upstreams, "an upstream is asked")
    world.hear(world.upstreams[0])
    world.factory.drain()
    world.reactor.advance(1.5)
    response = b"HTTP/1.1 200 OK\r\nContent-Length: 600000\r\n\r\n" + b"x" * 600_000
    while response:
        response = response[world.upstreams[0].send(response[:65536]) :]
        world.turns()
    # There is room for all of it in the two systems, and not in that of the client alone.
    transport = protocol.transport
    world.until(lambda: transport.protocol.state is ClientState.LINGERING, "the last word is said")
    assert unsent(transport) > 65536
    got = bytearray()

    def reads():
        got.extend(client.recv(16384))
        return not unsent(transport)

    world.until(reads, "the client's system has the rest")
    world.reactor.advance(3)
    world.turns()
    client.sendall(frames.window_update(0, 200_000))
    world.turns()
    client.sendall(frames.window_update(1, 200_000))
    assert len(got) < 600_000
    while piece := client.recv(65536):
        got += piece
    assert sum(len(payload) for kind, _, _, payload in taken_apart(bytes(got)) if kind == "DATA") == 600_000
    world.reactor.advance(80)
    world.close()


def test_who_comes_while_all_leave_gets_one_answer(world):
    world.proxy.factory.draining = True
    client = world.client()
    stream = client.ask()
    world.upstreams[0].send(OK)
    response = client.turn().responses[stream]
    assert response.body == b"hi" and client.goaways == [(1, 0)] and client.connection.ended


def test_a_stop_ends_all(world):
    client = world.client()
    client.ask()
    world.proxy.factory.stop()
    world.proxy.clock.advance(0)
    assert client.connection.reset and world.outcomes == ["stopped"]
