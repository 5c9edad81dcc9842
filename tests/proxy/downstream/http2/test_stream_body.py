"""The body of a request on a stream."""

import tracemalloc

import pytest

from tests.proxy.downstream.http2.http2_peer import GET, POST
from tests.wire.http2.taken_apart import frame, taken_apart
from txproxy import Limits

OK = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 2\r\n\r\nhi"


def test_one_with_a_length_goes_on_as_such(world):
    client = world.client()
    stream = client.ask(*POST, (b"content-length", b"5"), ended=False)
    client.body(stream, b"hel")
    (upstream,) = world.upstreams
    head, _, body = upstream.take().partition(b"\r\n\r\n")
    assert b"\r\ncontent-length: 5" in head and body == b"hel"
    client.body(stream, b"lo", ended=True)
    assert upstream.take() == b"lo"
    upstream.send(OK)
    assert client.turn().responses[stream].body == b"hi"
    (record,) = world.records
    assert (record.outcome, record.received) == ("ok", 5)


def test_one_of_any_length_is_sent_in_chunks_with_its_trailers(world):
    client = world.client()
    stream = client.ask(*POST, ended=False)
    client.body(stream, b"hello")
    client.h2.send_headers(stream, ((b"t", b"u"),), end_stream=True)
    client.turn()
    (upstream,) = world.upstreams
    assert upstream.received.endswith(b"\r\n\r\n5\r\nhello\r\n0\r\nt: u\r\n\r\n")


def test_one_that_is_empty_after_all(world):
    client = world.client()
    stream = client.ask(*POST, (b"content-length", b"0"), ended=False)
    client.body(stream, b"", ended=True)
    (upstream,) = world.upstreams
    upstream.send(OK)
    assert client.turn().responses[stream].body == b"hi" and world.outcomes == ["ok"]


def test_a_slow_upstream_is_waited_for_by_the_stream_alone(make_world):
    world = make_world(limits=Limits())
    client = world.client()
    slow, quick = client.ask(*POST, ended=False), client.ask(*POST, ended=False)
    here, there = world.upstreams
    client.body(slow, b"x")
    here.stop_reading()
    room = client.h2.local_flow_control_window(slow)
    sent = 0
    while client.h2.local_flow_control_window(slow) >= 16384 and sent < 4 << 20:
        client.body(slow, b"x" * 16384)
        sent += 16384
    # What has come and is not wanted is in its window, which is not opened any more.
    assert room == 1 << 20 and sent < room + (200 << 10) and not client.connection.paused
    client.body(quick, b"hello", ended=True)
    assert there.received.endswith(b"5\r\nhello\r\n0\r\n\r\n")
    here.read_on()
    client.turn()
    assert client.h2.local_flow_control_window(slow) > room // 2
    client.body(slow, b"", ended=True)
    assert here.received.endswith(b"\r\n0\r\n\r\n")
    assert here.received.count(b"x") == sent + 1


def test_small_parts_that_wait_take_little_more_than_their_size(make_world):
    world = make_world(limits=Limits())
    client = world.client()
    stream = client.ask(*POST, ended=False)
    (upstream,) = world.upstreams
    upstream.stop_reading()
    for _ in range(20):
        client.body(stream, b"x" * 10_000)
    count = 20_000
    few = b"".join(frame(0, 0, stream, b"%02d" % (number % 100)) for number in range(100))
    tracemalloc.start()
    try:
        for _ in range(count // 100):
            client.connection.send(few)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < 10 * count
    upstream.read_on()
    client.turn()
    received = b"".join(upstream.received.split(b"\r\n\r\n", 1)[1].split(b"\r\n")[1::2])
    assert received == b"x" * 200_000 + b"".join(b"%02d" % (number % 100) for number in range(100)) * (count // 100)


def test_the_connections_window_is_opened_by_what_is_taken(make_world):
    world = make_world(limits=Limits())
    client = world.client()
    stream = client.ask(*POST, ended=False)
    client.body(stream, b"x")
    for _ in range(40):
        for _ in range(30):
            client.h2.send_data(stream, b"x" * 16384)
        client.turn()
        world.upstreams[0].take()
    assert client.h2.outbound_flow_control_window > 8 << 20


def test_a_response_before_its_end_is_complete_and_the_rest_is_not_wanted(world):
    client = world.client()
    stream = client.ask(*POST, (b"content-length", b"5"), ended=False)
    world.upstreams[0].send(OK)
    response = client.turn().responses[stream]
    assert (response.body, response.ended, response.reset) == (b"hi", True, None)
    world.proxy.advance(1)
    # RFC 9113 8.1: 0, NO_ERROR
    assert client.turn().responses[stream].reset == 0
    other = client.ask()
    world.upstreams[-1].send(OK)
    assert client.turn().responses[other].body == b"hi"


def test_that_the_rest_is_not_wanted_is_written_apart_from_the_response(world):
    client = world.client()
    writes = []
    write = client.connection.write
    client.connection.write = lambda data: (writes.append(data), write(data))
    # It is refused by what the same read has brought, and there would be much of it.
    stream = client.ask((b":method", b"TRACE"), *GET[1:], (b"content-length", b"100000"), ended=False)
    response, rest = [[name for name, *_ in taken_apart(data)] for data in writes]
    assert response == ["HEADERS", "DATA"] and rest == ["RST_STREAM"]
    assert client.responses[stream].status == 400 and client.responses[stream].ended


def test_one_that_grows_too_large_is_a_413(world):
    client = world.client()
    stream = client.ask(*POST, ended=False)
    client.body(stream, b"x" * 16384)
    for _ in range(12):
        client.h2.send_data(stream, b"x" * 16384)
    client.turn()
    response = client.responses[stream]
    assert response.status == 413 and response.reset is None and world.outcomes == ["http_request_error"]
    world.proxy.clock.advance(0)
    assert world.upstreams[0].reset
    for _ in range(5):
        client.h2.send_data(stream, b"x" * 16384)
    assert client.turn().responses[stream].reset == 0


def test_one_of_another_length_than_was_said_is_a_reset(world):
    client = world.client()
    stream = client.ask(*POST, (b"content-length", b"5"), ended=False)
    client.h2.streams[stream]._expected_content_length = None
    client.body(stream, b"too long")
    # 1: PROTOCOL_ERROR
    assert client.responses[stream].reset == 1
    world.proxy.clock.advance(0)
    assert world.upstreams[0].reset and [record.status for record in world.records] == [400]


def test_one_that_does_not_come_is_a_408(world):
    client = world.client()
    stream = client.ask(*POST, (b"content-length", b"5"), ended=False)
    client.body(stream, b"h")
    # It has come at no rate to speak of.
    world.proxy.advance(29)
    assert stream not in client.turn().responses
    world.proxy.advance(3)
    response = client.turn().responses[stream]
    assert response.status == 408 and response.reset == 0
    client.ask()
    assert not client.goaways


@pytest.mark.parametrize(("rate", "status"), [(400, 408), (700, None)])
def test_one_has_to_come_at_some_rate(world, rate, status):
    client = world.client()
    stream = client.ask(*POST, ended=False)
    for _ in range(40):
        client.body(stream, b"x" * rate)
        world.proxy.advance(1)
        if client.turn().responses[stream].heads:
            break
    found = client.responses[stream].heads
    assert (client.responses[stream].status if found else None) == status


def test_an_answer_to_one_that_waits_is_complete(world):
    client = world.client()
    stream = client.ask(*POST, (b"expect", b"100-continue"), (b"content-length", b"5"), ended=False)
    world.upstreams[0].send(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert client.turn().responses[stream].status == 100
    client.body(stream, b"hello", ended=True)
    world.upstreams[0].send(OK)
    response = client.turn().responses[stream]
    assert response.status == 200 and response.body == b"hi" and response.reset is None


def test_a_get_may_have_one(world):
    client = world.client()
    stream = client.ask(*GET, ended=False)
    client.body(stream, b"x", ended=True)
    assert world.upstreams[0].received.endswith(b"1\r\nx\r\n0\r\n\r\n")


def test_the_first_part_is_waited_for_before_a_place_is_taken(make_world):
    world = make_world(upstreams=["http://10.0.0.1:80;max=1"])
    client = world.client()
    late, prompt = client.ask(*POST, ended=False), client.ask(*POST, ended=False)
    assert not world.upstreams
    client.body(prompt, b"hello", ended=True)
    (upstream,) = world.upstreams
    assert upstream.received.endswith(b"5\r\nhello\r\n0\r\n\r\n")
    upstream.send(OK)
    assert client.turn().responses[prompt].body == b"hi"
    # A second is enough to wait for who may be waiting for us.
    world.proxy.advance(2)
    upstream = world.upstreams[-1]
    assert upstream.received.count(b"POST / ") == (2 if len(world.upstreams) == 1 else 1)
    client.body(late, b"there", ended=True)
    upstream.send(OK)
    assert client.turn().responses[late].body == b"hi" and world.outcomes == ["ok", "ok"]


def test_a_first_part_in_small_parts_takes_little_more_than_its_size(make_world):
    world = make_world(upstreams=["http://10.0.0.1:80;max=1"])
    client = world.client()
    stream = client.ask(*POST, ended=False)
    one = frame(0, 0, stream, b"xy")
    tracemalloc.start()
    try:
        for _ in range(8000):
            client.connection.send(one)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < 60_000 and not world.upstreams
    for _ in range(1000):
        client.connection.send(one)
    assert world.upstreams[0].received.count(b"xy") == 9000


def upload(client, stream, size=1 << 20):
    """Send as much of so much as windows let out; gives how much that is."""
    sent = 0
    while size > sent:
        part = min(client.h2.local_flow_control_window(stream), client.h2.max_outbound_frame_size, size - sent)
        if part <= 0:
            break
        client.body(stream, b"x" * part)
        sent += part
    return sent


@pytest.mark.parametrize("count", [20, 99])
@pytest.mark.parametrize("length", [(), ((b"content-length", b"3000000"),)])
def test_uploads_that_wait_for_a_place_leave_the_window_to_who_has_one(make_world, count, length):
    world = make_world(upstreams=["http://10.0.0.1:80;max=1"], limits=Limits())
    client = world.client()
    first = client.ask(*POST, *length, ended=False)
    assert upload(client, first, 20_000) == 20_000
    waiting = [client.ask(*POST, *length, ended=False) for _ in range(count)]
    for stream in waiting:
        assert 16384 <= upload(client, stream) <= 167772 + 16384
    # Whoever waits, this one goes on for as long as its upstream takes it.
    for _ in range(3):
        assert upload(client, first, 900_000) == 900_000
    (upstream,) = world.upstreams
    assert upstream.received.count(b"x") >= 2_700_000
    upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")
    # The next has its place, and all of its window with that.
    assert client.turn().responses[first].body == b"hi"
    assert max([upload(client, stream) for stream in waiting]) == 1 << 20


def test_what_has_its_place_at_once_has_all_of_its_window(make_world):
    world = make_world(limits=Limits())
    client = world.client()
    stream = client.ask(*POST, ended=False)
    assert client.h2.local_flow_control_window(stream) == 167772
    client.body(stream, b"x")
    assert client.h2.local_flow_control_window(stream) == 1 << 20
    client.body(stream, b"x" * 16384)
    assert client.h2.local_flow_control_window(stream) == (1 << 20) - 16384


def test_a_whole_body_opens_no_window(make_world):
    world = make_world(limits=Limits())
    client = world.client()
    stream = client.ask(*POST, ended=False)
    client.body(stream, b"hello", ended=True)
    assert not [frame for frame in client.frames if frame[0] == "WINDOW_UPDATE" and frame[2]]


@pytest.mark.parametrize(
    ("streams", "window", "first"), [(100, 16 << 20, 167772), (1000, 16 << 20, 16777), (100, 65536, 16384)]
)
def test_all_that_may_wait_fit_into_the_window_of_the_connection(streams, window, first):
    settings = Limits(max_concurrent_streams=streams, connection_window=window).http2()
    assert settings.first_window == first and settings.stream_window == 1 << 20


def test_who_has_filled_its_window_is_told_at_once_that_the_rest_is_not_wanted(make_world):
    world = make_world(upstreams=["http://10.0.0.1:80;max=1"], limits=Limits())
    client = world.client()
    first, refused = [client.ask(*POST, ended=False) for _ in range(2)]
    upload(client, first, 20_000)
    upload(client, refused)
    world.proxy.advance(60)
    world.proxy.advance(60)
    assert client.turn().responses[refused].status == 503 and client.responses[refused].reset == 0
