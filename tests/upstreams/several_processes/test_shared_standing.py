"""What several processes know together of the upstreams of one pool."""

import pytest
from twisted.internet.defer import fail

from tests.cluster.played import Cluster
from txproxy.errors import DialError
from txproxy.upstreams.ejection import Breaker
from txproxy.upstreams.health.health_check import HealthCheck
from txproxy.upstreams.overlay import Overlay
from txproxy.upstreams.pool import Pool
from txproxy.upstreams.pool_settings import PoolSettings
from txproxy.upstreams.several_processes.shared_standing import SharedStanding
from txproxy.upstreams.upstream import State
from txproxy.upstreams.upstream_urls import parse_upstream

A, B, C, D = (f"http://10.0.0.{number}:80" for number in (1, 2, 3, 4))
CHECK = HealthCheck(kind="connect", interval=1, fall=2, rise=1)


class Process:
    """One that serves from a pool. ``asked`` are the connections of its checks."""

    def __init__(self, cluster, number, texts, settings):
        self.number, self.asked, self.dead = number, [], set()
        self.pool = Pool([parse_upstream(text) for text in texts], name="app", settings=settings, clock=cluster.clock)
        self.overlay = Overlay(self.pool, texts, parse_upstream)
        self.pool.start(cluster.clock, self._dial)
        cluster.come(number, {"pool app": SharedStanding(self.overlay)})

    def _dial(self, address, *_, **__):
        self.asked.append(address)
        return fail(DialError("nobody there"))

    def fails(self, name, times=5):
        """So many requests there fail."""
        upstream = self.pool.find(name)
        for _ in range(times):
            self.pool.take_this(upstream)
            upstream.ended(DialError("gone"), 0)

    def answers(self, name):
        upstream = self.pool.find(name)
        self.pool.take_this(upstream)
        upstream.answered(200)
        upstream.ended(None, 200)

    def states(self, *names):
        return [self.pool.find(name).state for name in names or (A, B, C, D)]


class Together:
    def __init__(self, settings):
        self.cluster, self.settings = Cluster(), settings
        self.processes = []

    def come(self, *texts):
        self.processes.append(Process(self.cluster, len(self.processes), texts or (A, B, C, D), self.settings))
        self.go_on(0.01)
        return self.processes[-1]

    def go_on(self, seconds=0.06, step=0.001):
        self.cluster.go_on(seconds, step)


@pytest.fixture
def together():
    made = []

    def together(count=3, **settings):
        made.append(Together(PoolSettings(**settings)))
        for _ in range(count):
            made[-1].come()
        return made[-1]

    yield together
    for one in made:
        for process in one.processes:
            process.pool.stop()
        for member in one.cluster.members.values():
            member.end()
        one.go_on(0.01)
        assert not one.cluster.clock.getDelayedCalls()


HEALTHY, EJECTED, UNHEALTHY = State.HEALTHY, State.EJECTED, State.UNHEALTHY


def test_one_that_one_process_ejects_is_ejected_by_all_and_for_as_long(together):
    cluster = together()
    first, *others = cluster.processes
    first.fails(A)
    assert [one.states(A) for one in others] == [[HEALTHY]] * 2
    cluster.go_on()
    for one in others:
        upstream = one.pool.find(A)
        assert (upstream.state, upstream.cause) == (EJECTED, "gone")
        assert upstream.ejected[1] == pytest.approx(30 - 0.06, abs=0.02)
        assert one.pool.take(None, None) is not upstream
    # What was heard is not told again.
    before = len(cluster.cluster.messages)
    cluster.go_on(0.2)
    assert len(cluster.cluster.messages) == before


def test_whoever_has_tried_it_with_success_tells_the_others(together):
    cluster = together()
    first, second, third = cluster.processes
    first.fails(A)
    cluster.go_on()
    cluster.go_on(31, 0.1)
    for one in cluster.processes:
        one.pool.tick()
        assert one.pool.find(A).breaker is Breaker.HALF_OPEN
    second.answers(A)
    cluster.go_on()
    assert [one.pool.find(A).breaker for one in cluster.processes] == [Breaker.CLOSED] * 3
    # And one whose trial fails has it out again at all, for longer.
    first.fails(A)
    cluster.go_on()
    cluster.go_on(61, 0.1)
    for one in cluster.processes:
        one.pool.tick()
    third.fails(A, 1)
    cluster.go_on()
    assert [one.states(A) for one in cluster.processes] == [[EJECTED]] * 3


def test_what_another_tells_that_does_not_know_it_yet_lets_none_in_again(together):
    cluster = together(2)
    first, second = cluster.processes
    # It has something to tell of it, and will have told that before it hears of the ejection.
    first.pool.changed(first.pool.find(A))
    cluster.go_on(0.04)
    second.fails(A)
    cluster.go_on(0.02)
    assert (first.states(A), second.states(A)) == ([HEALTHY], [EJECTED])
    cluster.go_on()
    assert first.states(A) == second.states(A) == [EJECTED]


def test_never_more_are_out_than_one_process_would_have_out(together):
    cluster = together(2)
    first, second = cluster.processes
    for name in (A, B):
        first.fails(name)
    for name in (C, D):
        second.fails(name)
    cluster.go_on()
    for one in cluster.processes:
        assert one.states().count(EJECTED) == 2 and one.pool.take(None, None) is not None


def test_one_process_checks_for_all_and_another_when_that_ends(together):
    cluster = together(health=CHECK)
    first, second, third = cluster.processes
    cluster.go_on(5, 0.01)
    assert len(first.asked) > 8 and not second.asked and not third.asked
    assert [one.states() for one in cluster.processes] == [[UNHEALTHY] * 4] * 3
    assert second.pool.find(A).cause == first.pool.find(A).cause != ""
    cluster.cluster.die(0)
    first.pool.lead(False)
    cluster.go_on(0.01)
    cluster.go_on(3, 0.01)
    assert second.asked and not third.asked


def test_without_others_each_checks_for_itself(together):
    cluster = together(2, health=CHECK)
    _, second = cluster.processes
    cluster.cluster.members[1].alone()
    cluster.go_on(3, 0.01)
    assert second.asked
    second.fails(A)
    cluster.go_on()
    assert cluster.processes[0].pool.find(A).breaker is Breaker.CLOSED


def test_one_that_comes_later_knows_all_that_was_found_and_changed(together):
    cluster = together(2)
    first, _ = cluster.processes
    first.fails(A)
    # As the admin API does it, in each of those that there are.
    for one in cluster.processes:
        one.pool.drain(B, 60)
        one.pool.weigh(C, 7)
        one.overlay.remove(one.pool.find(D))
        one.overlay.add("http://10.0.0.5:80;weight=2")
    cluster.go_on(1)
    new = cluster.come()
    for one in cluster.processes:
        named = {upstream.name: upstream for upstream in one.pool.upstreams}
        assert sorted(named) == [A, B, C, "http://10.0.0.5:80"]
        assert [named[name].state for name in (A, B, C)] == [EJECTED, State.DRAINING, HEALTHY]
        assert (named[C].weight, named["http://10.0.0.5:80"].weight) == (7, 2)
        assert named[B].drained_at == pytest.approx(60.03, abs=0.1)
        assert one.overlay.removed == (D,) and list(one.overlay.added) == ["http://10.0.0.5:80"]
    assert new.pool.find(A).ejected[1] == pytest.approx(29, abs=0.2)


def test_what_another_configuration_does_not_have_is_not_missed(together):
    cluster = together(2)
    other = cluster.come(A, "http://10.0.0.9:80")
    cluster.processes[0].fails(B)
    other.fails("http://10.0.0.9:80")
    cluster.go_on()
    assert other.states(A) == [HEALTHY] and cluster.processes[0].states() == [HEALTHY, EJECTED, HEALTHY, HEALTHY]


E5 = "http://10.0.0.5:80"


def test_who_finds_an_upstream_later_than_others_is_told_what_they_know_of_it(together):
    # As where a name has one more address: each process looks it up by itself.
    cluster = together(3, health=CHECK)
    first, second, third = cluster.processes
    first.pool.add(E5)
    cluster.go_on(5, 0.01)
    # An administrator drains it wherever it is.
    first.pool.drain(E5, 60)
    assert first.states(E5) == [State.DRAINING] and first.pool.find(E5).unhealthy
    second.pool.add(E5)
    cluster.go_on(0.15)
    late = second.pool.find(E5)
    assert (late.state, late.unhealthy) == (State.DRAINING, first.pool.find(E5).unhealthy)
    assert late.drained_at == pytest.approx(first.pool.find(E5).drained_at, abs=0.1)
    # What was answered is not asked again.
    before = len(cluster.cluster.messages)
    cluster.go_on(0.2)
    assert len(cluster.cluster.messages) == before
    first.pool.enable(E5)
    third.pool.add(E5)
    cluster.go_on(0.15)
    assert [one.states(E5) for one in cluster.processes] == [[UNHEALTHY], [State.DRAINING], [UNHEALTHY]]


def test_what_is_ejected_is_so_for_who_finds_it_later(together):
    cluster = together(2)
    first, second = cluster.processes
    first.pool.add(E5)
    first.fails(E5)
    cluster.go_on(1)
    second.pool.add(E5)
    second.fails(E5, 1)
    cluster.go_on(0.15)
    assert second.states(E5) == [EJECTED] and second.pool.find(E5).ejected[1] == pytest.approx(29, abs=0.2)


def test_who_has_found_out_more_by_the_time_that_it_is_told_stays_with_that(together):
    cluster = together(2)
    first, second = cluster.processes
    first.pool.add(E5)
    second.pool.add(E5)
    second.fails(E5)
    cluster.go_on(0.15)
    assert [one.states(E5) for one in cluster.processes] == [[EJECTED]] * 2


def test_an_upstream_that_has_left_is_not_asked_for(together):
    cluster = together(2)
    first, second = cluster.processes
    second.pool.add(E5)
    second.pool.remove(E5)
    before = len(cluster.cluster.messages)
    cluster.go_on(0.2)
    assert len(cluster.cluster.messages) == before
    second.pool.add(E5)
    cluster.go_on(0.15)
    second.pool.remove(E5)
    first.pool.add(E5)
    first.fails(E5)
    cluster.go_on(0.15)
    assert first.states(E5) == [EJECTED]
