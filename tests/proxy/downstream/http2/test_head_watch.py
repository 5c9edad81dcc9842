"""Heads that come to a connection of HTTP/2 byte by byte."""

from itertools import pairwise

import attrs
import pytest

from tests.proxy.downstream.http2.conftest import LIMITS
from tests.proxy.downstream.http2.http2_peer import GET
from tests.wire.http2.taken_apart import frame, goaways
from txproxy.wire.http2 import frames

OK = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 2\r\n\r\nhi"
# A field block that has 16 kB in its frame, and one of frames of a byte each.
ONE_FRAME = (frame(frames.HEADERS, frames.END_STREAM | frames.END_HEADERS, 3, b"x" * 16_000), 1)
CONTINUED = (
    frame(frames.HEADERS, frames.END_STREAM, 3, b"\x82") + frame(frames.CONTINUATION, 0, 3, b"\x84") * 30,
    frames.HEADER_SIZE + 1,
)


def drip(world, client, whole, step, seconds):
    """Send ``step`` more bytes of ``whole`` each second; how many seconds that went well."""
    for second in range(seconds):
        client.connection.send(whole[second * step : (second + 1) * step])
        world.proxy.advance(1)
        if client.connection.ended:
            return second
    return seconds


@pytest.mark.parametrize(("whole", "step"), [ONE_FRAME, CONTINUED], ids=["one frame", "continued"])
@pytest.mark.parametrize("busy", [False, True])
def test_a_head_that_drips_ends_its_connection(world, whole, step, busy):
    client = world.client()
    if busy:
        client.ask()
    whole = whole if busy else whole.replace(b"\0\0\0\3", b"\0\0\0\1")
    lasted = drip(world, client, whole[: 25 * step] if not busy else whole, step, 60)
    # Beside others, it counts from when it was seen.
    assert (20 <= lasted <= 21) if not busy else (20 <= lasted <= 41)
    # The connection's own fault, and nobody else's.
    assert goaways(client.connection.take())
    assert world.outcomes[0] == "slow-head" and world.records[0].status == 0


def test_one_that_comes_as_fast_as_asked_is_not_hurried(world):
    client = world.client()
    stream = client.ask()
    whole, _ = ONE_FRAME
    assert drip(world, client, whole, 700, 21) == 21
    world.upstreams[0].send(OK)
    assert client.turn().responses[stream].body == b"hi"


def test_bodies_that_come_in_parts_are_not_heads(world):
    client = world.client()
    client.ask(*GET[1:], (b":method", b"POST"), ended=False)
    # Always in the middle of a frame, as who sends much is.
    part = frame(frames.DATA, 0, 1, b"x" * 5000)
    client.connection.send(part[:10])
    for _ in range(40):
        client.connection.send(part[10:] + part[:10])
        world.proxy.advance(2)
    assert not client.connection.ended


def test_two_heads_are_two(world):
    """Each comes soon enough, and the connection is never without one that has begun."""
    client = world.client()
    client.ask()
    parts = [frames.headers(number, client.h2.encoder.encode(GET), True, 16384) for number in (3, 5, 7)]
    client.connection.send(parts[0][:12])
    for before, after in pairwise(parts):
        world.proxy.advance(19)
        client.connection.send(before[12:] + after[:12])
    world.proxy.advance(19)
    assert not client.connection.ended and len(world.upstreams) == 3


def test_a_rate_of_none_leaves_them_their_time(make_world):
    world = make_world(limits=attrs.evolve(LIMITS, min_header_rate=0))
    client = world.client()
    assert 30 <= drip(world, client, ONE_FRAME[0].replace(b"\0\0\0\3", b"\0\0\0\1"), 1, 60) <= 31
