"""Limits of requests in the way of a proxy in memory."""

import pytest

from txproxy import ConcurrencyLimiter, Pool, Rate, ReverseProxyFactory
from txproxy.components.rates import parse_rate
from txproxy.errors import ConfigError
from txproxy.interfaces import Answer
from txproxy.limits.requests.limit_keys import LimitPlace
from txproxy.limits.requests.limiter import LimitCounts, Limiter
from txproxy.limits.requests.limits_middleware import InnerLimits, LimitsMiddleware
from txproxy.limits.requests.request_limit import RequestLimit
from txproxy.testing import ProxyInMemory

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nx"
OK = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 2\r\n\r\nok"


def limiter(rate="1/s", name="slow", **words):
    return Limiter(RequestLimit(name=name, rate=parse_rate(rate), **words))


class World:
    """A reverse proxy that answers all by itself, or sends it on."""

    def __init__(self, *limits, inner=(), answers=True, slow_twin=False):
        self.finished = []
        self.limits = limits

        def make(reactor):
            middleware = LimitsMiddleware(limits, reactor)
            outer = [Plain(middleware) if slow_twin else middleware] if limits else []
            pool = Pool(["http://10.0.0.1:80"])
            return ReverseProxyFactory(
                pool,
                middleware=[*outer, *(one(reactor) for one in inner), *([Always()] if answers else [])],
                observers=(self.finished.append,),
                reactor=reactor,
                via=None,
            )

        self.proxy = ProxyInMemory(make)

    def ask(self, request=GET, host="127.0.0.1", client=None):
        client = client or self.proxy.connect(host)
        before = len(client.received)
        client.send(request)
        self.answer = client.received[before:]
        return int(self.answer.split(b" ", 2)[1]) if self.answer else None

    def asks(self, count, **words):
        return [self.ask(**words) for _ in range(count)]


class Always:
    def handle(self, request, context, proceed):
        return Answer(200, body=b"ok")


class Plain:
    """Has the way of a middleware that is not composed."""

    def __init__(self, middleware):
        self._middleware = middleware

    def handle(self, request, context, proceed):
        return self._middleware.handle(request, context, proceed)


@pytest.fixture
def world():
    made = []

    def world(*limits, **words):
        made.append(World(*limits, **words))
        return made[-1]

    yield world
    for one in made:
        one.proxy.close()


@pytest.fixture(params=[False, True], ids=["composed", "plain"])
def either(world, request):
    return lambda *limits, **words: world(*limits, slow_twin=request.param, **words)


def test_who_is_over_a_limit_is_refused_and_told_when_to_come_again(either):
    run = either(limiter("30/m:burst=2"))
    client = run.proxy.connect()
    assert run.asks(3, client=client) == [200, 200, 429]
    assert b"\r\nRetry-After: 2\r\n" in run.answer
    assert b"\r\nProxy-Status: txproxy; error=http_request_denied\r\n" in run.answer
    assert run.answer.endswith(b"429 Too Many Requests\nThere are too many requests.\n")
    # the connection stays, and others do not suffer
    assert not client.closed
    assert run.ask(host="127.0.0.2") == 200
    run.proxy.advance(2)
    assert run.asks(2, client=client) == [200, 429]
    record = run.finished[2]
    assert (record.status, record.outcome, record.detail) == (
        429,
        "http_request_denied",
        "limit slow: more than 30/m:burst=2 by client",
    )
    assert (record.context.limit.name, record.context.limit.outcome) == ("slow", "refused")
    assert (record.context.verdict.rule, record.context.verdict.reason) == (
        "limit slow",
        "more than 30/m:burst=2 by client",
    )
    assert run.finished[0].context.limit is None
    assert run.limits[0].counts == LimitCounts("slow", 4, 0, 2, 2, True)


def test_a_wait_of_less_than_a_second_is_one(world):
    run = world(limiter("100/s:burst=1"))
    run.asks(2)
    assert b"\r\nRetry-After: 1\r\n" in run.answer


def test_a_connection_with_a_body_that_is_not_read_closes(world):
    run = world(limiter(), answers=False)
    client = run.proxy.connect()
    run.ask(client=client)
    run.proxy.upstream.send(OK)
    assert run.ask(POST, client=client) == 429
    assert b"\r\nConnection: close\r\n" in run.answer
    run.proxy.advance(3)
    assert client.closed


def test_some_wait_for_their_turn_and_the_others_are_refused(either):
    run = either(limiter("10/s:burst=1", delay=2))
    clients = [run.proxy.connect() for _ in range(4)]
    assert [run.ask(client=client) for client in clients] == [200, None, None, 429]
    run.proxy.clock.advance(0.1)
    assert [bool(client.received) for client in clients] == [True, True, False, True]
    run.proxy.clock.advance(0.1)
    assert [client.received[9:12] for client in clients] == [b"200", b"200", b"200", b"429"]
    outcomes = [record.context.limit and record.context.limit.outcome for record in run.finished]
    assert sorted(map(str, outcomes)) == ["None", "delayed", "delayed", "refused"]
    assert run.limits[0].counts == LimitCounts("slow", 1, 2, 1, 1, True)


def test_who_leaves_while_he_waits_leaves_no_timer(either):
    run = either(limiter("1/m", delay=1), answers=False)
    run.ask()
    run.proxy.upstream.send(OK)
    client = run.proxy.connect()
    assert run.ask(client=client) is None
    client.drop()
    run.proxy.advance(1)
    assert run.finished[-1].outcome == "client-gone" and len(run.proxy.network.dialed) == 1


def test_what_one_limit_refuses_does_not_count_for_those_before_it(either):
    wide, narrow = limiter("3/h", name="wide"), limiter("1/h", name="narrow", by=["header:x-key"])
    run = either(wide, narrow)
    keyed = b"GET / HTTP/1.1\r\nHost: a\r\nX-Key: k\r\n\r\n"
    assert run.asks(5, request=keyed) == [200, 429, 429, 429, 429]
    assert run.finished[-1].context.limit.name == "narrow"
    assert run.asks(3) == [200, 429, 429]
    other = b"GET / HTTP/1.1\r\nHost: a\r\nX-Key: other\r\n\r\n"
    assert run.asks(2, request=other) == [200, 429]
    assert run.finished[-1].context.limit.name == "wide"


def test_a_limit_that_is_not_enforced_is_counted_and_logged_alone(either):
    run = either(limiter("1/h", enforce=False, delay=1))
    assert run.asks(4) == [200] * 4
    assert [record.context.limit and record.context.limit.outcome for record in run.finished] == [
        None,
        "passed",
        "passed",
        "passed",
    ]
    assert run.limits[0].counts == LimitCounts("slow", 1, 1, 2, 1, False)


@pytest.mark.parametrize("status", [429, 503, 403])
def test_the_status_is_as_it_is_written(world, status):
    run = world(limiter(status=status))
    assert run.asks(2)[1] == status
    assert b"There are too many requests." in run.answer


def test_clients_are_told_what_is_left_to_them(either):
    run = either(limiter("4/m:burst=2", name='a "b" \xe9', ratelimit_fields=True))
    run.ask()
    assert b'\r\nRateLimit-Policy: "a \\"b\\" ?";q=4;w=60\r\n' in run.answer
    assert b'\r\nRateLimit: "a \\"b\\" ?";r=1;t=15\r\n' in run.answer
    assert run.asks(2) == [200, 429]
    assert b'";r=0;t=30\r\n' in run.answer and b"\r\nRetry-After: 15\r\n" in run.answer


def test_limits_that_tell_and_limits_that_do_not_all_hold(either):
    limits = [limiter("2/h", name="a"), limiter("9/h", name="b", ratelimit_fields=True), limiter("8/h", name="c")]
    run = either(*limits)
    assert run.asks(3) == [200, 200, 429]
    assert [one.counts.allowed for one in limits] == [2, 2, 2]
    assert [one.rate.left("127.0.0.1", 0.0)[0] for one in limits] == [0, 7, 6]


def test_without_a_limit_of_its_rule_a_request_is_under_those_of_all(world):
    class Named:
        def handle(self, request, context, proceed):
            context.rule = request.headers.get(b"rule").decode()
            return proceed(request, context)

    own, every = limiter("1/h", name="own"), limiter("3/h", name="all")
    inner = [
        lambda reactor: Named(),
        lambda reactor: InnerLimits([every], {"a": [own]}, reactor, LimitPlace()),
    ]
    run = world(inner=inner, answers=False)

    def ask(rule):
        status = run.ask(b"GET / HTTP/1.1\r\nHost: a\r\nRule: %b\r\n\r\n" % rule)
        if status is None:
            run.proxy.upstream.send(OK)
        return status

    assert [ask(b"a"), ask(b"a"), ask(b"b"), ask(b"b"), ask(b"b")] == [None, 429, None, None, 429]
    only = [lambda reactor: Named(), lambda reactor: InnerLimits([], {"a": [limiter()]}, reactor, LimitPlace())]
    run = world(inner=only, answers=False)
    assert [ask(b"b"), ask(b"b"), ask(b"a"), ask(b"a")] == [None, None, None, 429]


def test_an_embedder_has_all_of_it_from_one_place():
    often = Limiter(RequestLimit(name="client", rate=Rate(1, seconds=1, burst=2)))
    reports = ConcurrencyLimiter(RequestLimit(name="all", concurrent=1, by=()))
    proxy = ProxyInMemory(
        lambda reactor: ReverseProxyFactory(
            Pool(["http://10.0.0.1"]), middleware=[LimitsMiddleware([often, reports], reactor)], reactor=reactor
        )
    )
    said = []
    for _ in range(3):
        client = proxy.connect()
        client.send(GET)
        said.append(client.received[9:12])
    assert said == [b"", b"503", b"429"]
    assert (often.counts.refused, reports.counts.refused) == (1, 1)
    proxy.close()


@pytest.mark.parametrize("by", ["user", "route", "rule", "pool", "listener"])
def test_around_a_mode_nothing_is_counted_by_what_is_not_known_there(by):
    with pytest.raises(ConfigError, match=f"limit slow: 1/s by client and {by} is not known here; accepted: client"):
        LimitsMiddleware([limiter(by=("client", by))], None)
