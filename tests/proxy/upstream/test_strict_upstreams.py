"""What upstreams of HTTP/2 must not do, case by case: the code that they are told, what the client gets, and that
nobody else is the worse for what concerns one stream alone.
"""

import pytest

from tests.proxy.exchanges.test_exchange import status
from tests.proxy.upstream.http2.test_http2_upstream import POST_NOTHING, ask
from tests.proxy.upstream.http2_peer import Http2Peer, data_frame
from tests.wire.http2.taken_apart import frame
from txproxy import Limits
from txproxy.wire.http2 import frames
from txproxy.wire.http2.faults import (
    COMPRESSION_ERROR,
    ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
    INTERNAL_ERROR,
    NO_ERROR,
    PROTOCOL_ERROR,
    STREAM_CLOSED,
)
from txproxy.wire.http2.frames import DATA, END_HEADERS, END_STREAM, HEADERS, PADDED

DATE = ("date", "D")
LARGEST = (1 << 31) - 1


def head(stream, block, ended=False):
    return frame(HEADERS, END_HEADERS | (END_STREAM if ended else 0), stream, block)


def window(stream, size):
    return frame(frames.WINDOW_UPDATE, 0, stream, size.to_bytes(4, "big"))


# What ends the connection, and by which code.
FATAL = {
    "DATA, idle": (data_frame(99, b"x"), PROTOCOL_ERROR),
    "DATA of no stream": (data_frame(0, b"x"), PROTOCOL_ERROR),
    "HEADERS, idle": (head(99, b"\x88", True), PROTOCOL_ERROR),
    "HEADERS of no stream": (head(0, b"\x88", True), PROTOCOL_ERROR),
    "HEADERS of a stream of its own": (head(2, b"\x88", True), PROTOCOL_ERROR),
    "RST_STREAM, idle": (frames.rst_stream(99, INTERNAL_ERROR), PROTOCOL_ERROR),
    "RST_STREAM of no stream": (frames.rst_stream(0, INTERNAL_ERROR), PROTOCOL_ERROR),
    "RST_STREAM of a wrong size": (frame(frames.RST_STREAM, 0, 1, bytes(3)), FRAME_SIZE_ERROR),
    "WINDOW_UPDATE, idle": (window(99, 1), PROTOCOL_ERROR),
    "WINDOW_UPDATE of nothing": (window(0, 0), PROTOCOL_ERROR),
    "WINDOW_UPDATE of too much": (window(0, LARGEST), FLOW_CONTROL_ERROR),
    "PUSH_PROMISE": (frame(frames.PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\2\x82"), PROTOCOL_ERROR),
    "PRIORITY_UPDATE": (frame(frames.PRIORITY_UPDATE, 0, 0, b"\0\0\0\1u=0"), PROTOCOL_ERROR),
    "SETTINGS of a push": (frames.settings([(frames.ENABLE_PUSH, 1)]), PROTOCOL_ERROR),
    "SETTINGS of a window too large": (frames.settings([(4, 1 << 31)]), FLOW_CONTROL_ERROR),
    "SETTINGS of windows that come to be too large": (
        window(1, LARGEST - 65535) + frames.settings([(4, 65536)]), FLOW_CONTROL_ERROR,
    ),
    "SETTINGS of frames too small": (frames.settings([(5, 16383)]), PROTOCOL_ERROR),
    "SETTINGS of a wrong size": (frame(frames.SETTINGS, 0, 0, bytes(5)), FRAME_SIZE_ERROR),
    "SETTINGS of a stream": (frame(frames.SETTINGS, 0, 1), PROTOCOL_ERROR),
    "SETTINGS that acknowledge something": (frame(frames.SETTINGS, frames.ACK, 0, bytes(6)), FRAME_SIZE_ERROR),
    "PING of a wrong size": (frame(frames.PING, 0, 0, bytes(7)), FRAME_SIZE_ERROR),
    "PING of a stream": (frame(frames.PING, 0, 1, bytes(8)), PROTOCOL_ERROR),
    "GOAWAY of a stream": (frame(frames.GOAWAY, 0, 1, bytes(8)), PROTOCOL_ERROR),
    "GOAWAY of a wrong size": (frame(frames.GOAWAY, 0, 0, bytes(4)), FRAME_SIZE_ERROR),
    "a frame too large": (frame(DATA, 0, 1, bytes(16385)), FRAME_SIZE_ERROR),
    "CONTINUATION after nothing": (frame(frames.CONTINUATION, END_HEADERS, 1, b"\x88"), PROTOCOL_ERROR),
    "DATA within a block": (frame(HEADERS, 0, 1, b"\x88") + data_frame(1, b"x"), PROTOCOL_ERROR),
    "another's HEADERS within a block": (frame(HEADERS, 0, 1, b"\x88") + head(3, b"\x88"), PROTOCOL_ERROR),
    "a block that is none": (head(1, b"\x80"), COMPRESSION_ERROR),
    "a field that is not in the table": (head(1, b"\x88\xfe"), COMPRESSION_ERROR),
    "a table larger than it may be": (head(1, b"\x3f\xe2\x1f\x88"), COMPRESSION_ERROR),
    "more padding than DATA": (head(1, b"\x88") + frame(DATA, PADDED, 1, b"\x05x"), PROTOCOL_ERROR),
    "an end of HTTP/1": (b"HTTP/1.1 400 Bad Request\r\n\r\n", FRAME_SIZE_ERROR),
    "pings without end": (frames.ping(bytes(8)) * 2100, ENHANCE_YOUR_CALM),
    "empty DATA without end": (head(1, b"\x88") + data_frame(1) * 2100, ENHANCE_YOUR_CALM),
    "settings without end": (frames.settings([(3, 100)]) * 1100, ENHANCE_YOUR_CALM),
    "continuation without end": (
        frame(HEADERS, 0, 1, b"\x88") + frame(frames.CONTINUATION, 0, 1, b"\0\1a\1b") * 40, ENHANCE_YOUR_CALM,
    ),
}  # fmt: skip

# What ends the stream, by which code, and whether something of a response has gone to the client by then.
MALFORMED = {
    "DATA before the head": (data_frame(1, b"x"), PROTOCOL_ERROR, False),
    "no status": (head(1, b"\x00\1a\1b", True), PROTOCOL_ERROR, False),
    "an empty head": (head(1, b"", True), PROTOCOL_ERROR, False),
    "two of status": (head(1, b"\x88\x88", True), PROTOCOL_ERROR, False),
    "a status that is none": (head(1, b"\x08\x0220", True), PROTOCOL_ERROR, False),
    "a status after a field": (head(1, b"\x00\1a\1b\x88", True), PROTOCOL_ERROR, False),
    "a pseudo-field of requests": (head(1, b"\x88\x84", True), PROTOCOL_ERROR, False),
    "a name in upper case": (head(1, b"\x88\x00\1A\1b", True), PROTOCOL_ERROR, False),
    "a field of HTTP/1": (head(1, b"\x88\x00\x0aconnection\1x", True), PROTOCOL_ERROR, False),
    "chunks": (head(1, b"\x88\x00\x11transfer-encoding\x07chunked"), PROTOCOL_ERROR, False),
    "a line break in a value": (head(1, b"\x88\x00\1a\3b\r\n", True), PROTOCOL_ERROR, False),
    "a space around a value": (head(1, b"\x88\x00\1a\2 b", True), PROTOCOL_ERROR, False),
    "another protocol": (head(1, b"\x08\x03101"), PROTOCOL_ERROR, False),
    "the end with an informational response": (head(1, b"\x08\x03103", True), PROTOCOL_ERROR, False),
    "two lengths": (head(1, b"\x88\x0f\x0d\x011\x0f\x0d\x012"), PROTOCOL_ERROR, False),
    "a length that is none": (head(1, b"\x88\x0f\x0d\x01x"), PROTOCOL_ERROR, False),
    "less than nothing of a length": (head(1, b"\x88\x0f\x0d\x015", True), PROTOCOL_ERROR, False),
    "less than the length": (head(1, b"\x88\x0f\x0d\x015") + data_frame(1, b"four", True), PROTOCOL_ERROR, True),
    "more than the length": (head(1, b"\x88\x0f\x0d\x013") + data_frame(1, b"four", True), PROTOCOL_ERROR, True),
    "a second head": (head(1, b"\x88") + head(1, b"\x88"), PROTOCOL_ERROR, True),
    "trailers that are not the end": (head(1, b"\x88") + head(1, b"\x00\1a\1b"), PROTOCOL_ERROR, True),
    "a pseudo-field in trailers": (head(1, b"\x88") + head(1, b"\x88", True), PROTOCOL_ERROR, True),
    "informational responses without end": (head(1, b"\x08\x03103") * 20, PROTOCOL_ERROR, False),
    "a window that grows by nothing": (window(1, 0), PROTOCOL_ERROR, False),
    "a window that is too large": (window(1, LARGEST), FLOW_CONTROL_ERROR, False),
    "more than the window": (head(1, b"\x88") + data_frame(1, bytes(16384)) * 65, FLOW_CONTROL_ERROR, True),
    "a reset": (frames.rst_stream(1, INTERNAL_ERROR), None, False),
    "a reset within the body": (head(1, b"\x88") + data_frame(1, b"x") + frames.rst_stream(1, 0), None, True),
}  # fmt: skip


def final(client):
    """The status that the client has got in the end, 0 for none."""
    data = client.received
    while data.startswith(b"HTTP/1.1 1"):
        data = data.partition(b"\r\n\r\n")[2]
    return status(data) if data else 0


def is_cut(client):
    """Whether a response that has begun has not ended as a whole one."""
    data, closed = client.received, client.closed or client.disconnecting
    assert status(data) == 200 and closed
    if b"Transfer-Encoding: chunked" in data:
        return not data.endswith(b"0\r\n\r\n")
    length = int(data.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return len(data.partition(b"\r\n\r\n")[2]) < length


def goaways(peer):
    return [frames.read_goaway(payload)[1] for name, _, _, payload in peer.look().others if name == "GOAWAY"]


@pytest.mark.parametrize("split", [False, True], ids=["at once", "in pieces"])
@pytest.mark.parametrize("name", FATAL)
def test_what_ends_the_connection(proxy2, name, split):
    sent, code = FATAL[name]
    one, other = ask(proxy2, POST_NOTHING, count=2)
    peer = Http2Peer(proxy2.upstream)
    for piece in [sent[at : at + 5] for at in range(0, len(sent), 5)] if split and len(sent) < 1000 else [sent]:
        peer.connection.send(piece)
    assert goaways(peer) == [code]
    proxy2.clock.advance(0)
    assert peer.connection.closed
    # Both were asked, and neither is again: nobody knows what has become of them.
    assert status(other.received) == 502 and len(proxy2.network.connections) == 1
    assert status(one.received) == 502 or is_cut(one)
    assert proxy2.factory.services.connections.lease(proxy2.network.dialed[0].key) is None


@pytest.mark.parametrize("name", MALFORMED)
def test_what_ends_a_stream_alone(proxy2, name):
    sent, code, begun = MALFORMED[name]
    one, other = ask(proxy2, POST_NOTHING, count=2)
    peer = Http2Peer(proxy2.upstream)
    one.stop_reading() if b"\0" * 16384 in sent else None
    peer.connection.send(sent)
    one.read_on()
    proxy2.clock.advance(0)
    assert is_cut(one) if begun else final(one) == 502
    assert peer.look().resets == ({1: code} if code is not None else {}) and not goaways(peer)
    # Its remains harm nobody, and a third gets what is its own.
    peer.connection.send(data_frame(1, b"late", True) if code is not None else b"")
    third = ask(proxy2)
    peer.look()
    peer.answer(3, body=b"other")
    peer.answer(5, body=b"third")
    assert other.received.endswith(b"\r\n\r\nother") and third.received.endswith(b"\r\n\r\nthird")
    assert len(proxy2.network.connections) == 1


@pytest.mark.parametrize("late", [data_frame(1, b"more"), head(1, b"\x88", True)], ids=["DATA", "HEADERS"])
def test_what_comes_after_a_response_goes_nowhere(proxy2, late):
    one, other = ask(proxy2, POST_NOTHING, count=2)
    peer = Http2Peer(proxy2.upstream)
    peer.answer(1, body=b"mine")
    seen = one.received
    peer.connection.send(late)
    assert one.received == seen and seen.endswith(b"mine")
    assert goaways(peer) == [STREAM_CLOSED] and status(other.received) == 502


def test_a_reset_after_a_response_harms_nobody(proxy2):
    one, other = ask(proxy2, POST_NOTHING, count=2)
    peer = Http2Peer(proxy2.upstream)
    peer.answer(1, body=b"mine")
    peer.connection.send(frames.rst_stream(1, NO_ERROR) + window(1, 5))
    peer.answer(3, body=b"other")
    assert one.received.endswith(b"mine") and other.received.endswith(b"other") and not goaways(peer)


def test_goaway_that_takes_back_what_it_has_said(proxy2):
    """RFC 9113 6.8: the last stream must not grow. What was refused is asked elsewhere, once, and not heard here."""
    one, other = ask(proxy2, POST_NOTHING, count=2)
    first = Http2Peer(proxy2.upstream)
    first.connection.send(frames.goaway(1, NO_ERROR) + frames.goaway(3, NO_ERROR))
    second = Http2Peer(proxy2.upstream)
    assert second.connection is not first.connection
    first.answer(1, body=b"one")
    first.answer(3, body=b"no more")
    second.answer(1, body=b"other")
    assert one.received.endswith(b"one") and other.received.endswith(b"other") and b"no more" not in other.received


def test_goaway_and_nothing_more_is_a_response_too_late(make2):
    proxy = make2(Limits(response_timeout=5))
    client = ask(proxy, POST_NOTHING)
    peer = Http2Peer(proxy.upstream)
    peer.connection.send(frames.goaway(LARGEST, NO_ERROR))
    for _ in range(6):
        proxy.advance(1)
        # It is there still.
        peer.connection.send(frames.settings([]))
    assert status(client.received) == 504 and peer.look().resets == {1: 8}


@pytest.mark.parametrize(
    ("said", "bit"),
    [
        (frame(HEADERS, 0, 1, b"\x88"), frame(frames.CONTINUATION, 0, 1)),
        (b"", head(1, b"\x08\x03103")),
        (frame(HEADERS, END_HEADERS, 1, b"\x88" + b"x" * 900)[:200], b"x"),
    ],
    ids=["a head that is continued", "informational responses", "a head by the byte"],
)
def test_a_head_that_never_comes_to_its_end(make2, said, bit):
    proxy = make2(Limits(response_timeout=5))
    client = ask(proxy, POST_NOTHING)
    peer = Http2Peer(proxy.upstream)
    peer.connection.send(said)
    for _ in range(60):
        proxy.advance(1)
        peer.connection.send(bit)
        if final(client):
            break
    assert final(client) in (502, 504)


def test_a_window_that_is_never_opened(make2):
    proxy = make2(Limits(response_timeout=5))
    client = ask(proxy, b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000)
    peer = Http2Peer(proxy.upstream, (frames.INITIAL_WINDOW_SIZE, 0))
    for _ in range(7):
        proxy.advance(1)
        # That it is there is not enough.
        peer.connection.send(frames.ping(bytes(8)))
    assert status(client.received) == 504


def test_an_upstream_that_takes_no_streams_is_given_up(make2):
    proxy = make2(Limits(response_timeout=5))
    clients = ask(proxy, POST_NOTHING, count=3)
    for _ in range(20):
        for one in proxy.network.connections:
            if not one.closed and not one.disconnecting:
                one.send(frames.settings([(frames.MAX_CONCURRENT_STREAMS, 0)]))
        proxy.advance(1)
    # They had gone out before it said so: it may answer those.
    assert {status(client.received) for client in clients} <= {502, 503, 504}
    assert len(proxy.network.connections) <= 4
