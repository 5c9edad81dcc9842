"""Requests that wait for room: in which order, and who has to leave."""

import pytest
from twisted.internet.task import Clock

from tests.upstreams.asking import GET, OK, at, eject_first
from txproxy import Pool
from txproxy.errors import ConnectionRefused, UpstreamUnavailable
from txproxy.testing import context_of
from txproxy.upstreams.ejection import Ejection
from txproxy.upstreams.pool_settings import PoolSettings


class Waiting:
    """A pool with room for one request, which is taken."""

    def __init__(self, **settings):
        self.clock = Clock()
        self.pool = Pool(["http://10.0.0.1;max=1"], settings=PoolSettings(**settings), clock=self.clock)
        self.upstream = self.pool.take(None, context_of("10.0.0.9"))
        self.served = []
        self.sent_away = []

    def ask(self, *names):
        """Of the client that each name begins with."""
        return [self._ask(name) for name in names]

    def _ask(self, name):
        waiting = self.pool.wait(None, context_of(f"2001:db8:0:{name[0]}::{name[1:]}"), ())
        waiting.addCallbacks(
            lambda _: self.served.append(name), lambda failure: self.sent_away.append((name, failure.value))
        )
        return waiting

    def serve(self, times=1):
        for _ in range(times):
            self.upstream.ended(None, 200)


@pytest.fixture
def waiting():
    made = []

    def make(**settings):
        made.append(Waiting(**settings))
        return made[-1]

    yield make
    for one in made:
        assert not one.clock.getDelayedCalls()
        assert not one.pool._queue._clients


def test_clients_take_turns(waiting):
    room = waiting(queue=10)
    room.ask("a1", "a2", "a3", "b1", "b2", "c1")
    room.serve(2)
    assert room.served == ["a1", "b1"]
    # Who comes now is not behind the second of anybody.
    room.ask("d1", "b3")
    room.serve(6)
    assert room.served == ["a1", "b1", "c1", "d1", "a2", "b2", "a3", "b3"]


def test_those_of_one_client_keep_their_order(waiting):
    room = waiting(queue=10)
    room.ask(*(f"a{number}" for number in range(1, 6)))
    room.serve(5)
    assert room.served == ["a1", "a2", "a3", "a4", "a5"]


def test_who_has_most_in_a_full_queue_makes_room(waiting):
    room = waiting(queue=4)
    room.ask("a1", "a2", "a3", "a4", "a5", "b1", "b2", "c1", "c2")
    assert [name for name, _ in room.sent_away] == ["a5", "a4", "a3", "a2", "c2"]
    assert {type(fault) for _, fault in room.sent_away} == {UpstreamUnavailable}
    room.serve(4)
    assert room.served == ["a1", "b1", "c1", "b2"]


def test_who_leaves_is_not_counted_any_more(waiting):
    room = waiting(queue=3, queue_timeout=5)
    leaving = room.ask("a1", "a2", "a3")
    for one in leaving[:2]:
        one.cancel()
    room.ask("b1", "b2")
    room.ask("a4")
    assert [name for name, _ in room.sent_away] == ["a1", "a2", "a4"]
    room.clock.advance(5)
    assert [name for name, _ in room.sent_away[3:]] == ["a3", "b1", "b2"] and not room.served


def test_who_may_not_have_the_room_that_there_is_lets_the_next_have_it():
    pool = Pool(["http://10.0.0.1;max=1", "http://10.0.0.2;max=1"], clock=Clock())
    first, second = pool.take(None, context_of("10.0.0.9")), pool.take(None, context_of("10.0.0.9"))
    served = []
    # The one has been where there will be room, and asks again elsewhere.
    for name, tried in (("again", (first,)), ("new", ())):
        pool.wait(None, context_of("10.0.0.9"), tried).addCallback(lambda one, name=name: served.append((name, one)))
    first.ended(None, 200)
    assert served == [("new", first)] and pool.waiting == 1
    second.ended(None, 200)
    assert served[1:] == [("again", second)] and pool.waiting == 0


def test_without_a_queue_nobody_waits(waiting):
    room = waiting(queue=0)
    room.ask("a1")
    assert [name for name, _ in room.sent_away] == ["a1"]


def test_max_bounds_what_an_upstream_has_and_the_others_wait_in_order(serve):
    proxy = serve(["http://10.0.0.1;max=2"], queue=2)
    clients = [proxy.connect() for _ in range(5)]
    for client in clients:
        client.send(GET)
    assert len(proxy.network.connections) == 2
    assert proxy.pool.waiting == 2
    assert clients[4].received.startswith(b"HTTP/1.1 503 ")
    assert b"error=connection_limit_reached" in clients[4].received
    proxy.network.connections[0].send(OK)
    assert len(proxy.network.connections) == 3
    proxy.network.connections[2].send(OK)
    assert clients[2].received.endswith(b"ok") and not clients[3].received.endswith(b"ok")
    assert proxy.pool.waiting == 0


def test_who_waits_too_long_gets_a_503(serve):
    proxy = serve(["http://10.0.0.1;max=1"], queue_timeout=3)
    first, second = proxy.connect(), proxy.connect()
    first.send(GET)
    second.send(GET)
    proxy.advance(2.5)
    assert not second.received
    proxy.advance(1)
    assert second.received.startswith(b"HTTP/1.1 503 ")
    assert proxy.pool.waiting == 0


def test_who_leaves_waits_no_longer(serve):
    proxy = serve(["http://10.0.0.1;max=1"])
    first, second = proxy.connect(), proxy.connect()
    first.send(GET)
    second.send(GET)
    second.drop()
    assert proxy.pool.waiting == 0
    proxy.upstream.send(OK)
    assert len(proxy.network.connections) == 1
    assert proxy.pool.upstreams[0].active == 0


def test_room_that_comes_back_while_it_is_given_out_goes_to_the_next(serve):
    proxy = serve(["http://10.0.0.1;max=1"], ejection=None)
    clients = [proxy.connect() for _ in range(3)]
    for client in clients:
        client.send(GET)
    proxy.network.script = [ConnectionRefused("at once")] * 2
    proxy.upstream.send(OK)
    assert [client.received[9:12] for client in clients] == [b"200", b"503", b"503"]
    assert (proxy.pool.waiting, proxy.pool.upstreams[0].active) == (0, 0)


def test_who_waits_is_served_when_an_ejection_ends_though_nobody_asks(serve):
    proxy = serve(["http://10.0.0.1;max=1", "http://10.0.0.2;max=1"], ejection=Ejection(failures=1), queue_timeout=60)
    eject_first(proxy)
    clients = [proxy.connect() for _ in range(4)]
    for client in clients:
        client.send(GET)
    assert proxy.pool.waiting == 3
    proxy.advance(31)
    assert proxy.pool.waiting == 2
    assert [upstream.active for upstream in proxy.pool.upstreams] == [1, 1]
    # whose timer is left is found when the proxy is closed
    for client in clients:
        client.drop()
    assert proxy.pool.waiting == 0


def test_time_that_passes_while_room_is_given_out_gives_it_once(serve):
    proxy = serve(["http://10.0.0.1", "http://10.0.0.2;max=1"], ejection=Ejection(failures=1), queue_timeout=60)
    eject_first(proxy)
    clients = [proxy.connect() for _ in range(2)]
    for client in clients:
        client.send(GET)
    assert proxy.pool.waiting == 1
    proxy.clock.rightNow += 31
    at(proxy, "2")[-1].send(OK)
    assert clients[0].received.endswith(b"ok")
    assert sum(upstream.active for upstream in proxy.pool.upstreams) == 1


@pytest.mark.parametrize("back", ["checked", "enable", "add"])
def test_who_waits_is_served_when_an_upstream_comes(serve, back):
    proxy = serve(["http://10.0.0.1;max=1", "http://10.0.0.2;max=1"])
    other = proxy.pool.upstreams[1]
    other.checked(False, "no answer")
    if back == "enable":
        proxy.pool.disable(other)
        other.checked(True, "")
    for _ in range(2):
        proxy.connect().send(GET)
    assert proxy.pool.waiting == 1
    if back == "checked":
        other.checked(True, "")
    elif back == "enable":
        proxy.pool.enable(other)
    else:
        proxy.pool.add("http://10.0.0.3")
    assert proxy.pool.waiting == 0


def test_a_strategy_that_fails_harms_only_who_asked(serve):
    proxy = serve(["http://10.0.0.1;max=1"])
    clients = [proxy.connect() for _ in range(2)]
    for client in clients:
        client.send(GET)

    def choose(*_):
        raise ValueError("not today")

    proxy.pool._pick = choose
    proxy.upstream.send(OK)
    assert [client.received[9:12] for client in clients] == [b"200", b"500"]
    assert (proxy.pool.waiting, proxy.pool.upstreams[0].active) == (0, 0)
