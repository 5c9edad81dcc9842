"""Bodies between real sockets, whatever the order in which a reactor lets them read, write and end their turns."""

import contextlib
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.net.sockets import World
from txproxy.net import splice

pytestmark = pytest.mark.skipif(not splice.AVAILABLE, reason="there is no splice(2) here")

SIZE = 1_200_000
BODY = random.Random(1).randbytes(SIZE)
LENGTH = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: %d\r\n\r\n" % SIZE
CHUNKED = b"HTTP/1.1 200 OK\r\nDate: D\r\nTransfer-Encoding: chunked\r\n\r\n"
LAST = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 4\r\n\r\nlast"
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"

STEPS = st.tuples(
    st.sampled_from([("send", "read"), ("take", "write"), ("send",), ("take",), ("read",), ("write",), ("end turn",)]),
    st.sampled_from([1, 500, 20_000, 300_000, 300_000]),
)


def chunked(data):
    pieces = [data[place : place + 50_000] for place in range(0, len(data), 50_000)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def without_chunks(data):
    parts = []
    while data:
        size, _, data = data.partition(b"\r\n")
        parts.append(data[: int(size, 16)])
        data = data[int(size, 16) + 2 :]
    return b"".join(parts)


@pytest.mark.no_cover
@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.sampled_from([LENGTH, CHUNKED]), st.booleans(), st.lists(STEPS, max_size=50))
def test_a_body_arrives_unchanged_in_any_order_of_events(head, full, steps):
    world = World()
    world.request(GET + GET)
    upstream, received = world.upstreams[0], bytearray()
    left = memoryview(head + (BODY if head is LENGTH else chunked(BODY)))
    while full and not world.waiting:
        # The client is slow from the beginning: a little waits for it.
        left = left[upstream.send(left[:1000]) :]
        world.turns(1)
    for what, size in [(what, size) for several, size in steps for what in several]:
        if what == "send" and left:
            with contextlib.suppress(BlockingIOError):
                left = left[upstream.send(left[:size]) :]
        elif what == "take":
            with contextlib.suppress(BlockingIOError):
                received += world.client.recv(size)
        elif what == "read":
            world.reactor.read()
        elif what == "write":
            world.reactor.write()
        elif what == "end turn":
            world.reactor.end_turn()
    while left:
        with contextlib.suppress(BlockingIOError):
            left = left[upstream.send(left) :]
        world.turns(1)
        with contextlib.suppress(BlockingIOError):
            received += world.client.recv(1 << 20)
    # The pipelined request is there once the response to the first is through.
    received += world.carry(upstream, b"", world.client, len(head) + SIZE - len(received)) if head is LENGTH else b""
    while not received.endswith(LAST):
        with contextlib.suppress(BlockingIOError):
            if upstream.recv(65536):
                upstream.sendall(LAST)
        world.turns(1)
        with contextlib.suppress(BlockingIOError):
            received += world.client.recv(1 << 20)
    got = bytes(received[len(head) : -len(LAST)])
    assert bytes(received[: len(head)]) == head
    assert (got if head is LENGTH else without_chunks(got)) == BODY
    world.close()
