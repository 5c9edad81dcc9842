"""Long bodies, by splice(2) between real sockets."""

import contextlib
import os
import socket
import struct

import pytest

from tests.net.descriptors import count_descriptors, no_descriptor_to_be_had
from tests.net.sockets import World
from txproxy.net import splice
from txproxy.proxy.upstream.spliced_body import WORTHWHILE

pytestmark = pytest.mark.skipif(not splice.AVAILABLE, reason="there is no splice(2) here")

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
SIZE = 3_000_000
HEAD = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: %d\r\n\r\n" % SIZE
OK = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
def world():
    descriptors = count_descriptors()
    made = World()
    yield made
    made.close()
    # Threads of tests before may have closed some of their own meanwhile.
    assert count_descriptors() <= descriptors


@pytest.fixture
def body():
    return os.urandom(SIZE)


def begin(world, piece=b""):
    """A request, and the head of its response with ``piece`` of the body; gives the upstream's end and what came."""
    world.request(GET)
    upstream = world.upstreams[-1]
    upstream.sendall(HEAD + piece)
    return upstream, world.hear(world.client)


def passing(world):
    """Whether a body passes by the codecs just now."""
    return any("doRead" in vars(one) for one in world.reactor.readers)


def test_a_long_body_arrives_unchanged_and_past_the_codecs(world, body):
    upstream, received = begin(world)
    assert passing(world)
    received += world.carry(upstream, body, world.client, SIZE)
    assert received == HEAD + body
    assert not passing(world)


def test_a_reader_that_takes_little_gets_it_all(world, body):
    upstream, received = begin(world)
    received += world.carry(upstream, body, world.client, SIZE, gulp=20_000)
    assert received == HEAD + body


def test_a_body_whose_beginning_came_with_the_head_arrives_in_order(world, body):
    upstream, received = begin(world, body[:1000])
    received += world.carry(upstream, body[1000:], world.client, SIZE - 1000)
    assert received == HEAD + body


def test_short_bodies_take_the_ordinary_way(world):
    world.request(GET)
    world.upstreams[0].sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % WORTHWHILE + b"x")
    world.hear(world.client)
    assert not passing(world)


def test_a_body_until_close_takes_the_ordinary_way(world, body):
    world.request(b"GET / HTTP/1.0\r\n\r\n")
    upstream = world.upstreams[0]
    upstream.sendall(b"HTTP/1.1 200 OK\r\nDate: D\r\n\r\n")
    received = world.hear(world.client)
    assert not passing(world)
    received += world.carry(upstream, body, world.client, SIZE)
    upstream.close()
    assert received + world.carry(world.client, b"", world.client) == (
        b"HTTP/1.1 200 OK\r\nDate: D\r\nConnection: close\r\n\r\n" + body
    )


def fill(world, upstream, data):
    """Send of ``data`` what the proxy takes while the client reads nothing; gives how much."""
    sent = 0
    for _ in range(1000):
        try:
            sent += upstream.send(data[sent : sent + 100_000])
        except BlockingIOError:
            break
        world.turns(1)
    return sent


def test_a_reader_that_stops_makes_the_source_stop(world, body):
    upstream, received = begin(world)
    sent = fill(world, upstream, body)
    assert sent < 1_500_000
    assert 0 < world.waiting < 400_000
    received += world.carry(upstream, body[sent:], world.client, SIZE)
    assert received == HEAD + body


def test_what_was_gathered_goes_before_what_the_kernel_passes(world, body):
    # A reactor may read again before it ends its turn.
    upstream, received = begin(world)
    sent = 0

    def next_piece():
        nonlocal sent
        sent += upstream.send(body[sent : sent + 1000])
        world.reactor.read(patience=5)

    while not world.waiting:
        next_piece()
    # The client has bytes to take that come first: a piece goes the ordinary way.
    next_piece()
    # It takes them, and the next piece may pass.
    while world.waiting:
        with contextlib.suppress(BlockingIOError):
            received += world.client.recv(1 << 20)
        world.reactor.write()
    next_piece()
    world.reactor.end_turn()
    received += world.carry(upstream, body[sent:], world.client, len(HEAD) + SIZE - len(received))
    assert received == HEAD + body


def test_what_was_gathered_goes_before_the_passage_begins(world, body):
    world.request(GET)
    upstream = world.upstreams[0]
    upstream.sendall(HEAD + body[:1000])
    world.reactor.read(patience=5)
    upstream.sendall(body[1000:2000])
    world.reactor.read(patience=5)
    world.reactor.end_turn()
    assert world.carry(upstream, body[2000:], world.client, len(HEAD) + SIZE) == HEAD + body


def test_the_upstream_connection_serves_the_next_request(world, body):
    upstream, _ = begin(world)
    world.carry(upstream, body, world.client, SIZE)
    assert world.request(GET).startswith(b"GET / ")
    assert len(world.upstreams) == 1
    upstream.sendall(OK)
    assert world.hear(world.client) == OK


def test_a_pipelined_request_is_next(world, body):
    world.request(GET + GET)
    upstream = world.upstreams[0]
    upstream.sendall(HEAD)
    world.carry(upstream, body, world.client, len(HEAD) + SIZE)
    assert world.hear(upstream).startswith(b"GET / ")
    upstream.sendall(OK)
    assert world.hear(world.client) == OK


def test_bytes_after_the_body_answer_nobody(world, body):
    upstream, received = begin(world)
    received += world.carry(upstream, body + OK.replace(b"ok", b"no"), world.client, SIZE)
    assert received == HEAD + body
    world.until(lambda: not passing(world), "the passage ends")
    world.request(GET)
    assert len(world.upstreams) == 2
    world.upstreams[1].sendall(OK)
    assert world.hear(world.client) == OK


@pytest.mark.parametrize("left", [1, 100_000, 2_000_000])
def test_a_body_that_is_cut_is_cut_for_the_client(world, body, left):
    upstream, received = begin(world)
    received += world.carry(upstream, body[:-left], world.client, SIZE - left)
    upstream.close()
    assert world.carry(world.client, b"", world.client) == b""
    assert received == HEAD + body[:-left]
    with pytest.raises(ConnectionError):
        for _ in range(1000):
            world.client.send(GET)
            world.turns()


def test_a_client_that_leaves_cancels_its_upstream(world, body):
    upstream, _ = begin(world)
    fill(world, upstream, body)
    world.client.close()
    world.turns()
    with pytest.raises(ConnectionError):
        for _ in range(1000):
            upstream.send(b"x" * 1000)
            world.turns(1)


def test_an_upstream_that_resets_cuts_the_response(world, body):
    upstream, _ = begin(world)
    world.carry(upstream, body[:1_000_000], world.client, 1_000_000)
    upstream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    upstream.close()
    assert world.carry(world.client, b"", world.client) == b""


def test_an_upstream_is_not_late_while_the_client_is_slow(world, body):
    upstream, received = begin(world)
    sent = upstream.send(body)
    world.until(lambda: world.waiting > 65536, "the upstream is paused")
    for _ in range(70):
        world.reactor.advance(1)
    received += world.carry(upstream, body[sent:], world.client, SIZE)
    assert received == HEAD + body


def test_without_descriptors_for_a_pipe_the_body_takes_the_ordinary_way(world, body):
    upstream, received = begin(world)
    with no_descriptor_to_be_had():
        with pytest.raises(OSError):
            splice.Pipe()
        received += world.carry(upstream, body, world.client, SIZE)
    assert received == HEAD + body
