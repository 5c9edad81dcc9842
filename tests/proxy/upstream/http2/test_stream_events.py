"""What comes on several streams at once: each hears of its own, in order."""

import pytest
from twisted.logger import LogLevel, globalLogPublisher

from tests.net.sockets import SocketPeer, World
from tests.proxy.exchanges.test_exchange import GET, status
from tests.proxy.upstream.http2.test_http2_upstream import POST_NOTHING, ask
from tests.proxy.upstream.http2_peer import Http2Peer, data_frame
from txproxy.wire.http2 import frames
from txproxy.wire.http2.faults import HTTP_1_1_REQUIRED, NO_ERROR


def test_responses_whose_frames_are_mixed(proxy2):
    one, other = ask(proxy2, count=2)
    peer = Http2Peer(proxy2.upstream)
    peer.connection.send(
        peer.head_frame(3, 200, ("date", "D"))
        + peer.head_frame(1, 200, ("date", "D"))
        + data_frame(3, b"three")
        + data_frame(1, b"one", ended=True)
        + data_frame(3, ended=True)
    )
    for client, body in ((one, b"3\r\none\r\n"), (other, b"5\r\nthree\r\n")):
        assert client.received.endswith(b"chunked\r\n\r\n" + body + b"0\r\n\r\n")


def test_what_one_read_has_of_a_stream_after_its_end_is_nobodys(proxy2):
    client = ask(proxy2)
    peer = Http2Peer(proxy2.upstream)
    peer.connection.send(peer.head_frame(1, ended=True) + frames.rst_stream(1, 0) + frames.window_update(1, 5))
    assert status(client.received) == 200 and not peer.connection.closed


def test_a_reset_after_a_head_of_the_same_read_cuts_the_response(proxy2):
    client = ask(proxy2)
    peer = Http2Peer(proxy2.upstream)
    peer.connection.send(peer.head_frame(1) + frames.rst_stream(1, 2))
    assert client.disconnecting


def test_who_wants_http1_where_there_is_none_is_a_bad_gateway(proxy2):
    client = ask(proxy2, POST_NOTHING)
    peer = Http2Peer(proxy2.upstream)
    peer.connection.send(frames.rst_stream(1, HTTP_1_1_REQUIRED))
    assert status(client.received) == 502


# -- who answers and has done with the connection, or with the rest of the request


@pytest.fixture
def log():
    """What is logged, of which nothing is to be a fault."""
    seen = []
    globalLogPublisher.addObserver(seen.append)
    yield
    globalLogPublisher.removeObserver(seen.append)
    assert [event for event in seen if event["log_level"] >= LogLevel.warn] == []


def in_parts(data, whole):
    return [data] if whole else [data[at : at + 1] for at in range(len(data))]


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("ended", [True, False])
@pytest.mark.parametrize("before", [False, True])
def test_answers_that_come_with_the_end_of_the_connection_are_whole(log, proxy2, whole, ended, before):
    first = 1
    if before:
        # Those that come are like one that has come.
        proxy2.connect().send(GET)
        peer = Http2Peer(proxy2.upstream)
        peer.answer(1, 200, ("x", "y"), body=b"again")
        first = 3
    clients = [proxy2.connect() for _ in range(3)]
    for client in clients:
        client.send(GET)
    if not before:
        peer = Http2Peer(proxy2.upstream)
    data = b"".join(
        [peer.head_frame(n, 200, ("x", "y")) + data_frame(n, b"again", ended=True) for n in (first, first + 2)]
    )
    for part in in_parts(data + frames.goaway(first + 2, NO_ERROR), whole):
        peer.connection.send(part)
    if ended:
        peer.connection.end()
    for client in clients[:2]:
        assert status(client.received) == 200 and b"again" in client.received and not client.disconnecting
    other = Http2Peer(proxy2.upstream)
    assert other.connection is not peer.connection and list(other.heads) == [1]
    other.answer(1)
    assert status(clients[2].received) == 200


BEGUN = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello"
RESPONSES = {
    "in one": lambda peer: [peer.head_frame(1, 413), data_frame(1, b"no", ended=True)],
    "in parts": lambda peer: [peer.head_frame(1, 413), data_frame(1, b"no"), data_frame(1, ended=True)],
    "empty": lambda peer: [peer.head_frame(1, 413, ended=True)],
    "with trailers": lambda peer: [peer.head_frame(1, 413), data_frame(1, b"no"), peer.trailers_frame(1, ("a", "b"))],
}


@pytest.mark.parametrize("response", RESPONSES)
@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("window", [65535, 2])
def test_a_complete_response_is_whole_though_the_rest_of_its_request_is_reset(log, proxy2, response, whole, window):
    """RFC 9113 section 8.1: a server may send RST_STREAM with NO_ERROR after it, which takes nothing of it away."""
    client = proxy2.connect()
    client.send(BEGUN)
    peer = Http2Peer(proxy2.upstream, (frames.INITIAL_WINDOW_SIZE, window))
    data = b"".join([*RESPONSES[response](peer), frames.rst_stream(1, NO_ERROR)])
    for part in in_parts(data, whole):
        peer.connection.send(part)
    assert status(client.received) == 413 and (b"no" in client.received) is (response != "empty")
    client.send(b"world")
    assert not client.reset and not peer.look().connection.closed
    other = proxy2.connect()
    other.send(GET)
    peer.look().answer(3)
    assert status(other.received) == 200 and len(proxy2.network.connections) == 1


@pytest.mark.parametrize("unread", [False, True])
def test_over_sockets_a_response_is_whole_whose_upstream_has_closed(log, unread):
    """Also where it has not read all of the request, so that its kernel resets the connection."""
    world = World(upstream="h2c://10.0.0.1:80")
    world.client.sendall(BEGUN)
    world.until(lambda: world.upstreams, "it is asked for")
    peer = Http2Peer(SocketPeer(world.upstreams[0]))
    world.until(lambda: peer.look().bodies, "it is there")
    if unread:
        world.client.sendall(b"wor")
        world.turns()
    response = RESPONSES["in one"](peer)
    peer.connection.send(b"".join([*response, frames.rst_stream(1, NO_ERROR), frames.goaway(1, NO_ERROR)]))
    peer.connection.end.close()
    received = world.until(lambda: world.hear(world.client), "it is answered")
    assert status(received) == 413 and b"no" in received
    world.close()
