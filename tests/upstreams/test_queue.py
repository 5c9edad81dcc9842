"""Requests that wait for room: in which order, and who has to leave."""

import pytest
from twisted.internet.task import Clock

from txproxy import Pool
from txproxy.errors import UpstreamUnavailable
from txproxy.interfaces import Client
from txproxy.upstreams.pool import PoolSettings


class Waiting:
    """A pool with room for one request, which is taken."""

    def __init__(self, **settings):
        self.clock = Clock()
        self.pool = Pool(["http://10.0.0.1;max=1"], settings=PoolSettings(**settings), clock=self.clock)
        self.upstream = self.pool.take(None, Client("10.0.0.9"))
        self.served = []
        self.sent_away = []

    def ask(self, *names):
        """Of the client that each name begins with."""
        return [self._ask(name) for name in names]

    def _ask(self, name):
        waiting = self.pool.wait(None, Client(f"2001:db8:0:{name[0]}::{name[1:]}"), ())
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


def test_without_a_queue_nobody_waits(waiting):
    room = waiting(queue=0)
    room.ask("a1")
    assert [name for name, _ in room.sent_away] == ["a1"]
