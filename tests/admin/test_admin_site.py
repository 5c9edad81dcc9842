"""The server under the admin API: what it bounds."""

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred

from tests.admin.conftest import Client
from txproxy.admin.access_checks import Access
from txproxy.admin.admin_resource import AdminResource
from txproxy.admin.admin_site import MOST_BODY, MOST_CLIENTS, AdminSite
from txproxy.admin.api_paths import ApiPaths, Verb
from txproxy.config.admin_endpoint import AdminConfig

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


@pytest.fixture
def site(clock):
    """One whose path ``/wait`` is answered never."""
    verbs = [Verb("GET", "/wait", lambda call: Deferred()), Verb("GET", "/x", lambda call: {})]
    site = AdminSite(AdminResource(ApiPaths(verbs), Access(AdminConfig(listen="127.0.0.1:1"))), clock)
    yield site
    site.abort()
    clock.advance(1)
    assert not site.protocols and not clock.getDelayedCalls()


def test_the_log_calls_it_what_it_is(site):
    assert site.logPrefix() == "admin API"


def test_who_is_silent_makes_room(site, clock):
    clients = [Client(clock, site) for _ in range(MOST_CLIENTS)]
    assert clients[0].ask("GET", "/wait") is None
    clients[1].connection.send(b"GET /x HTTP/1.1\r\n")
    assert clients[2].ask("GET", "/x").status == 200
    more = [Client(clock, site) for _ in range(2)]
    clock.advance(0)
    assert [one.connection.closed for one in clients] == [False, True, True, *[False] * (MOST_CLIENTS - 3)]
    assert [one.ask("GET", "/x").status for one in more] == [200, 200]
    assert len(site.protocols) == MOST_CLIENTS


def test_of_those_who_are_answered_there_are_so_many_at_once(site, clock):
    clients = [Client(clock, site) for _ in range(MOST_CLIENTS)]
    for one in clients:
        assert one.ask("GET", "/wait") is None
    assert site.buildProtocol(IPv4Address("TCP", "127.0.0.1", 1)) is None
    clients[0].connection.drop()
    assert Client(clock, site).ask("GET", "/x").status == 200
    clock.advance(0)
    assert not any(one.connection.closed for one in clients[1:])


def test_what_is_no_request_is_refused_without_a_word_of_who_refuses(serve):
    client = big(serve)
    client.connection.send(b"nonsense\r\n\r\n")
    said = client.connection.take()
    assert said.startswith(b"HTTP/1.1 400 ") and b"wisted" not in said
    client = big(serve)
    client.connection.send(b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n")
    said = client.connection.take()
    assert said.startswith(b"HTTP/1.1 404 ") and b"wisted" not in said
