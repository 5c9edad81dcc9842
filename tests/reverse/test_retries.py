"""What is tried again, where, and how often; and what never is."""

import pytest

from txproxy.errors import ConnectionRefused, ConnectTimeout

GET = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
HEAD = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
POST = HEAD + b"hello"
OK = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 2\r\n\r\nok"


def dialed(proxy):
    return [address.host[-1] for address in proxy.network.dialed]


def status(client):
    return int(client.received.split(b" ", 2)[1])


def test_a_sent_request_that_may_be_repeated_goes_to_another_upstream(serve):
    proxy = serve(2)
    client = proxy.connect()
    client.send(GET)
    first = proxy.upstream
    first.drop()
    assert dialed(proxy) == ["1", "2"]
    assert proxy.upstream.received.startswith(b"GET /x ")
    proxy.upstream.send(OK)
    assert client.received == OK


def test_as_often_as_is_set_and_no_more(serve):
    for retries in (0, 1, 2):
        proxy = serve(5, retries=retries)
        client = proxy.connect()
        client.send(GET)
        for _ in range(4):
            if not client.received:
                proxy.upstream.drop()
        assert len(dialed(proxy)) == 1 + retries
        assert status(client) == 502


def test_never_the_same_upstream_twice(serve):
    proxy = serve(2, retries=5)
    client = proxy.connect()
    client.send(GET)
    proxy.upstream.drop()
    proxy.upstream.drop()
    assert dialed(proxy) == ["1", "2"]
    assert status(client) == 502


def test_a_slow_upstream_is_given_up_for_another(serve):
    proxy = serve(2)
    client = proxy.connect()
    client.send(GET)
    proxy.advance(62)
    assert dialed(proxy) == ["1", "2"]
    proxy.advance(62)
    assert status(client) == 504


@pytest.mark.parametrize("cut", range(len(OK) - 2))
def test_after_a_byte_came_back_nothing_is_repeated(serve, cut):
    proxy = serve(2)
    client = proxy.connect()
    client.send(GET)
    proxy.upstream.send(OK[: cut + 1])
    proxy.upstream.drop()
    assert dialed(proxy) == ["1"]


def test_failed_connections_do_not_count_as_retries(serve):
    proxy = serve(4, retries=0)
    proxy.network.script = [ConnectionRefused("1"), ConnectTimeout("2"), ConnectionRefused("3")]
    client = proxy.connect()
    client.send(POST)
    assert dialed(proxy) == ["1", "2", "3", "4"]
    assert proxy.upstream.received.endswith(b"\r\n\r\nhello")
    proxy.upstream.send(OK)
    assert client.received == OK


# Each point at which an upstream can die with a request that must not be sent twice: the number of bytes of the request
# that the client has sent by then, and how the connection ends.
POINTS = [*range(len(HEAD), len(POST) + 1)]


@pytest.mark.parametrize("kept", [False, True], ids=["fresh", "kept"])
@pytest.mark.parametrize("end", ["drop", "end", "reset after a byte"])
@pytest.mark.parametrize("sent", POINTS)
def test_a_post_is_never_sent_twice(serve, sent, end, kept):
    proxy = serve(1 if kept else 3, retries=5)
    if kept:
        # a kept-alive connection, which could be stale
        proxy.exchange(GET, OK)
    before = len(proxy.network.connections)
    client = proxy.connect()
    client.send(POST[:sent])
    upstream = proxy.network.connections[-1]
    if end == "reset after a byte":
        upstream.send(b"H")
        upstream.drop()
    else:
        getattr(upstream, end)()
    client.send(POST[sent:])
    proxy.advance(1)
    heads = sum(connection.received.count(b"POST /x ") for connection in proxy.network.connections)
    assert heads == 1
    assert len(proxy.network.connections) <= before + 1
    assert status(client) == 502


@pytest.mark.parametrize("sent", POINTS)
def test_a_post_that_gets_no_answer_in_time_is_not_sent_again(serve, sent):
    proxy = serve(3, retries=5)
    client = proxy.connect()
    client.send(POST[:sent])
    client.send(POST[sent:])
    proxy.advance(70)
    assert status(client) == 504
    assert dialed(proxy) == ["1"]


@pytest.mark.parametrize("method", [b"POST", b"PATCH", b"LOCK"])
def test_without_a_body_as_well(serve, method):
    proxy = serve(3, retries=5)
    client = proxy.connect()
    client.send(GET.replace(b"GET", method))
    proxy.upstream.drop()
    assert dialed(proxy) == ["1"]
    assert status(client) == 502


def test_a_put_whose_body_has_begun_is_not_repeated(serve):
    proxy = serve(3, retries=5)
    client = proxy.connect()
    client.send(b"PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe")
    proxy.upstream.drop()
    assert dialed(proxy) == ["1"]
    assert status(client) == 502


def test_the_budget_keeps_retries_from_multiplying_an_outage(serve):
    proxy = serve(30, retries=1, ejection=None)
    clients = [proxy.connect() for _ in range(30)]
    for client in clients:
        client.send(GET)
    first = list(proxy.network.connections)
    assert len(first) == 30
    for connection in first:
        connection.drop()
    # 20 % of what is under way, at least 3; the others get their 502 at once
    retried = len(proxy.network.connections) - 30
    assert 3 <= retried <= 6
    assert sum(1 for client in clients if client.received) == 30 - retried
    for connection in proxy.network.connections[30:]:
        connection.send(OK)
    assert proxy.pool.retrying == 0
    assert all(upstream.active == 0 for upstream in proxy.pool.upstreams)


def test_a_retry_counts_until_it_has_ended(serve):
    proxy = serve(2)
    client = proxy.connect()
    client.send(GET)
    proxy.upstream.drop()
    assert proxy.pool.retrying == 1
    client.drop()
    assert proxy.pool.retrying == 0
