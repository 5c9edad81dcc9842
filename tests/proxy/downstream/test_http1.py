"""The client's side: refusals, closing, limits, upgrades."""

import pytest

from tests.proxy.test_exchange import GET, OK, status
from txproxy import Limits
from txproxy.proxy.downstream.http1 import ServedBy


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


def test_over_the_limit_of_connections_the_next_waits(proxy):
    first, second, third = proxy.connect(), proxy.connect(), proxy.connect()
    assert third.paused and not second.paused
    first.drop()
    assert not third.paused
    third.send(GET)
    proxy.upstream.send(OK)
    assert third.received == OK


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


def test_who_takes_no_responses_is_dropped(proxy):
    client = proxy.connect()
    client.stop_reading()
    client.send(GET * 20)
    answer_all(proxy, LARGE)
    proxy.advance(70)
    assert not client.closed
    proxy.advance(8)
    assert client.closed


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
    proxy.advance(29)
    assert not client.received
    proxy.advance(3)
    assert status(client.received) == 408


def test_a_drain_ends_idle_connections_and_lets_running_exchanges_end(proxy):
    idle, _ = proxy.exchange(GET, OK)
    busy = proxy.connect()
    busy.send(GET)
    done = proxy.factory.drain()
    proxy.advance(2)
    assert idle.closed and not idle.reset and not busy.closed and not done.called
    proxy.upstream.send(OK)
    proxy.clock.advance(0)
    assert b"Connection: close" in busy.received and busy.received.endswith(b"ok")
    assert busy.closed and done.called


@pytest.mark.parametrize("asked_before", [False, True])
def test_a_request_that_is_on_its_way_at_a_drain_is_answered_as_the_last_one(proxy, asked_before):
    client = proxy.connect()
    if asked_before:
        client.send(GET)
        proxy.upstream.send(OK)
        client.take()
    done = proxy.factory.drain()
    proxy.advance(0.8)
    client.send(GET[:10])
    proxy.advance(20)
    client.send(GET[10:])
    proxy.upstream.send(OK)
    assert b"Connection: close" in client.received and client.received.endswith(b"ok")
    proxy.clock.advance(0)
    assert client.closed and done.called


def test_a_client_that_was_promised_to_be_kept_may_ask_once_more_at_a_drain(proxy):
    client = proxy.connect()
    client.send(GET)
    proxy.upstream.send(OK[:-1])
    proxy.factory.drain()
    proxy.upstream.send(OK[-1:])
    proxy.clock.advance(0)
    assert client.take() == OK and not client.closed
    client.send(GET)
    proxy.upstream.send(OK)
    assert b"Connection: close" in client.received
    proxy.clock.advance(0)
    assert client.closed


def test_who_still_takes_its_response_at_a_drain_gets_all_of_it(proxy):
    client = proxy.connect()
    client.stop_reading()
    client.send(GET)
    proxy.upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100000)
    done = proxy.factory.drain()
    proxy.advance(10)
    assert not client.closed
    client.read_on()
    assert client.received.count(b"x") == 100000
    proxy.advance(2)
    assert client.closed and not client.reset and done.called


def test_those_who_wait_for_a_place_get_theirs_at_a_drain(proxy):
    clients = [proxy.connect() for _ in range(4)]
    done = proxy.factory.drain()
    for client in clients:
        if client is clients[2]:
            clients[3].drop()
        client.send(GET if not client.closed else b"")
        if client.closed:
            continue
        proxy.upstream.send(OK)
        proxy.clock.advance(0)
        assert b"Connection: close" in client.received and client.closed
    assert done.called


def test_after_a_stop_nobody_is_served(proxy):
    proxy.factory.stop()
    assert proxy.factory.buildProtocol(None) is None


# -- another factory for the same listener


@pytest.fixture
def other(make):
    return make(Limits(max_connections=1, max_header_size=300), upstreams=["http://10.0.0.9"])


def hand_over(proxy, other, served_by):
    served_by.factory = other.factory
    return proxy.factory.retire()


@pytest.fixture
def served_by(proxy):
    current = ServedBy(proxy.factory)
    build = proxy.factory.buildProtocol

    def build_for_listener(addr):
        protocol = build(addr)
        protocol.served_by = current
        return protocol

    proxy.factory.buildProtocol = build_for_listener
    return current


def test_an_idle_connection_goes_to_the_other_at_once(proxy, other, served_by):
    client, _ = proxy.exchange(GET, OK)
    fresh = proxy.connect()
    gone = hand_over(proxy, other, served_by)
    assert gone.called and len(other.factory.admission) == 2
    for one in (client, fresh):
        one.take()
        one.send(GET)
        other.upstream.send(OK)
        assert one.take() == OK
    assert [address.host for address in other.network.dialed] == ["10.0.0.9"]
    # and is under its limits
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\nA: " + b"a" * 400 + b"\r\n\r\n")
    assert status(client.received) == 431
    for one in (client, fresh):
        one.drop()
    assert len(other.factory.admission) == 0


def test_a_request_that_runs_ends_as_it_has_begun_and_the_next_goes_to_the_other(proxy, other, served_by):
    client = proxy.connect()
    client.send(GET)
    gone = hand_over(proxy, other, served_by)
    third = other.network.connections
    client.send(GET)
    assert not gone.called and not third
    proxy.upstream.send(OK)
    assert client.take() == OK and gone.called
    other.upstream.send(OK)
    assert client.take() == OK
    client.drop()
    other.clock.advance(0)


def test_a_head_that_has_begun_is_read_on_by_the_other(proxy, other, served_by):
    client = proxy.connect()
    client.send(GET[:7])
    assert hand_over(proxy, other, served_by).called
    client.send(GET[7:])
    other.upstream.send(OK)
    assert client.received == OK
    client.drop()


def test_who_waits_for_a_place_waits_for_one_of_the_other(proxy, other, served_by):
    clients = [proxy.connect() for _ in range(4)]
    assert clients[3].paused
    assert hand_over(proxy, other, served_by).called
    assert len(other.factory.admission) == 2 and clients[2].paused
    for client in clients[:2]:
        client.drop()
    assert not clients[2].paused and clients[3].paused
    clients[2].send(GET)
    other.upstream.send(OK)
    assert clients[2].received == OK
    for client in clients[2:]:
        client.drop()


def test_where_nobody_follows_a_connection_is_kept_until_its_next_request(proxy, served_by):
    client, _ = proxy.exchange(GET, OK)
    client.take()
    served_by.factory = None
    gone = proxy.factory.retire()
    proxy.advance(60)
    assert not client.closed and not gone.called
    client.send(GET)
    proxy.upstream.send(OK)
    proxy.clock.advance(0)
    assert b"Connection: close" in client.received and client.closed and gone.called


def test_what_one_mode_knew_of_a_client_is_not_known_to_the_next(proxy, other, served_by):
    client, _ = proxy.exchange(GET, OK)
    (protocol,) = proxy.factory.admission.everyone()
    protocol.connection.memo = object()
    hand_over(proxy, other, served_by)
    known = protocol.connection
    assert (known.peer_ip, known.memo, known.transport) == ("127.0.0.1", None, client)
    client.drop()


def test_a_stop_ends_what_runs_before_it_returns(proxy):
    finished = []
    proxy.factory.services.observed, proxy.factory.services._observers = True, (finished.append,)
    client = proxy.connect()
    client.send(GET)
    proxy.factory.stop()
    assert [exchange.outcome for exchange in finished] == ["client-gone"]
    proxy.clock.advance(0)
    assert client.reset and proxy.upstream.reset
    assert len(finished) == 1


UPGRADE = b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


def test_an_upgrade_becomes_a_tunnel_with_the_bytes_that_came_early(proxy):
    client = proxy.connect()
    client.send(UPGRADE + b"from client")
    upstream = proxy.upstream
    assert b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\n" in upstream.received
    upstream.take()
    upstream.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nfrom upstream")
    assert client.take().endswith(b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\nfrom upstream")
    assert upstream.take() == b"from client"
    client.send(b"1")
    upstream.send(b"2")
    assert (upstream.take(), client.take()) == (b"1", b"2")


def docker_exec(*framing):
    """The head of what docker sends to run a command in a container."""
    lines = (b"POST /exec/1/start HTTP/1.1", b"Host: a", *framing, b"Connection: Upgrade", b"Upgrade: tcp", b"", b"")
    return b"\r\n".join(lines)


DOCKER_ANSWER = (
    b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\n"
    b"Upgrade: tcp\r\n\r\nshell$ "
)
WITH_BODY = [
    (docker_exec(b"Content-Length: 27"), b'{"Detach":false,"Tty":true}'),
    (docker_exec(b"Transfer-Encoding: chunked"), b'1b\r\n{"Detach":false,"Tty":true}\r\n0\r\n\r\n'),
]


@pytest.mark.parametrize(("head", "body"), WITH_BODY)
def test_an_upgrade_may_come_with_a_body(proxy, head, body):
    # RFC 9110 section 7.8
    client = proxy.connect()
    client.send(head + body + b"ls\n")
    upstream = proxy.upstream
    assert b"Connection: upgrade\r\nUpgrade: tcp\r\n" in upstream.received
    assert upstream.take().endswith(b"\r\n\r\n" + body)
    upstream.send(DOCKER_ANSWER)
    assert client.take().endswith(b"Connection: upgrade\r\nUpgrade: tcp\r\n\r\nshell$ ")
    assert upstream.take() == b"ls\n"
    client.send(b"1")
    upstream.send(b"2")
    assert (upstream.take(), client.take()) == (b"1", b"2")


@pytest.mark.parametrize(("head", "body"), WITH_BODY)
def test_the_body_of_an_upgrade_is_complete_before_the_tunnel_begins(proxy, head, body):
    client = proxy.connect()
    client.send(head + body[:10])
    upstream = proxy.upstream
    upstream.send(DOCKER_ANSWER)
    assert not client.received and upstream.paused
    client.send(body[10:-1])
    assert not client.received
    client.send(body[-1:] + b"ls\n")
    assert client.take().endswith(b"\r\n\r\nshell$ ") and not upstream.paused
    sent = upstream.received.partition(b"\r\n\r\n")[2]
    assert sent.endswith((b'"Tty":true}ls\n', b'"Tty":true}\r\n0\r\n\r\nls\n'))


@pytest.mark.parametrize("leaves", ["client", "upstream", "nobody"])
def test_a_body_that_is_not_completed_makes_no_tunnel(proxy, leaves):
    client = proxy.connect()
    client.send(WITH_BODY[0][0] + b"{")
    proxy.upstream.send(DOCKER_ANSWER)
    if leaves == "client":
        client.drop()
    elif leaves == "upstream":
        proxy.upstream.drop()
    else:
        proxy.advance(80)
        assert client.received.startswith(b"HTTP/1.1 408 ")
    proxy.clock.advance(0)
    assert b"HTTP/1.1 101" not in client.received
    assert proxy.upstream.closed


def test_an_upgrade_with_a_body_that_is_not_done_is_a_request_like_any(proxy):
    client = proxy.connect()
    client.send(b"".join(WITH_BODY[0]))
    proxy.upstream.send(b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 2\r\n\r\nok")
    assert client.take() == b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 2\r\n\r\nok"
    client.send(UPGRADE)
    assert b"GET /ws " in proxy.upstream.received


def test_a_half_closed_tunnel_still_carries_the_other_direction(proxy):
    client = proxy.connect()
    client.send(UPGRADE)
    upstream = proxy.upstream
    upstream.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n")
    client.end()
    assert upstream.ended and not client.closed
    client.take()
    upstream.send(b"late")
    assert client.received == b"late"
    upstream.end()
    proxy.clock.advance(0)
    assert client.closed and upstream.closed and not client.reset


def test_a_client_that_has_closed_its_side_before_the_tunnel_stands_is_heard(proxy):
    client = proxy.connect()
    client.send(UPGRADE + b"all of it")
    client.end()
    upstream = proxy.upstream
    upstream.take()
    upstream.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n")
    assert upstream.received == b"all of it" and upstream.ended
    client.take()
    upstream.send(b"answer")
    assert client.received == b"answer"
    upstream.end()
    proxy.clock.advance(0)
    assert client.closed and upstream.closed and not client.reset


def test_a_reset_of_one_side_of_a_tunnel_resets_the_other(proxy):
    client = proxy.connect()
    client.send(UPGRADE)
    proxy.upstream.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n")
    proxy.upstream.drop()
    proxy.clock.advance(0)
    assert client.reset


def test_a_half_closed_tunnel_that_is_silent_ends(proxy):
    client = proxy.connect()
    client.send(UPGRADE)
    proxy.upstream.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n")
    proxy.advance(100)
    assert not client.closed
    client.end()
    proxy.advance(78)
    assert client.closed


def test_a_tunnel_has_backpressure(proxy):
    client = proxy.connect()
    client.send(UPGRADE)
    proxy.upstream.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n")
    client.stop_reading()
    proxy.upstream.send(b"x" * 100000)
    assert proxy.upstream.paused
    client.read_on()
    assert not proxy.upstream.paused


def test_a_refused_upgrade_is_an_ordinary_response(proxy):
    client = proxy.connect()
    client.send(UPGRADE)
    proxy.upstream.send(OK)
    assert client.take() == OK
    client.send(GET)
    proxy.upstream.send(OK)
    assert client.received == OK


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
