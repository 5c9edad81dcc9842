"""A request that comes again in the same bytes gets the same as by way of an exchange, and is told of the same."""

import random

import pytest

from tests.proxy.caching.caching_proxy import START, CachingProxy, get
from txproxy import ForwardPolicy, ForwardProxyFactory, Pool, ReverseProxyFactory
from txproxy.cache.purging.mark import Kind
from txproxy.proxy.downstream.repeated_requests import MOST_BYTES, RepeatedRequests
from txproxy.proxy.downstream.serving import ServedBy, follow
from txproxy.reverse import Match, RequestRewrite, ReverseMode, Route, ToPool, Treated, Treatment

FRESH = {"cache_control": "max-age=60"}
PLAIN = get()


class Counting(CachingProxy):
    """Knows how many requests had an exchange."""

    def __init__(self, *middleware, **words):
        super().__init__(*middleware, **words)
        self.exchanges = 0
        handle = self.factory.handle

        def counted(request, context):
            self.exchanges += 1
            return handle(request, context)

        self.factory.handle = counted

    def warm(self, request=PLAIN, response=None):
        """A client that has asked thrice: the origin, the plain way, and what was answered a moment ago."""
        client = self.connect()
        client.send(request)
        self.question()[0].send(self.response(**FRESH) if response is None else response)
        for _ in range(2):
            client.send(request)
        self.exchanges = 0
        client.take()
        return client

    def is_short(self, client, request=PLAIN):
        """Whether a request is answered without an exchange."""
        before = self.exchanges
        client.send(request)
        # Where chance has a say it may be the first one for whom it says this.
        for origin, _ in self.questions():
            origin.send(self.response(**FRESH))
        assert client.take().startswith(b"HTTP/1.1 200 OK\r\n")
        return self.exchanges == before


@pytest.fixture
def make(closing):
    return lambda *middleware, **words: closing(Counting(*middleware, **words))


@pytest.fixture
def proxy(make):
    return make()


def test_it_takes_no_exchange(proxy):
    client = proxy.warm()
    assert proxy.is_short(client)
    assert proxy.is_short(client)


def test_it_grows_old_and_ends_with_its_lifetime(proxy):
    client = proxy.warm()
    for age in (0, 1, 59):
        proxy.now = START + age
        client.send(PLAIN)
        assert b"\r\nAge: %d\r\nCache-Status: txproxy; hit; ttl=%d\r\n" % (age, 60 - age) in client.take()
    assert not proxy.exchanges
    proxy.now = START + 60
    client.send(PLAIN)
    assert not client.take()
    proxy.question()[0].send(proxy.response("anew", **FRESH))
    assert client.take().endswith(b"\r\n\r\nanew")


@pytest.mark.parametrize(
    "change",
    [
        lambda proxy, client: proxy.cache.purge(Kind.ALL),
        lambda proxy, client: proxy.store.resize(0),
        lambda proxy, client: proxy.ask(get(method="POST"), proxy.response("")),
        lambda proxy, client: setattr(client._protocol.connection, "connections", {}),
    ],
    ids=["purged", "evicted", "invalidated", "bound"],
)
def test_it_is_not_given_any_more(proxy, change):
    client = proxy.warm()
    assert proxy.is_short(client)
    change(proxy, client)
    before = proxy.exchanges
    client.send(PLAIN)
    assert proxy.exchanges == before + 1
    client._protocol.connection.connections = None


def test_a_record_is_that_of_an_exchange(proxy):
    client = proxy.warm()
    client.send(PLAIN)
    by_exchange, short = proxy.finished[-2:]
    assert not proxy.exchanges
    for name in ("outcome", "detail", "status", "sent", "received", "attempts", "first_byte", "client_ip"):
        assert getattr(short, name) == getattr(by_exchange, name), name
    assert short.response.headers.lines == by_exchange.response.headers.lines
    assert short.request.path == b"/x" and short.context.cache.word == "HIT"
    assert short.context is not by_exchange.context and short.context.connection is by_exchange.context.connection


def test_a_use_counts(proxy):
    client = proxy.warm()
    before = proxy.store.hits
    assert proxy.is_short(client)
    assert proxy.store.hits == before + 1


def test_what_comes_in_pieces_is_read(proxy):
    client = proxy.warm()
    client.send(PLAIN[:20])
    client.send(PLAIN[20:])
    assert proxy.exchanges == 1
    # The end of a request is none, however often it comes.
    client.send(PLAIN[20:])
    assert client.take().count(b"HTTP/1.1 400") == 1


def test_what_comes_with_another_is_read(proxy):
    client = proxy.warm()
    both = get("/y") + PLAIN
    client.send(both)
    proxy.question()[0].send(proxy.response("other", **FRESH))
    for _ in range(3):
        assert client.take().count(b"HTTP/1.1 200") == 2
        client.send(both)
    assert client.take().count(b"\r\n\r\nother") == 1


def test_an_idle_client_is_closed_in_time(proxy):
    client = proxy.warm()
    proxy.advance(60)
    assert proxy.is_short(client)
    proxy.advance(60)
    assert proxy.is_short(client)
    proxy.advance(77)
    assert client.closed


def test_who_takes_nothing_gets_no_more(make):
    proxy = make()
    client = proxy.warm(response=proxy.response("x" * 20_000, **FRESH))
    client.stop_reading()
    for _ in range(10):
        client.send(PLAIN)
    assert client.waiting < 5 * 20_000 and not proxy.exchanges
    client.read_on()
    assert client.take().count(b"HTTP/1.1 200") == 10


def test_it_ends_with_the_drain(proxy):
    client = proxy.warm()
    proxy.factory.drain()
    client.send(PLAIN)
    assert b"\r\nConnection: close\r\n" in client.take() and proxy.exchanges == 1


def test_another_factory_decides_anew(make):
    proxy, other = make(), make()
    client = proxy.warm()
    client._protocol.served_by = ServedBy(other.factory)
    assert follow(client._protocol)
    client.send(PLAIN)
    assert other.exchanges == 1
    client.drop()


def test_it_is_each_connections_own(proxy):
    proxy.warm()
    other = proxy.connect()
    assert not proxy.is_short(other)


def test_a_connection_remembers_no_more_than_so_many_bytes(proxy):
    client = proxy.warm()
    large = get(accept="x" * (MOST_BYTES - 3 * len(PLAIN)))
    for request, short in ((large, False), (large, True), (PLAIN, True), (get(accept="y" * 200), False)):
        assert proxy.is_short(client, request) == short
    assert not proxy.is_short(client)
    assert proxy.is_short(client)
    for _ in range(2):
        assert not proxy.is_short(client, get(accept="x" * MOST_BYTES))


class Meddling:
    """A middleware."""

    def handle(self, request, context, proceed):
        return proceed(request, context)


class Weekdays(ReverseMode):
    """Does more than a reverse proxy."""

    def plan(self, head, context):
        return super().plan(head, context)


class Counted:
    """An action of somebody's own, who sees each request."""

    takes_connect = False

    def __init__(self, pool):
        self.within = ToPool(pool)
        self.pools = self.within.pools
        self.attach = self.within.attach

    def plan(self, head, context):
        context.add_lines(b"X-Count: 1")
        return self.within.plan(head, context)


def of_mode(make_mode, *around):
    def build(reactor, middleware, observers):
        return ReverseProxyFactory(
            make_mode(Pool(["http://10.0.0.1:80"])),
            observers=observers,
            middleware=[*around, *middleware],
            reactor=reactor,
        )

    return build


def weighted(pool):
    return ReverseMode(None, [Route(name, Match(weight=1), ToPool(pool)) for name in "ab"])


def treated(**words):
    return lambda pool: ReverseMode(Treated(ToPool(pool), Treatment(**words)))


@pytest.mark.parametrize(
    ("build", "short"),
    [
        (of_mode(lambda pool: ReverseMode(ToPool(pool))), True),
        (of_mode(lambda pool: ReverseMode(None, [Route("a", Match(path="/x"), ToPool(pool))])), True),
        (of_mode(treated(response_timeout=1.0)), True),
        (of_mode(treated(request=RequestRewrite(set_headers=(("X-A", "b"),)))), False),
        (of_mode(lambda pool: ReverseMode(Counted(pool))), False),
        (of_mode(lambda pool: Weekdays(ToPool(pool))), False),
        (of_mode(weighted), False),
        (of_mode(lambda pool: ReverseMode(ToPool(pool)), Meddling()), False),
    ],
    ids=["pool", "route", "time limit", "rewritten", "own action", "own mode", "by chance", "middleware"],
)
def test_it_is_short_where_nobody_else_may_have_a_say(make, build, short):
    proxy = make(build=build)
    client = proxy.connect()
    for _ in range(5):
        client.send(PLAIN)
        for origin, _ in proxy.questions():
            origin.send(proxy.response(**FRESH))
        client.take()
    assert proxy.is_short(client) == short


# -- both ways, side by side

REQUESTS = (
    *[get(path) for path in ("/a", "/b", "/c")] * 6,
    get("/a", accept="text/html"),
    get("/a", cookie="a=b"),
    get("/a", method="HEAD"),
    get("/a", method="POST"),
    get("/a", range="bytes=1-2"),
    get("/a", if_none_match='"1"'),
    get("/a", cache_control="no-cache"),
    get("/a", connection="close"),
    get("/a", connection="keep-alive"),
    get("/a", expect="100-continue"),
    get("/a", authorization="Basic YTpi"),
    get("/never"),
    get("/a").replace(b"HTTP/1.1", b"HTTP/1.0"),
    get("/a").replace(b"Host: a", b"host:  a"),
    get("http://a/a"),
    b"\r\n" + get("/a"),
    get("/a") + b"\r\n",
    get("/a") + get("/b"),
    get("/a") * 20,
    get("/a")[:-2],
    get("/a")[5:],
    get("/a").replace(b"/a", b"/a\0"),
    get("/a", content_length="3") + b"abc",
    get("/a", transfer_encoding="chunked") + b"0\r\n\r\n",
    b"\r\n",
)


class Script:
    """Does the same with each proxy that it is given, by chance of one ``seed``; gives all that could be seen."""

    def __init__(self, proxy, seed):
        self.proxy = proxy
        self.random = random.Random(seed)
        # Of real time nobody knows.
        proxy.factory.services.http_date = lambda: b"Sun, 09 Sep 2001 01:46:40 GMT"
        self.clients = [proxy.connect() for _ in range(3)]
        self.seen = []

    def run(self, steps):
        for _ in range(steps):
            place = self.random.randrange(len(self.clients))
            if self.clients[place].closed or self.clients[place].disconnecting or self.clients[place].ended:
                self.clients[place] = self.proxy.connect()
            self.random.choice([self._ask] * 12 + [self._ask_in_pieces, self._wait, self._purge, self._hold])(place)
            self._answer()
            self.proxy.clock.advance(0)
            self.seen.append([(one.take(), one.waiting, one.closed, one.ended, one.paused) for one in self.clients])
        records = [
            (one.request.path, one.request.method, one.outcome, one.status, one.sent, one.received, one.client_ip,
             one.context.cache and one.context.cache.word, one.response and one.response.headers.lines)
            for one in self.proxy.finished
        ]  # fmt: skip
        return self.seen, records, self.proxy.store.hits, self.proxy.exchanges

    def _ask(self, place):
        request = self.random.choice(REQUESTS)
        for _ in range(self.random.choice((1, 1, 4))):
            self.clients[place].send(request)
            self._answer()

    def _ask_in_pieces(self, place):
        request = self.random.choice(REQUESTS)
        cut = self.random.randrange(len(request))
        self.clients[place].send(request[:cut])
        self.clients[place].send(request[cut:])

    def _wait(self, place):
        seconds = self.random.choice((0.25, 0.5, 1, 7, 30))
        self.proxy.pass_time(seconds)
        self.proxy.advance(seconds)

    def _purge(self, place):
        if self.random.random() < 0.2:
            self.proxy.cache.purge(Kind.ALL, soft=self.random.random() < 0.5)

    def _hold(self, place):
        client = self.clients[place]
        if self.random.random() < 0.5:
            client.stop_reading()
        else:
            client.read_on()

    def _answer(self):
        for origin, question in self.proxy.questions():
            for asked in question.split(b"\r\n\r\n"):
                if asked.startswith((b"GET", b"HEAD", b"POST")):
                    kept = "no-store" if b"/never" in asked else "max-age=20"
                    body = "" if asked.startswith(b"HEAD") else f"{self.proxy.now} " + "x" * 9000
                    origin.send(self.proxy.response(body, length=len(body) or None, cache_control=kept, etag='"1"'))


@pytest.mark.no_cover
@pytest.mark.parametrize("seed", range(20))
def test_nobody_can_tell_the_difference(make, seed, monkeypatch):
    short = Script(make(), seed).run(200)
    monkeypatch.setattr(RepeatedRequests, "remember", lambda *_: None)
    by_exchange = Script(make(), seed).run(200)
    assert short[0] == by_exchange[0]
    assert short[1:3] == by_exchange[1:3]
    assert short[3] < by_exchange[3], "the short cut was never taken"


def forward(reactor, middleware, observers):
    policy = ForwardPolicy(allow_destinations=["10.0.0.0/8"])
    return ForwardProxyFactory(policy, observers=observers, middleware=middleware, reactor=reactor)


def test_a_forward_proxy_says_that_it_passed_it_on(make, monkeypatch):
    request = get("http://10.0.0.1/x")
    got = []
    for _ in range(2):
        proxy = make(build=forward)
        client = proxy.warm(request)
        for after in (0, 0, 1):
            proxy.pass_time(after)
            client.send(request)
            got.append(client.take())
        assert bool(proxy.exchanges) == (len(got) > 3)
        monkeypatch.setattr(RepeatedRequests, "remember", lambda *_: None)
    assert got[:3] == got[3:]
    assert got[0].count(b"\r\nVia: 1.1 txproxy\r\n") == 1 and b"\r\nAge: 1\r\n" in got[2]
