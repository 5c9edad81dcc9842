"""A request that asks for what the one before has asked for is sent on as that was, as far as nothing else is told."""

import pytest

from tests.wire.alike_heads import check_each_is_as_if_alone
from txproxy import Limits, Pool, ReverseProxyFactory
from txproxy.interfaces.record import momentary
from txproxy.testing import ProxyInMemory

OK = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 0\r\n\r\n"
GET = b"GET /x HTTP/1.1\r\nHost: a\r\nA: b\r\n\r\n"
PLAIN = ["http://10.0.0.1"]
TWO = ["http://10.0.0.1", "http://10.0.0.2"]


class World:
    """A proxy, and the attempts of its requests."""

    def __init__(self, upstreams=PLAIN, strategy="round-robin", **options):
        self.attempts = []

        @momentary
        def note(exchange):
            self.attempts.append(exchange.attempt)

        self.pool = Pool(upstreams, strategy=strategy)
        self.proxy = ProxyInMemory(
            lambda reactor: ReverseProxyFactory(self.pool, observers=(note,), reactor=reactor, **options)
        )
        self.client = self.proxy.connect()

    def ask(self, *requests, response=OK):
        """Gives what upstreams got."""
        return [self._ask(request, response) for request in requests]

    def _ask(self, request, response):
        self.client.send(request)
        asked = [one for one in self.proxy.network.connections if one.received]
        assert len(asked) == 1
        got = asked[0].take()
        asked[0].send(response)
        assert self.client.take().startswith(response[:12])
        return got


@pytest.fixture
def make_world():
    made = []

    def make_world(*upstreams, **options):
        made.append(World(*upstreams, **options))
        return made[-1]

    yield make_world
    for world in made:
        world.proxy.close()


def test_the_same_request_has_the_same_head(make_world):
    world = make_world()
    first, second, third = world.ask(GET, GET, GET)
    assert first == second == third
    heads = [attempt.head for attempt in world.attempts]
    # Of the second on a plan stands, which has one for all that follow.
    assert heads[0] is heads[1] and heads[0].headers is heads[2].headers
    assert len(set(map(id, world.attempts))) == 3
    assert world.pool.upstreams[0].served == 3
    assert world.pool.upstreams[0].active == 0


@pytest.mark.parametrize(
    "other",
    [
        GET.replace(b"/x", b"/y"),
        GET.replace(b"GET", b"HEAD"),
        GET.replace(b"/x", b"http://b/x"),
        GET.replace(b"A: b", b"A: c"),
        GET.replace(b"1.1", b"1.0"),
        GET.replace(b"A: b", b"Content-Length: 1") + b"z",
    ],
)
def test_one_that_differs_has_its_own(make_world, other):
    world = make_world(via=None)
    world.ask(GET, GET)
    (told,) = world.ask(other)
    assert world.attempts[2].head is not world.attempts[1].head
    alone = make_world(via=None)
    assert alone.ask(other) == [told]


def test_upstreams_take_turns_and_are_told_the_same(make_world):
    world = make_world(TWO)
    assert len(set(world.ask(*[GET] * 6))) == 1
    assert [attempt.upstream.name for attempt in world.attempts] == TWO * 3
    assert [one.address for one in world.pool.upstreams] == [attempt.address for attempt in world.attempts[4:]]


def test_it_is_tried_again_elsewhere(make_world):
    world = make_world(TWO)
    world.ask(GET, GET, GET, GET)
    world.client.send(GET)
    (asked,) = [one for one in world.proxy.network.connections if one.received]
    told = asked.take()
    asked.drop()
    (again,) = [one for one in world.proxy.network.connections if one.received]
    assert again.take() == told
    again.send(OK)
    assert world.client.take().startswith(OK[:12])
    assert [one.active for one in world.pool.upstreams] == [0, 0]
    assert world.ask(GET) == [told]


def test_who_is_looked_at_is_told_how_it_answers(make_world):
    """Where it matters how long a response takes, each attempt has its own beginning."""
    world = make_world(TWO, strategy="least-time")
    world.ask(GET, GET, GET)
    assert len({id(attempt) for attempt in world.attempts}) == 3
    assert all(attempt.answered is not None for attempt in world.attempts)


@pytest.mark.parametrize("options", [{"host": "upstream"}, {"host": "$host"}, {"sticky": "cookie"}])
def test_where_more_is_told_nothing_is_remembered(make_world, options):
    world = make_world(**options)
    world.ask(GET, GET)
    assert world.attempts[0].head is not world.attempts[1].head


def test_where_nobody_has_room_it_waits(make_world):
    world = make_world(["http://10.0.0.1;max=1"], limits=Limits(max_connections=5))
    world.ask(GET, GET)
    world.client.send(GET)
    other = world.proxy.connect()
    other.send(GET)
    (asked,) = [one for one in world.proxy.network.connections if one.received]
    asked.take()
    asked.send(OK)
    asked.take()
    asked.send(OK)
    assert world.client.take().startswith(OK[:12])
    assert other.take().startswith(OK[:12])
    assert world.pool.upstreams[0].active == 0


def test_requests_without_a_host_are_told_of_as_each_alone():
    request = b"GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    check_each_is_as_if_alone(
        lambda: ProxyInMemory(lambda reactor: ReverseProxyFactory(Pool(TWO), reactor=reactor)), [(request, OK)] * 3
    )


class Numbered:
    """Has each request and its response numbered."""

    def __init__(self, how):
        self.how = how
        self.count = 0

    def handle(self, request, context, proceed):
        plan = proceed(request, context)
        self.count += 1
        self.how(plan.attempt, b"X-Number: %d" % self.count)
        return plan


def another_head(attempt, line):
    attempt.head = attempt.head.with_lines([*attempt.head.headers.lines, line])


def other_fields(attempt, line):
    attempt.head.headers = attempt.head.headers.and_lines([line])


def lines(attempt, line):
    attempt.lines = (*attempt.lines, line)


@pytest.mark.parametrize("how", [another_head, other_fields, lines])
def test_what_is_changed_of_an_attempt_is_changed_of_that_alone(make_world, how):
    world = make_world(middleware=[Numbered(how)])
    for number in (1, 2, 3):
        world.client.send(GET)
        (asked,) = [one for one in world.proxy.network.connections if one.received]
        told = asked.take()
        asked.send(OK)
        told += world.client.take()
        assert told.count(b"X-Number: ") == told.count(b"X-Number: %d\r\n" % number) == 1
