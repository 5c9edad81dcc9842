"""Tunnels on streams: CONNECT, and WebSockets by extended CONNECT."""

import base64
import hashlib
import tracemalloc

import pytest

from tests.proxy.downstream.http2.http2_peer import GET, Http2Peer
from tests.proxy.downstream.socks_world import Mode
from tests.wire.http2.taken_apart import frame
from txproxy import Limits
from txproxy.errors import RequestDenied
from txproxy.interfaces import Answer, Plan, Refusal
from txproxy.interfaces.address import Address
from txproxy.proxy.factory import ProxyFactory
from txproxy.testing import ProxyInMemory
from txproxy.wire.http2 import frames
from txproxy.wire.http2.faults import PROTOCOL_ERROR

CONNECT = ((b":method", b"CONNECT"), (b":authority", b"example.com:443"))
WEBSOCKET = ((b":method", b"CONNECT"), (b":protocol", b"websocket"), *GET[1:], (b"sec-websocket-version", b"13"))


class World(ProxyInMemory):
    """A proxy that leads tunnels where they want."""

    def __init__(self, **limits):
        self.mode = Mode()
        self.records = []
        super().__init__(
            lambda reactor: ProxyFactory(
                self.mode, limits=Limits(**limits), observers=(self.records.append,), h2c=True, reactor=reactor
            )
        )

    def open(self, client, fields=CONNECT):
        stream = client.ask(*fields, ended=False)
        return stream, self.network.connections[-1]


@pytest.fixture
def make_tunnels(closing):
    return lambda **limits: closing(World(**limits))


@pytest.fixture
def tunnels(make_tunnels):
    return make_tunnels()


@pytest.fixture
def client(tunnels):
    return Http2Peer(tunnels.connect())


def accepted(upstream):
    """A server's yes to the WebSocket that it was asked for."""
    key = upstream.received.split(b"sec-websocket-key: ")[1].split(b"\r\n")[0]
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\nSec-WebSocket-Protocol: chat\r\n\r\n"
    )


def test_bytes_go_both_ways_until_both_have_ended(tunnels, client):
    stream, upstream = tunnels.open(client)
    response = client.responses[stream]
    assert [*map(dict, response.heads)] == [{b":status": b"200"}] and not response.ended
    client.body(stream, b"hello")
    assert upstream.take() == b"hello"
    upstream.send(b"world")
    assert client.turn().responses[stream].body == b"world"
    client.body(stream, b"", ended=True)
    assert upstream.ended and not upstream.closed
    upstream.send(b"!")
    upstream.end()
    client.turn()
    assert response.body == b"world!" and response.ended and response.reset is None
    (record,) = tunnels.records
    assert (record.outcome, record.status, record.sent, record.received) == ("tunnel", 200, 6, 5)
    assert str(tunnels.network.dialed[0]) == "example.com:443"


def test_the_upstream_may_end_first(tunnels, client):
    stream, upstream = tunnels.open(client)
    upstream.send(b"bye")
    upstream.end()
    response = client.turn().responses[stream]
    assert response.body == b"bye" and response.ended and not tunnels.records
    client.body(stream, b"you too", ended=True)
    assert upstream.received == b"you too" and [record.outcome for record in tunnels.records] == ["tunnel"]


# RFC 9113 8.5
def test_trailers_are_no_end_of_a_tunnel(tunnels, client):
    stream, upstream = tunnels.open(client)
    client.h2.send_headers(stream, ((b"t", b"u"),), end_stream=True)
    client.turn()
    tunnels.clock.advance(0)
    assert client.responses[stream].reset == PROTOCOL_ERROR and upstream.closed and not upstream.ended


def test_two_tunnels_and_a_request_share_a_connection(tunnels, client):
    (first, here), (second, there) = tunnels.open(client), tunnels.open(client)
    tunnels.mode.decision = None
    here.send(b"a" * 10)
    there.send(b"b" * 20)
    client.body(first, b"1")
    client.body(second, b"2")
    assert (client.responses[first].body, client.responses[second].body) == (b"a" * 10, b"b" * 20)
    assert (here.received, there.received) == (b"1", b"2")
    (protocol,) = tunnels.factory.admission.everyone()
    assert len(protocol.exchanges()) == 2
    protocol.exchanges()[0].abandon(RequestDenied("enough"))
    # 0xa: CONNECT_ERROR
    assert client.turn().responses[first].reset == 0xA and len(protocol.exchanges()) == 1
    there.send(b"!")
    assert client.turn().responses[second].body[-1:] == b"!"


def test_what_comes_before_it_stands_is_the_tunnels(tunnels, client):
    tunnels.network.script = ["hang"]
    stream = client.ask(*CONNECT, ended=False)
    client.body(stream, b"early ")
    client.body(stream, b"bird", ended=True)
    tunnels.network.answer()
    upstream = tunnels.network.connections[0]
    assert upstream.received == b"early bird" and upstream.ended
    upstream.end()
    assert client.turn().responses[stream].ended


def test_small_parts_that_come_before_it_stands_take_little_more_than_their_size(tunnels, client):
    tunnels.network.script = ["hang"]
    stream = client.ask(*CONNECT, ended=False)
    few = b"".join(frame(0, 0, stream, b"%02d" % number) for number in range(100))
    tracemalloc.start()
    try:
        for _ in range(200):
            client.connection.send(few)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < 200_000
    tunnels.network.answer()
    assert tunnels.network.connections[0].received == b"".join(b"%02d" % number for number in range(100)) * 200


def test_a_client_that_resets_it_resets_the_other_side(tunnels, client):
    stream, upstream = tunnels.open(client)
    client.reset(stream)
    tunnels.clock.advance(0)
    assert upstream.reset and [record.outcome for record in tunnels.records] == ["tunnel"]


def test_one_whose_client_is_gone(tunnels, client):
    _, upstream = tunnels.open(client)
    client.connection.drop()
    tunnels.clock.advance(0)
    assert upstream.reset and [record.outcome for record in tunnels.records] == ["tunnel"]


def test_a_reset_of_the_other_side_is_one(tunnels, client):
    stream, upstream = tunnels.open(client)
    upstream.drop()
    assert client.turn().responses[stream].reset == 0xA
    other, _ = tunnels.open(client)
    assert client.responses[other].status == 200


def test_slowness_is_passed_on_in_both_directions(tunnels):
    client = Http2Peer(tunnels.connect(), windows=False)
    stream, upstream = tunnels.open(client)
    for _ in range(3):
        upstream.send(b"x" * 60_000)
    assert upstream.paused and len(client.turn().responses[stream].body) == 65535
    client.h2.increment_flow_control_window(1 << 20)
    client.h2.increment_flow_control_window(1 << 20, stream)
    client.turn()
    assert not upstream.paused and len(client.responses[stream].body) == 180_000
    upstream.stop_reading()
    sent = 0
    while client.h2.local_flow_control_window(stream) >= 16384 and sent < 4 << 20:
        client.body(stream, b"y" * 16384)
        sent += 16384
    assert sent < (1 << 20) + (200 << 10)
    upstream.read_on()
    client.turn()
    client.body(stream, b"", ended=True)
    assert upstream.received == b"y" * sent and upstream.ended


def test_tunnels_take_turns_where_all_wait_for_the_same_window(tunnels):
    client = Http2Peer(tunnels.connect(), windows=False)
    (first, here), (second, there) = tunnels.open(client), tunnels.open(client)
    for stream in (first, second):
        client.h2.increment_flow_control_window(1 << 30, stream)
    client.turn()
    for _ in range(50):
        for upstream in (here, there):
            while not upstream.paused:
                upstream.send(b"x" * 16384)
        client.h2.increment_flow_control_window(20_000)
        client.turn()
    sizes = [len(client.responses[stream].body) for stream in (first, second)]
    assert abs(sizes[0] - sizes[1]) < 100_000


def test_what_waits_for_a_window_goes_out_before_the_end(tunnels):
    client = Http2Peer(tunnels.connect(), windows=False)
    stream, upstream = tunnels.open(client)
    client.body(stream, b"", ended=True)
    upstream.send(b"x" * 70_000)
    upstream.end()
    response = client.turn().responses[stream]
    assert len(response.body) == 65535 and not response.ended
    (protocol,) = tunnels.factory.admission.everyone()
    assert protocol.session.active == 1
    client.h2.increment_flow_control_window(9000)
    client.h2.increment_flow_control_window(9000, stream)
    client.turn()
    assert len(response.body) == 70_000 and response.ended and response.reset is None
    assert protocol.session.active == 0


def test_one_that_is_silent_is_ended(make_tunnels):
    tunnels = make_tunnels(tunnel_timeout=10.0)
    client = Http2Peer(tunnels.connect())
    stream, _ = tunnels.open(client)
    tunnels.advance(11)
    assert client.turn().responses[stream].reset == 0xA
    (record,) = tunnels.records
    assert "nothing passed for 10 s" in record.detail


def test_a_dial_that_fails_is_an_answer(tunnels, client):
    tunnels.mode.decision = RequestDenied("not there")
    stream = client.ask(*CONNECT, ended=False)
    response = client.responses[stream]
    assert (response.status, response.ended, response.reset) == (403, True, 0)


@pytest.mark.parametrize("ended", [True, False], ids=["ended", "goes on"])
def test_a_refusal_that_waits_for_its_window_leaves_nothing(tunnels, client, ended):
    tunnels.mode.decision = RequestDenied("not there")
    client.connection.send(frames.settings([(frames.INITIAL_WINDOW_SIZE, 0)]))
    stream = client.ask(*CONNECT, ended=False)
    client.body(stream, b"early", ended=ended)
    assert client.responses[stream].status == 403 and not client.responses[stream].ended
    client.connection.send(frames.window_update(stream, 1000))
    tunnels.advance(0)
    assert client.connection.received.endswith(frames.rst_stream(stream, 0)) is not ended
    # No place is taken, and the window is as it was: the connection rests, and is closed after a while.
    tunnels.advance(80)
    assert client.connection.ended and [record.outcome for record in tunnels.records] == ["http_request_denied"]


def test_a_body_of_some_length_is_none_of_it(tunnels, client):
    stream = client.ask(*CONNECT, (b"content-length", b"5"), ended=False)
    assert client.responses[stream].status == 400 and not tunnels.network.dialed


def test_a_drain_waits_for_it(tunnels, client):
    stream, upstream = tunnels.open(client)
    tunnels.factory.drain()
    client.turn()
    assert client.goaways == [(frames.LAST_STREAM, 0), (1, 0)] and not client.connection.ended
    client.body(stream, b"", ended=True)
    upstream.end()
    assert client.turn().responses[stream].ended and client.connection.ended


class Gatekeeper:
    """Lets a tunnel begin after its first word."""

    farewell = b"no"

    def opens(self, data):
        if data.startswith(b"bad"):
            raise RequestDenied("a bad beginning")
        return data.startswith(b"open")


def test_what_it_begins_with_may_be_looked_at(tunnels, client):
    plan = Plan(Address("example.com", 443), None)
    plan.gate = Gatekeeper()
    tunnels.mode.decision = plan
    stream, upstream = tunnels.open(client)
    client.body(stream, b"op")
    assert upstream.received == b""
    client.body(stream, b"en")
    assert upstream.received == b"open"
    client.body(stream, b", then")
    assert upstream.received == b"open, then"
    plan = tunnels.mode.decision = Plan(Address("example.com", 443), None)
    plan.gate = Gatekeeper()
    stream, upstream = tunnels.open(client)
    client.body(stream, b"bad")
    tunnels.clock.advance(0)
    assert client.responses[stream].body == b"no" and upstream.received == b"" and upstream.closed
    assert tunnels.records[-1].outcome == "http_request_denied"


# -- WebSockets


def test_a_websocket_is_an_upgrade_for_the_upstream(world):
    client = world.client()
    assert client.h2.remote_settings.enable_connect_protocol == 1
    stream = client.ask(*WEBSOCKET, ended=False)
    (upstream,) = world.upstreams
    assert upstream.received.startswith(b"GET / HTTP/1.1\r\nHost: a\r\n")
    for line in (b"Connection: upgrade", b"Upgrade: websocket", b"sec-websocket-version: 13"):
        assert b"\r\n" + line + b"\r\n" in upstream.received
    client.body(stream, b"early")
    upstream.send(accepted(upstream) + b"hi")
    response = client.turn().responses[stream]
    assert [*map(dict, response.heads)] == [{b":status": b"200", b"sec-websocket-protocol": b"chat"}]
    assert response.body == b"hi" and upstream.received.endswith(b"\r\n\r\nearly")
    client.body(stream, b"frame", ended=True)
    upstream.end()
    assert upstream.received.endswith(b"earlyframe") and client.turn().responses[stream].ended
    (record,) = world.records
    assert (record.outcome, record.request.method) == ("tunnel", b"GET")


def test_a_refusal_of_the_upstream_is_the_clients(world):
    client = world.client()
    stream = client.ask(*WEBSOCKET, ended=False)
    world.upstreams[0].send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
    response = client.turn().responses[stream]
    assert (response.status, response.body, response.ended, response.reset) == (403, b"no", True, 0)


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200),
        (b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", 201),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204),
        (b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 101),
    ],
)
def test_what_is_no_agreement_is_no_tunnel(world, answer, status):
    client = world.client()
    stream = client.ask(*WEBSOCKET, ended=False)
    world.upstreams[0].send(answer)
    response = client.turn().responses[stream]
    assert (response.status, response.ended, response.reset) == (502, True, 0) and b"hi" not in response.body
    (record,) = world.records
    assert (record.status, record.upstream_status, record.sent) == (502, status, len(response.body))
    assert (record.response.status, record.outcome) == (502, "http_protocol_error")
    client.ask()
    assert not client.goaways


@pytest.mark.parametrize("fields", [CONNECT, WEBSOCKET])
@pytest.mark.parametrize("given", [Answer(200, (), b"hello"), Refusal(200)])
def test_an_answer_of_the_proxys_own_is_no_tunnel_either(tunnels, client, fields, given):
    tunnels.mode.decision = given
    response = client.responses[client.ask(*fields, ended=False)]
    assert response.status == 502 and response.ended and b"hello" not in response.body
    (record,) = tunnels.records
    assert (record.status, record.upstream_status, record.sent) == (502, 0, len(response.body))


def test_another_protocol_is_not_spoken(world):
    client = world.client()
    stream = client.ask(WEBSOCKET[0], (b":protocol", b"connect-udp"), *WEBSOCKET[2:], ended=False)
    assert client.responses[stream].status == 501 and not world.upstreams


def test_several_may_be_asked_for_at_once(world):
    """Each has its own protocol, though all heads come in one read."""
    client = world.client()
    client.h2.send_headers(1, WEBSOCKET)
    client.h2.send_headers(3, GET, end_stream=True)
    client.turn()
    assert [upstream.received[:4] for upstream in world.upstreams] == [b"GET "] * 2
    assert [b"upgrade" in upstream.received for upstream in world.upstreams] == [True, False]


def test_bytes_that_come_one_by_one_and_have_to_wait_do_so_together(tunnels, client):
    tunnels.network.script = ["hang"]
    stream = client.ask(*CONNECT, ended=False)
    client.connection.send(frames.header(1, frames.DATA, 0, stream).join([b"", *[b"y"] * 1500]))
    tunnels.clock.advance(0)
    (protocol,) = tunnels.factory.admission.everyone()
    assert len(protocol.session.streams[stream].tunnel._parts) <= 3
    tunnels.network.answer()
    assert tunnels.network.connections[0].received == b"y" * 1500
