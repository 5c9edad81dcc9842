"""For which requests a plan stands, and what has them decided on anew."""

import pytest

from tests.proxy.exchanges.test_standing_exchange import GET, OK, StandingExchange, status_of
from txproxy import Pool, ReverseProxyFactory
from txproxy.interfaces.record import momentary
from txproxy.reverse.actions.to_pool import ToPool
from txproxy.reverse.actions.treatments import Treated, Treatment
from txproxy.reverse.mode import ReverseMode
from txproxy.reverse.routing.matches import Match
from txproxy.reverse.routing.route import Route
from txproxy.testing import ProxyInMemory
from txproxy.upstreams.balancing.strategies import RoundRobin

OTHER_PATH = GET.replace(b"/x", b"/y")


class Certificates:
    """Those of a listener, which may change."""

    def __init__(self):
        self.certificates = object()
        self.hosts = {"a"}

    def serves(self, host):
        return host in self.hosts

    def use(self, *hosts):
        self.certificates = object()
        self.hosts = set(hosts)


class World:
    """A proxy, one client, and by which kind of exchange its requests were sent."""

    def __init__(self, target, scheme="http", **options):
        self.kinds = []
        self.rules = []

        @momentary
        def note(exchange):
            self.kinds.append(type(exchange) is StandingExchange)
            self.rules.append(exchange.context.rule)

        self.proxy = ProxyInMemory(
            lambda reactor: ReverseProxyFactory(target, observers=(note,), reactor=reactor, **options)
        )
        self.proxy.factory.scheme = scheme
        self.client = self.proxy.connect()

    def ask(self, *requests):
        """Gives what upstreams got, or what the client got in place of that."""
        return [self._ask(request) for request in requests]

    def _ask(self, request):
        self.client.send(request)
        asked = [one for one in self.proxy.network.connections if one.received]
        if not asked:
            return self.client.take()
        got = asked[0].take()
        asked[0].send(OK)
        assert self.client.take().startswith(OK[:12])
        return got


@pytest.fixture
def make_world():
    made = []

    def make_world(target=None, **options):
        made.append(World(Pool(["http://10.0.0.1"]) if target is None else target, **options))
        return made[-1]

    yield make_world
    for world in made:
        world.proxy.close()


def routed(*paths, action=None, **more):
    pool = Pool(["http://10.0.0.1"])
    routes = [Route(path, Match(path=path, **more), action or ToPool(pool)) for path in paths]
    return ReverseMode(ToPool(pool), routes)


def test_it_stands_from_the_third_on_for_any_path(make_world):
    world = make_world(via=None)
    told = world.ask(GET, GET, GET, OTHER_PATH, GET)
    assert world.kinds == [False, False, True, True, True]
    assert told[2] == told[0] and told[3] == told[0].replace(b"/x", b"/y")


def test_where_there_are_routes_it_stands_for_one_path(make_world):
    world = make_world(routed("/x"))
    world.ask(GET, GET, GET, OTHER_PATH, OTHER_PATH, OTHER_PATH, GET)
    assert world.kinds == [False, False, True, False, False, True, False]
    assert world.rules == ["/x"] * 3 + [""] * 3 + ["/x"]


def test_of_routes_that_share_what_they_do_each_is_named(make_world):
    world = make_world(routed("/x", "/y", action=ToPool(Pool(["http://10.0.0.1"]))))
    world.ask(GET, OTHER_PATH, GET, GET, GET, OTHER_PATH)
    assert world.rules == ["/x", "/y", "/x", "/x", "/x", "/y"] and world.kinds[4]


@pytest.mark.parametrize(
    "other",
    [
        GET.replace(b"GET", b"OPTIONS"),
        GET.replace(b"/x", b"http://b/x"),
        GET.replace(b"A: b", b"A: c"),
        GET.replace(b"A: b", b"Authorization: Basic YTpi"),
        GET.replace(b"A: b", b"Via: 1.1 other"),
    ],
)
def test_another_request_is_decided_on_anew(make_world, other):
    world = make_world(via=None)
    told = world.ask(GET, GET, GET, other)[-1]
    assert world.kinds == [False, False, True, False]
    assert make_world(via=None).ask(other) == [told]


def test_for_who_logs_in_none_stands(make_world):
    world = make_world()
    world.ask(*[GET.replace(b"A: b", b"Authorization: Basic YTpi")] * 4)
    assert world.kinds == [False] * 4


class Around:
    """Has a say in each request."""

    def handle(self, request, context, proceed):
        return proceed(request, context)


class OwnWay(RoundRobin):
    """Goes by who asks."""

    def choose(self, head, context, skip=None):
        assert context.client_ip
        return super().choose(head, context, skip)


class OwnPool(Pool):
    """Is told who asks."""

    def take(self, head, context, tried=()):
        assert context.client_ip
        return super().take(head, context, tried)


def given_a_way():
    """A strategy that was given another way to choose."""
    strategy = RoundRobin()
    choose = strategy.choose
    strategy.choose = lambda head, context, skip=None: context.client_ip and choose(head, context, skip)
    return strategy


class OwnMode(ReverseMode):
    """Does more than its base."""

    def plan(self, head, context):
        context.rule = "own"
        return super().plan(head, context)


@pytest.mark.parametrize(
    ("target", "options"),
    [
        (None, {"middleware": [Around()]}),
        (None, {"trusted_proxies": ["127.0.0.1"]}),
        (None, {"sticky": "cookie"}),
        (None, {"host": "upstream"}),
        (lambda: Pool(["http://10.0.0.1"], "ip-hash"), {}),
        (lambda: Pool(["http://10.0.0.1"], "least-time"), {}),
        (lambda: Pool(["http://10.0.0.1"], OwnWay()), {}),
        (lambda: Pool(["http://10.0.0.1"], given_a_way()), {}),
        (lambda: OwnPool(["http://10.0.0.1"]), {}),
        (lambda: OwnMode(ToPool(Pool(["http://10.0.0.1"]))), {}),
        (lambda: ReverseMode(Treated(ToPool(Pool(["http://10.0.0.1"])), Treatment(max_body=5))), {}),
        (lambda: routed("/x", file_in="/"), {}),
    ],
)
def test_where_others_have_a_say_none_stands(make_world, target, options):
    world = make_world(target and target(), **options)
    world.ask(GET, GET, GET, GET)
    assert world.kinds == [False] * 4


def test_a_handler_that_was_put_in_place_is_asked(make_world):
    world = make_world()
    world.ask(GET, GET, GET)
    handle, asked = world.proxy.factory.handle, []
    world.proxy.factory.handle = lambda head, context: asked.append(head) or handle(head, context)
    world.ask(GET)
    assert world.kinds == [False, False, True, False] and len(asked) == 1


def test_what_other_certificates_do_not_serve_is_misdirected(make_world):
    tls = Certificates()
    world = make_world(ReverseMode(ToPool(Pool(["http://10.0.0.1"])), tls=tls), scheme="https")
    world.ask(GET, GET, GET)
    tls.use("a", "b")
    world.ask(GET, GET)
    assert world.kinds == [False, False, True, False, True]
    tls.use("b")
    assert status_of(world.ask(GET)[0]) == 421


def test_who_is_tried_again_is_asked_as_each_alone(make_world):
    pool = Pool(["http://10.0.0.1", "http://10.0.0.2"])
    world = make_world(pool)
    world.ask(GET, GET, GET)
    for _ in range(5):
        pool.upstreams[0].struck("it fails")
    world.ask(GET, GET)
    assert pool.curious and world.kinds == [False, False, True, False, False]
    world.proxy.advance(31)
    world.ask(GET, GET, GET)
    assert not pool.curious and world.kinds[-1]
    assert [one.active for one in pool.upstreams] == [0, 0]


def test_where_nobody_has_room_it_waits(make_world):
    pool = Pool(["http://10.0.0.1;max=1"])
    world = make_world(pool)
    world.ask(GET, GET, GET)
    world.client.send(GET)
    other = world.proxy.connect()
    other.send(GET)
    (asked,) = [one for one in world.proxy.network.connections if one.received]
    assert asked.take().count(b"GET ") == 1 and pool.waiting == 1
    asked.send(OK)
    asked.send(OK)
    assert world.client.take().startswith(OK[:12]) and other.take().startswith(OK[:12])
    assert pool.upstreams[0].active == 0
