"""A response that waits for a filter; see tests/proxy/hooks/test_hooks_middleware.py for what short functions see."""

import struct
import tracemalloc

import pytest
from twisted.internet.defer import Deferred, fail, succeed

from tests.proxy.upstream.http2_peer import Http2Peer, data_frame
from txproxy import Limits, Pool, ReverseProxyFactory
from txproxy.errors import RequestError, ResponseDenied
from txproxy.interfaces import Answer, ResponseFilter
from txproxy.testing import ProxyInMemory
from txproxy.wire.http2 import frames

GET = b"GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n"
# with as much of a body as is waited for before an upstream is asked
POST = b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4000\r\n%b\r\n" % bytes(16384)
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


def test_one_that_takes_too_long_is_answered_for(play):
    cancelled = []
    waits = Waits(Deferred(cancelled.append))
    proxy, client = play(waits)
    proxy.upstream.send(OK)
    proxy.clock.advance(9.9)
    assert client.take() == b"" and not cancelled
    proxy.clock.advance(0.2)
    said = client.take()
    assert said.startswith(b"HTTP/1.1 504 ") and len(cancelled) == 1 and b"took too long to decide" in said


@pytest.mark.parametrize("timeout", [2.0, None])
def test_it_says_itself_how_long_it_may_take(play, timeout):
    waits = Waits(Deferred())
    waits.timeout = timeout
    proxy, client = play(waits)
    proxy.upstream.send(OK)
    proxy.clock.advance(2.1)
    assert client.take().startswith(b"HTTP/1.1 504 " if timeout else b"")
    if timeout is None:
        proxy.clock.advance(30)
        waits.coming.callback(waits.response)
        assert client.take().endswith(b"hello")


def test_an_answer_of_the_proxys_own_waits_no_longer(play):
    class Answers(ResponseFilter):
        def head(self, response, context):
            return Answer(200, (), b"mine")

    waits = Waits(Deferred())
    proxy, client = play(waits, Answers())
    proxy.upstream.send(OK)
    proxy.clock.advance(10.1)
    assert client.take().startswith(b"HTTP/1.1 504 ")


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


def test_small_parts_that_come_meanwhile_take_little_more_than_their_size():
    waits = Waits(Deferred())
    proxy = ProxyInMemory(
        lambda reactor: ReverseProxyFactory(Pool(["h2c://10.0.0.1"]), middleware=[Hangs(waits)], reactor=reactor)
    )
    client = proxy.connect()
    client.send(GET)
    peer = Http2Peer(proxy.upstream)
    peer.connection.send(frames.SETTINGS_ACK + peer.head_frame(1, 200))
    few = data_frame(1, b"xy") * 1000
    tracemalloc.start()
    try:
        for _ in range(50):
            peer.connection.send(few)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < 250_000
    waits.coming.callback(waits.response)
    peer.connection.send(data_frame(1, b"!", ended=True))
    assert client.take().count(b"xy") == 50_000
    proxy.close()


@pytest.mark.parametrize("cut_first", [True, False])
def test_one_that_is_cut_while_it_waits_is_cut_for_its_client_and_asked_for_no_second_time(cut_first):
    waits = Waits(Deferred())

    def build(reactor):
        pool = Pool(["h2c://10.0.0.1", "h2c://10.0.0.2"])
        return ReverseProxyFactory(pool, middleware=[Hangs(waits)], reactor=reactor)

    proxy = ProxyInMemory(build)
    client = proxy.connect()
    client.send(GET)
    peer = Http2Peer(proxy.upstream)
    peer.connection.send(peer.head_frame(1, 200, ("content-length", "10")) + data_frame(1, b"AAAA"))
    response = waits.response
    reset = frames.header(4, frames.RST_STREAM, 0, 1) + struct.pack(">I", 2)
    if cut_first:
        peer.connection.send(reset)
        assert len(proxy.network.connections) == 1
        # It may decide all the same.
        if not waits.coming.called:
            waits.coming.callback(response)
        assert client.take().startswith(b"HTTP/1.1 502 ")
    else:
        waits.coming.callback(response)
        peer.connection.send(reset)
        assert client.take().endswith(b"\r\n\r\nAAAA")
        proxy.advance(5)
        assert client.closed
    assert len(proxy.network.connections) == 1
    proxy.close()


class Refuses(Waits):
    """Waits with what the proxy says, and with nothing else."""

    refusals = True

    def head(self, response, context):
        return super().head(response, context) if response.status >= 400 else response


class Later:
    """Plans at once, and gives that when it is told, or when it is cancelled, which it does not heed."""

    def __init__(self):
        self.coming = Deferred(lambda coming: coming.callback(None))

    def handle(self, request, context, proceed):
        plan = proceed(request, context)
        return self.coming.addCallback(lambda _: plan)


@pytest.mark.parametrize("what", ["dialled", "planned", "given a place"])
def test_what_is_refused_while_it_waits_for_something_else_goes_to_no_upstream(what):
    waits, later = Refuses(Deferred()), Later()
    around = [Hangs(waits), later] if what == "planned" else [Hangs(waits)]
    proxy = ProxyInMemory(
        lambda reactor: ReverseProxyFactory(
            Pool(["http://10.0.0.1;max=1"]), middleware=around, limits=Limits(min_body_rate=0), reactor=reactor
        )
    )
    if what == "given a place":
        proxy.connect().send(GET)
    elif what == "dialled":
        proxy.network.script = ["hang"]
    client = proxy.connect()
    client.send(POST)
    (exchange,) = client._protocol.exchanges()
    exchange.request_failed(RequestError("the body is too large", status=413))
    if what == "dialled":
        assert proxy.network.hanging.pop()[0].called
    elif what == "planned":
        assert later.coming.called
    else:
        proxy.network.connections[0].send(OK)
    proxy.clock.advance(0)
    assert not [one for one in proxy.network.connections if b"POST" in one.received]
    waits.coming.callback(waits.response)
    assert client.take().startswith(b"HTTP/1.1 413 ")
    assert [upstream.active for upstream in proxy.factory.pools[0].upstreams] == [0]
    proxy.close()


def test_what_is_given_up_while_its_refusal_waits_is_answered_but_once():
    waits = Refuses(Deferred())
    proxy = ProxyInMemory(
        lambda reactor: ReverseProxyFactory(
            Pool(["http://10.0.0.1"]), middleware=[Hangs(waits)], limits=Limits(min_body_rate=0), reactor=reactor
        )
    )
    client = proxy.connect()
    client.send(POST)
    (exchange,) = client._protocol.exchanges()
    exchange.request_failed(RequestError("the body is too large", status=413))
    first, waits.coming = waits.coming, Deferred()
    exchange.abandon(ResponseDenied("enough of it"))
    assert first.called and client.take() == b""
    waits.coming.callback(waits.response)
    assert client.take().count(b"HTTP/1.1 ") == 1
    proxy.close()
