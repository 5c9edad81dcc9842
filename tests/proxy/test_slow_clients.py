"""Clients that are slow to take what they have asked for, over real sockets."""

import contextlib

import pytest

from tests.net.sockets import World

SIZE = 200_000
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE + b"x" * SIZE

REQUESTS = {
    "the response ends the connection": b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "the connection is kept": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "the response comes before the end of the request": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe",
}


@pytest.fixture(params=REQUESTS.values(), ids=REQUESTS)
def world(request):
    made = World()
    made.request(request.param)
    upstream = made.upstreams[0]
    upstream.settimeout(5)
    left = memoryview(WHOLE)
    while left:
        left = left[upstream.send(left[:20000]) :]
        made.turns()
    yield made
    made.close()


def pass_time(world, seconds):
    for _ in range(seconds * 2):
        world.reactor.advance(0.5)
        world.turns(1)


def take(world, size):
    with contextlib.suppress(BlockingIOError):
        return len(world.client.recv(size))
    return 0


def test_who_takes_little_at_a_time_gets_it_all(world):
    taken = 0
    while taken < SIZE:
        for _ in range(4):
            taken += take(world, 10_000)
        pass_time(world, 70)
    assert taken > SIZE


def test_who_takes_nothing_is_dropped(world):
    # The kernel takes somewhat more for it, in its own time: there is an end to that.
    for _ in range(20):
        pass_time(world, 160)
        if world.downstream not in world.factory.admission.everyone():
            break
    assert world.downstream not in world.factory.admission.everyone()
    with pytest.raises(ConnectionError):
        while world.client.recv(65536):
            pass


def test_what_the_proxy_answers_itself_is_not_gathered_for_who_takes_nothing():
    world = World()
    request = b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n"
    left = memoryview(request * 10_000)
    for _ in range(20):
        with contextlib.suppress(BlockingIOError):
            left = left[world.client.send(left) :]
        world.turns(1)
        assert world.waiting < 70_000
    assert left, "it was read to the end"
    received = bytearray()
    while received.count(b"HTTP/1.1 405 ") < 10_000:
        with contextlib.suppress(BlockingIOError):
            left = left[world.client.send(left) :] if left else left
        world.turns(1)
        with contextlib.suppress(BlockingIOError):
            received += world.client.recv(1 << 20)
    world.close()
