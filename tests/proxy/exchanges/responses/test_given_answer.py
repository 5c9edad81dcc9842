"""What clients get in place of a response."""

import pytest
from twisted.internet.defer import Deferred

from tests.proxy.exchanges.particular import Particular
from txproxy import Pool, ReverseProxyFactory
from txproxy.errors import ConnectionRefused, ConnectTimeout
from txproxy.interfaces import Answer, ResponseFilter
from txproxy.proxy.factory import ProxyFactory
from txproxy.testing import ProxyInMemory

GET = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 2\r\n\r\nok"


def status(data):
    return int(data.split(b" ", 2)[1])


@pytest.mark.parametrize("how", ["answered", "filter"])
@pytest.mark.parametrize("whole", [True, False])
def test_a_response_that_is_not_for_the_client_is_answered_here(how, whole):
    proxy = ProxyInMemory(lambda reactor: ProxyFactory(Particular(how), reactor=reactor))
    client = proxy.connect()
    client.send(GET)
    proxy.upstream.send(b"HTTP/1.1 418 Teapot\r\nX: y\r\nContent-Length: 3\r\n\r\n" + (b"tea" if whole else b"t"))
    assert status(client.received) == 403 and b"X: y" not in client.received and b"tea" not in client.received
    assert proxy.upstream.reset is not whole, "the rest is not waited for"
    client.take()
    client.send(GET)
    proxy.upstream.send(OK)
    assert client.received == OK
    proxy.close()


def test_without_an_upstream_there_is_a_503(proxy):
    proxy.network.script = [ConnectionRefused("no")]
    client = proxy.connect()
    client.send(GET)
    assert status(client.received) == 503
    # the connection goes on
    client.take()
    client.send(GET)
    proxy.upstream.send(OK)
    assert client.received == OK


def test_a_connect_timeout_is_a_504(proxy):
    proxy.network.script = [ConnectTimeout("slow")]
    client = proxy.connect()
    client.send(GET)
    assert status(client.received) == 504
    assert b"error=connection_timeout" in client.received


def test_an_upstream_that_does_not_answer_is_a_504(proxy):
    client = proxy.connect()
    client.send(GET)
    proxy.advance(62)
    assert status(client.received) == 504
    assert b"error=http_response_timeout" in client.received
    assert proxy.upstream.reset


class Source:
    """The body of an answer, which only wants to be closed."""

    length = 5
    closed = False

    def close(self):
        self.closed = True


class Waits(ResponseFilter):
    """Has yet to say what becomes of an answer of the proxy's own."""

    own_answers = True

    def __init__(self, coming):
        self.coming = coming

    def head(self, response, context):
        return self.coming


class Answers:
    """Answers by itself, and hangs up a filter before that."""

    def __init__(self, answer, waits):
        self.answer, self.waits = answer, waits

    def handle(self, request, context, proceed):
        context.filter_responses(self.waits)
        return self.answer


@pytest.mark.parametrize("given", ["another", "the same", "a failure"])
def test_answers_that_come_when_the_client_has_gone_are_given_back(given):
    # one that does not care for its being cancelled
    coming = Deferred()
    coming.cancel = lambda: None
    first, second = Answer(200, body=Source()), Answer(404, body=Source())
    proxy = ProxyInMemory(
        lambda reactor: ReverseProxyFactory(
            Pool(["http://10.0.0.1"]), middleware=[Answers(first, Waits(coming))], reactor=reactor
        )
    )
    client = proxy.connect()
    client.send(GET)
    assert client.received == b"" and not first.body.closed
    client.drop()
    if given == "a failure":
        coming.errback(ConnectionRefused("no"))
    else:
        coming.callback({"another": second, "the same": first}[given])
    assert first.body.closed and second.body.closed is (given == "another")
    proxy.close()
