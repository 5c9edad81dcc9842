"""Failures in a row, and retries, of several processes that have a pool together."""

import pytest

from tests.cluster.played import Cluster
from txproxy.errors import DialError
from txproxy.testing import context_of
from txproxy.upstreams.ejection import Breaker, Ejection
from txproxy.upstreams.pool import Pool
from txproxy.upstreams.pool_settings import PoolSettings
from txproxy.upstreams.several_processes.shared_strikes import SharedStrikes
from txproxy.upstreams.upstream import State

NAMES = ("http://10.0.0.1", "http://10.0.0.2", "http://10.0.0.3")
CLIENT = context_of("192.0.2.1")


class Process:
    def __init__(self, cluster, number, settings):
        self.pool = Pool(list(NAMES), clock=cluster.clock, settings=settings)
        self.strikes = SharedStrikes(self.pool)
        cluster.come(number, {"strikes": self.strikes, "retries": self.pool.retries.levels})

    @property
    def upstream(self):
        return self.pool.upstreams[0]

    def fails(self, count=1):
        for _ in range(count):
            self.pool.take_this(self.upstream)
            self.upstream.ended(DialError("gone"), 0)

    def answers(self):
        self.pool.take_this(self.upstream)
        self.upstream.ended(None, 200)


class Together:
    def __init__(self, count=4, **settings):
        self.cluster = Cluster()
        self.processes = [Process(self.cluster, number, PoolSettings(**settings)) for number in range(count)]
        self.tell()

    def tell(self):
        self.cluster.go_on(0.06)

    @property
    def out(self):
        """At which of them the upstream is ejected."""
        return [process.upstream.breaker is Breaker.OPEN for process in self.processes]


@pytest.fixture
def together():
    made = []

    def together(**words):
        made.append(Together(**words))
        return made[-1]

    yield together
    for one in made:
        one.tell()
        for member in one.cluster.members.values():
            member.end()
        assert not one.cluster.clock.getDelayedCalls()


def test_as_many_failures_eject_it_as_where_one_process_has_them_all(together):
    all_of_it = together()
    for process in all_of_it.processes:
        process.fails()
        all_of_it.tell()
    assert all_of_it.out == [False] * 4
    all_of_it.processes[2].fails()
    assert all_of_it.out == [False, False, True, False]
    all_of_it.tell()
    assert all_of_it.out == [True] * 4
    assert all(process.upstream.ejected[0] == "gone" for process in all_of_it.processes)


def test_what_goes_well_at_one_ends_the_row_of_all(together):
    all_of_it = together()
    first, second, third, fourth = all_of_it.processes
    first.fails(4)
    all_of_it.tell()
    second.answers()
    all_of_it.tell()
    third.fails(4)
    all_of_it.tell()
    assert all_of_it.out == [False] * 4
    # What it has told of in one go ends with a failure, and that is the first of a new row.
    fourth.answers()
    fourth.fails()
    all_of_it.tell()
    first.fails(3)
    all_of_it.tell()
    assert all_of_it.out == [False] * 4
    second.fails()
    all_of_it.tell()
    assert all_of_it.out == [True] * 4


def test_requests_that_go_well_tell_nobody(together):
    all_of_it = together()
    before = len(all_of_it.cluster.messages)
    for _ in range(100):
        all_of_it.processes[0].answers()
        all_of_it.tell()
    assert len(all_of_it.cluster.messages) == before


def test_without_a_hub_each_counts_for_itself(together):
    all_of_it = together(count=2)
    first, second = all_of_it.processes
    for member in all_of_it.cluster.members.values():
        member.alone()
    first.fails(4)
    second.fails(4)
    all_of_it.tell()
    assert all_of_it.out == [False, False] and second.strikes.news() == (None, False)
    second.fails()
    assert all_of_it.out == [False, True]


def test_without_ejection_nothing_comes_of_it(together):
    all_of_it = together(count=2, ejection=None)
    all_of_it.processes[0].fails(9)
    all_of_it.tell()
    assert all_of_it.out == [False, False]


def test_never_is_too_great_a_part_ejected_by_what_others_tell(together):
    all_of_it = together(count=2, ejection=Ejection(share=0.1))
    all_of_it.processes[0].fails(4)
    all_of_it.processes[1].fails(4)
    all_of_it.tell()
    assert all_of_it.out == [False, False]


def test_the_few_retries_that_there_may_be_in_any_case_are_once_for_all(together):
    first, second, third, fourth = together().processes
    retries = [process.pool.retry(process.upstream, None) for process in (first, second, third)]
    for process in (first, second, third, fourth):
        assert process.pool.may_retry()
    first.pool.seconds.__self__.pump([0.001] * 60)
    assert not any(process.pool.may_retry() for process in (first, second, third, fourth))
    # Who has requests enough has a part of these for retries, whatever the others have.
    for _ in range(11):
        fourth.pool.take(None, CLIENT)
    assert fourth.pool.may_retry()
    retries.pop().answered(200)
    first.pool.seconds.__self__.pump([0.001] * 60)
    assert first.pool.may_retry()


def test_the_retries_of_a_process_that_dies_are_over(together):
    all_of_it = together()
    first, second, *_ = all_of_it.processes
    for _ in range(3):
        first.pool.retry(first.upstream, None)
    all_of_it.tell()
    assert not second.pool.may_retry()
    all_of_it.cluster.die(0)
    all_of_it.tell()
    assert second.pool.may_retry()


def test_who_fails_and_stays_does_so_at_all_of_them_until_it_works_at_one(together):
    all_of_it = together(ejection=Ejection(share=0.0))

    def states():
        return {process.upstream.state for process in all_of_it.processes}

    all_of_it.processes[0].fails(5)
    all_of_it.tell()
    assert states() == {State.FAILING} and all_of_it.out == [False] * 4
    all_of_it.processes[1].fails()
    all_of_it.processes[2].answers()
    all_of_it.tell()
    assert states() == {State.HEALTHY}


def test_who_comes_later_knows_who_fails_and_stays(together):
    all_of_it = together(ejection=Ejection(share=0.0))
    all_of_it.processes[1].fails(5)
    all_of_it.tell()
    since = all_of_it.processes[0].upstream.since
    all_of_it.cluster.go_on(3.0, 0.1)
    for number in (8, 9):
        settings = PoolSettings(ejection=Ejection(share=0.0) if number == 8 else None)
        all_of_it.processes.append(Process(all_of_it.cluster, number, settings))
    all_of_it.tell()
    late, lenient = (process.upstream for process in all_of_it.processes[4:])
    assert (late.state, late.cause, late.since) == (State.FAILING, "gone", pytest.approx(since, abs=0.1))
    assert lenient.state is State.HEALTHY, "it is one of no pool that ejects"
    all_of_it.processes[4].answers()
    all_of_it.tell()
    assert {process.upstream.state for process in all_of_it.processes} == {State.HEALTHY}


def test_checks_of_one_process_end_at_all_of_them_that_it_fails(together):
    all_of_it = together(ejection=Ejection(share=0.0))
    all_of_it.processes[1].fails(5)
    all_of_it.tell()
    checking = all_of_it.processes[0]
    checking.upstream.passed(checking.upstream.since)
    all_of_it.tell()
    assert {process.upstream.state for process in all_of_it.processes} == {State.HEALTHY}
    all_of_it.processes[2].fails(4)
    all_of_it.tell()
    assert {process.upstream.state for process in all_of_it.processes} == {State.HEALTHY}
