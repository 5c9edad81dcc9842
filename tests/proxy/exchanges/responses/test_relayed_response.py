"""Responses of upstreams on their way to clients."""

import pytest

from tests.proxy.exchanges.particular import Particular
from txproxy.proxy.factory import ProxyFactory
from txproxy.testing import ProxyInMemory
from txproxy.wire.http2 import frames
from txproxy.wire.http2.frames import SETTINGS_ACK

GET = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
OK = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 2\r\n\r\nok"


def status(data):
    return int(data.split(b" ", 2)[1])


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\n",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    ],
)
def test_a_malformed_response_is_a_502(proxy, response):
    client, upstream = proxy.exchange(GET, response)
    assert status(client.received) == 502
    assert b"10.0.0.1" not in client.received
    proxy.clock.advance(0)
    assert upstream.closed


@pytest.mark.parametrize(
    ("response", "said"),
    [
        (b"SSH-2.0-OpenSSH\r\n", "not an HTTP/1 response"),
        (frames.settings([(3, 100)]) + SETTINGS_ACK, "an answer of HTTP/2, where HTTP/1 is to be spoken"),
        (b"HTTP/1.1 200", "the connection closed within the response"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "the connection closed within the response"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nabc", "Content-Length is not one number"),
    ],
)
def test_whose_answer_it_was_is_told(make_seen, response, said):
    proxy, records = make_seen()
    _, upstream = proxy.exchange(GET, response)
    upstream.drop()
    assert [record.detail for record in records] == [f"10.0.0.1:80: {said}"]


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    ],
)
def test_a_cut_response_is_cut_for_the_client(proxy, response):
    client, upstream = proxy.exchange(GET, response)
    upstream.drop()
    proxy.clock.advance(0)
    assert client.closed
    assert not client.received.endswith(b"0\r\n\r\n")
    assert b"502" not in client.received


def test_a_cut_body_until_close_reaches_an_old_client_as_a_reset(proxy):
    client, upstream = proxy.exchange(b"GET / HTTP/1.0\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\nabc")
    upstream.drop()
    proxy.clock.advance(0)
    assert client.reset


def test_a_body_until_close_is_chunked_for_the_client(proxy):
    client, upstream = proxy.exchange(GET, b"HTTP/1.1 200 OK\r\nDate: D\r\n\r\nabc")
    upstream.end()
    assert client.received == (b"HTTP/1.1 200 OK\r\nDate: D\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")


def test_a_body_until_close_stays_so_for_an_old_client(proxy):
    client, upstream = proxy.exchange(b"GET / HTTP/1.0\r\n\r\n", b"HTTP/1.1 200 OK\r\nDate: D\r\n\r\nabc")
    upstream.drop(clean=True)
    proxy.clock.advance(0)
    assert client.received == b"HTTP/1.1 200 OK\r\nDate: D\r\nConnection: close\r\n\r\nabc"
    assert client.closed and not client.reset


def test_trailers_are_kept_both_ways(proxy):
    client = proxy.connect()
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: up\r\n\r\n")
    assert proxy.upstream.received.endswith(b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: up\r\n\r\n")
    proxy.upstream.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nb\r\n0\r\nX: down\r\n\r\n")
    assert client.received.endswith(b"1\r\nb\r\n0\r\nX: down\r\n\r\n")


def test_expectations_and_hints_are_passed_on(proxy):
    client = proxy.connect()
    client.send(b"PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    assert b"Expect: 100-continue\r\n" in proxy.upstream.received
    proxy.upstream.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert client.take() == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.send(b"hi")
    proxy.upstream.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK)
    assert client.received == b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK


def test_an_old_client_gets_no_informational_response(proxy):
    client, _ = proxy.exchange(b"GET / HTTP/1.0\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK)
    assert client.received.startswith(b"HTTP/1.1 200")


def test_head_and_204_have_no_body(proxy):
    client, upstream = proxy.exchange(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", OK[:-2])
    assert client.take() == OK[:-2]
    client.send(GET)
    upstream.send(b"HTTP/1.1 204 No Content\r\nDate: D\r\nContent-Length: 0\r\n\r\n")
    assert client.received == b"HTTP/1.1 204 No Content\r\nDate: D\r\n\r\n"


def test_hop_by_hop_fields_stay_behind(proxy):
    client, upstream = proxy.exchange(
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: X-Mine, keep-alive\r\nX-Mine: 1\r\nKeep-Alive: 5\r\nTE: gzip\r\n"
        b"Proxy-Authorization: Basic x\r\nProxy-Connection: keep-alive\r\nAccept: b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nDate: D\r\nConnection: X-Yours\r\nX-Yours: 1\r\nContent-Length: 0\r\n\r\n",
    )
    for name in (b"X-Mine", b"Keep-Alive", b"TE:", b"Proxy-"):
        assert name not in upstream.received
    assert b"Accept: b\r\n" in upstream.received
    assert client.received == b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 0\r\n\r\n"


def test_a_missing_date_is_added(proxy):
    client, _ = proxy.exchange(GET, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert b"\r\nDate: " in client.received


def test_a_slow_client_pauses_the_upstream(proxy):
    client = proxy.connect()
    client.send(GET)
    client.stop_reading()
    proxy.upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    sent = 0
    while not proxy.upstream.paused:
        proxy.upstream.send(b"x" * 10000)
        sent += 10000
    assert sent < 200000
    client.read_on()
    assert not proxy.upstream.paused


def test_a_connection_that_was_paused_when_its_response_ended_serves_the_next_request(proxy):
    slow = proxy.connect()
    slow.send(GET)
    slow.stop_reading()
    upstream = proxy.upstream
    upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100002\r\n\r\n" + b"x" * 100000)
    assert upstream.paused
    upstream.send(b"xx")
    assert not upstream.paused
    client = proxy.connect()
    client.send(GET)
    assert proxy.upstream is upstream
    upstream.send(OK)
    assert client.received == OK


def test_a_response_that_stalls_is_cut(proxy):
    client, _ = proxy.exchange(GET, OK[:-1])
    proxy.advance(62)
    assert client.closed
    assert b"504" not in client.received


def test_what_an_upstream_says_before_a_tunnel_stands_comes_first_in_it():
    proxy = ProxyInMemory(lambda reactor: ProxyFactory(Particular("", head=False), reactor=reactor))
    proxy.network.greeting = b"220 mail"
    client = proxy.connect()
    client.send(b"CONNECT a:25 HTTP/1.1\r\nHost: a:25\r\n\r\n")
    assert client.received.endswith(b"established\r\n\r\n220 mail")
    proxy.close()


def test_what_an_upstream_says_before_it_was_asked_is_no_response():
    proxy = ProxyInMemory(lambda reactor: ProxyFactory(Particular(""), reactor=reactor))
    proxy.network.greeting = OK
    client = proxy.connect()
    client.send(GET)
    assert status(client.received) == 502 and not proxy.upstream.received
    proxy.close()
