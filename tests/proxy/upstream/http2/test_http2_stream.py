"""One request to an upstream that speaks HTTP/2: what is sent, what comes of the response, and who waits for whom."""

import re

import pytest

from tests.proxy.exchanges.test_exchange import GET, POST, status
from tests.proxy.upstream.http2_peer import Http2Peer, data_frame
from txproxy import Limits
from txproxy.wire.http2 import frames
from txproxy.wire.http2.faults import CANCEL, INTERNAL_ERROR, NO_ERROR

DATE = ("date", "D")
HEAD = b"HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n"
WANTS_TRAILERS = GET.replace(b"\r\n\r\n", b"\r\nTE: trailers\r\nConnection: TE\r\n\r\n")
MANY = b"x" * 16384


def begun(proxy, request=GET):
    client = proxy.connect()
    client.send(request)
    return client, Http2Peer(proxy.upstream)


# -- what is sent


def test_a_request_without_a_body(proxy2):
    _, peer = begun(proxy2, GET.replace(b"\r\n\r\n", b"\r\nX-Y: z\r\nConnection: close\r\n\r\n"))
    assert peer.head(1) == {
        ":method": "GET", ":scheme": "http", ":path": "/x", ":authority": "a", "x-y": "z",
        "x-forwarded-for": "127.0.0.1", "x-real-ip": "127.0.0.1", "x-forwarded-proto": "http", "x-forwarded-host": "a",
    }  # fmt: skip
    assert peer.ended == {1}


def test_a_body_of_a_length(proxy2):
    _, peer = begun(proxy2, POST)
    assert peer.head(1)["content-length"] == "5" and peer.bodies == {1: b"hello"} and peer.ended == {1}


def test_a_chunked_body_with_trailers(proxy2):
    request = b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-T: v\r\n\r\n"
    _, peer = begun(proxy2, request)
    head, trailers = peer.heads[1]
    assert not {"transfer-encoding", "content-length"} & head.keys()
    assert peer.bodies == {1: b"hello"} and trailers == {"x-t": "v"} and peer.ended == {1}


def test_the_wish_for_trailers_goes_on_and_an_upgrade_does_not(proxy2):
    fields = b"\r\nTE: trailers, gzip\r\nConnection: TE, upgrade\r\nUpgrade: websocket\r\n\r\n"
    client, peer = begun(proxy2, GET.replace(b"\r\n\r\n", fields))
    head = peer.head(1)
    assert head["te"] == "trailers" and not {"connection", "upgrade"} & head.keys()
    peer.answer(1)
    assert status(client.received) == 200


# -- what comes of the response


def test_a_response_of_a_length(proxy2):
    client, peer = begun(proxy2)
    peer.answer(1, 201, DATE, ("content-length", "2"), body=b"ok")
    assert client.received == b"HTTP/1.1 201 Created\r\ndate: D\r\ncontent-length: 2\r\n\r\nok"


@pytest.mark.parametrize("body", [b"", b"ok"])
def test_a_whole_response_of_no_length_gets_one(proxy2, body):
    client, peer = begun(proxy2)
    for stream in (1, 3):
        peer.answer(stream, 200, DATE, body=body)
        assert client.take() == b"HTTP/1.1 200 OK\r\ndate: D\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
        client.send(GET)


def test_a_response_that_comes_in_parts(proxy2):
    client, peer = begun(proxy2)
    peer.connection.send(peer.head_frame(1, 200, DATE))
    assert client.take() == b"HTTP/1.1 200 OK\r\ndate: D\r\nTransfer-Encoding: chunked\r\n\r\n"
    peer.connection.send(data_frame(1, b"one") + data_frame(1, b"two"))
    assert client.take() == b"3\r\none\r\n3\r\ntwo\r\n"
    peer.connection.send(data_frame(1, ended=True))
    assert client.take() == b"0\r\n\r\n"


def test_each_byte_alone_makes_the_same_response(proxy2):
    client, peer = begun(proxy2)
    head = peer.head_frame(1, 200, DATE, ("content-length", "2"))
    peer.connection.send_each_byte(head + data_frame(1, b"ok", ended=True))
    assert client.received == b"HTTP/1.1 200 OK\r\ndate: D\r\ncontent-length: 2\r\n\r\nok"


def test_trailers(proxy2):
    client, peer = begun(proxy2, WANTS_TRAILERS)
    head = peer.head_frame(1, 200, DATE)
    peer.connection.send(head + data_frame(1, b"ok") + peer.trailers_frame(1, ("grpc-status", "0")))
    assert client.received.endswith(b"\r\n\r\n2\r\nok\r\n0\r\ngrpc-status: 0\r\n\r\n")


def test_informational_responses_go_on(proxy2):
    client, peer = begun(proxy2)
    peer.connection.send(peer.head_frame(1, 103, ("link", "</a>")))
    assert client.take() == b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"
    peer.answer(1)
    assert status(client.received) == 200


@pytest.mark.parametrize(("request_", "code"), [(HEAD, 200), (GET, 304)])
def test_what_tells_of_a_body_that_does_not_come(proxy2, request_, code):
    client, peer = begun(proxy2, request_)
    peer.answer(1, code, DATE, ("content-length", "5"))
    assert client.take().endswith(b"\r\ndate: D\r\ncontent-length: 5\r\n\r\n")
    client.send(GET)
    peer.answer(3)
    assert status(client.take()) == 200


@pytest.mark.parametrize("code", [204, 304])
def test_what_has_no_length_gets_none(proxy2, code):
    client, peer = begun(proxy2)
    peer.answer(1, code, DATE)
    assert b"length" not in client.received.lower()


# -- responses that are none


def test_a_body_of_another_length_is_cut(proxy2):
    client, peer = begun(proxy2)
    peer.connection.send(peer.head_frame(1, 200, ("content-length", "5")))
    client.take()
    peer.connection.send(data_frame(1, b"abc", ended=True))
    proxy2.clock.advance(0)
    assert client.closed or client.disconnecting
    assert not client.received and not peer.connection.closed


@pytest.mark.parametrize("how", ["reset", "connection"])
def test_a_response_that_is_cut_is_cut_for_the_client(proxy2, how):
    client, peer = begun(proxy2)
    peer.connection.send(peer.head_frame(1) + data_frame(1, b"abc"))
    client.take()
    if how == "reset":
        peer.connection.send(frames.rst_stream(1, INTERNAL_ERROR))
    else:
        peer.connection.drop()
    assert client.disconnecting and not client.received.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize(
    "fields",
    [[("connection", "close")], [("Upper", "x")], [(":status", "200")], [("content-length", "x")], [("a", "b\n")]],
)
def test_a_malformed_head_is_a_bad_gateway(proxy2, fields):
    client, peer = begun(proxy2, b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
    peer.connection.send(peer.head_frame(1, 200, *fields, ended=True))
    assert status(client.received) == 502 and not peer.connection.closed and 1 in peer.look().resets


def test_a_head_that_is_too_large_is_a_bad_gateway(make):
    proxy = make(Limits(max_header_size=2000), ("h2c://10.0.0.1:80",))
    client, peer = begun(proxy)
    peer.connection.send(peer.head_frame(1, 200, ("a", "x" * 2000), ended=True))
    client.take()
    # It is an answer of sorts, and GET may be asked again: by then there is none.
    assert peer.look().resets == {1: CANCEL}


def test_whose_answer_it_was_is_told(make):
    records = []
    proxy = make(Limits(max_header_size=2000), ("h2c://10.0.0.1:80",), observers=(records.append,))
    _, peer = begun(proxy, POST)
    peer.connection.send(peer.head_frame(1, 200, ("a", "x" * 2000), ended=True))
    assert [record.detail for record in records] == ["10.0.0.1:80: the head is too large"]


def test_a_switch_of_protocols_is_none(proxy2):
    client, peer = begun(proxy2, GET.replace(b"\r\n\r\n", b"\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"))
    for stream in (1, 3):
        peer.connection.send(peer.head_frame(stream, 101))
    assert status(client.received) == 502


# -- who has to wait


def test_an_upstream_waits_for_a_client_that_is_slow_and_nobody_else(proxy2):
    client, peer = begun(proxy2)
    other = proxy2.connect()
    other.send(GET)
    client.stop_reading()
    peer.connection.send(peer.head_frame(1))
    sent = 0
    window = 65535 + (1 << 20) - 65535
    peer.connection.send(frames.SETTINGS_ACK)
    before = peer.updates(1)
    while sent + len(MANY) <= window:
        peer.connection.send(data_frame(1, MANY))
        sent += len(MANY)
    assert peer.updates(1) == before == 0 and not peer.connection.paused
    peer.answer(3, body=b"ok")
    assert other.received.endswith(b"ok")
    client.read_on()
    assert peer.updates(1) == sent
    peer.connection.send(data_frame(1, b"end", ended=True))
    assert client.received.endswith(b"3\r\nend\r\n0\r\n\r\n")


@pytest.mark.parametrize(("limits", "told"), [({"upstream_stream_window": 1 << 20}, 1 << 19), ({}, 2 << 19)])
def test_what_a_client_takes_at_once_is_told_in_halves_and_its_window_grows_unless_it_was_said(make2, limits, told):
    _, peer = begun(make2(Limits(**limits)))
    peer.connection.send(frames.SETTINGS_ACK + peer.head_frame(1))
    for _ in range(40):
        peer.connection.send(data_frame(1, MANY))
    assert peer.updates(1) == told


def test_a_client_waits_for_the_window_of_its_stream(proxy2):
    client, peer = begun(proxy2, b"PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
    sent = 0
    while not client.paused:
        client.send(MANY)
        sent += len(MANY)
    assert len(peer.look().bodies[1]) == 65535 and sent < 400000
    peer.connection.send(frames.window_update(0, 1 << 20) + frames.window_update(1, 1 << 20))
    assert len(peer.look().bodies[1]) == sent and not client.paused
    client.send(b"x" * (1000000 - sent))
    assert len(peer.look().bodies[1]) == 1000000 and peer.ended == {1}


def test_an_upstream_that_gives_no_window_is_late(proxy2):
    client, peer = begun(proxy2, b"PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n")
    while not client.paused:
        client.send(b"x" * 10000)
    for _ in range(4):
        proxy2.advance(16)
        peer.connection.send(frames.ping(b"12345678"))
    assert status(client.received) == 504 and peer.look().resets == {1: CANCEL}


def test_a_client_that_is_slow_with_its_request_is_not_the_upstreams_fault(make):
    proxy = make(Limits(min_body_rate=0), ("h2c://10.0.0.1:80",))
    client, peer = begun(proxy, b"PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n")
    for _ in range(19):
        client.send(b"x")
        proxy.advance(10)
        peer.connection.send(frames.ping(b"12345678"))
    client.send(b"x")
    peer.answer(1)
    assert status(client.received) == 200


def test_bodies_that_wait_for_the_window_of_the_connection_take_turns(proxy2):
    put = b"PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n"
    first, peer = begun(proxy2, put)
    second = proxy2.connect()
    second.send(put)
    peer.connection.send(frames.window_update(1, 1 << 30) + frames.window_update(3, 1 << 30))
    for _ in range(60):
        for client in (first, second):
            while not client.paused:
                client.send(MANY)
        peer.connection.send(frames.window_update(0, 20_000))
        proxy2.advance(2)
    sizes = [len(peer.look().bodies[stream]) for stream in (1, 3)]
    # Neither is late, and both have had their part of it.
    assert not peer.resets and abs(sizes[0] - sizes[1]) < 100_000


def test_an_upstream_whose_socket_is_full_has_bodies_wait(proxy2):
    client, peer = begun(proxy2, b"PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n")
    peer.connection.send(frames.window_update(0, 1 << 20) + frames.window_update(1, 1 << 20))
    peer.connection.stop_reading()
    while not client.paused:
        client.send(b"x" * 10000)
    assert peer.connection.waiting < 100000
    peer.connection.read_on()
    while len(peer.look().bodies[1]) < 200000:
        client.send(b"x" * 10000)
    assert peer.ended == {1}


# -- who leaves


def test_a_client_that_leaves_has_its_stream_cancelled_at_once(proxy2):
    client, peer = begun(proxy2)
    peer.connection.send(peer.head_frame(1) + data_frame(1, b"abc"))
    client.drop()
    assert peer.look().resets == {1: CANCEL} and not peer.connection.closed
    peer.connection.send(data_frame(1, b"late"))
    other = proxy2.connect()
    other.send(GET)
    peer.look().answer(3)
    assert status(other.received) == 200


def test_the_rest_of_a_request_that_was_answered_is_cancelled(proxy2):
    client, peer = begun(proxy2, b"PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\nabc")
    peer.connection.send(peer.head_frame(1, 413, ended=True) + frames.rst_stream(1, NO_ERROR))
    assert status(client.received) == 413 and not peer.connection.closed


# -- responses like some before: the same in fewer steps

OLD = GET.replace(b"1.1", b"1.0")
LAST = GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
COOKIE = ("set-cookie", "a=b; Domain=10.0.0.1")


def answered_after(proxy, request, fields, before):
    """What the client gets that sends the ``request``, after so many GETs of others that were answered the same."""
    client, peer = begun(proxy)
    for number in range(before):
        peer.answer(2 * number + 1, 200, *fields, body=b"ok")
        client.send(GET)
    peer.answer(2 * before + 1, 200, *fields, body=b"ok")
    other = proxy.connect()
    other.send(request)
    peer.answer(2 * before + 3, 200, *fields, body=b"" if request is HEAD else b"ok")
    # Each proxy has its own values in the cookie that pins clients.
    return re.sub(rb"txproxy=[^;]+", b"txproxy=", other.received), other.disconnecting


@pytest.mark.parametrize("fields", [(DATE,), (DATE, ("content-length", "2")), (DATE, COOKIE), (DATE, ("via", "1.1 x"))])
@pytest.mark.parametrize("request_", [GET, HEAD, OLD, LAST])
@pytest.mark.parametrize("settings", [{}, {"sticky": "cookie"}, {"observers": (lambda record: None,)}])
def test_a_response_like_some_before_is_what_the_first_was(make, request_, fields, settings):
    seen = [
        answered_after(make(Limits(), ("h2c://10.0.0.1:80",), **settings), request_, fields, before)
        for before in (0, 4)
    ]
    assert seen[0] == seen[1] and status(seen[0][0]) == 200


def test_each_body_is_the_one_that_came_with_such_a_head(proxy2):
    client, peer = begun(proxy2)
    for number, body in enumerate([b"one", b"two", b"three", b"four", b"five", b"six", b"seven"]):
        peer.answer(2 * number + 1, 200, DATE, body=body)
        expected = b"HTTP/1.1 200 OK\r\ndate: D\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
        assert client.take() == expected
        client.send(GET)


def test_a_date_that_is_missing_is_told_with_each(proxy2):
    client, peer = begun(proxy2)
    for number in range(1, 9, 2):
        peer.answer(number, 200, ("x-n", "1"), body=b"ok")
        assert b"\r\nDate: " in client.take()
        client.send(GET)


def test_who_leaves_while_others_hear_theirs_gets_nothing_and_harms_nobody(make):
    clients, leaving, records = [], [], []

    def observe(record):
        records.append((record.outcome, record.upstream_status))
        while leaving:
            leaving.pop().drop()

    proxy = make(Limits(), ("h2c://10.0.0.1:80",), observers=(observe,))
    clients = [proxy.connect() for _ in range(3)]
    peer = None
    for turn in range(4):
        for client in clients:
            client.send(GET)
        peer = peer or Http2Peer(proxy.upstream)
        numbers = [6 * turn + number for number in (1, 3, 5)]
        assert set(numbers) <= peer.look().heads.keys()
        if turn == 3:
            leaving.append(clients[1])
            records.clear()
        peer.connection.send(
            b"".join(peer.head_frame(one, 200, DATE) + data_frame(one, b"ok", ended=True) for one in numbers)
        )
        assert [client.take()[-2:] for client in clients] == [b"ok", b"ok" if turn < 3 else b"", b"ok"]
    assert sorted(records) == [("client-gone", 0), ("ok", 200), ("ok", 200)] and not peer.look().resets
    clients[0].send(GET)
    peer.look()
    peer.answer(25, 200, DATE, body=b"ok")
    assert status(clients[0].take()) == 200
