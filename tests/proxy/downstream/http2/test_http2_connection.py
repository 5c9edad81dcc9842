"""A client connection of HTTP/2: its streams, its time and its end."""

import pytest

from tests.proxy.downstream.http2.http2_peer import GET, POST, Http2Peer
from tests.wire.http2.taken_apart import frame, goaways, resets, taken_apart
from txproxy import Limits
from txproxy.errors import RequestDenied
from txproxy.interfaces.answers import Refusal
from txproxy.proxy.downstream.serving import ServedBy
from txproxy.wire.http2 import frames

OK = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 2\r\n\r\nhi"


def test_a_request_and_its_response(world):
    client = world.client()
    stream = client.ask()
    (upstream,) = world.upstreams
    assert upstream.received.startswith(b"GET / HTTP/1.1\r\nHost: a\r\n")
    upstream.send(OK)
    response = client.turn().responses[stream]
    assert (response.status, response.body, response.ended) == (200, b"hi", True)
    assert response.field(b"date") == b"D"
    (record,) = world.records
    assert (record.outcome, record.status, record.sent, record.request.minor) == ("ok", 200, 2, 2)
    assert record.request.scheme is None and record.request.authority == b"a"


def test_requests_of_one_connection_run_at_once_and_get_their_own_answers(world):
    client = world.client()
    streams = [client.ask(*GET[:3], (b":path", b"/%d" % number)) for number in range(5)]
    assert len(world.upstreams) == 5
    for number in (3, 0, 4, 1, 2):
        upstream = world.upstreams[number]
        path = upstream.received.split(b" ")[1]
        upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + path)
    client.turn()
    assert [client.responses[stream].body for stream in streams] == [b"/%d" % number for number in range(5)]
    assert world.outcomes == ["ok"] * 5


def test_as_many_connections_are_kept_as_there_were_requests_at_once(make_world):
    world = make_world(limits=Limits(keep_per_address=2))
    client = world.client()
    assert world.proxy.factory.services.streams == 0
    for _ in range(5):
        client.ask()
    assert world.proxy.factory.services.streams == 5
    for upstream in world.upstreams:
        upstream.send(OK)
    client.turn()
    assert world.proxy.factory.services.streams == 0
    # Who is let go of is closed in the next turn.
    world.proxy.clock.advance(0)
    assert len(world.upstreams) == 5 and not any(upstream.closed for upstream in world.upstreams)
    for count in (1, 2, 3, 4, 5):
        client.ask()
        assert world.proxy.factory.services.streams == count
    assert len(world.upstreams) == 5
    client.connection.drop()
    world.proxy.clock.advance(0)
    assert world.proxy.factory.services.streams == 0


def test_all_that_one_read_leads_to_is_written_at_once(world):
    client = world.client()
    writes = []
    write = client.connection.write
    client.connection.write = lambda data: (writes.append(data), write(data))
    for _ in range(3):
        stream = client.h2.get_next_available_stream_id()
        client.h2.send_headers(stream, ((b":method", b"TRACE"), *GET[1:]), end_stream=True)
    client.turn()
    assert len(writes) == 1 and [record.status for record in world.records] == [405] * 3


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        (((b":method", b"TRACE"), *GET[1:]), 405),
        ((*GET[:3], (b":path", b"/" + b"a" * 9000)), 414),
        ((*GET, *[(b"a", b"b")] * 101), 431),
        ((*POST, (b"content-length", b"200001")), 413),
    ],
)
def test_a_refusal_ends_its_own_stream_alone(world, fields, status):
    client = world.client()
    ended = fields[0][1] != b"POST"
    refused = client.ask(*fields, ended=ended)
    response = client.responses[refused]
    assert (response.status, response.ended) == (status, True)
    assert len(response.body) == int(response.field(b"content-length"))
    # RFC 9113 8.1: the rest of it is not wanted.
    world.proxy.advance(1)
    client.turn()
    assert response.reset == (None if ended else frames.ACK - 1)
    assert [record.status for record in world.records] == [status]
    stream = client.ask()
    world.upstreams[0].send(OK)
    assert client.turn().responses[stream].body == b"hi"


def test_a_malformed_request_is_a_reset_of_its_stream(world):
    client = world.client()
    client.connection.send(frames.headers(1, b"\x82\x84", True, 16384))
    assert resets(client.connection.take()) == [(1, 1)]
    assert not world.records and not world.upstreams


def test_what_is_no_http2_ends_the_connection_and_what_runs_on_it(world):
    client = world.client()
    client.ask()
    client.connection.send(frame(frames.DATA, 0, 99, b"x"))
    assert goaways(client.connection.take()) == [(1, 1)]
    assert client.connection.ended and world.outcomes == ["client-gone"]
    world.proxy.clock.advance(0)
    assert world.upstreams[0].reset
    world.proxy.advance(4)
    assert client.connection.closed


def test_a_client_that_leaves_cancels_all_of_its_requests(world):
    client = world.client()
    for _ in range(3):
        client.ask()
    client.connection.drop()
    world.proxy.clock.advance(0)
    assert world.outcomes == ["client-gone"] * 3 and all(upstream.reset for upstream in world.upstreams)


def test_a_request_that_is_reset_by_what_comes_with_it_goes_nowhere(world):
    client = world.client()
    for number in range(1, 41, 2):
        client.h2.send_headers(number, GET, end_stream=True)
        client.h2.reset_stream(number)
    client.turn()
    world.proxy.clock.advance(0)
    assert not world.upstreams and not world.records
    stream = client.ask(stream=101)
    world.upstreams[0].send(OK)
    assert client.turn().responses[stream].status == 200


def test_rapid_resets_end_the_connection(world):
    """CVE-2023-44487, one by one, so that each request has gone somewhere."""
    client = world.client()
    for number in range(1, 2001, 2):
        client.h2.send_headers(number, GET, end_stream=True)
        client.turn()
        if client.goaways:
            break
        client.reset(number)
        world.proxy.clock.advance(0)
    # 0xb: ENHANCE_YOUR_CALM
    assert client.goaways[-1][1] == 0xB and len(world.upstreams) <= 101
    assert client.connection.ended


def test_time_gives_back_what_resets_have_cost(world):
    client = world.client()
    for number in range(1, 401, 2):
        client.ask(stream=number)
        client.reset(number)
        world.proxy.advance(0.2)
    assert not client.goaways


def test_time_gives_it_back_however_often_something_is_read(world):
    client = world.client()
    client.ask()
    connection, ping = client.connection, frames.ping(b"12345678")
    connection.send(ping * 1500)
    for _ in range(1000):
        for half in ping[:8], ping[8:]:
            connection.send(half)
            world.proxy.clock.advance(0.004)
    assert not goaways(connection.take())


def test_a_login_by_connection_is_for_http1(world):
    client = world.client()
    stream = client.ask(*GET, (b"authorization", b"Negotiate YII="))
    # 0xd: HTTP_1_1_REQUIRED
    assert client.responses[stream].reset == 0xD and not world.upstreams


def test_it_tells_what_is_at_work_on_it(world):
    client = world.client()
    (protocol,) = world.proxy.factory.admission.everyone()
    assert protocol.exchanges() == []
    for path in (b"/a", b"/b"):
        client.ask(*GET[:3], (b":path", path))
    assert [exchange.request.path for exchange in protocol.exchanges()] == [b"/a", b"/b"]
    protocol.exchanges()[0].abandon(RequestDenied("enough"))
    assert client.turn().responses[1].status == 403 and len(protocol.exchanges()) == 1


# -- who is let in, and who serves it


def test_it_has_one_place_whatever_runs_on_it(world):
    for _ in range(2):
        client = world.client()
        client.ask()
        client.ask()
    waiting = Http2Peer(world.proxy.connect())
    assert waiting.connection.paused
    client.connection.drop()
    world.proxy.clock.advance(0)
    assert not waiting.connection.paused


def test_one_too_many_of_a_client_is_told_so_and_has_to_leave(make_world):
    world = make_world(limits=Limits(max_connections_per_client=1))
    world.client()
    client = world.client()
    stream = client.ask()
    assert client.responses[stream].status == 429 and client.goaways == [(1, 0)]
    assert client.connection.ended and not world.upstreams


def test_a_connection_without_requests_goes_to_the_next_factory(make_world):
    old, new = make_world(), make_world()
    client = old.client()
    client.ask()
    old.upstreams[0].send(OK)
    client.turn()
    (protocol,) = old.proxy.factory.admission.everyone()
    protocol.served_by = ServedBy(new.proxy.factory)
    old.proxy.factory.retire()
    stream = client.ask()
    assert not client.goaways and len(old.upstreams) == 1
    new.upstreams[0].send(OK)
    assert client.turn().responses[stream].body == b"hi" and new.outcomes == ["ok"]
    client.connection.drop()


def test_one_with_requests_ends_them_and_leaves(world):
    client = world.client()
    stream = client.ask()
    world.proxy.factory.retire()
    client.turn()
    assert client.goaways == [(frames.LAST_STREAM, 0), (1, 0)]
    world.upstreams[0].send(OK)
    assert client.turn().responses[stream].body == b"hi" and client.connection.ended


def test_what_a_filter_says_to_all_is_said_here_as_well(make_world):
    class Refusing:
        def handle(self, request, context, proceed):
            return Refusal(451) if request.path == b"/no" else proceed(request, context)

    world = make_world(middleware=(Refusing(),))
    client = world.client()
    stream = client.ask(*GET[:3], (b":path", b"/no"))
    assert client.responses[stream].status == 451 and world.outcomes == ["refused"]


def test_frames_may_come_byte_by_byte(world):
    client = world.client()
    client.h2.send_headers(1, GET, end_stream=True)
    client.connection.send_each_byte(client.h2.data_to_send())
    world.upstreams[0].send(OK)
    assert client.turn().responses[1].body == b"hi"


def test_the_first_bytes_may_come_alone(world):
    connection = world.proxy.connect()
    connection.send_each_byte(frames.PREFACE + frames.settings([]))
    assert taken_apart(connection.received)[0][0] == "SETTINGS"
