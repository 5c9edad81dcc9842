"""A client connection that becomes one end of a tunnel."""

import pytest

from tests.proxy.exchanges.test_exchange import GET, OK

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
