"""One stream: the response that goes out on it."""

import pytest

from tests.proxy.downstream.http2.http2_peer import GET, Http2Peer
from tests.proxy.upstream.http2_peer import Http2Peer as Upstream
from tests.wire.http2.taken_apart import taken_apart
from txproxy import Pool, ReverseProxyFactory
from txproxy.testing import ProxyInMemory
from txproxy.wire.http2 import frames

HEAD = ((b":method", b"HEAD"), *GET[1:])
OK = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 2\r\n\r\nhi"


@pytest.mark.parametrize(
    ("fields", "answer"),
    [
        (HEAD, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
        (GET, b"HTTP/1.1 204 No Content\r\n\r\n"),
        (GET, b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"),
        (GET, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ],
)
def test_one_without_a_body_is_one_frame(world, fields, answer):
    client = world.client()
    stream = client.ask(*fields)
    world.upstreams[0].send(answer)
    assert [(name, flags) for name, flags, _, _ in taken_apart(client.connection.received)] == [("HEADERS", 5)]
    assert client.turn().responses[stream].ended


def test_a_body_of_any_length_streams_and_has_trailers(world):
    client = world.client()
    stream = client.ask(*GET, (b"te", b"trailers"))
    (upstream,) = world.upstreams
    assert b"\r\nConnection: TE\r\nTE: trailers\r\n" in upstream.received
    upstream.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: t\r\n\r\n2\r\nhi\r\n")
    response = client.turn().responses[stream]
    assert (response.body, response.ended) == (b"hi", False)
    assert response.field(b"transfer-encoding") is None
    upstream.send(b"0\r\nT: u\r\n\r\n")
    client.turn()
    assert response.ended and response.trailers == [(b"t", b"u")] and world.outcomes == ["ok"]


def test_informational_heads_come_before_it(world):
    client = world.client()
    stream = client.ask()
    world.upstreams[0].send(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK)
    hint, final = client.turn().responses[stream].heads
    assert dict(hint) == {b":status": b"103", b"link": b"x"} and dict(final)[b":status"] == b"200"


def test_one_that_is_cut_says_so(world):
    client = world.client()
    stream, other = client.ask(), client.ask()
    world.upstreams[0].send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi")
    world.upstreams[0].end()
    response = client.turn().responses[stream]
    # 2: INTERNAL_ERROR
    assert (response.body, response.ended, response.reset) == (b"hi", False, 2)
    assert world.outcomes == ["http_response_incomplete"]
    world.upstreams[1].send(OK)
    assert client.turn().responses[other].body == b"hi"


def test_one_to_head_has_nothing_after_its_end_though_its_upstream_cuts_it():
    # RFC 9113 5.1: nothing is sent on a stream that is closed.
    records = []
    proxy = ProxyInMemory(
        lambda reactor: ReverseProxyFactory(
            Pool(["h2c://10.0.0.1"]), h2c=True, observers=(records.append,), reactor=reactor
        )
    )
    client = Http2Peer(proxy.connect())
    client.frames.clear()
    stream = client.ask(*HEAD)
    peer = Upstream(proxy.upstream)
    peer.connection.send(peer.head_frame(1, 200) + frames.rst_stream(1, 2))
    client.turn()
    assert [(name, flags) for name, flags, number, _ in client.frames if number == stream] == [("HEADERS", 5)]
    assert [record.outcome for record in records] == ["http_response_incomplete"]
    assert proxy.factory.services.streams == 0
    proxy.close()


def test_an_upstream_that_fails_is_a_502_of_its_own_stream(world):
    client = world.client()
    stream = client.ask()
    world.upstreams[0].drop()
    world.upstreams[-1].drop()
    response = client.turn().responses[stream]
    assert response.status == 502 and response.field(b"proxy-status").startswith(b"txproxy; error=")


def test_a_reset_cancels_its_own_request_at_once(world):
    client = world.client()
    stream, other = client.ask(), client.ask()
    client.reset(stream)
    world.proxy.clock.advance(0)
    assert world.upstreams[0].reset and world.outcomes == ["client-gone"]
    world.upstreams[1].send(OK)
    assert client.turn().responses[other].body == b"hi"


def test_a_window_that_is_full_has_the_upstream_wait(world):
    client = world.client(windows=False)
    stream, other = client.ask(), client.ask()
    upstream = world.upstreams[0]
    upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + b"x" * 100_000)
    assert not upstream.paused
    upstream.send(b"x" * 50_000)
    response = client.turn().responses[stream]
    assert len(response.body) == 65535 and upstream.paused
    # What else goes on is no worse for it, once the connection's window lets it.
    client.h2.increment_flow_control_window(100)
    world.upstreams[1].send(OK)
    assert client.turn().responses[other].body == b"hi"
    client.h2.increment_flow_control_window(200_000)
    client.h2.increment_flow_control_window(200_000, stream)
    client.turn()
    assert len(response.body) == 150_000 and not upstream.paused
    upstream.send(b"x" * 50_000)
    client.turn()
    assert len(response.body) == 200_000 and response.ended and world.outcomes == ["ok", "ok"]


def test_a_whole_one_that_waits_for_a_window_is_complete_in_the_end(world):
    client = world.client(windows=False)
    stream = client.ask()
    world.upstreams[0].send(b"HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n" + b"x" * 70_000)
    response = client.turn().responses[stream]
    # For us it is over, and the client has the rest of it when it likes.
    assert world.outcomes == ["ok"] and len(response.body) == 65535 and not response.ended
    client.h2.increment_flow_control_window(9_000)
    client.h2.increment_flow_control_window(9_000, stream)
    client.turn()
    assert len(response.body) == 70_000 and response.ended and response.reset is None
    (protocol,) = world.proxy.factory.admission.everyone()
    assert not protocol.session.streams and not protocol.session.active


def test_such_a_one_counts_until_then_and_may_be_cancelled(world):
    client = world.client(windows=False)
    stream = client.ask()
    world.upstreams[0].send(b"HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n" + b"x" * 70_000)
    (protocol,) = world.proxy.factory.admission.everyone()
    assert client.turn() and protocol.session.active == 1
    client.reset(stream)
    assert protocol.session.active == 0 and world.outcomes == ["ok"]


def test_a_transport_that_is_full_has_all_upstreams_wait(world):
    client = world.client()
    first, second = client.ask(), client.ask()
    client.h2.increment_flow_control_window(1 << 20)
    for stream in (first, second):
        client.h2.increment_flow_control_window(1 << 20, stream)
    client.turn()
    client.connection.stop_reading()
    for upstream in world.upstreams:
        upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 400000\r\n\r\n" + b"x" * 100_000)
        upstream.send(b"x" * 100_000)
    assert all(upstream.paused for upstream in world.upstreams)
    client.connection.read_on()
    client.turn()
    assert not any(upstream.paused for upstream in world.upstreams)
    for upstream in world.upstreams:
        upstream.send(b"x" * 200_000)
    client.turn()
    assert [len(client.responses[stream].body) for stream in (first, second)] == [400_000] * 2
    assert world.outcomes == ["ok", "ok"]


def with_path(fields, path):
    return (*fields[:3], (b":path", path))


SAME = (
    *[GET] * 4,
    *[with_path(GET, b"/%d" % number) for number in range(3)],
    *[HEAD] * 3,
    *[((b":method", b"OPTIONS"), *GET[1:])] * 3,
    *[(*GET, (b"content-type", b"application/grpc"))] * 3,
    *[(*GET, (b"authorization", b"Negotiate x"))] * 3,
    *[(*GET, (b"authorization", b"Basic eDp4"))] * 3,
    *[(*GET, (b"priority", b"u=1"))] * 3,
    *[((b":method", b"GET"), (b":scheme", b"https"), *GET[2:])] * 3,
    *[GET] * 4,
)


def asked(world, client, fields, body=None):
    """What an upstream has got of a request, and what has come of it."""
    for upstream in world.upstreams:
        upstream.take()
    stream = client.ask(*fields, ended=body is None)
    if body is not None:
        client.body(stream, body, ended=True)
    told = [(upstream, upstream.take()) for upstream in world.upstreams]
    told = [(upstream, data) for upstream, data in told if data]
    for upstream, _ in told:
        upstream.send(OK if fields[0][1] != b"HEAD" else OK[:-2])
    response = client.turn().responses[stream]
    return [data for _, data in told], response.heads, response.body, response.ended, response.reset


def test_a_request_in_the_fields_of_the_one_before_is_asked_as_one_alone(make_world):
    together = make_world()
    client = together.client()
    for fields in SAME:
        alone = make_world()
        assert asked(together, client, fields) == asked(alone, alone.client(), fields)
    (protocol,) = together.proxy.factory.admission.everyone()
    assert protocol.plain_fields is not None and not protocol.session.streams and not protocol.session.active


def test_the_same_fields_may_have_a_body_after_them(make_world):
    together = make_world()
    client = together.client()
    for body in (None, None, None, b"abc", None, b"", None):
        alone = make_world()
        assert asked(together, client, GET, body) == asked(alone, alone.client(), GET, body)
    (protocol,) = together.proxy.factory.admission.everyone()
    assert not protocol.session.streams


def test_what_streams_in_the_same_fields_is_over_with_its_last_byte(world):
    client = world.client()
    (protocol,) = world.proxy.factory.admission.everyone()
    for _ in range(3):
        stream = client.ask()
        upstream = world.upstreams[-1]
        upstream.send(OK[:-1])
        assert protocol.session.active == 1
        upstream.send(OK[-1:])
        assert (client.turn().responses[stream].body, client.responses[stream].ended) == (b"hi", True)
        assert protocol.session.active == 0
    assert world.outcomes == ["ok"] * 3
