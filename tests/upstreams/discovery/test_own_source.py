"""Upstreams that somebody's code knows."""

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from txproxy import Pool
from txproxy.upstreams import parse_upstream
from txproxy.upstreams.discovery.own_source import OwnSource
from txproxy.upstreams.ejection import Ejection
from txproxy.upstreams.pool_settings import PoolSettings
from txproxy.upstreams.upstream import State


class Played:
    """A pool that follows what a test says."""

    def __init__(self, *given, settings=None):
        self.clock = Clock()
        self.says = ["http://10.0.0.1"]
        self.asked = 0
        self.pool = Pool(given or ["http://10.0.0.9"], clock=self.clock, settings=settings)
        self.source = OwnSource(self.pool, "m:members", self.ask, parse_upstream, 10.0)
        self.pool.look_after(self.source)
        self.pool.start(self.clock, None)

    def ask(self):
        self.asked += 1
        if isinstance(self.says, Exception):
            raise self.says
        return self.says

    def next(self, says):
        self.says = says
        self.clock.advance(10)
        return self.names

    @property
    def names(self):
        return [upstream.name for upstream in self.pool.upstreams]


def test_the_pool_has_those_that_it_names():
    played = Played()
    assert played.names == ["http://10.0.0.1"]
    one = played.pool.upstreams[0]
    assert played.next(["http://10.0.0.2;weight=3", "http://10.0.0.1"]) == ["http://10.0.0.1", "http://10.0.0.2"]
    assert played.pool.upstreams[0] is one and played.pool.upstreams[1].weight == 3
    assert played.next(iter(["http://10.0.0.2;weight=5"])) == ["http://10.0.0.2"]
    two = played.pool.upstreams[0]
    assert two.weight == 5 == two.given_weight and two.stands_for == "m:members"
    assert played.next(["http://10.0.0.2;weight=5", "http://10.0.0.3"]) and played.pool.upstreams[0] is two
    assert played.next(["http://10.0.0.2;max=2", "http://10.0.0.3"]) == ["http://10.0.0.3", "http://10.0.0.2"]
    assert played.pool.upstreams[1].max == 2 and played.asked == 5


def test_those_that_were_given_stay_if_they_are_named():
    played = Played("http://10.0.0.1", "http://10.0.0.9")
    assert played.names == ["http://10.0.0.1"]
    assert played.next(["http://10.0.0.5"]) == ["http://10.0.0.5"]


@pytest.mark.parametrize(
    "says",
    [
        KeyError("x"),
        [],
        "http://10.0.0.1",
        5,
        [5],
        None,
        ["http://a b"],
        ["http://a.example;resolve"],
        ["http://10.0.0.3", "x:"],
    ],
)
def test_where_it_fails_all_stay_and_it_is_asked_again(says):
    played = Played()
    assert played.next(says) == ["http://10.0.0.1"]
    assert played.next(["http://10.0.0.2"]) == ["http://10.0.0.2"]


def test_it_may_take_its_time_but_not_for_ever():
    played = Played()
    coming = Deferred()
    played.next(coming)
    played.clock.advance(20)
    assert played.asked == 2
    coming.callback(["http://10.0.0.2"])
    assert played.names == ["http://10.0.0.2"]
    cancelled = []
    played.next(Deferred(cancelled.append))
    played.says = ["http://10.0.0.3"]
    played.clock.advance(30)
    assert len(cancelled) == 1
    played.clock.advance(10)
    assert played.names == ["http://10.0.0.3"]


def test_who_is_not_served_is_not_asked():
    played = Played()
    cancelled = []
    played.next(Deferred(cancelled.append))
    played.pool.stop()
    assert len(cancelled) == 1 and not played.clock.getDelayedCalls()
    played.says = ["http://10.0.0.4"]
    played.pool.start(played.clock, None)
    assert played.names == ["http://10.0.0.4"]
    played.pool.stop()
    assert not played.clock.getDelayedCalls()


def test_what_an_administrator_has_added_is_his():
    played = Played()
    played.pool.add("http://10.0.0.7")
    assert played.next(["http://10.0.0.7", "http://10.0.0.2"]) == ["http://10.0.0.7", "http://10.0.0.2"]
    assert played.next(["http://10.0.0.2"]) == ["http://10.0.0.7", "http://10.0.0.2"]


def test_what_it_says_of_one_that_is_there_counts():
    played = Played()
    played.next(["http://10.0.0.1", "http://10.0.0.2;weight=2"])
    one, two = played.pool.upstreams
    played.pool.weigh(two, 7)
    played.next(["http://10.0.0.1;drain", "http://10.0.0.2;weight=2;disabled"])
    assert played.pool.upstreams == [one, two]
    assert (one.state, two.state) == (State.DRAINING, State.DISABLED)
    assert one.cause == "drained by the configuration" and two.weight == 7
    played.pool.enable(two)
    played.next(["http://10.0.0.1", "http://10.0.0.2;weight=3;disabled"])
    assert (one.state, two.state, two.weight) == (State.HEALTHY, State.HEALTHY, 3), "an administrator's word stays"


def test_the_only_one_can_be_another_as_well():
    played = Played()
    assert played.next(["http://10.0.0.1;max=2"]) == ["http://10.0.0.1"]
    assert played.pool.upstreams[0].max == 2
    assert played.next(["http://10.0.0.1;max=3", "http://10.0.0.2"]) and played.pool.find("http://10.0.0.1").max == 3


def test_what_is_known_of_one_stays_though_its_max_is_another():
    settings = PoolSettings(ejection=Ejection())
    played = Played(settings=settings)
    names = [f"http://10.0.0.{number}" for number in range(1, 6)]
    played.next([f"{name};weight=2" for name in names])
    pool = played.pool
    drained, disabled, weighed, ejected, unhealthy = pool.upstreams
    pool.drain(drained, 60)
    pool.disable(disabled)
    pool.weigh(weighed, 5)
    pool.eject(ejected, "it fails")
    unhealthy.checked(False, "connection refused")
    before = [(one.state, one.cause, one.weight, one.since) for one in pool.upstreams]
    assert [state for state, *_ in before] == [
        State.DRAINING, State.DISABLED, State.HEALTHY, State.EJECTED, State.UNHEALTHY,
    ]  # fmt: skip
    played.clock.advance(1)
    played.says = [f"{name};weight=2;max=9" for name in names]
    played.clock.advance(9)
    assert [one.max for one in pool.upstreams] == [9] * 5 and drained not in pool.upstreams
    after = [(one.state, one.cause, one.weight) for one in pool.upstreams]
    assert after == [told[:3] for told in before]
    assert [one.since for one in pool.upstreams][:2] == [told[3] for told in before][:2]
    assert pool.find(names[0]).drained_at == drained.drained_at
    # What it says anew counts.
    played.next([f"{name};weight=3;max=8" for name in names])
    assert pool.find(names[2]).weight == 3
