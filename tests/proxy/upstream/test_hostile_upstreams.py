"""Upstreams of HTTP/2 that do what they like: whatever comes, each client is answered or cut, and nothing is left."""

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.proxy.downstream.http2.http2_peer import GET as GET_2
from tests.proxy.downstream.http2.http2_peer import Http2Peer as Client2
from tests.proxy.downstream.http2.test_stream_tunnel import WEBSOCKET
from tests.proxy.exchanges.test_exchange import GET, POST
from tests.proxy.upstream.hostile_frames import HOSTILE
from tests.proxy.upstream.http2.test_http2_upstream import POST_NOTHING, ask
from tests.proxy.upstream.http2_peer import Http2Peer, data_frame
from txproxy import Limits, Pool, ReverseProxyFactory
from txproxy.testing import ProxyInMemory
from txproxy.wire.http2 import frames
from txproxy.wire.http2.faults import CANCEL

REQUESTS = [GET, POST_NOTHING, POST, b"PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc"]
BLOCKS = st.sampled_from(
    [
        b"\x88", b"\x89", b"\x8d", b"\x08\x03103", b"\x08\x03101", b"\x88\x0f\x0d\x013", b"\x88\x0f\x0d\x01x", b"\xbe",
        b"\x88\x40\x01a\x01b", b"\x88\x00\x0aconnection\x01x", b"\x80", b"", b"\x00\x01t\x01u", b"\x3f\xe1\x1f\x88",
    ]
)  # fmt: skip
STREAMS = st.sampled_from([0, 1, 1, 3, 3, 5, 2, 99])
FLAGS = st.sampled_from([0, 1, 4, 5, 5, 8, 0x20, 0xFF])
PAYLOADS = st.one_of(
    st.binary(max_size=12),
    st.sampled_from([b"\0\0\0\0", b"\0\0\0\1", b"\0\0\0\7", b"\x7f\xff\xff\xff", b"\0\0\0\1\0\0\0\0", b"x" * 100]),
    BLOCKS,
)
FRAMES = st.one_of(
    st.builds(
        lambda block, flags, stream: frames.header(len(block), frames.HEADERS, flags | 4, stream) + block,
        BLOCKS, st.sampled_from([0, 1]), st.sampled_from([1, 3, 5]),
    ),
    st.builds(data_frame, st.sampled_from([1, 3, 5]), st.binary(max_size=9), st.booleans()),
    st.builds(
        lambda kind, flags, stream, payload: frames.header(len(payload), kind, flags, stream) + payload,
        st.integers(0, 17), FLAGS, STREAMS, PAYLOADS,
    ),
    st.builds(
        lambda name, value: frames.settings([(name, value)]),
        st.integers(0, 9), st.sampled_from([0, 1, 2, 3, 100, 16384, 65535, 1 << 24, (1 << 31) - 1, 1 << 31]),
    ),
)  # fmt: skip
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("frames"), st.lists(FRAMES, min_size=1, max_size=4)),
        st.tuples(st.just("ask"), st.sampled_from(REQUESTS)),
        st.tuples(st.sampled_from(["leave", "end", "drop", "time", "slow", "fast"]), st.just(0)),
    ),
    max_size=20,
)


@given(STEPS, st.booleans())
@settings(max_examples=150)
def test_whatever_comes_nothing_is_left_behind(steps, byte_by_byte):
    pool = Pool(["h2c://10.0.0.1:80"])
    proxy = ProxyInMemory(lambda reactor: ReverseProxyFactory(pool, limits=Limits(), reactor=reactor, via=None))
    clients = [ask(proxy), ask(proxy, POST_NOTHING)]
    proxy.upstream.send(frames.settings([]))
    for what, value in steps:
        upstream = proxy.upstream
        if what == "frames":
            (upstream.send_each_byte if byte_by_byte else upstream.send)(b"".join(value))
        elif what == "ask":
            clients.append(ask(proxy, value))
        elif what == "leave":
            clients.pop(0).drop() if clients else None
        elif what == "slow":
            clients[-1].stop_reading() if clients else None
        elif what == "fast":
            clients[-1].read_on() if clients and not clients[-1].closed else None
        elif what == "time":
            proxy.advance(1)
        else:
            getattr(upstream, what)()
            proxy.clock.advance(0)
    for client in clients:
        if not client.closed:
            client.read_on()
    # Within the time of a response, and the rest of a request, all have been told something.
    proxy.clock.advance(0)
    for _ in range(30):
        proxy.clock.advance(5)
    assert all(client.received or client.closed or client.disconnecting for client in clients)
    proxy.close()
    assert [upstream.active for upstream in pool.upstreams] == [0] and not proxy.factory.services.shared_dials.waiting


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_hostile_ends_its_own_and_takes_little(proxy2, name):
    what = HOSTILE[name]
    data = what.data()
    ask(proxy2, POST_NOTHING)
    peer = Http2Peer(proxy2.upstream)
    peer.answer(1)
    peer.connection.drop()
    client = ask(proxy2, POST_NOTHING)
    peer = Http2Peer(proxy2.upstream)
    tracemalloc.start()
    try:
        for at in range(0, len(data), 16384):
            peer.connection.send(data[at : at + 16384])
            proxy2.clock.advance(0.01)
        _, memory = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert memory < 1 << 20
    codes = [frames.read_goaway(payload)[1] for kind, _, _, payload in peer.look().others if kind == "GOAWAY"]
    assert codes == ([] if what.code is None else [what.code]) and peer.connection.closed is bool(codes)
    final = client.received.rpartition(b"HTTP/1.1 ")[2]
    assert final.startswith(b"200 " if what.begun else b"502 ")
    assert client.closed if what.begun else final.endswith(b"\n")


def test_a_bomb_of_fields_takes_no_memory(proxy2):
    client = ask(proxy2, POST_NOTHING)
    peer = Http2Peer(proxy2.upstream)
    # A field of 4,000 bytes goes into the table, and is named 60,000 times.
    field = b"\x40\x01a\x7f\xa1\x1e" + b"x" * 4000
    block = b"\x88" + field + b"\xbe" * 60000
    peer.connection.send(frames.headers(1, block, True, 16384))
    assert client.received.startswith(b"HTTP/1.1 502 ")


def test_frames_that_are_continued_for_ever_end_the_connection(proxy2):
    client = ask(proxy2, POST_NOTHING)
    peer = Http2Peer(proxy2.upstream)
    peer.connection.send(frames.header(1, frames.HEADERS, 0, 1) + b"\x88")
    for _ in range(20):
        peer.connection.send(frames.header(16384, frames.CONTINUATION, 0, 1) + b"\0" * 16384)
    assert client.received.startswith(b"HTTP/1.1 502 ") and peer.connection.disconnecting


def test_resets_of_all_that_is_asked_end_the_connection(proxy2):
    """A server that refuses whatever comes costs each client two attempts, and is hung up on in the end."""
    ask(proxy2)
    peer = Http2Peer(proxy2.upstream)
    answers = []
    while not peer.connection.disconnecting:
        stream = max(peer.look().heads)
        peer.connection.send(frames.rst_stream(stream, 7))
        peer.connection.send(frames.rst_stream(stream + 2, 7))
        if not peer.connection.disconnecting:
            answers.append(ask(proxy2))
    assert 40 < len(answers) < 60 and len(proxy2.network.connections) <= 2
    assert [client.received[9:12] for client in answers[:-1]] == [b"503"] * (len(answers) - 1)


def test_answers_before_the_end_of_requests_are_no_flood(proxy2):
    """RFC 9113 section 8.1: servers that have answered reset what is left of a request, often in the same write."""
    post = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n" + b"x" * 30_000
    ask(proxy2)
    peer = Http2Peer(proxy2.upstream)
    for _ in range(300):
        client = proxy2.connect()
        client.send(post)
        peer.look()
        stream = max(peer.heads)
        peer.connection.send(peer.head_frame(stream, 404, ended=True) + frames.rst_stream(stream, 0))
        assert client.received.startswith(b"HTTP/1.1 404 ")
        client.drop()
    assert len(proxy2.network.connections) == 1 and not peer.connection.disconnecting


def test_what_was_on_its_way_when_clients_left_is_no_flood(proxy2):
    """Who asks and leaves, again and again, is not to have the connection closed that others share with him."""
    other = ask(proxy2)
    peer = Http2Peer(proxy2.upstream)
    mine = max(peer.heads)
    for _ in range(100):
        client = ask(proxy2)
        stream = max(peer.look().heads)
        peer.connection.send(peer.head_frame(stream, 200))
        client.drop()
        proxy2.clock.advance(0)
        assert peer.look().resets[stream] == CANCEL
        # All that its window took: a megabyte.
        for _ in range(64):
            peer.connection.send(data_frame(stream, b"x" * 16_384))
    peer.answer(mine, body=b"hi")
    assert other.received.endswith(b"hi") and len(proxy2.network.connections) == 1


def test_more_than_can_have_been_on_its_way_is_a_flood(proxy2):
    client = ask(proxy2)
    peer = Http2Peer(proxy2.upstream)
    peer.connection.send(peer.head_frame(1, 200))
    client.drop()
    proxy2.clock.advance(0)
    sent = 0
    while not peer.connection.disconnecting and sent < 10_000:
        peer.connection.send(data_frame(1, b"x"))
        sent += 1
    assert 1024 <= sent <= 1 + 1024 + 2001


@pytest.mark.parametrize("upgrade", [False, True])
def test_small_parts_for_a_client_that_takes_none_take_little_more_than_their_size(make, upgrade):
    proxy = make(Limits(), ("h2c://10.0.0.1:80",), h2c=True)
    client = Client2(proxy.connect(), windows=False)
    client.ask(*(WEBSOCKET if upgrade else GET_2), ended=not upgrade)
    proxy.clock.advance(0)
    peer = Http2Peer(proxy.upstream, (frames.ENABLE_CONNECT_PROTOCOL, 1))
    (stream,) = peer.look().heads
    peer.connection.send(frames.SETTINGS_ACK + peer.head_frame(stream))
    few = data_frame(stream, b"xy") * 1000
    # As much as the client's window lets go.
    peer.connection.send(data_frame(stream, b"xy" * 8192) * 4)
    client.turn()
    tracemalloc.start()
    try:
        for _ in range(60):
            peer.connection.send(few)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < 200_000
    for _ in range(8):
        client.h2.increment_flow_control_window(65_536)
        client.h2.increment_flow_control_window(65_536, 1)
        client.turn()
    assert client.responses[1].body == b"xy" * (4 * 8192 + 60_000)
