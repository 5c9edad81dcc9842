"""What lasts: tunnels of an Upgrade, server-sent events, and streams with trailers, both ways at once."""

import pytest

from txproxy import Limits, Pool, ReverseProxyFactory
from txproxy.reverse.actions.treatments import TunnelTo
from txproxy.reverse.mode import ReverseMode
from txproxy.reverse.routing.matches import Match
from txproxy.reverse.routing.route import Route
from txproxy.testing import ProxyInMemory

GET = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 2\r\n\r\nok"
UPGRADE = b"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
CHANGED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


def hosts(proxy):
    return [connection.address.host[-1] for connection in proxy.network.connections]


def asked(proxy):
    """Which upstream a request goes to, and is answered by."""
    client = proxy.connect()
    before = {connection: len(connection.received) for connection in proxy.network.connections}
    client.send(GET)
    (upstream,) = (one for one in proxy.network.connections if len(one.received) > before.get(one, 0))
    upstream.send(OK)
    assert client.received.endswith(b"ok")
    return upstream.address.host[-1]


def active(proxy):
    return [upstream.active for upstream in proxy.pool.upstreams]


# -- tunnels


def change(proxy):
    client = proxy.connect()
    client.send(UPGRADE)
    upstream = proxy.upstream
    upstream.send(CHANGED)
    assert client.take().startswith(b"HTTP/1.1 101 ")
    return client, upstream


@pytest.mark.parametrize("end", ["client leaves", "client resets", "upstream leaves", "upstream resets", "both close"])
def test_a_tunnel_counts_as_a_connection_until_it_ends(serve, end):
    proxy = serve(2, "least-connections")
    client, upstream = change(proxy)
    assert active(proxy) == [1, 0]
    assert [asked(proxy) for _ in range(4)] == ["2"] * 4
    client.send(b"frame")
    upstream.send(b"frame")
    proxy.advance(3600)
    assert active(proxy) == [1, 0] and asked(proxy) == "2"
    if end == "both close":
        client.end()
        assert active(proxy) == [1, 0], "the upstream may have more to say"
        upstream.end()
    else:
        who, _, how = end.partition(" ")
        {"client": client, "upstream": upstream}[who].drop(clean=how == "leaves")
    proxy.clock.advance(0)
    assert active(proxy) == [0, 0]
    assert client.closed and upstream.closed
    assert {asked(proxy) for _ in range(4)} == {"1", "2"}


def test_tunnels_spread_by_how_many_there_are(serve):
    proxy = serve(["http://10.0.0.1;weight=2", "http://10.0.0.2"], "least-connections")
    tunnels = [change(proxy) for _ in range(6)]
    assert active(proxy) == [4, 2]
    for client, upstream in tunnels:
        if upstream.address.host[-1] == "1":
            client.drop()
    assert active(proxy) == [0, 2]
    assert [change(proxy)[1].address.host[-1] for _ in range(3)] == ["1"] * 3


def test_a_tunnel_takes_its_place_among_those_that_an_upstream_may_have(serve):
    proxy = serve(["http://10.0.0.1;max=1"])
    client, _ = change(proxy)
    other = proxy.connect()
    other.send(GET)
    assert proxy.pool.waiting == 1
    client.drop()
    assert proxy.pool.waiting == 0
    proxy.upstream.send(OK)
    assert other.received.endswith(b"ok")


def test_an_upgrade_that_is_refused_is_over_with_its_response(serve):
    proxy = serve(2, "least-connections")
    client = proxy.connect()
    client.send(UPGRADE)
    proxy.upstream.send(OK)
    assert client.received.endswith(b"ok") and active(proxy) == [0, 0]


def test_connect_by_a_route_is_counted_as_well():
    pool = Pool(["http://10.0.0.1", "http://10.0.0.2"], "least-connections")
    mode = ReverseMode(routes=[Route("db", Match(), TunnelTo(pool))])
    proxy = ProxyInMemory(lambda reactor: ReverseProxyFactory(mode, reactor=reactor))
    proxy.pool = pool
    clients = []
    for _ in range(4):
        clients.append(proxy.connect())
        clients[-1].send(b"CONNECT db:5432 HTTP/1.1\r\nHost: db:5432\r\n\r\n")
        assert clients[-1].take().startswith(b"HTTP/1.1 200 ")
    assert active(proxy) == [2, 2]
    clients[0].drop()
    clients[2].drop()
    assert active(proxy) == [0, 2]
    proxy.close()
    assert active(proxy) == [0, 0]


# -- server-sent events

EVENTS = [b"data: %d\n\n" % number for number in range(5)]
STREAM = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Type: text/event-stream\r\n"


def chunk(data):
    return b"%x\r\n%b\r\n" % (len(data), data)


@pytest.mark.parametrize("framing", ["chunked", "until close"])
def test_each_event_arrives_at_once(serve, framing):
    proxy = serve(1)
    client = proxy.connect()
    client.send(b"GET /events HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n")
    upstream = proxy.upstream
    upstream.send(STREAM + (b"Transfer-Encoding: chunked\r\n\r\n" if framing == "chunked" else b"\r\n"))
    head = client.take()
    # The head does not wait for an event either.
    assert head.startswith(STREAM) and b"\r\nTransfer-Encoding: chunked\r\n" in head
    for event in EVENTS:
        upstream.send(chunk(event) if framing == "chunked" else event)
        assert client.take() == chunk(event)
        proxy.advance(50)  # shorter than the time limit of 60 s, which begins anew with each
    assert active(proxy) == [1]
    if framing == "chunked":
        upstream.send(b"0\r\n\r\n")
    else:
        upstream.end()
    assert client.take() == b"0\r\n\r\n" and active(proxy) == [0]
    proxy.clock.advance(0)
    assert not client.closed


@pytest.mark.parametrize("framing", ["chunked", "until close"])
def test_an_old_client_gets_events_until_close(serve, framing):
    proxy = serve(1)
    client = proxy.connect()
    client.send(b"GET /events HTTP/1.0\r\nHost: a\r\n\r\n")
    upstream = proxy.upstream
    upstream.send(STREAM + (b"Transfer-Encoding: chunked\r\n\r\n" if framing == "chunked" else b"\r\n"))
    assert b"ransfer-" not in client.take()
    for event in EVENTS:
        upstream.send(chunk(event) if framing == "chunked" else event)
        assert client.take() == event
    if framing == "chunked":
        upstream.send(b"0\r\n\r\n")
    else:
        upstream.end()
    proxy.clock.advance(0)
    assert client.closed and not client.reset


def test_an_event_in_pieces_does_not_wait_for_its_end(serve):
    proxy = serve(1)
    client = proxy.connect()
    client.send(GET)
    upstream = proxy.upstream
    upstream.send(STREAM + b"Transfer-Encoding: chunked\r\n\r\n10\r\ndata: ")
    assert client.take().endswith(chunk(b"data: "))
    upstream.send(b"0123456789\r")
    assert client.take() == chunk(b"0123456789")


def test_a_client_that_leaves_ends_the_stream_at_its_source(serve):
    proxy = serve(2, "least-connections")
    client = proxy.connect()
    client.send(GET)
    upstream = proxy.upstream
    upstream.send(STREAM + b"Transfer-Encoding: chunked\r\n\r\n" + chunk(EVENTS[0]))
    assert asked(proxy) == "2"
    client.drop()
    proxy.clock.advance(0)
    assert upstream.closed and active(proxy) == [0, 0]


def test_a_stream_waits_for_a_client_that_is_slow(serve):
    proxy = serve(1)
    client = proxy.connect()
    client.send(GET)
    upstream = proxy.upstream
    upstream.send(STREAM + b"Transfer-Encoding: chunked\r\n\r\n")
    client.stop_reading()
    upstream.send(chunk(bytes(100_000)))
    assert upstream.paused
    client.read_on()
    assert not upstream.paused


def test_a_stream_that_falls_silent_is_cut_in_time(serve):
    proxy = serve(1, limits=Limits(response_timeout=5))
    client = proxy.connect()
    client.send(GET)
    proxy.upstream.send(STREAM + b"Transfer-Encoding: chunked\r\n\r\n" + chunk(EVENTS[0]))
    proxy.advance(7)
    assert client.closed and not client.received.endswith(b"0\r\n\r\n")


# -- trailers, and both ways at once

CALL = (
    b"POST /service/Method HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc\r\nTE: trailers\r\n"
    b"Trailer: X-Checksum\r\nTransfer-Encoding: chunked\r\n\r\n"
)
ANSWER = (
    b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Type: application/grpc\r\nTrailer: Grpc-Status, Grpc-Message\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)


def test_trailers_pass_both_ways(serve):
    proxy = serve(1)
    client = proxy.connect()
    client.send(CALL + chunk(b"question") + b"0\r\nX-Checksum: 1234\r\n\r\n")
    upstream = proxy.upstream
    head, _, rest = upstream.received.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert {b"Connection: TE", b"TE: trailers", b"Trailer: X-Checksum"} < {*lines}
    assert rest == chunk(b"question") + b"0\r\nX-Checksum: 1234\r\n\r\n"
    upstream.send(ANSWER + chunk(b"answer") + b"0\r\nGrpc-Status: 0\r\nGrpc-Message: fine\r\n\r\n")
    head, _, rest = client.take().partition(b"\r\n\r\n")
    assert b"Trailer: Grpc-Status, Grpc-Message" in head.split(b"\r\n")
    assert rest == chunk(b"answer") + b"0\r\nGrpc-Status: 0\r\nGrpc-Message: fine\r\n\r\n"
    # and both connections go on
    client.send(GET)
    assert upstream.received.count(b"GET /x ") == 1


def test_trailers_in_pieces_and_with_nothing_before_them(serve):
    proxy = serve(1)
    client = proxy.connect()
    client.send_each_byte(CALL + b"0\r\nX-Checksum: 1234\r\n\r\n")
    assert proxy.upstream.received.endswith(b"\r\n\r\n0\r\nX-Checksum: 1234\r\n\r\n")
    proxy.upstream.send_each_byte(ANSWER + b"0\r\nGrpc-Status: 5\r\n\r\n")
    assert client.received.endswith(b"\r\n\r\n0\r\nGrpc-Status: 5\r\n\r\n")


def test_trailers_have_no_place_with_an_old_client(serve):
    proxy = serve(1)
    client = proxy.connect()
    client.send(b"GET / HTTP/1.0\r\n\r\n")
    proxy.upstream.send(ANSWER + chunk(b"answer") + b"0\r\nGrpc-Status: 0\r\n\r\n")
    assert client.received.endswith(b"\r\n\r\nanswer")


def test_question_and_answer_take_turns_within_one_request(serve):
    proxy = serve(1)
    client = proxy.connect()
    client.send(CALL)
    upstream = proxy.upstream
    assert upstream.take().endswith(b"\r\n\r\n"), "the head does not wait for the body"
    for number in range(3):
        client.send(chunk(b"question %d" % number))
        assert upstream.take() == chunk(b"question %d" % number)
        upstream.send((ANSWER if not number else b"") + chunk(b"answer %d" % number))
        assert client.take().endswith(chunk(b"answer %d" % number))
        proxy.advance(30)
    client.send(b"0\r\nX-Checksum: 1\r\n\r\n")
    assert upstream.take() == b"0\r\nX-Checksum: 1\r\n\r\n"
    upstream.send(b"0\r\nGrpc-Status: 0\r\n\r\n")
    assert client.take() == b"0\r\nGrpc-Status: 0\r\n\r\n"
    assert active(proxy) == [0]


def test_an_answer_that_lasts_longer_than_the_question(serve):
    proxy = serve(1)
    client = proxy.connect()
    client.send(CALL + chunk(b"question") + b"0\r\n\r\n")
    proxy.upstream.send(ANSWER)
    for number in range(3):
        proxy.advance(50)
        proxy.upstream.send(chunk(b"answer %d" % number))
        assert client.take().endswith(chunk(b"answer %d" % number))
