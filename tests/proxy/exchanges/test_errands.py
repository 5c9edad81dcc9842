"""Requests that the proxy makes of its own, in the course of a client's."""

import pytest
from zope.interface import implementer

from txproxy.interfaces import Address, Answer, IMode, Plan, RequestContext
from txproxy.proxy.exchanges.errands import ErrandStream
from txproxy.proxy.factory import ProxyFactory
from txproxy.testing import ProxyInMemory
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead, ResponseHead

GET = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"


class Asking(ErrandStream):
    errand = "question"

    def __init__(self, *words):
        super().__init__(*words)
        self.log = []

    def send_head(self, response: ResponseHead):
        self.log.append(response.status)

    def send_body(self, data):
        self.log.append(data)

    def send_end(self, trailers):
        self.log.append("end")

    def send_answer(self, given, response, body):
        self.log.append(("answer", response.status, body))
        return 0

    def cut(self):
        self.log.append("cut")

    def exchange_done(self):
        self.log.append("done")


@implementer(IMode)
class Sending:
    """Has something asked before it answers."""

    def __init__(self):
        self.asking = None
        self.contexts = []
        self.instead = None

    def plan(self, head, context: RequestContext):
        context.add_lines(b"X: client's")
        self.asking = Asking(self.services, self.ask, RequestHead(b"GET", b"/ask", Headers()), context)
        self.asking.start()
        return Answer(204)

    def ask(self, head, context):
        self.contexts.append(context)
        return self.instead or Plan(Address("a.example", 80), head)


@pytest.fixture
def finished():
    return []


@pytest.fixture
def proxy(finished):
    made = ProxyInMemory(lambda reactor: ProxyFactory(Sending(), observers=(finished.append,), reactor=reactor))
    made.factory.mode.services = made.factory.services
    yield made
    made.close()


def test_what_comes_of_it_is_for_who_has_sent_it(proxy, finished):
    client, _ = proxy.exchange(GET, b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 2\r\n\r\nhi")
    assert proxy.factory.mode.asking.log == [200, b"hi", "end", "done"]
    assert client.received.count(b"HTTP/1.1 ") == 1 and b"X: client's" in client.received
    # Nobody is told of it as of a request.
    assert [record.request.path for record in finished] == [b"/x"]


def test_whoever_decides_on_it_can_tell(proxy):
    proxy.exchange(GET, b"HTTP/1.1 204 No\r\nDate: D\r\n\r\n")
    (context,) = proxy.factory.mode.contexts
    assert context.errand == "question" and context.response_filters == ()


def test_a_response_that_is_cut(proxy):
    _, upstream = proxy.exchange(GET, b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 9\r\n\r\nhi")
    upstream.drop()
    assert proxy.factory.mode.asking.log == [200, b"hi", "cut"]


class Source:
    length = 5

    def __init__(self):
        self.closed = False

    def close(self):
        self.closed = True


def test_nobody_waits_for_a_body_that_comes_slowly(proxy):
    source = Source()
    proxy.factory.mode.instead = Answer(200, (), source)
    proxy.connect().send(GET)
    assert source.closed
    assert proxy.factory.mode.asking.log == [("answer", 200, b""), "end", "done"]
