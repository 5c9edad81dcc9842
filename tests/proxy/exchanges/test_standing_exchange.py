"""The exchange of a request that is like one before: what both sides get, and what is known of it, is the same."""

import pytest

from tests.proxy.both_ways import noting
from tests.proxy.downstream.http2.http2_peer import Http2Peer as Client
from tests.proxy.upstream.http2_peer import Http2Peer as Upstream
from txproxy import Pool, ReverseProxyFactory
from txproxy.components.rates import parse_rate
from txproxy.errors import RequestError
from txproxy.limits.requests.limiter import Limiter
from txproxy.limits.requests.limits_middleware import LimitsMiddleware
from txproxy.limits.requests.request_limit import RequestLimit
from txproxy.proxy.exchanges.exchange import Exchange
from txproxy.proxy.exchanges.standing_exchange import StandingExchange
from txproxy.testing import ProxyInMemory
from txproxy.upstreams import Ejection, PoolSettings
from txproxy.wire.http1.server import ServerCodec
from txproxy.wire.message import RequestHead, SharedRequest

pytestmark = pytest.mark.usefixtures("no_time_of_day")

GET = b"GET /x HTTP/1.1\r\nHost: a\r\nA: b\r\n\r\n"
HEAD = GET.replace(b"GET", b"HEAD")
POST = GET.replace(b"GET", b"POST")
OK = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nDate: D\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: v\r\n\r\n"
ELSEWHERE = b"HTTP/1.1 302 Found\r\nDate: D\r\nLocation: http://10.0.0.1/y\r\nContent-Length: 0\r\n\r\n"
TWO = ["http://10.0.0.1", "http://10.0.0.2"]


class World:
    """A proxy and one client, with the short cut or by its slow twin, and what is to be the same by both."""

    # the one whose client asks just now
    asking = None

    def __init__(self, short, upstreams=TWO[:1], observed=True, limited=False):
        self.kinds = []
        self.records = []
        self.pool = Pool(upstreams, settings=PoolSettings(ejection=Ejection()))
        config = RequestLimit(name="a", rate=parse_rate("1000/s"), by=("client",))
        self.limiters = [Limiter(config, 5)] if limited else []
        self.proxy = ProxyInMemory(
            lambda reactor: ReverseProxyFactory(
                self.pool,
                via=None,
                h2c=True,
                observers=(noting(self.kinds, self.records),) if observed else (),
                middleware=(LimitsMiddleware(self.limiters, reactor),) if limited else (),
                reactor=reactor,
            )
        )
        if not short:
            self.proxy.factory.standing_for = None
        self.short = short
        # how many requests were known by their bytes
        self.known = 0
        self.client = self.proxy.connect()
        self.seen = []

    def asked(self, request=GET):
        """The upstream that is asked."""
        World.asking = self
        self.client.send(request)
        (asked,) = [one for one in self.proxy.network.connections if one.received]
        self.seen.append(asked.take())
        return asked

    def ask(self, *pieces, request=GET):
        asked = self.asked(request)
        for piece in pieces:
            asked.send(piece)
        self.seen.append(self.client.take())

    def exchanges(self):
        return [one for client in self.proxy.factory.admission.everyone() for one in client.exchanges()]

    def all(self):
        upstreams = [(one.active, one.served, one.failures) for one in self.pool.upstreams]
        ends = [(one.closed, one.disconnecting, one.reset) for one in (self.client, *self.proxy.network.connections)]
        return self.seen, self.records, upstreams, ends


@pytest.fixture(autouse=True)
def nothing_is_known_by_the_slow_twin(monkeypatch):
    again = ServerCodec.again

    def again_if_short(codec, data):
        world = World.asking
        found = again(codec, data) if world.short else None
        world.known += found is not None
        return found

    monkeypatch.setattr(ServerCodec, "again", again_if_short)


@pytest.fixture
def make_world():
    made = []

    def make_world(*short, **options):
        made.append(World(*short, **options))
        made[-1].ask(OK)
        made[-1].ask(OK)
        return made[-1]

    yield make_world
    for world in made:
        world.client.drop()
        world.proxy.close()


def cut_off(world):
    world.asked().send(OK[:-2])
    world.proxy.upstream.drop()


def asked_anew(world):
    asked = world.asked()
    asked.drop()
    (again,) = [one for one in world.proxy.network.connections if one.received]
    world.seen.append(again.take())
    again.send(OK)
    world.seen.append(world.client.take())


def spoken_to_before(world):
    world.proxy.upstream.send(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
    world.ask(OK)


def client_leaves(world):
    world.asked()
    world.client.drop()


def late(world):
    asked = world.asked()
    for one in world.proxy.network.connections:
        # Those that are kept are let go at the same time, before or after one is asked in its place.
        if one is not asked:
            one.drop()
    world.proxy.advance(200)
    world.seen.append(world.client.take())


def client_is_slow(world):
    asked = world.asked()
    asked.send(OK.replace(b"5", b"900000").replace(b"hello", b"x" * 400_000))
    world.client.stop_reading()
    asked.send(b"x" * 200_000)
    world.seen.append(asked.paused)
    world.client.read_on()
    world.seen.append(asked.paused)
    asked.send(b"x" * 300_000)
    world.seen.append(world.client.take())


def answered_with(*pieces, request=GET):
    return lambda world: world.ask(*pieces, request=request)


def twice(response):
    def step(world):
        world.ask(response)
        world.ask(response)

    return step


def request_fails(world):
    world.asked()
    (exchange,) = world.exchanges()
    exchange.request_failed(RequestError("it is not"))
    world.seen.append(world.client.take())


STEPS = {
    "whole": answered_with(OK),
    "in pieces": answered_with(OK[:30], OK[30:-3], OK[-3:]),
    "chunked, with trailers": answered_with(CHUNKED),
    "until the end": answered_with(OK.replace(b"200 OK", b"500 No")),
    "no content": answered_with(b"HTTP/1.1 204 No Content\r\nDate: D\r\n\r\n"),
    "somewhere else": twice(ELSEWHERE),
    "unwell": twice(OK.replace(b"200 OK", b"503 No")),
    "the request fails": request_fails,
    "informational first": answered_with(b"HTTP/1.1 103 Early Hints\r\nLink: l\r\n\r\n" + OK),
    "malformed": answered_with(b"HTTP/1.1 2x0 OK\r\n\r\n"),
    "of another path": answered_with(OK, request=GET.replace(b"/x", b"/y")),
    "of another method": answered_with(OK[:-5], request=HEAD),
    "not repeatable": answered_with(OK, request=POST),
    "the last": answered_with(OK, request=GET.replace(b"A: b", b"Connection: close")),
    "in HTTP/1.0": answered_with(OK, request=GET.replace(b"1.1", b"1.0")),
    "cut off": cut_off,
    "asked anew": asked_anew,
    "spoken to before": spoken_to_before,
    "client leaves": client_leaves,
    "late": late,
    "client is slow": client_is_slow,
}


# In these another request comes, or none.
OTHERS = {"of another path", "of another method", "not repeatable", "the last", "in HTTP/1.0"}


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("upstreams", [TWO[:1], TWO], ids=["one", "two"])
def test_all_is_as_by_the_slow_twin(make_world, name, upstreams):
    step = STEPS[name]
    worlds = [make_world(short, upstreams=upstreams) for short in (True, False)]
    for world in worlds:
        world.ask(OK)
        step(world)
        if not world.client.closed and not world.client.disconnecting:
            world.client.send(b"")
    short, slow = worlds
    assert short.kinds[2] is StandingExchange and StandingExchange not in slow.kinds
    assert short.all() == slow.all()
    assert bool(short.known) is (name not in OTHERS) and not slow.known


@pytest.mark.parametrize("limited", [False, True])
def test_where_nobody_watches_it_is_the_same(make_world, limited):
    short, slow = (make_world(short, observed=False, limited=limited) for short in (True, False))
    for world in (short, slow):
        world.ask(OK)
        world.ask(ELSEWHERE)
        asked = world.asked()
        (exchange,) = world.exchanges()
        assert (type(exchange) is StandingExchange) == (world is short)
        asked.send(OK)
        asked_anew(world)
    assert short.all() == slow.all()
    assert [one.counts for one in short.limiters] == [one.counts for one in slow.limiters]
    assert short.proxy.factory.standing_for is not None


def test_the_observer_that_fails_harms_nobody(make_world):
    world = make_world(True)
    world.proxy.factory.services.tell = lambda exchange: 1 / 0
    world.ask(OK)
    world.ask(OK)
    assert world.seen[-1].endswith(b"hello")


def test_who_asks_for_it_while_it_runs_has_the_context_and_the_plan(make_world):
    world = make_world(True)
    asked = world.asked()
    (exchange,) = world.exchanges()
    assert type(exchange) is StandingExchange and exchange.standing is not None
    context = exchange.context
    assert context.client_ip == "127.0.0.1" and exchange.context is context and exchange.standing is None
    context.add_lines(b"X-Later: on")
    assert exchange.plan.attempt.upstream is world.pool.upstreams[0]
    asked.send(OK)
    assert b"X-Later: on" in world.client.take() and world.records[-1] is not None
    assert world.pool.upstreams[0].active == 0


@pytest.mark.parametrize("response", [b"hello", b""])
def test_of_http2_all_is_the_same(response):
    seen = []
    for short in (True, False):
        world = World(short, upstreams=["h2c://10.0.0.1"])
        client = Client(world.client)
        answers = []
        peer = None
        for number in range(6):
            stream = client.ask()
            peer = peer or Upstream(world.proxy.upstream)
            peer.look()
            peer.answer(2 * number + 1, 200 if number < 4 else 503, ("date", "D"), body=response)
            client.turn()
            answers.append((client.responses[stream].heads, client.responses[stream].body))
        assert any(issubclass(kind, StandingExchange) for kind in world.kinds) is short
        client.ask()
        client.ask()
        world.client.drop()
        seen.append((answers, peer.look() and peer.heads, world.all()))
        world.proxy.close()
    assert seen[0] == seen[1]


def status_of(received):
    return int(received.split(b" ", 2)[1])


def test_the_head_that_many_requests_share_is_changed_by_none():
    world = World(True, upstreams=["h2c://10.0.0.1"])
    client = Client(world.client)
    client.ask()
    peer = Upstream(world.proxy.upstream)
    for number in (1, 3, 5):
        peer.answer(number)
        client.turn()
        client.ask()
    client.ask()
    one, other = world.exchanges()
    shared = one.request
    assert isinstance(one, StandingExchange) and type(shared) is SharedRequest and other.request is shared
    assert one.context and one.request is not shared and type(one.request) is RequestHead
    one.request.path = b"/changed"
    assert shared.path == other.request.path == b"/" and other.context and other.request.path == b"/"
    names = [name for name in RequestHead.__slots__ if name != "path"]
    assert [getattr(one.request, name) for name in names] == [getattr(shared, name) for name in names]
    world.client.drop()
    world.proxy.close()


def test_a_client_that_has_logged_in_goes_by_the_connection_that_knows_it(make_world):
    world = make_world(True)
    world.ask(OK)
    assert world.kinds[-1] is StandingExchange
    world.ask(OK, request=GET.replace(b"A: b", b"Authorization: NTLM TlRM"))
    other = world.proxy.connect()
    other.send(GET)
    known_by, shared = world.proxy.network.connections
    shared.take()
    shared.send(OK)
    for _ in range(3):
        assert world.asked() is known_by
        known_by.send(OK)
        assert world.client.take() == OK
    assert world.kinds[-3:] == [Exchange] * 3
    other.drop()
