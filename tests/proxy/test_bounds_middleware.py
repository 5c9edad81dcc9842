"""One middleware bounds what passes, in each mode that reads requests."""

import datetime
from functools import partial

import pytest

from txproxy import Allotments, Bandwidth, BoundsMiddleware, Pool, PoolSettings, Quota, ReverseProxyFactory
from txproxy.forward import Outcome
from txproxy.interfaces import Answer, Bounds, RequestDenied
from txproxy.limits.usage import Usage
from txproxy.reverse import Match, ReverseMode, Route, ToPool
from txproxy.testing import ProxyInMemory

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 1000\r\n\r\n" + bytes(1000)
UPGRADE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"
SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"


@pytest.fixture
def finished():
    return []


@pytest.fixture
def make(finished, closing):
    def make(bounds, *inner, target=None):
        def build(reactor):
            pool = target or Pool(["http://10.0.0.1:80"])
            middleware = [BoundsMiddleware(bounds(reactor) if isinstance(bounds, partial) else bounds), *inner]
            return ReverseProxyFactory(pool, observers=(finished.append,), middleware=middleware, reactor=reactor)

        return closing(ProxyInMemory(build))

    return make


def allot(reactor, **words):
    usage = Usage(reactor, now=lambda: datetime.datetime(2026, 3, 30))
    return Allotments(reactor, usage=usage, **words).bounds


def allotted(**words):
    return partial(allot, **words)


def test_a_reverse_proxy_shapes_both_directions(make):
    proxy = make(allotted(bandwidths=[Bandwidth(down=4000, up=4000)]))
    client = proxy.connect()
    for _ in range(2):
        client.send(GET)
        proxy.upstream.send(OK)
    assert client.received.count(bytes(1000)) == 1
    proxy.advance(0.4)
    assert client.received.count(bytes(1000)) == 2
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000\r\n\r\n" + b"u" * 3000)
    assert proxy.upstream.received.count(b"u" * 1000) == 1
    proxy.advance(1)
    assert proxy.upstream.received.endswith(b"u" * 3000)


def test_a_quota_that_is_used_up_refuses_and_takes_no_place(make, finished):
    proxy = make(allotted(quotas=[Quota(day=1000)]), target=Pool(["http://10.0.0.1:80;max=1"]))
    client = proxy.connect()
    client.send(GET)
    proxy.upstream.send(OK)
    for _ in range(2):
        client.take()
        client.send(GET)
        assert client.received.startswith(b"HTTP/1.1 403 Forbidden\r\n")
        assert client.received.endswith(b"client 127.0.0.1 has used up the day's 1000 bytes.\n")
    assert [one.status for one in finished] == [200, 403, 403]
    verdict = finished[-1].context.verdict
    assert (verdict.outcome, verdict.rule) == (Outcome.DENY, "quotas")
    assert verdict.reason == "client 127.0.0.1 has used up the day's 1000 bytes"


def test_a_quota_that_is_used_up_over_a_tunnel_ends_it(make, finished):
    proxy = make(allotted(quotas=[Quota(day=1000)]))
    client = proxy.connect()
    client.send(UPGRADE)
    proxy.upstream.send(SWITCHING)
    client.send(bytes(1000))
    assert not client.closed
    proxy.advance(2.1)
    assert client.closed and proxy.upstream.closed
    assert [(one.outcome, one.received) for one in finished] == [("tunnel", 1000)]
    assert finished[0].detail.endswith("client 127.0.0.1 has used up the day's 1000 bytes")


def test_the_route_has_the_place_of_a_rule(make):
    asked = []

    def bounds(client_ip, user, rule):
        asked.append((client_ip, user, rule))

    pool = Pool(["http://10.0.0.1:80"])
    routes = [Route("api", Match(path="/api"), ToPool(pool)), Route("rest", Match(), ToPool(pool))]
    proxy = make(bounds, target=ReverseMode(routes=routes))
    for path in (b"/api", b"/"):
        proxy.connect("192.0.2.1").send(GET.replace(b"/ ", path + b" "))
    assert asked == [("192.0.2.1", None, "api"), ("192.0.2.1", None, "rest")]


class Known:
    """Knows a user, who is asked for by what stands around it."""

    def handle(self, request, context, proceed):
        context.user = "alice"
        return proceed(request, context)


def test_the_user_is_who_was_found_within(make):
    asked = []
    proxy = make(lambda *words: asked.append(words), Known())
    proxy.connect().send(GET)
    assert asked == [("127.0.0.1", "alice", "")]


class Answering:
    """Answers itself."""

    def handle(self, request, context, proceed):
        return Answer(200, body=b"own")


def test_what_the_proxy_answers_itself_is_not_bounded(make):
    def bounds(client_ip, user, rule):
        raise AssertionError("nobody is to ask")

    client = make(bounds, Answering()).connect()
    client.send(GET)
    assert client.received.endswith(b"own")


class Bounded:
    """Bounds by itself what it lets through."""

    def __init__(self, bounds):
        self._inner = BoundsMiddleware(lambda client_ip, user, rule: bounds)

    def handle(self, request, context, proceed):
        return self._inner.handle(request, context, proceed)


def test_no_bounds_leave_those_that_there_are(make, finished):
    proxy = make(lambda client_ip, user, rule: None, Bounded(Bounds(tunnel_age=5)))
    client = proxy.connect()
    client.send(UPGRADE)
    proxy.upstream.send(SWITCHING)
    proxy.advance(5.2)
    assert client.closed
    assert "it was open for 5 s" in finished[0].detail


def test_a_request_that_waits_for_its_turn_is_asked_about_when_it_has_it(make):
    asked = []

    def bounds(client_ip, user, rule):
        asked.append(client_ip)
        raise RequestDenied("no more", status=429)

    settings = PoolSettings(queue=1)
    proxy = make(bounds, target=Pool(["http://10.0.0.1:80;max=1"], settings=settings))
    body = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n"
    client = proxy.connect()
    client.send(body + b"bo")
    assert asked == []
    client.send(b"dy")
    assert asked == ["127.0.0.1"]
    assert client.received.startswith(b"HTTP/1.1 429 ")
    assert not proxy.network.dialed
