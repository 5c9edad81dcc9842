"""What the proxy says itself."""

import pytest
from zope.interface import implementer

from txproxy.errors import RequestDenied
from txproxy.interfaces import Address, IMode, Plan
from txproxy.proxy.factory import ProxyFactory
from txproxy.testing import ProxyInMemory
from txproxy.wire.message import RequestHead

GET = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"


@implementer(IMode)
class Refusing:
    """Refuses ``/no`` with a page."""

    def plan(self, head, client):
        if head.path == b"/no":
            denied = RequestDenied("a secret detail")
            denied.page = lambda html: (b"text/html", b"<p>no") if html else (b"text/plain", b"no")
            raise denied
        return Plan(Address("a.example", 80), RequestHead(head.method, head.path, head.headers, body=head.body))


@pytest.fixture
def finished():
    return []


@pytest.fixture
def proxy(finished):
    made = ProxyInMemory(lambda reactor: ProxyFactory(Refusing(), observers=(finished.append,), reactor=reactor))
    yield made
    made.close()


@pytest.mark.parametrize(("accept", "kind", "body"), [(b"", b"plain", b"no"), (b"text/html", b"html", b"<p>no")])
def test_a_refusal_may_bring_its_own_page(proxy, accept, kind, body):
    client = proxy.connect()
    client.send(b"GET /no HTTP/1.1\r\nHost: a\r\nAccept: " + accept + b"\r\n\r\n")
    head, _, got = client.received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 403 ")
    assert b"\r\nContent-Type: text/" + kind + b"\r\n" in head
    assert b"\r\nProxy-Status: txproxy; error=http_request_denied" in head
    assert got == body
