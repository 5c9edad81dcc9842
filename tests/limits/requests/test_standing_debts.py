"""Limits of requests that are like one before on their connection, beside the same limits asked each time."""

import random
from functools import wraps

import pytest
from twisted.internet.task import Clock

from txproxy import Pool, ReverseProxyFactory
from txproxy.components.rates import parse_rate
from txproxy.interfaces.connection import ClientConnection
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.middleware import around, tolls_of
from txproxy.limits.requests.limit_keys import LimitPlace
from txproxy.limits.requests.limiter import Limiter
from txproxy.limits.requests.limits_middleware import Checks, LimitsMiddleware
from txproxy.limits.requests.request_limit import RequestLimit
from txproxy.proxy.exchanges.standing_exchange import StandingExchange
from txproxy.reverse.actions.to_pool import ToPool
from txproxy.reverse.actions.wrapped_action import WrappedAction
from txproxy.reverse.mode import ReverseMode
from txproxy.testing import ProxyInMemory
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead

pytestmark = pytest.mark.usefixtures("no_time_of_day")

OK = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 2\r\n\r\nok"
CLIENTS = ("192.0.2.1", "192.0.2.2", "2001:db8::1")
OUTER = [("client",), ("header:User-Agent",), ("host", "client")]
INNER = [("pool", "client"), ("route",), ("cookie:s", "pool")]


class World:
    """Limits around a mode and around what it does, with the short cut or without it."""

    def __init__(self, short, shared=False, rate="4/s:burst=6", enforce=True, wait=None, same=False):
        def limiter(number, by):
            config = RequestLimit(name=str(number), rate=parse_rate(rate), by=by, enforce=enforce)
            return Limiter(config, 5, shared)

        self.standing = 0
        self.outer = [limiter(number, by) for number, by in enumerate(OUTER)]
        self.inner = self.outer[:1] if same else [limiter(number + 10, by) for number, by in enumerate(INNER)]
        self.woken = 0
        for one in {*self.outer, *self.inner} if shared else ():
            one.rate.join(self._wake)
        self.proxy = ProxyInMemory(self._build)
        if not short:
            self.proxy.factory.standing_for = None
        self.clients = {}

    def _wake(self):
        self.woken += 1

    def _build(self, reactor):
        reactor.advance(100.0)
        pool = Pool(["http://10.0.0.1", "http://10.0.0.2"], name="app")
        action = WrappedAction(ToPool(pool), LimitsMiddleware(self.inner, reactor, LimitPlace(pool="app")))
        middleware = (LimitsMiddleware(self.outer, reactor),)
        return ReverseProxyFactory(ReverseMode(action), middleware=middleware, observers=(self._seen,), reactor=reactor)

    def _seen(self, record):
        self.limit = record.context.limit

    def ask(self, host, request):
        client = self.clients.get(host)
        if client is None or client.closed or client.disconnecting:
            client = self.clients[host] = self.proxy.connect(host)
        self.limit = None
        client.send(request)
        (exchange,) = [*client._protocol.exchanges()] or [None]
        self.standing += type(exchange) is StandingExchange
        for upstream in self.proxy.network.connections:
            if upstream.received:
                upstream.take()
                upstream.send(OK)
        return client.take(), self.limit

    def state(self):
        now = self.proxy.clock.seconds()
        limiters = [*self.outer, *self.inner]
        debts = [(one.counts, sorted(one.rate.debts(now), key=repr)) for one in limiters]
        return debts, self.woken, [getattr(one, "served", None) for one in self.proxy.factory.pools[0].upstreams]


REQUESTS = [
    b"GET %b HTTP/1.1\r\nHost: %b\r\nUser-Agent: %b\r\nCookie: s=%b\r\n\r\n" % words
    for words in [
        (b"/", b"a", b"curl", b"1"),
        (b"/x", b"a", b"curl", b"1"),
        (b"/", b"b", b"curl", b"1"),
        (b"/", b"a", b"wget", b"1"),
        (b"/", b"a", b"curl", b"2"),
    ]
]


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("options", [{}, {"rate": "2/s"}, {"enforce": False}, {"same": True}], ids=repr)
def test_all_are_counted_as_by_the_limits_themselves(shared, options):
    worlds = short, slow = [World(short, shared, **options) for short in (True, False)]
    chance = random.Random(repr(options))
    host, request = CLIENTS[0], REQUESTS[0]
    for _ in range(800):
        if chance.random() < 0.08:
            host, request = chance.choice(CLIENTS), chance.choice(REQUESTS)
        seconds = chance.choice([0.0, 0.05, 0.2, 0.3, 0.3, 1.0, 3.0])
        event = chance.choice(["forget", "others", "tell", *[""] * 40])
        said = []
        for world in worlds:
            world.proxy.clock.advance(seconds)
            first = world.outer[0].rate
            if event == "forget":
                first.forget()
            elif event == "others":
                first.add(host, 1, world.proxy.clock.seconds())
            told = [getattr(one.rate, "news", list)() for one in world.outer] if event == "tell" else None
            said.append((world.ask(host, request), told))
        assert said[0] == said[1] and short.state() == slow.state()
    # The same limit at two places sees twice what it takes.
    assert slow.standing == 0 and (short.standing > 30) == ("same" not in options)
    assert short.outer[0].counts.allowed > 100


@pytest.mark.parametrize("shared", [False, True])
def test_who_does_not_go_on_has_not_paid(shared):
    worlds = short, slow = [World(short, shared) for short in (True, False)]
    asked = []
    # As if there were nobody, or each had to be decided anew.
    short.proxy.factory.pools[0].take_unasked = lambda: asked.append(True)
    for number in range(40):
        for world in worlds:
            # There is a time at which no rounding shows.
            world.proxy.clock.advance(0.5 if number % 4 else 0.125)
            world.ask(CLIENTS[0], REQUESTS[0])
        assert short.state() == slow.state()
    assert len(asked) > 20 and short.standing == 0


@pytest.mark.parametrize("limited_last", [False, True])
def test_one_mode_at_two_places_asks_the_limits_of_each(limited_last):
    def build(reactor):
        reactor.advance(100.0)
        mode = ReverseMode(ToPool(Pool(["http://10.0.0.1"])))
        middleware = (LimitsMiddleware(limits(rate="1/m:burst=4"), reactor),)
        made = [
            ReverseProxyFactory(mode, middleware=around_it, reactor=reactor)
            for around_it in ([(), middleware] if limited_last else [middleware, (), ()])
        ]
        return made[1 if limited_last else 0]

    proxy = ProxyInMemory(build)
    client = proxy.connect()
    answers = []
    for _ in range(6):
        client.send(REQUESTS[0])
        for upstream in proxy.network.connections:
            if upstream.take():
                upstream.send(OK)
        answers.append(client.take()[9:12])
    assert answers == [b"200"] * 4 + [b"429"] * 2
    proxy.close()


def handler(request, context):
    return "on"


def limits(by=("client",), rate="1/s", **more):
    return [Limiter(RequestLimit(name="a", rate=parse_rate(rate), by=by, **more), 5)]


def test_only_what_asks_and_lets_go_on_is_a_toll():
    clock = Clock()
    around_it = LimitsMiddleware(limits(), clock)
    assert tolls_of(handler, handler) == ()
    (one, other) = tolls_of(around(handler, (around_it, around_it)), handler)
    assert type(one) is type(other) is Checks and one is not other

    class Other:
        def handle(self, request, context, proceed):
            return proceed(request, context)

    class Alike:
        """Its handler has all attributes of what it stands around."""

        handle = None

        def within(self, handler, scope, services):
            return wraps(handler)(lambda request, context: handler(request, context))

    class Named(Alike):
        """Its handler has an attribute of that name."""

        def within(self, handler, scope, services):
            handler = super().within(handler, scope, services)
            handler.toll = 5
            return handler

    telling = LimitsMiddleware(limits(ratelimit_fields=True), clock)
    known = LimitsMiddleware(limits(), clock, None, lambda request, context: "192.0.2.7")
    for more in (Other(), Alike(), Named(), telling, known):
        for both in ((more, around_it), (around_it, more)):
            assert tolls_of(around(handler, both), handler) is None


def test_what_is_at_hand_of_another_request_says_nothing():
    clock = Clock()
    places = [Checks(limits(by=("host", "client")), LimitPlace(), clock) for clock in (clock, clock, Clock())]
    connection = ClientConnection("192.0.2.1")

    def asked(authority, client="192.0.2.1"):
        context = RequestContext(connection)
        context.client_ip = client
        return RequestHead(b"GET", b"/", Headers.parsed([]), authority), context

    for _ in range(3):
        for place in places:
            clock.advance(5.0)
            place.clock.rightNow = clock.seconds()
            place.within(handler)(*asked(b"a"))
    assert places[0].standing(places[:2], *asked(b"a")) is not None
    assert places[0].standing(places[:2], *asked(b"b")) is None
    assert places[0].standing(places[:2], *asked(b"a", "192.0.2.2")) is None
    # Of another clock.
    assert places[0].standing(places[1:], *asked(b"a")) is None
    places[1].within(handler)(*asked(b"b"))
    assert places[0].standing(places[:2], *asked(b"a")) is None
