"""Calls of gRPC through a proxy: what clients are told, how long calls take, and what they say of upstreams."""

from urllib.parse import unquote

import pytest
from twisted.internet.defer import Deferred

from tests.proxy.downstream.http2.conftest import make_world
from tests.proxy.downstream.http2.http2_peer import POST
from tests.proxy.downstream.http2.http2_peer import Http2Peer as Http2Client
from tests.proxy.exchanges.responses.test_held_response import Hangs, Waits
from tests.proxy.upstream.http2_peer import Http2Peer, data_frame
from txproxy.errors import ConnectionRefused
from txproxy.upstreams.upstream import State
from txproxy.wire.http2 import frames

__all__ = ["make_world"]
CALL = (*POST, (b"content-type", b"application/grpc"), (b"te", b"trailers"))
MESSAGE = b"\0\0\0\0\0"
GRPC = ("content-type", "application/grpc")


@pytest.fixture
def rpc(make_world):
    return make_world(upstreams=["h2c://10.0.0.1:80", "h2c://10.0.0.2:80;backup"])


def call(world, *fields):
    """One that is at an upstream; gives the client, its stream, and the upstream."""
    client = world.client()
    stream = client.ask(*CALL, *fields, ended=False)
    client.body(stream, MESSAGE, ended=True)
    return client, stream, Http2Peer(world.upstreams[-1])


def told(client, stream):
    """The status that the client has got, and the message."""
    response = client.turn().responses[stream]
    assert response.ended and response.status == 200 and response.body == b""
    assert response.field(b"content-type") == b"application/grpc" and response.field(b"content-length") is None
    return int(response.field(b"grpc-status")), unquote(response.field(b"grpc-message").decode())


def test_what_the_proxy_says_is_said_in_grpc(rpc):
    rpc.proxy.network.script = [ConnectionRefused("no"), ConnectionRefused("no")]
    client = rpc.client()
    stream = client.ask(*CALL)
    assert told(client, stream) == (14, "No upstream is available.")
    assert client.responses[stream].field(b"proxy-status").endswith(b"; error=" + rpc.outcomes[0].encode())


@pytest.mark.parametrize("more", [[(b"x", b"y" * 70000)], [(b"x", b"y")] * 101])
def test_what_is_too_large_to_be_read_is_said_in_grpc_as_well(rpc, more):
    client = rpc.client()
    stream = client.ask(*CALL, *more)
    assert told(client, stream) == (2, "The request's header fields are too large.")
    assert rpc.outcomes == ["http_request_error"] and not rpc.upstreams
    # What nobody has called a call is none.
    stream = client.ask(*POST, *more)
    response = client.turn().responses[stream]
    assert (response.status, response.field(b"grpc-status")) == (431, None)


def test_other_types_get_what_they_always_got(rpc):
    rpc.proxy.network.script = [ConnectionRefused("no"), ConnectionRefused("no")]
    client = rpc.client()
    stream = client.ask(*POST, (b"content-type", b"application/grpc-web"))
    response = client.responses[stream]
    assert response.status == 503 and response.body and response.field(b"grpc-status") is None


def test_a_deadline_ends_a_call_everywhere(rpc):
    client, stream, upstream = call(rpc, (b"grpc-timeout", b"2S"))
    assert upstream.head(1)["grpc-timeout"] == "2S"
    rpc.proxy.advance(1.9)
    assert not client.turn().responses[stream].heads and not upstream.look().resets
    rpc.proxy.advance(0.7)
    assert told(client, stream) == (4, "The host did not answer in time.")
    assert upstream.look().resets == {1: 8} and rpc.outcomes == ["http_response_timeout"]
    assert rpc.records[0].detail == "the deadline of the call is over"
    # It is no fault of the upstream's.
    assert rpc.records[0].attempts[-1].fault is None


def test_a_deadline_holds_for_who_waits_for_a_connection(rpc):
    rpc.proxy.network.script = ["hang"]
    client = rpc.client()
    stream = client.ask(*CALL, (b"grpc-timeout", b"300m"))
    rpc.proxy.advance(1)
    assert told(client, stream)[0] == 4


def test_a_response_that_has_begun_by_then_is_cut(rpc):
    client, stream, upstream = call(rpc, (b"grpc-timeout", b"1S"))
    upstream.connection.send(upstream.head_frame(1, 200, GRPC))
    rpc.proxy.advance(2)
    # 2: INTERNAL_ERROR
    assert client.turn().responses[stream].reset == 2 and upstream.look().resets == {1: 8}


def test_a_call_that_ends_before_leaves_nothing_behind(rpc):
    client, stream, upstream = call(rpc, (b"grpc-timeout", b"1H"))
    upstream.connection.send(
        upstream.head_frame(1, 200, GRPC) + data_frame(1, MESSAGE) + upstream.trailers_frame(1, ("grpc-status", "0"))
    )
    assert dict(client.turn().responses[stream].trailers) == {b"grpc-status": b"0"}
    assert rpc.records[0].context.trailers.lines == [b"grpc-status: 0"] and rpc.outcomes == ["ok"]


@pytest.mark.parametrize("timeout", [b"never", b"", b"1"])
def test_what_is_no_timeout_is_none(rpc, timeout):
    client, stream, _ = call(rpc, (b"grpc-timeout", timeout))
    rpc.proxy.advance(20)
    assert not client.turn().responses[stream].heads


@pytest.mark.parametrize("alone", [True, False], ids=["with the head", "in trailers"])
@pytest.mark.parametrize(
    ("status", "state"), [("14", State.EJECTED), ("4", State.HEALTHY), ("13", State.HEALTHY), ("0", State.HEALTHY)]
)
def test_an_upstream_that_is_unavailable_is_ejected(rpc, status, state, alone):
    client = rpc.client()
    peer = None
    for _ in range(5):
        client.ask(*CALL)
        peer = peer or Http2Peer(rpc.upstreams[-1])
        number = max(peer.look().heads)
        said = ("grpc-status", status)
        if alone:
            peer.answer(number, 200, GRPC, said)
        else:
            peer.connection.send(peer.head_frame(number, 200, GRPC) + peer.trailers_frame(number, said))
    # The log has what HTTP has said.
    assert [one.attempts[-1].status for one in rpc.records] == [200] * 5
    assert rpc.records[0].attempts[-1].attempt.upstream.state is state


@pytest.mark.parametrize("fields", [(), ((b"priority", b"u=3"),)])
def test_messages_of_calls_take_turns_unless_their_client_says_otherwise(rpc, fields):
    client = Http2Client(rpc.proxy.connect(), windows=False)
    streams = [client.ask(*CALL, *fields, ended=False) for _ in range(2)]
    for stream in streams:
        client.body(stream, MESSAGE, ended=True)
        client.h2.increment_flow_control_window(1 << 24, stream)
    client.turn()
    peer = Http2Peer(rpc.upstreams[0])
    peer.connection.send(frames.SETTINGS_ACK + b"".join([peer.head_frame(number, 200, GRPC) for number in (1, 3)]))
    for _ in range(30):
        for number in (1, 3):
            peer.connection.send(data_frame(number, b"x" * 16384))
        client.h2.increment_flow_control_window(16384)
        client.turn()
    first, second = [len(client.responses[stream].body) for stream in streams]
    # What their client has said is that the first is to be complete before the next.
    assert first - second > 300_000 if fields else abs(first - second) < 100_000


def test_a_client_may_leave_while_a_filter_waits(make_world):
    waits = Waits(Deferred())
    world = make_world(upstreams=["h2c://10.0.0.1:80"], middleware=[Hangs(waits)])
    client, stream, upstream = call(world)
    upstream.connection.send(upstream.head_frame(1, 200, GRPC))
    # Nobody knows yet what of its head will have been an answer.
    client.reset(stream)
    assert world.outcomes == ["client-gone"] and list(upstream.look().resets) == [1]
    assert [one.active for one in world.proxy.factory.pools[0].upstreams] == [0]
