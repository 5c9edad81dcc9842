"""The server under the admin API: what it bounds."""

from twisted.internet.address import IPv4Address

from txproxy.admin.admin_site import MOST_BODY, MOST_CLIENTS
from txproxy.admin.api_paths import Verb

POST = "POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


def big(serve):
    return serve([Verb("POST", "/x", lambda call: {"size": len(call.body["a"])}, body=("a",))])


def test_a_body_that_is_as_large_as_it_may_be_is_taken(serve):
    answer = big(serve).ask(
        "POST", "/x", "Content-Type: application/json", body=b'{"a":"%b"}' % (b"x" * (MOST_BODY - 8))
    )
    assert (answer.status, answer.json) == (200, {"size": MOST_BODY - 8})


def test_a_body_that_says_it_is_too_large_is_refused_at_once(serve, clock):
    client = big(serve)
    client.connection.send(f"{POST}Content-Length: {MOST_BODY + 1}\r\n\r\n".encode())
    said = client.connection.take()
    assert said.startswith(b"HTTP/1.1 413 ") and b'{"error": "the body is too large' in said
    client.connection.send(b"x" * 100)
    clock.advance(0)
    assert client.connection.closed and client.connection.take() == b""


def test_a_body_in_chunks_is_refused_when_it_is_too_large(serve, clock):
    client = big(serve)
    client.connection.send(f"{POST}Transfer-Encoding: chunked\r\n\r\n".encode())
    chunk = b"%x\r\n%b\r\n" % (1 << 16, b"x" * (1 << 16))
    for _ in range(MOST_BODY >> 16):
        client.connection.send(chunk)
    assert client.connection.take() == b""
    client.connection.send(chunk)
    assert client.connection.take().startswith(b"HTTP/1.1 413 ")
    client.connection.send(chunk + b"0\r\n\r\n")
    clock.advance(0)
    assert client.connection.closed and client.connection.take() == b""


def test_a_client_that_says_nothing_is_closed(serve, clock):
    client = big(serve)
    clock.advance(59)
    assert not client.connection.closed
    clock.advance(16)
    assert client.connection.closed


def test_there_are_so_many_clients_at_once(clock):
    from tests.admin.conftest import Client
    from txproxy.admin.access_checks import Access
    from txproxy.admin.admin_resource import AdminResource
    from txproxy.admin.admin_site import AdminSite
    from txproxy.admin.api_paths import ApiPaths
    from txproxy.config.admin_endpoint import AdminConfig

    site = AdminSite(AdminResource(ApiPaths([]), Access(AdminConfig(listen="127.0.0.1:1"))), clock)
    clients = [Client(clock, site) for _ in range(MOST_CLIENTS)]
    assert site.buildProtocol(IPv4Address("TCP", "127.0.0.1", 1)) is None
    clients[0].connection.drop()
    Client(clock, site)
    site.abort()
    clock.advance(1)
    assert all(client.connection.closed for client in clients)


def test_what_is_no_request_is_refused_without_a_word_of_who_refuses(serve):
    client = big(serve)
    client.connection.send(b"nonsense\r\n\r\n")
    said = client.connection.take()
    assert said.startswith(b"HTTP/1.1 400 ") and b"wisted" not in said
    client = big(serve)
    client.connection.send(b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n")
    said = client.connection.take()
    assert said.startswith(b"HTTP/1.1 404 ") and b"wisted" not in said
