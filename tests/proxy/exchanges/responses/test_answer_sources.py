"""Answers whose body is not at hand as bytes: it comes as an upstream's does, with all that may happen to those."""

import pytest
from twisted.internet.defer import Deferred
from zope.interface import implementer

from tests.proxy.exchanges.filtering import Doubled
from txproxy.errors import UpstreamClosed
from txproxy.interfaces import Address, Answer, Bounds, IMiddleware, IMode, Plan, Refusal, RelayedAnswer, ResponseFilter
from txproxy.proxy.bounds_middleware import BoundsMiddleware
from txproxy.proxy.exchanges.responses.answer_sources import BytesSource
from txproxy.proxy.factory import ProxyFactory
from txproxy.testing import ProxyInMemory
from txproxy.wire.headers import Headers
from txproxy.wire.message import CHUNKED, RequestHead, ResponseHead

GET = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"


class Source:
    """A body that the test gives, piece by piece."""

    def __init__(self, length=None, at_once=()):
        self.length = length
        self.at_once = at_once
        self.receiver = None
        self.log = []

    def start(self, receiver):
        self.log.append("start")
        self.receiver = receiver
        for piece in self.at_once:
            receiver.response_body(piece)
        if self.at_once:
            receiver.response_end(Headers())

    def give(self, data):
        self.receiver.response_body(data)
        self.receiver.flush()

    def pause_response(self):
        self.log.append("pause")

    def resume_response(self):
        self.log.append("resume")

    def close(self):
        self.log.append("close")


@implementer(IMode)
class Answering:
    """Gives one answer after the other."""

    def __init__(self):
        self.answers = []
        self.filters = []

    def plan(self, head, context):
        context.filter_responses(*self.filters)
        return (
            self.answers.pop(0)
            if self.answers
            else Plan(Address("a.example", 80), RequestHead(b"GET", b"/", Headers()))
        )


@pytest.fixture
def finished():
    return []


@pytest.fixture
def make(finished, closing):
    def make(*middleware):
        proxy = ProxyInMemory(
            lambda reactor: ProxyFactory(
                Answering(), observers=(finished.append,), middleware=middleware, reactor=reactor
            )
        )
        proxy.mode = proxy.factory.mode
        return closing(proxy)

    return make


def body_of(received):
    return received.partition(b"\r\n\r\n")[2]


def test_a_body_of_known_length_comes_as_it_is_given(make, finished):
    proxy, source = make(), Source(10)
    proxy.mode.answers = [Answer(200, (b"X: y",), source)]
    client = proxy.connect()
    client.send(GET)
    head = client.received.partition(b"\r\n\r\n")[0]
    assert b"Content-Length: 10" in head and b"X: y" in head and b"Date: " in head
    source.give(b"hello")
    assert client.received.endswith(b"\r\n\r\nhello")
    source.give(b"world")
    source.receiver.response_end(Headers())
    assert body_of(client.received) == b"helloworld"
    (record,) = finished
    assert (record.outcome, record.status, record.sent) == ("answered", 200, 10)
    assert not client.closed


def test_one_of_unknown_length_is_chunked_and_the_next_request_follows(make):
    proxy, source = make(), Source()
    proxy.mode.answers = [Answer(200, (), source), Answer(204)]
    client = proxy.connect()
    client.send(GET + GET)
    source.give(b"hello")
    source.receiver.response_end(Headers())
    assert b"5\r\nhello\r\n0\r\n\r\nHTTP/1.1 204 " in client.received
    assert b"Content-Length" not in client.received


def test_an_old_client_gets_it_until_the_end_of_the_connection(make):
    proxy, source = make(), Source()
    proxy.mode.answers = [Answer(200, (), source)]
    client = proxy.connect()
    client.send(b"GET /x HTTP/1.0\r\n\r\n")
    source.give(b"hello")
    source.receiver.response_end(Headers())
    assert body_of(client.received) == b"hello" and b"Connection: close" in client.received
    proxy.advance(0)
    assert client.closed


def test_all_of_it_may_come_at_once(make, finished):
    proxy = make()
    proxy.mode.answers = [Answer(200, (), Source(6, (b"abc", b"def"))), Answer(200, (), Source(2, (b"gh",)))]
    client = proxy.connect()
    client.send(GET + GET)
    assert client.received.count(b"HTTP/1.1 200 OK") == 2
    assert b"abcdef" in client.received and client.received.endswith(b"gh")
    assert [record.sent for record in finished] == [6, 2]


@pytest.mark.parametrize(("method", "status"), [(b"HEAD", 200), (b"GET", 304), (b"GET", 204)])
def test_where_there_is_no_body_it_is_not_asked_for(make, method, status, finished):
    proxy, source = make(), Source(5)
    proxy.mode.answers = [Answer(status, (), source), Answer(200, (), b"next")]
    client = proxy.connect()
    client.send(GET.replace(b"GET", method) + GET)
    assert source.log == ["close"]
    assert client.received.endswith(b"\r\n\r\nnext")
    assert [record.outcome for record in finished] == ["answered"] * 2


def test_a_slow_client_pauses_it(make):
    proxy, source = make(), Source(1 << 20)
    proxy.mode.answers = [Answer(200, (), source)]
    client = proxy.connect()
    client.send(GET)
    client.stop_reading()
    source.give(bytes(1 << 19))
    assert source.log == ["start", "pause"]
    client.read_on()
    assert source.log == ["start", "pause", "resume"]
    source.give(bytes(1 << 19))
    source.receiver.response_end(Headers())
    assert len(body_of(client.received)) == 1 << 20


def test_a_client_that_leaves_closes_it(make, finished):
    proxy, source = make(), Source(10)
    proxy.mode.answers = [Answer(200, (), source)]
    client = proxy.connect()
    client.send(GET)
    source.give(b"hel")
    client.drop()
    assert source.log == ["start", "close"]
    assert [record.outcome for record in finished] == ["client-gone"]


@pytest.mark.parametrize("length", [10, None])
def test_one_that_fails_is_cut(make, finished, length):
    proxy, source = make(), Source(length)
    proxy.mode.answers = [Answer(200, (), source)]
    client = proxy.connect()
    client.send(GET)
    source.give(b"hel")
    source.receiver.source_failed(UpstreamClosed("it went away"))
    proxy.advance(0)
    assert client.closed and not client.received.endswith(b"0\r\n\r\n")
    assert [(record.outcome, record.detail) for record in finished] == [("connection_terminated", "it went away")]


def test_it_passes_filters(make):
    proxy, source = make(), Source(2)
    proxy.mode.filters = [Doubled()]
    proxy.mode.answers = [Answer(200, (), source)]
    client = proxy.connect()
    client.send(GET)
    source.give(b"ab")
    source.receiver.response_end(Headers())
    assert b"Transfer-Encoding: chunked" in client.received and b"Content-Length" not in client.received
    assert client.received.endswith(b"4\r\naabb\r\n1\r\n!\r\n0\r\n\r\n")


class Instead(ResponseFilter):
    """Says something else."""

    def head(self, response, context):
        return Answer(410, (), b"gone")


def test_one_in_whose_place_a_filter_answers_is_closed(make):
    proxy, source = make(), Source(2)
    proxy.mode.filters = [Instead()]
    proxy.mode.answers = [Answer(200, (), source)]
    client = proxy.connect()
    client.send(GET)
    assert client.received.startswith(b"HTTP/1.1 410 ") and source.log == ["close"]


def test_a_relayed_one_goes_out_as_it_is(make):
    proxy = make()
    head = ResponseHead(299, Headers([(b"Date", b"D"), (b"X", b"y"), (b"Content-Length", b"2")]), b"Mine", 2)
    proxy.mode.answers = [RelayedAnswer(299, body=b"ab", head=head), RelayedAnswer(299, body=Source(2), head=head)]
    client = proxy.connect()
    client.send(GET)
    assert client.received == b"HTTP/1.1 299 Mine\r\nDate: D\r\nX: y\r\nContent-Length: 2\r\n\r\nab"


def test_a_relayed_one_of_unknown_length_is_chunked(make):
    proxy, source = make(), Source()
    head = ResponseHead(200, Headers([(b"Date", b"D")]), b"OK", CHUNKED)
    proxy.mode.answers = [RelayedAnswer(200, body=source, head=head)]
    client = proxy.connect()
    client.send(GET)
    source.give(b"ab")
    source.receiver.response_end(Headers([(b"X-Sum", b"1")]))
    assert client.received.endswith(b"\r\n\r\n2\r\nab\r\n0\r\nX-Sum: 1\r\n\r\n")


@implementer(IMiddleware)
class Around:
    """Makes something of what it is given."""

    def __init__(self, change):
        self.change = change

    def handle(self, request, context, proceed):
        return self.change(proceed(request, context))


def test_one_that_a_middleware_does_not_go_on_with_is_closed(make):
    proxy, source = make(Around(lambda decision: Refusal(403))), Source(2)
    proxy.mode.answers = [Answer(200, (), source)]
    client = proxy.connect()
    client.send(GET)
    assert client.received.startswith(b"HTTP/1.1 403 ") and source.log == ["close"]


def test_one_that_it_changes_is_not(make):
    def change(decision):
        return Answer(decision.status, (b"X: y",), decision.body)

    proxy, source = make(Around(change)), Source(2, (b"ab",))
    proxy.mode.answers = [Answer(200, (), source)]
    client = proxy.connect()
    client.send(GET)
    assert b"X: y" in client.received and client.received.endswith(b"ab") and source.log == ["start"]


def test_one_that_comes_when_the_client_has_left_is_closed(make):
    # A Deferred that cannot be cancelled.
    waiting = Deferred(lambda _: None)
    given = []

    def change(decision):
        given.append(decision)
        return waiting

    proxy, source = make(Around(change)), Source(2)
    proxy.mode.answers = [Answer(200, (), source)]
    client = proxy.connect()
    client.send(GET)
    waiting.addErrback(lambda _: given[0])
    client.drop()
    assert source.log == ["close"]


class Allowing:
    """Lets three bytes pass each time."""

    def __init__(self, more):
        self.more = more

    def take(self, wanted):
        return min(wanted, 3)

    def close(self):
        pass


class Shaping:
    def __init__(self):
        self.lanes = []

    def down(self, more):
        self.lanes.append(Allowing(more))
        return self.lanes[-1]

    def up(self, more):
        return Allowing(more)


class Counting:
    def __init__(self):
        self.log = []

    def began(self, exchange):
        self.log.append("began")

    def ended(self, exchange):
        self.log.append(exchange.carried())


@pytest.mark.parametrize("body", [lambda: b"hello", lambda: BytesSource(b"hello")], ids=["bytes", "source"])
def test_what_was_an_upstreams_is_bounded_as_those_are(make, body, finished):
    shaper, meter = Shaping(), Counting()
    proxy = make(BoundsMiddleware(lambda *_: Bounds(shaper=shaper, meter=meter)))
    head = ResponseHead(200, Headers([(b"Content-Length", b"5")]), b"OK", 5)
    proxy.mode.answers = [RelayedAnswer(200, body=body(), head=head)]
    client = proxy.connect()
    client.send(GET)
    assert body_of(client.received) == b"hel" and not finished
    shaper.lanes[0].more()
    assert body_of(client.received) == b"hello"
    assert [record.outcome for record in finished] == ["answered"]
    assert meter.log == ["began", 5]


def test_what_is_the_proxys_own_is_not(make):
    proxy = make(BoundsMiddleware(lambda *_: pytest.fail("it was asked")))
    proxy.mode.answers = [Answer(200, (), b"hello")]
    client = proxy.connect()
    client.send(GET)
    assert body_of(client.received) == b"hello"
