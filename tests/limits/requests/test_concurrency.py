"""How many requests are at work at once, through a proxy in memory: each place is given back once."""

import pytest
from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock

from txproxy import Pool, ReverseProxyFactory
from txproxy.errors import ConnectionRefused
from txproxy.interfaces import Answer
from txproxy.limits.requests.concurrency import ConcurrencyLimiter, Places, _Held
from txproxy.limits.requests.limits_middleware import LimitsMiddleware
from txproxy.limits.requests.request_limit import RequestLimit
from txproxy.limits.requests.slots import Slots
from txproxy.testing import ProxyInMemory, context_of

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 2\r\n\r\nok"
UPGRADE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"
SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"


class World:
    def __init__(self, limits, middleware=(), upstreams=("http://10.0.0.1:80",)):
        self.limits = [
            ConcurrencyLimiter(RequestLimit(**{"name": "few", "by": (), **one}))
            for one in ([limits] if isinstance(limits, dict) else limits)
        ]
        self.finished = []
        self.proxy = ProxyInMemory(
            lambda reactor: ReverseProxyFactory(
                Pool(list(upstreams)),
                middleware=[LimitsMiddleware(self.limits, reactor), *middleware],
                observers=(self.finished.append,),
                reactor=reactor,
                via=None,
            )
        )
        self.clients = []

    def ask(self, request=GET, host="10.0.0.1"):
        client = self.proxy.connect(host)
        client.send(request)
        self.clients.append(client)
        return client

    @property
    def open(self):
        """Connections to the upstream on which something waits for an answer."""
        return [one for one in self.proxy.network.connections if one.received and not one.closed]

    def answer(self, response=OK):
        for one in self.open:
            one.take()
            one.send(response)

    @property
    def statuses(self):
        return [int(client.received[9:12]) if client.received else None for client in self.clients]

    @property
    def at_work(self):
        return [limit.counts.running for limit in self.limits]


@pytest.fixture
def world():
    made = []

    def world(limits, **words):
        made.append(World(limits, **words))
        return made[-1]

    yield world
    for one in made:
        one.proxy.close()
        assert one.at_work == [0] * len(one.limits), "a place was not given back"
        assert [limit.counts.waiting for limit in one.limits] == [0] * len(one.limits)


def test_one_too_many_is_refused_and_told_to_come_again(world):
    run = world({"concurrent": 2})
    for _ in range(3):
        run.ask()
    assert run.statuses == [None, None, 503]
    assert b"\r\nRetry-After: 1\r\n" in run.clients[2].received
    assert run.clients[2].received.endswith(b"There are too many requests.\n")
    record = run.finished[0]
    assert (record.detail, record.context.limit.name) == ("limit few: more than 2 at once of all together", "few")
    run.answer()
    run.ask()
    assert run.statuses == [200, 200, 503, None]
    counts = run.limits[0].counts
    assert (counts.allowed, counts.delayed, counts.refused, counts.running) == (3, 0, 1, 1)


def test_each_key_has_places_of_its_own(world):
    run = world({"concurrent": 1, "by": ("client",), "status": 429})
    for host in ("10.0.0.1", "10.0.0.2", "10.0.0.1"):
        run.ask(host=host)
    assert run.statuses == [None, None, 429]


def test_some_wait_for_a_place(world):
    run = world({"concurrent": 1, "queue": 4})
    for _ in range(3):
        run.ask()
    assert run.statuses == [None] * 3 and len(run.open) == 1
    run.answer()
    assert run.statuses == [200, None, None] and len(run.open) == 1
    run.answer()
    run.answer()
    assert run.statuses == [200] * 3
    assert [record.context.limit and record.context.limit.outcome for record in run.finished] == [
        None,
        "delayed",
        "delayed",
    ]


def test_who_waits_too_long_is_refused(world):
    run = world({"concurrent": 1, "queue": 2, "queue_timeout": 3.0})
    run.ask(), run.ask()
    run.proxy.advance(2.9)
    assert run.statuses == [None, None]
    run.proxy.advance(0.2)
    assert run.statuses == [None, 503]
    assert run.finished[0].context.limit.outcome == "refused"


def test_in_an_overload_the_newest_is_served_and_the_oldest_goes(world):
    run = world({"concurrent": 1, "queue": 2})
    for _ in range(4):
        run.ask()
    assert run.statuses == [None, 503, None, None]
    run.answer()
    run.answer()
    assert run.statuses == [200, 503, None, 200]


def test_a_client_that_leaves_gives_its_place_to_the_next(world):
    run = world({"concurrent": 1, "queue": 2})
    run.ask(), run.ask()
    run.clients[0].drop()
    run.answer()
    assert run.statuses == [None, 200]


def test_a_client_that_leaves_while_it_waits_takes_none(world):
    run = world({"concurrent": 1, "queue": 4})
    run.ask(), run.ask(), run.ask()
    run.clients[1].drop()
    run.answer()
    run.answer()
    assert run.statuses == [200, None, 200]


def test_a_tunnel_has_its_place_until_its_end(world):
    run = world({"concurrent": 1})
    run.ask(UPGRADE)
    run.proxy.upstream.send(SWITCHING)
    run.clients[0].send(b"hello")
    run.ask()
    assert run.statuses == [101, 503] and run.at_work == [1]
    run.clients[0].drop()
    run.proxy.clock.advance(0)
    run.ask()
    assert run.statuses == [101, 503, None]


def test_another_try_at_another_upstream_takes_no_second_place(world):
    run = world({"concurrent": 1}, upstreams=["http://10.0.0.1:80", "http://10.0.0.2:80"])
    run.proxy.network.script = [ConnectionRefused("no")]
    run.ask()
    run.answer()
    assert run.statuses == [200] and len(run.proxy.network.dialed) == 2


@pytest.mark.parametrize("fault", ["cut", "dead", "mode"])
def test_what_fails_gives_its_place_back(world, fault):
    class Broken:
        def handle(self, request, context, proceed):
            raise ValueError("a fault of somebody else's")

    run = world({"concurrent": 1}, middleware=[Broken()] if fault == "mode" else [])
    if fault == "dead":
        run.proxy.network.script = [ConnectionRefused("no")] * 5
    run.ask()
    if fault == "cut":
        run.proxy.upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nx")
        run.proxy.upstream.drop()
    run.proxy.advance(1)
    assert run.at_work == [0]


@pytest.mark.no_cover
def test_what_is_answered_at_once_makes_a_long_queue_no_deep_one(world):
    class Waits:
        def __init__(self):
            self.first = True

        def handle(self, request, context, proceed):
            if self.first:
                self.first = False
                return proceed(request, context)
            return Answer(204)

    run = world({"concurrent": 1, "queue": 5000}, middleware=[Waits()])
    for _ in range(2000):
        run.ask()
    run.answer()
    assert run.statuses == [200] + [204] * 1999


def test_a_pipelining_client_gives_each_place_back(world):
    run = world({"concurrent": 1, "by": ("client",)})
    client = run.ask(GET * 3)
    for _ in range(3):
        run.answer()
    assert client.received.count(b"HTTP/1.1 200") == 3


def test_places_are_taken_in_their_order_and_none_is_kept_by_who_is_refused(world):
    run = world([{"name": "wide", "concurrent": 3}, {"name": "narrow", "concurrent": 1}])
    for _ in range(3):
        run.ask()
    assert run.statuses == [None, 503, 503] and run.at_work == [1, 1]
    assert run.finished[-1].context.limit.name == "narrow"


def test_who_waits_for_the_second_place_has_the_first(world):
    run = world([{"name": "wide", "concurrent": 2}, {"name": "narrow", "concurrent": 1, "queue": 2}])
    for _ in range(3):
        run.ask()
    assert run.statuses == [None, None, 503] and run.at_work == [2, 1]
    run.clients[1].drop()
    assert run.at_work == [1, 1]
    run.answer()
    assert run.statuses == [200, None, 503]


def test_without_enforcement_it_is_counted_alone(world):
    run = world({"concurrent": 1, "enforce": False})
    run.ask(), run.ask()
    assert run.at_work == [2]
    run.answer()
    assert run.statuses == [200, 200] and run.at_work == [0]
    assert sorted(str(record.context.limit and record.context.limit.outcome) for record in run.finished) == [
        "None",
        "passed",
    ]


def test_a_proxy_that_stops_gives_all_back(world):
    run = world({"concurrent": 1, "queue": 5})
    run.ask(), run.ask()
    run.proxy.factory.stop()
    run.proxy.clock.advance(0)
    assert run.at_work == [0]


def test_who_leaves_in_the_moment_of_his_turn_gives_his_place_back():
    clock = Clock()
    places = Places(Slots(1, 4), 10.0)
    assert places.slots.enter("k")
    first, second = places.wait("k", clock), places.wait("k", clock)
    told = []

    def goes_at_once(come):
        # The end of the one whose turn has come makes it the other's, who leaves before he hears of it.
        told.append(come)
        places.leave("k")
        second.cancel()

    first.addCallback(goes_at_once)
    second.addErrback(lambda failure: told.append(failure.trap(CancelledError)))
    places.leave("k")
    assert told == [True, CancelledError]
    assert places.slots.running == 0 and places.slots.waiting == 0 and not clock.getDelayedCalls()


def test_a_place_that_comes_when_all_is_over_is_given_back():
    limit, held = ConcurrencyLimiter(RequestLimit(name="few", by=(), concurrent=1)), _Held()
    held.closed()
    assert limit.enter((), context_of())
    held.add(limit, ())
    assert limit.counts.running == 0 and held.places == []
