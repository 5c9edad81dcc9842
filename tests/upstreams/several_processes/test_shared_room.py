"""How many requests an upstream has of several processes together."""

import pytest

from tests.cluster.played import Cluster
from txproxy.interfaces.connection import ClientConnection
from txproxy.interfaces.context import RequestContext
from txproxy.upstreams.pool import Pool
from txproxy.upstreams.pool_settings import PoolSettings
from txproxy.upstreams.several_processes.shared_room import SharedRoom
from txproxy.upstreams.upstream_urls import parse_upstream

A = "http://10.0.0.1:80"


class Process:
    """One that sends requests to a pool."""

    def __init__(self, cluster, number, text):
        self.pool = Pool(
            [parse_upstream(text)],
            name="app",
            settings=PoolSettings(queue=1000, queue_timeout=100),
            clock=cluster.clock,
        )
        self.room = SharedRoom(self.pool)
        self.room.of_processes(4)
        cluster.come(number, {"room app": self.room})
        self.running, self.failed = [], []

    @property
    def upstream(self):
        return self.pool.upstreams[0]

    def ask(self, count=1):
        """So many requests, which wait where there is no room."""
        for _ in range(count):
            context = RequestContext(ClientConnection("192.0.2.1"))
            upstream = self.pool.take(None, context)
            if upstream is not None:
                self.running.append(upstream)
            else:
                self.pool.wait(None, context).addCallbacks(self.running.append, self.failed.append)

    def end(self, count):
        """So many of them are over."""
        for _ in range(count):
            self.running.pop().ended(None, 200)


class Together:
    def __init__(self, text=f"{A};max=100", count=4):
        self.cluster, self.text, self.processes, self.most = Cluster(), text, [], 0
        for _ in range(count):
            self.come()
        self.go_on(0.3)

    def come(self):
        self.processes.append(Process(self.cluster, len(self.processes), self.text))
        return self.processes[-1]

    def go_on(self, seconds):
        for _ in range(round(seconds / 0.005)):
            self.cluster.clock.advance(0.005)
            self.most = max(self.most, sum(self.running))

    @property
    def running(self):
        return [len(one.running) for one in self.processes]


@pytest.fixture
def together():
    together = Together()
    yield together
    for member in together.cluster.members.values():
        member.end()
    for one in together.processes:
        one.room.part()
        while one.running:
            one.end(len(one.running))
    together.go_on(0.1)
    assert not together.cluster.clock.getDelayedCalls()


def test_one_process_has_nearly_all_of_it_when_the_others_want_none(together):
    first = together.processes[0]
    first.ask(200)
    # At once as much as would be everybody's share.
    assert together.running == [25, 0, 0, 0]
    together.go_on(2)
    assert together.running == [97, 0, 0, 0] and first.pool.waiting == 103
    # Whoever comes now has one at once.
    together.processes[1].ask(1)
    assert together.running == [97, 1, 0, 0]


def test_all_together_have_no_more_than_there_is(together):
    for one in together.processes:
        one.ask(100)
    together.go_on(0.5)
    assert 97 <= together.most <= 103
    for _ in range(20):
        for one in together.processes:
            one.end(len(one.running) // 3)
        together.go_on(0.07)
    assert together.most <= 103 and not any(one.failed for one in together.processes)


def test_those_that_wait_go_on_when_others_have_ended(together):
    first, second, *_ = together.processes
    first.ask(97)
    together.go_on(2)
    second.ask(10)
    assert 1 <= together.running[1] < 4
    first.end(60)
    together.go_on(1.5)
    assert together.running[1] == 10


def test_what_one_had_that_dies_is_free(together):
    first, second, *_ = together.processes
    first.ask(97)
    together.go_on(2)
    second.ask(50)
    together.go_on(0.2)
    assert sum(together.running) <= 103
    together.cluster.die(0)
    together.processes.remove(first)
    together.go_on(1)
    assert together.running[0] == 50


def test_one_that_comes_later_has_what_the_others_leave(together):
    for one in together.processes:
        one.ask(25)
    together.go_on(2)
    assert together.running == [25] * 4
    new = together.come()
    new.ask(10)
    together.go_on(1)
    # One is everybody's.
    assert together.running[4] == 1 and sum(together.running) <= 104
    together.processes[0].end(len(together.processes[0].running))
    together.go_on(4)
    assert together.running[4] == 10


def test_nobody_is_told_of_what_stays_as_it_is(together):
    together.processes[0].ask(20)
    together.go_on(5)
    before = len(together.cluster.messages)
    together.go_on(5)
    assert len(together.cluster.messages) == before


def test_without_others_each_has_its_share(together):
    first = together.processes[0]
    together.cluster.members[0].alone()
    first.ask(50)
    together.go_on(1)
    assert together.running[0] == 25 and first.pool.waiting == 25


def test_upstreams_without_a_bound_have_none():
    together = Together(A, 2)
    together.go_on(1)
    before = len(together.cluster.messages)
    together.processes[0].ask(500)
    together.go_on(1)
    assert together.running == [500, 0] and len(together.cluster.messages) == before
    together.processes[0].end(500)


def test_one_that_is_added_is_bounded_as_well(together):
    first = together.processes[0]
    for one in together.processes:
        one.pool.add("http://10.0.0.2:80;max=8")
    added = first.pool.find("http://10.0.0.2:80")
    together.go_on(0.3)
    first.ask(200)
    together.go_on(2)
    assert (first.upstream.active, added.active) == (97, 5)
    for one in together.processes:
        one.pool.remove(added.name)
    together.go_on(0.1)
    assert list(first.room.whole(False, 0.0)[2]) == [A]


def test_another_configuration_goes_on_with_what_was_claimed(together):
    first = together.processes[0]
    first.ask(60)
    together.go_on(1)
    claimed = first.upstream.allowed
    pool = Pool([parse_upstream(f"{A};max=80")], name="app", clock=together.cluster.clock)
    room = SharedRoom(pool)
    room.follow(first.room)
    together.cluster.members[0].follow({"room app": room})
    assert pool.upstreams[0].allowed == claimed >= 60
    # The pool before is only for those who have begun there.
    assert first.upstream.allowed == 25
    together.go_on(2)
    assert pool.upstreams[0].allowed == 1


def test_what_goes_on_in_another_process_is_known_to_all_as_claimed():
    together = Together(count=2)
    first, second = together.processes
    first.ask(90)
    together.go_on(1)
    there = len(first.running)
    # All of it goes to one that has just come, as its own process leaves.
    third = together.come()
    for _ in range(there):
        third.pool.take_this(third.upstream)
        third.running.append(third.upstream)
        first.end(1)
    together.go_on(1)
    assert third.upstream.active == there > 60
    second.ask(200)
    together.go_on(3)
    assert 100 - 4 <= there + len(second.running) + len(first.running) <= 103


def test_one_that_finds_an_upstream_later_has_what_the_others_leave_as_well(together):
    # As where a name has one more address: each process looks it up by itself.
    other = "http://10.0.0.2:80"
    for one in together.processes:
        one.pool.disable(A)
    first, *others = together.processes
    first.pool.add(f"{other};max=100")
    first.ask(97)
    together.go_on(2)
    assert together.running == [97, 0, 0, 0]
    for one in others:
        one.pool.add(f"{other};max=100")
        one.ask(50)
    together.go_on(2)
    assert together.running[0] == 97 and sum(together.running) <= 103
    # Who has lost it and found it again has forgotten what others have; the few that it had there go on.
    second = others[0]
    second.pool.remove(other)
    together.go_on(0.2)
    second.pool.add(f"{other};max=100")
    together.go_on(2)
    assert sum(together.running) <= 108
    second.pool.replace(second.pool.find(other), parse_upstream(f"{other};max=100"))
    together.go_on(2)
    assert sum(together.running) <= 108
    first.end(97)
    together.go_on(2)
    assert sum(together.running) >= 90


def test_what_was_claimed_of_an_upstream_that_has_left_is_free(together):
    first, second, *_ = together.processes
    first.ask(97)
    together.go_on(2)
    first.pool.add("http://10.0.0.2:80")
    first.pool.remove(A)
    second.ask(90)
    together.go_on(2)
    assert together.running[1] == 90
