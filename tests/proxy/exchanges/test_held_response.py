"""A response that waits for a filter; see tests/proxy/hooks/test_hooks_middleware.py for what short functions see."""

import pytest
from twisted.internet.defer import Deferred, fail, succeed

from txproxy import Pool, ReverseProxyFactory
from txproxy.errors import ResponseDenied
from txproxy.interfaces import Answer, ResponseFilter
from txproxy.testing import ProxyInMemory

GET = b"GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


class Waits(ResponseFilter):
    """Gives this, in place of any head."""

    def __init__(self, coming):
        self.coming = coming

    def head(self, response, context):
        self.response = response
        return self.coming


class Shouts(ResponseFilter):
    """Makes all bodies louder."""

    wants_body = True

    def body(self, data):
        return data.upper() + b"!"


class Hangs:
    """Hangs filters on each request."""

    def __init__(self, *filters):
        self.filters = filters

    def handle(self, request, context, proceed):
        context.filter_responses(*self.filters)
        return proceed(request, context)


@pytest.fixture
def play():
    made = []

    def play(*filters):
        factory = lambda reactor: ReverseProxyFactory(  # noqa: E731
            Pool(["http://10.0.0.1"]), middleware=[Hangs(*filters)], reactor=reactor
        )
        made.append(ProxyInMemory(factory))
        client = made[-1].connect()
        client.send(GET)
        return made[-1], client

    yield play
    for proxy in made:
        proxy.close()


def test_those_before_and_after_it_see_what_passes(play):
    waits = Waits(Deferred())
    proxy, client = play(Shouts(), waits)
    proxy.upstream.send(OK[:-3])
    assert client.take() == b""
    waits.coming.callback(waits.response)
    proxy.upstream.send(OK[-3:])
    said = client.take()
    assert said.startswith(b"HTTP/1.1 200") and b"2\r\nHE!\r\n" not in said and b"HE!" in said and b"LLO!" in said


def test_nothing_of_the_body_is_read_meanwhile(play):
    waits = Waits(Deferred())
    proxy, client = play(waits)
    proxy.upstream.send(OK[:-5])
    assert proxy.upstream.paused
    waits.coming.callback(waits.response)
    assert not proxy.upstream.paused
    proxy.upstream.send(b"hello")
    assert client.take().endswith(b"hello")


def test_one_that_has_it_at_once_holds_up_nobody(play):
    proxy, client = play(Waits(succeed(Answer(404, body=b"gone"))))
    proxy.upstream.send(OK)
    assert client.take().endswith(b"gone")


@pytest.mark.parametrize("later", [False, True])
def test_what_it_raises_is_answered_as_it_says(play, later):
    waits = Waits(Deferred() if later else fail(ResponseDenied("no")))
    proxy, client = play(waits)
    proxy.upstream.send(OK)
    if later:
        waits.coming.errback(ResponseDenied("no"))
    assert client.take().startswith(b"HTTP/1.1 403") and not client.closed


def test_an_answer_that_comes_when_the_client_has_gone_is_given_back(play):
    class Source:
        length, closed = None, False

        def close(self):
            self.closed = True

    coming = Deferred(lambda _: None)
    coming.cancel = lambda: None
    proxy, client = play(Waits(coming))
    proxy.upstream.send(OK)
    client.drop()
    source = Source()
    coming.callback(Answer(200, body=source))
    assert source.closed
