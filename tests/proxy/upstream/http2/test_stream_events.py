"""What comes on several streams at once: each hears of its own, in order."""

from tests.proxy.exchanges.test_exchange import status
from tests.proxy.upstream.http2.test_http2_upstream import POST_NOTHING, ask
from tests.proxy.upstream.http2_peer import Http2Peer, data_frame
from txproxy.wire.http2 import frames
from txproxy.wire.http2.faults import HTTP_1_1_REQUIRED


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
