"""Responses that turn out longer than may pass, and refusals with a page of their own."""

import pytest
from zope.interface import implementer

from txproxy.errors import RequestDenied
from txproxy.interfaces import Address, IMode, Plan
from txproxy.proxy.factory import ProxyFactory
from txproxy.testing import ProxyInMemory
from txproxy.wire.message import RequestHead

GET = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"


@implementer(IMode)
class Bounded:
    """Passes ten bytes of a body, and refuses ``/no`` with a page."""

    def plan(self, head, client):
        if head.path == b"/no":
            denied = RequestDenied("a secret detail")
            denied.page = lambda html: (b"text/html", b"<p>no") if html else (b"text/plain", b"no")
            raise denied
        plan = Plan(Address("a.example", 80), RequestHead(head.method, head.path, head.headers, body=head.body))
        plan.max_response = 10
        return plan


@pytest.fixture
def finished():
    return []


@pytest.fixture
def proxy(finished):
    made = ProxyInMemory(lambda reactor: ProxyFactory(Bounded(), observers=(finished.append,), reactor=reactor))
    yield made
    made.close()


@pytest.mark.parametrize(
    "framing", [b"Transfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n", b"Connection: close\r\n\r\nhello world"]
)
def test_a_body_that_turns_out_too_long_is_cut(proxy, finished, framing):
    client, upstream = proxy.exchange(GET, b"HTTP/1.1 200 OK\r\nDate: D\r\n" + framing)
    proxy.advance(0)
    assert b"hello world" not in client.received
    assert client.closed and upstream.closed
    assert finished[0].outcome == "http_response_body_size"


def test_a_body_of_just_the_size_passes(proxy, finished):
    body = b"a\r\n0123456789\r\n0\r\n\r\n"
    client, _ = proxy.exchange(GET, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
    assert client.received.endswith(b"0\r\n\r\n")
    assert finished[0].outcome == "ok"


@pytest.mark.parametrize(("accept", "kind", "body"), [(b"", b"plain", b"no"), (b"text/html", b"html", b"<p>no")])
def test_a_refusal_may_bring_its_own_page(proxy, accept, kind, body):
    client = proxy.connect()
    client.send(b"GET /no HTTP/1.1\r\nHost: a\r\nAccept: " + accept + b"\r\n\r\n")
    head, _, got = client.received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 403 ")
    assert b"\r\nContent-Type: text/" + kind + b"\r\n" in head
    assert b"\r\nProxy-Status: txproxy; error=http_request_denied" in head
    assert got == body
