"""The client's side: refusals, closing, limits, upgrades."""

import pytest

from tests.proxy.exchanges.test_exchange import GET, OK, status
from txproxy.wire.size_limits import WireLimits


@pytest.mark.parametrize(
    ("request_bytes", "expected"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\nHost: a\n\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 400),
        (b"M" * 9000 + b" / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
        (b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 405),
        (b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n", 413),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"A: b\r\n" * 100 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\nA: " + b"b" * 70000, 431),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
    ],
)
def test_a_refusal_has_its_status_and_says_why(proxy, request_bytes, expected):
    client = proxy.connect()
    client.send(request_bytes)
    head, _, body = client.received.partition(b"\r\n\r\n")
    assert status(head) == expected
    assert b"\r\nProxy-Status: txproxy; error=http_request_" in head
    assert b"\r\nContent-Length: %d\r\n" % len(body) in head + b"\r\n"
    assert not proxy.network.dialed
    if expected != 405:
        assert b"\r\nConnection: close" in head
        assert client.ended
        proxy.advance(4)
        assert client.closed


def test_a_chunked_body_that_grows_too_large_is_a_413(proxy):
    client = proxy.connect()
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    client.send(b"258\r\n" + b"x" * 600 + b"\r\n258\r\n" + b"x" * 600)
    assert status(client.received) == 413
    proxy.clock.advance(0)
    assert proxy.upstream.reset


def test_a_malformed_body_is_a_400_and_cancels_the_upstream(proxy):
    client = proxy.connect()
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcXX")
    assert status(client.received) == 400
    proxy.clock.advance(0)
    assert proxy.upstream.reset


def test_a_refusal_lets_a_client_finish_sending_before_it_is_closed(proxy):
    client = proxy.connect()
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\n\r\n")
    assert status(client.received) == 413
    client.send(b"x" * 2000)
    assert client.ended and not client.closed
    client.end()
    proxy.clock.advance(0)
    assert client.closed and not client.reset


def test_a_response_before_the_end_of_its_request_says_that_the_connection_closes(proxy):
    client = proxy.connect()
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe")
    proxy.upstream.send(b"HTTP/1.1 413 Content Too Large\r\nDate: D\r\nContent-Length: 3\r\n\r\nbig")
    assert client.received == (
        b"HTTP/1.1 413 Content Too Large\r\nDate: D\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig"
    )
    assert client.ended
    client.send(b"llo" + GET)
    client.end()
    proxy.clock.advance(0)
    assert client.closed and not client.reset and len(proxy.network.connections) == 1


def test_html_for_who_asks_for_it_first(proxy):
    client = proxy.connect()
    client.send(b"TRACE / HTTP/1.1\r\nHost: a\r\nAccept: text/html,*/*\r\n\r\n")
    assert b"Content-Type: text/html" in client.received
    client.take()
    client.send(b"TRACE / HTTP/1.1\r\nHost: a\r\nAccept: */*, text/html\r\n\r\n")
    assert b"Content-Type: text/plain" in client.received


def test_a_refused_head_request_gets_no_body(proxy):
    client = proxy.connect()
    client.send(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
    proxy.upstream.end()
    assert status(client.received) == 502
    assert client.received.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("head", "closes"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", True),
        (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n", True),
        (b"GET / HTTP/1.0\r\n\r\n", True),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", False),
        (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", False),
    ],
)
def test_the_connection_is_kept_as_the_client_wishes(proxy, head, closes):
    client, _ = proxy.exchange(head, OK)
    proxy.clock.advance(0)
    assert client.closed is closes
    assert (b"\r\nConnection: close\r\n" in client.received) is closes
    assert (b"\r\nConnection: keep-alive\r\n" in client.received) is (b"HTTP/1.0" in head and not closes)


LARGE = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 50000\r\n\r\n" + b"x" * 50000


def answer_all(proxy, response):
    """Answer each request that comes to the upstream, as long as any does; gives how many."""
    answered = 0
    while proxy.network.connections and proxy.upstream.take():
        proxy.upstream.send(response)
        answered += 1
    return answered


def test_who_takes_no_responses_gets_no_more_of_them(proxy):
    client = proxy.connect()
    client.stop_reading()
    client.send(GET)
    request = GET[:-2] + b"A: " + b"b" * 8000 + b"\r\n\r\n"
    sent, answered = 1, answer_all(proxy, LARGE)
    while not client.paused:
        client.send(request)
        sent += 1
        answered += answer_all(proxy, LARGE)
    assert answered < 4 and sent < 20
    assert client.waiting < 200000
    while answered < sent:
        client.read_on()
        client.stop_reading()
        answered += answer_all(proxy, LARGE)
        assert client.waiting < 200000
    client.read_on()
    assert not client.paused
    assert client.take() == LARGE * sent
    client.send(GET)
    assert answer_all(proxy, OK) == 1
    assert client.received == OK


def test_who_takes_no_responses_may_take_them_after_it_has_closed_its_side(proxy):
    client = proxy.connect()
    client.stop_reading()
    client.send(GET * 4)
    answered = answer_all(proxy, LARGE)
    client.end()
    while not client.closed:
        client.read_on()
        answered += answer_all(proxy, LARGE)
        proxy.clock.advance(0)
    assert answered == 4
    assert client.received == LARGE * 4 and not client.reset


def test_a_head_that_began_while_responses_waited_has_its_time(proxy):
    client = proxy.connect()
    client.stop_reading()
    client.send(GET * 2 + GET[:10])
    assert answer_all(proxy, LARGE) == 2
    client.read_on()
    client.take()
    proxy.advance(19)
    assert not client.received
    proxy.advance(3)
    assert status(client.received) == 408


TRACE = b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n"


def test_who_asks_much_at_once_lets_others_have_their_turn(proxy):
    many, one = proxy.connect(), proxy.connect()
    many.send(TRACE * 1000)
    assert many.received.count(b"HTTP/1.1 405 ") == 8
    one.send(TRACE)
    assert one.received.count(b"HTTP/1.1 405 ") == 1
    proxy.clock.advance(0)
    assert many.received.count(b"HTTP/1.1 405 ") == 1000
    many.send(GET)
    proxy.upstream.send(OK)
    assert many.received.endswith(OK)


def test_what_such_a_client_sends_meanwhile_waits_in_the_kernel(proxy):
    client = proxy.connect()
    client.send(TRACE * 2000)
    client.send(TRACE * 1000)
    assert client.paused
    proxy.clock.advance(0)
    assert not client.paused and client.received.count(b"HTTP/1.1 405 ") == 3000


def test_it_may_close_its_side_and_gets_all_its_answers(proxy):
    client = proxy.connect()
    client.send(TRACE * 20 + GET)
    client.end()
    proxy.clock.advance(0)
    proxy.upstream.send(OK)
    assert client.received.count(b"HTTP/1.1 405 ") == 20 and client.received.endswith(OK)
    proxy.clock.advance(0)
    assert client.closed


def test_it_may_leave_in_the_middle(proxy):
    client = proxy.connect()
    client.send(TRACE * 20)
    client.drop()
    proxy.clock.advance(0)
    assert client.received.count(b"HTTP/1.1 405 ") == 8


# -- a request that comes again in the same bytes


@pytest.fixture
def asked_before(proxy):
    """A client that has asked for the same four times, the last of which its codec knew at once."""
    client = proxy.connect()
    for _ in range(4):
        client.send(GET)
        assert answer_all(proxy, OK) == 1 and client.take() == OK
    return client


def test_it_waits_for_who_takes_no_responses(proxy, asked_before):
    asked_before.stop_reading()
    asked_before.send(GET)
    assert answer_all(proxy, LARGE) == 1
    asked_before.send(GET)
    assert answer_all(proxy, LARGE * 2) == 1
    asked_before.send(GET)
    assert answer_all(proxy, OK) == 0
    asked_before.read_on()
    assert answer_all(proxy, OK) == 1
    assert asked_before.take().endswith(b"x" + OK)


def test_at_a_drain_it_is_the_last(proxy, asked_before):
    proxy.factory.drain()
    asked_before.send(GET)
    assert answer_all(proxy, OK) == 1
    assert b"\r\nConnection: close\r\n" in asked_before.take()
    proxy.clock.advance(0)
    assert asked_before.closed


@pytest.mark.parametrize("cut", [1, 20, len(GET) - 1])
def test_one_more_behind_it_has_its_turn(proxy, asked_before, cut):
    asked_before.send(GET)
    asked_before.send(GET + GET[:cut])
    asked_before.send(GET[cut:])
    assert answer_all(proxy, OK) == 3
    assert asked_before.take() == OK * 3
    asked_before.send(GET[:cut])
    asked_before.send(GET[cut:])
    asked_before.send(GET)
    assert answer_all(proxy, OK) == 2


def test_other_limits_hold_for_it(proxy, asked_before):
    codec = asked_before._protocol.codec
    codec.use_limits(WireLimits(max_target=1))
    asked_before.send(GET)
    assert answer_all(proxy, OK) == 0 and status(asked_before.received) == 414
