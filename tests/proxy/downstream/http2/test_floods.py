"""Who sends what costs little to send and much to deal with: each is cut off, and nobody else is the worse for it."""

import pytest
from hpack import Decoder, Encoder

from tests.proxy.downstream.http2.http2_peer import GET, POST
from tests.wire.http2.taken_apart import frame, goaways, resets, taken_apart
from txproxy import Limits
from txproxy.wire.http2 import frames

ENHANCE_YOUR_CALM = 0xB
OK = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 2\r\n\r\nhi"


def get(number, ended=True):
    return frames.headers(number, Encoder().encode(GET if ended else POST), ended, 16384)


def priority(number, depends):
    return frame(frames.PRIORITY, 0, number, depends.to_bytes(4, "big") + b"\xff")


FLOODS = {
    "SETTINGS": lambda number: frames.settings([]),
    "PING": lambda number: frames.ping(b"12345678"),
    "PRIORITY": lambda number: frame(frames.PRIORITY, 0, 1, b"\0\0\0\0\0"),
    "WINDOW_UPDATE": lambda number: frames.window_update(0, 1),
    "unknown": lambda number: frame(0xFA, 0, 0, b"x"),
    "empty DATA": lambda number: frame(frames.DATA, 0, 1),
    "PRIORITY_UPDATE": lambda number: frame(frames.PRIORITY_UPDATE, 0, 0, b"\0\0\0\1u=1"),
    "PRIORITY_UPDATE of idle streams": lambda number: frame(
        frames.PRIORITY_UPDATE, 0, 0, number.to_bytes(4, "big") + b"u=1"
    ),
    "streams that depend on each other": lambda number: (
        priority(number, number + 2) + priority(number + 2, number) + priority(number, 0x80000000)
    ),
    # CVE-2025-8671: each provokes a reset of ours.
    "windows that grow by nothing": lambda number: get(number) + frames.window_update(number, 0),
    "windows that are too large": lambda number: get(number) + frames.window_update(number, (1 << 31) - 1),
    "bodies after their end": lambda number: get(number) + frame(frames.RST_STREAM, 0, number, b"\0\0\0\x08"),
    "malformed requests": lambda number: frames.headers(number, b"\x82\x84", True, 16384),
}


@pytest.mark.parametrize("kind", FLOODS)
def test_a_flood_ends_its_connection_and_no_other(world, kind):
    other = world.client()
    stream = other.ask()
    upstream = world.upstreams[0]
    client = world.client()
    client.connection.send(get(1, ended=False))
    sent = 0
    while not client.connection.ended and sent < 10_000:
        client.connection.send(FLOODS[kind](3 + 2 * sent))
        sent += 1
    said = client.connection.take()
    assert goaways(said)[-1][1] == ENHANCE_YOUR_CALM and sent <= 2001
    # Each request has gone to an upstream at most once, and none of them is left.
    assert len(world.upstreams) <= 103
    assert [record.outcome for record in world.records] == ["client-gone"] * len(world.records)
    world.proxy.advance(4)
    assert client.connection.closed and all(one.closed for one in world.upstreams if one is not upstream)
    upstream.send(OK)
    assert other.turn().responses[stream].body == b"hi"


def test_a_stream_that_depends_on_itself_ends_its_connection(world):
    client = world.client()
    client.ask()
    client.connection.send(priority(9, 9))
    # 1: PROTOCOL_ERROR
    assert goaways(client.connection.take())[-1][1] == 1 and client.connection.ended


def test_field_blocks_without_end_are_cut_off(world):
    """CVE-2024-27316."""
    client = world.client()
    client.connection.send(frame(frames.HEADERS, frames.END_STREAM, 1, b"\x82"))
    sent = 0
    while not client.connection.ended and sent < 1000:
        client.connection.send(frame(frames.CONTINUATION, 0, 1, b"\0\1a\1b" * 100))
        sent += 1
    assert goaways(client.connection.take())[-1][1] == ENHANCE_YOUR_CALM and sent <= 33


def test_a_head_that_expands_to_much_is_refused_before_it_does(world):
    client = world.client()
    large = Encoder()
    first = large.encode([*GET, (b"x", b"y" * 3000)], huffman=False)
    client.connection.send(frames.headers(1, first, True, 16384))
    # Each byte of it is one more field of 3000 bytes, of the table.
    client.connection.send(frames.headers(3, Encoder().encode(GET) + b"\xbe" * 10_000, True, 16384))
    said = {stream: block for name, _, stream, block in taken_apart(client.connection.take()) if name == "HEADERS"}
    assert dict(Decoder().decode(said[3]))[":status"] == "431" and len(world.upstreams) == 1
    assert not goaways(client.connection.take()) and not client.connection.ended


def test_more_streams_than_there_may_be_are_for_later(world):
    client = world.client()
    client.connection.send(b"".join(get(number) for number in range(1, 241, 2)))
    world.proxy.clock.advance(0)
    said = client.connection.take()
    # 7: REFUSED_STREAM
    assert resets(said) == [(number, 7) for number in range(201, 241, 2)] and len(world.upstreams) == 100
    for upstream in [*world.upstreams]:
        upstream.send(OK)
    client.connection.take()
    client.connection.send(get(301))
    assert not resets(client.connection.take())


def test_half_closed_streams_cost_their_windows_and_no_more(world):
    """Bodies that nobody wants yet lie in the window, and are gone with their streams."""
    client = world.client()
    for number in range(1, 21, 2):
        client.connection.send(get(number, ended=False))
    for upstream in world.upstreams:
        upstream.stop_reading()
    (protocol,) = world.proxy.factory.admission.everyone()
    for number in range(1, 21, 2):
        for _ in range(11):
            client.connection.send(frame(frames.DATA, 0, number, b"x" * 16384))
    held = sum(stream.unconsumed for stream in protocol.session.streams.values())
    assert 0 < held <= 10 * 11 * 16384
    for number in range(1, 21, 2):
        client.connection.send(frame(frames.RST_STREAM, 0, number, b"\0\0\0\x08"))
    assert not protocol.session.streams and protocol.session.active == 0


def test_the_rest_of_uploads_that_were_refused_is_no_flood(make_world):
    world = make_world(limits=Limits(max_body_size=100))
    client = world.client()
    block = Encoder().encode([*POST, ("content-length", "999999")])
    for number in range(1, 201, 2):
        client.connection.send(frames.headers(number, block, False, 16384))
        # 413, and a reset, which the client has not heard of yet: what its window took is on its way.
        for _ in range(10):
            client.connection.send(frame(frames.DATA, 0, number, b"x" * 16384))
    said = client.connection.take()
    assert not goaways(said) and not client.connection.ended
    assert len([name for name, *_ in taken_apart(said) if name == "HEADERS"]) == 100
