"""What an exchange is told of its request."""

from txproxy.testing import ProxyInMemory

GET = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
OK = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 2\r\n\r\nok"


def status(data):
    return int(data.split(b" ", 2)[1])


def test_a_put_whose_empty_body_has_ended_is_answered_though_its_connection_was_dead(proxy):
    client, upstream = proxy.exchange(GET, OK)
    client.take()
    client.send(b"PUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
    upstream.end()
    assert status(client.received) == 502


def test_a_final_answer_before_the_body_ends_the_connection(proxy):
    client = proxy.connect()
    client.send(b"PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    proxy.upstream.send(b"HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n")
    assert status(client.received) == 417
    assert client.ended
    client.send(b"hi")
    proxy.advance(4)
    assert client.closed


def test_a_slow_upstream_pauses_the_client():
    from txproxy import Pool, ReverseProxyFactory

    proxy = ProxyInMemory(lambda reactor: ReverseProxyFactory(Pool(["http://10.0.0.1:80"]), reactor=reactor))
    client = proxy.connect()
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
    proxy.upstream.stop_reading()
    sent = 0
    while not client.paused:
        client.send(b"x" * 10000)
        sent += 10000
    assert sent < 300000
    proxy.upstream.read_on()
    assert not client.paused
    proxy.close()


def test_a_body_that_does_not_come_is_a_408(proxy):
    client = proxy.connect()
    client.send(POST[:-2])
    proxy.advance(78)
    assert status(client.received) == 408
    assert proxy.upstream.reset
