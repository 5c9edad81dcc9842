"""Adaptive limits of pools before a proxy in memory, whose upstream has so many workers."""

import random
from collections import deque

import pytest

from txproxy import Pool, PoolSettings, ReverseProxyFactory
from txproxy.interfaces.context import HIGH, LOW, NORMAL
from txproxy.limits.requests.adaptive_concurrency import AdaptiveConcurrency, AdaptiveLimiter, Prioritized
from txproxy.limits.requests.adaptive_limit import AdaptiveBounds
from txproxy.testing import ProxyInMemory

OK = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 2\r\n\r\nok"
PRIORITIES = {b"high": HIGH, b"normal": NORMAL, b"low": LOW}


class ByField:
    """Gives requests the priority that they ask for."""

    def handle(self, request, context, proceed):
        priority = PRIORITIES[request.headers.get(b"priority") or b"normal"]
        return Prioritized(priority).handle(request, context, proceed)


class World:
    def __init__(self, bounds=None, host=None):
        self.limiter = AdaptiveLimiter("app", bounds or AdaptiveBounds())
        self.finished = []
        self.proxy = ProxyInMemory(
            lambda reactor: ReverseProxyFactory(
                Pool(["http://10.0.0.1:80"], name="app", settings=PoolSettings(ejection=None)),
                host=host,
                middleware=[ByField(), AdaptiveConcurrency([self.limiter], reactor)],
                observers=(self.finished.append,),
                reactor=reactor,
                via=None,
            )
        )

    def ask(self, priority=b"normal", more=b"\r\n", host="10.0.0.9"):
        client = self.proxy.connect(host)
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\nPriority: %b\r\n%b" % (priority, more))
        return client

    @property
    def open(self):
        return [one for one in self.proxy.network.connections if one.received and not one.closed]

    def answer(self):
        for one in self.open[:1]:
            one.take()
            one.send(OK)

    @property
    def running(self):
        return self.limiter.counts.running


@pytest.fixture
def world():
    made = []

    def world(*words):
        made.append(World(*words))
        return made[-1]

    yield world
    for one in made:
        one.proxy.close()
        assert (one.running, one.limiter.counts.waiting) == (0, 0), "a place was not given back"


def status(client):
    return int(client.received[9:12]) if client.received else None


def test_one_too_many_is_refused_and_told_to_come_again(world):
    run = world(AdaptiveBounds(max=2))
    clients = [run.ask() for _ in range(3)]
    assert [status(client) for client in clients] == [None, None, 503]
    assert b"\r\nRetry-After: 1\r\n" in clients[2].received
    assert b"error=connection_limit_reached" in clients[2].received
    assert clients[2].received.endswith(b"The server has too much to do just now.\n")
    context = run.finished[0].context
    assert (context.limit.name, context.limit.outcome, context.verdict.rule) == (
        "pool app",
        "refused",
        "limit pool app",
    )


@pytest.mark.parametrize("host", ["upstream", "app.example"])
def test_a_pool_has_the_same_limit_by_whatever_host_its_upstreams_are_asked(world, host):
    run = world(AdaptiveBounds(max=1), host)
    clients = [run.ask() for _ in range(2)]
    assert ([status(client) for client in clients], run.running) == ([None, 503], 1)
    run.answer()
    assert (status(clients[0]), run.running) == (200, 0)


def test_those_of_high_priority_wait_and_are_next_and_low_ones_go_first(world):
    run = world(AdaptiveBounds(max=4))
    taken = [run.ask(b"low") for _ in range(4)]
    assert [status(client) for client in taken] == [None, None, None, 503]
    run.ask()
    high, normal = run.ask(b"high"), run.ask()
    assert (status(high), status(normal)) == (None, 503)
    run.answer()
    assert len(run.open) == 4 and run.limiter.counts.delayed == 1
    assert status(run.ask()) == 503, "the place was given to who has waited"
    for _ in range(4):
        run.answer()
    assert status(high) == 200


def test_one_of_high_priority_waits_for_a_moment_alone(world):
    run = world(AdaptiveBounds(max=1))
    run.ask()
    high = run.ask(b"high")
    run.proxy.advance(1.1)
    assert status(high) == 503


def test_one_that_leaves_while_it_waits_takes_no_place(world):
    run = world(AdaptiveBounds(max=1))
    run.ask()
    run.ask(b"high").drop()
    run.answer()
    assert run.running == 0


def test_what_is_being_answered_or_is_a_tunnel_has_no_place_any_more(world):
    run = world(AdaptiveBounds(max=1))
    long = run.ask()
    run.open[0].send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nbegins")
    assert long.received.endswith(b"begins") and run.running == 0
    socket = run.ask(more=b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\n")
    run.proxy.upstream.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
    assert status(socket) == 101 and run.running == 0
    assert status(run.ask()) is None and run.running == 1


def test_a_body_that_comes_slowly_keeps_nobody_out(world):
    run = world(AdaptiveBounds(max=1))
    slow = run.ask(more=b"Content-Length: 5\r\n\r\nab")
    assert run.running == 0
    other = run.ask()
    assert status(other) is None and run.running == 1
    run.open[1].send(OK)
    slow.send(b"cde")
    assert run.running == 1, "it is at work when all of it is there"
    run.open[0].send(OK)
    assert (status(slow), status(other)) == (200, 200)


@pytest.mark.parametrize("end", ["client", "upstream", "time"])
def test_whatever_its_end_a_request_gives_its_place_back(world, end):
    run = world(AdaptiveBounds(max=1))
    client = run.ask()
    if end == "client":
        client.drop()
    elif end == "upstream":
        run.open[0].drop()
    else:
        run.proxy.advance(61)
    assert run.running == 0
    assert (run.limiter.limit.value < 1.01) is True


# Ten steps of the clock, whose sum may be a bit less.
STEP = 0.001
TIME = 9.5 * STEP


class Workers:
    """An upstream of ten workers, each of which takes 10 ms: it does 1,000 requests a second."""

    def __init__(self, run):
        self.run = run
        self.free = 10
        self.queue = deque()
        self.seen = set()

    def look(self):
        for one in self.run.proxy.network.connections:
            if one.received and not one.closed and id(one) not in self.seen:
                self.seen.add(id(one))
                self.queue.append(one)
        while self.free and self.queue:
            self.free -= 1
            self.run.proxy.clock.callLater(TIME, self.done, self.queue.popleft())

    def done(self, one):
        self.free += 1
        self.seen.discard(id(one))
        one.take()
        one.send(OK)
        self.look()


@pytest.mark.no_cover
def test_an_upstream_that_is_offered_three_times_what_it_can_do_does_what_it_can():
    """1,000 a second, offered 3,000, of which 300 are of high priority: who is answered in a tenth of a second."""
    run = World()
    workers, chance = Workers(run), random.Random(1)
    clock = run.proxy.clock
    answered = {b"high": [0, 0], b"normal": [0, 0]}
    idle = deque()
    waiting = []
    for tick in range(3000):
        for _ in range(3):
            priority = b"high" if chance.random() < 0.1 else b"normal"
            client = idle.popleft() if idle else run.proxy.connect("10.0.0.9")
            client.take()
            client.send(b"GET / HTTP/1.1\r\nHost: a\r\nPriority: %b\r\n\r\n" % priority)
            waiting.append((clock.seconds(), tick, priority, client))
        workers.look()
        clock.advance(STEP)
        still = []
        for came, begun, priority, client in waiting:
            if not client.received:
                still.append((came, begun, priority, client))
                continue
            idle.append(client)
            if begun >= 1000:
                answered[priority][0] += 1
                answered[priority][1] += status(client) == 200 and clock.seconds() - came <= 0.1
        waiting = still
    good = answered[b"high"][1] + answered[b"normal"][1]
    offered, served = answered[b"high"]
    assert good / 2.0 >= 900, answered
    assert served >= 0.99 * offered > 500, answered
    for _ in range(200):
        workers.look()
        clock.advance(0.01)
    run.proxy.close()
