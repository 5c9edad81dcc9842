"""How many requests are at work at once at several processes together."""

import random

import pytest

from tests.cluster.played import Cluster
from txproxy.limits.requests.concurrency import Places
from txproxy.limits.requests.shared_slots import SharedSlots


class Process:
    """Takes places for requests, each for a while."""

    def __init__(self, cluster, number, most, queue):
        self.clock = cluster.clock
        shared = SharedSlots(most, queue, cluster.clock)
        self.places = Places(shared, 1.0)
        cluster.come(number, {"at work": shared.levels, "unmet": shared.unmet})
        self.done, self.refused, self.running = 0, 0, 0

    def ask(self, took, key=""):
        if self.places.slots.enter(key):
            self._begin(True, took, key)
            return
        turn = self.places.wait(key, self.clock)
        if turn is None:
            self.refused += 1
        else:
            turn.addCallback(self._begin, took, key)

    def _begin(self, come, took, key):
        if come:
            self.running += 1
            self.clock.callLater(took, self._end, key)
        else:
            self.refused += 1

    def _end(self, key):
        self.running -= 1
        self.done += 1
        self.places.leave(key)


class Together:
    def __init__(self, count=4, most=10, queue=0, delay=0.002):
        self.cluster, self.words, self.processes = Cluster(delay), (most, queue), []
        for _ in range(count):
            self.come()
        self.cluster.go_on(0.1)
        # how many there were, in each moment
        self.levels = []

    def come(self):
        self.processes.append(Process(self.cluster, len(self.processes), *self.words))
        return self.processes[-1]

    def go_on(self, seconds, per_second=None, took=0.0, step=0.005):
        """Let time pass, in which so many come to each process."""
        chance = random.Random(5)
        for _ in range(round(seconds / step)):
            for process, rate in zip(self.processes, per_second or (), strict=False):
                for _ in range(int(rate * step) + (chance.random() < rate * step % 1)):
                    process.ask(took * (0.5 + chance.random()))
            self.cluster.clock.advance(step)
            self.levels.append(sum(process.running for process in self.processes))

    @property
    def running(self):
        return [process.running for process in self.processes]


@pytest.fixture
def together():
    made = []

    def make(**words):
        made.append(Together(**words))
        return made[-1]

    yield make
    for one in made:
        one.go_on(30, step=0.05)
        assert one.running == [0] * len(one.processes)
        for process in one.processes:
            shared = process.places.slots
            assert not len(shared) and not shared.running and not shared.waiting and not shared.unmet._own
        for member in one.cluster.members.values():
            member.end()
        assert not one.cluster.clock.getDelayedCalls()


def test_those_of_all_processes_count(together):
    all_of_it = together(most=10)
    for process, count in zip(all_of_it.processes, (4, 3, 2, 0), strict=True):
        for _ in range(count):
            process.ask(5)
    all_of_it.go_on(0.1)
    last = all_of_it.processes[3]
    for _ in range(3):
        last.ask(5)
    assert (last.running, last.refused) == (1, 2)
    all_of_it.go_on(0.3)
    all_of_it.processes[0].ask(5)
    assert sum(all_of_it.running) == 10


def test_a_burst_at_one_process_has_all_of_it(together):
    process = together(most=10).processes[1]
    for _ in range(12):
        process.ask(0.5)
    assert (process.running, process.refused) == (10, 2)


@pytest.mark.parametrize("queue", [0, 50])
@pytest.mark.parametrize("shares", [(200, 200, 200, 200), (600, 100, 100, 50), (900, 0, 0, 40)])
def test_where_too_many_come_the_places_are_taken_and_each_process_has_its_part(together, queue, shares):
    all_of_it = together(most=40, queue=queue)
    all_of_it.go_on(2, shares, took=0.2)
    all_of_it.levels.clear()
    for process in all_of_it.processes:
        process.done = 0
    all_of_it.go_on(10, shares, took=0.2)
    # 4,000 or more are offered, of which 2,000 can be done.
    levels, done = all_of_it.levels, [process.done for process in all_of_it.processes]
    assert sum(levels) / len(levels) == pytest.approx(40, rel=0.15) and max(levels) <= 60
    assert sum(done) >= 0.85 * 40 / 0.2 * 10
    for count, offered in zip(done, shares, strict=True):
        assert count >= 0.4 * sum(done) * offered / sum(shares)


def test_where_they_hear_of_each_other_late_each_has_its_part_all_the_same(together):
    all_of_it = together(most=40, queue=20, delay=0.2)
    all_of_it.go_on(3, (300, 300, 100, 50), took=0.2)
    all_of_it.levels.clear()
    all_of_it.go_on(5, (300, 300, 100, 50), took=0.2)
    levels = all_of_it.levels
    assert 20 <= sum(levels) / len(levels) <= 60 and max(levels) <= 160
    assert min(process.done for process in all_of_it.processes) > 20


def test_of_a_single_place_each_has_its_turn(together):
    all_of_it = together(count=3, most=1, queue=20)
    all_of_it.go_on(20, (10, 10, 10), took=0.1)
    done = [process.done for process in all_of_it.processes]
    assert min(done) > 0.25 * sum(done) and sum(done) > 100
    # Two that wait hear at the same moment that it is free.
    assert sum(level > 1 for level in all_of_it.levels) < 0.4 * len(all_of_it.levels)


def test_who_waits_gets_a_place_that_another_process_gives_back(together):
    all_of_it = together(count=2, most=2, queue=5)
    first, second = all_of_it.processes
    first.ask(0.3)
    first.ask(2)
    all_of_it.go_on(0.1)
    second.ask(0.1)
    all_of_it.go_on(0.1)
    assert all_of_it.running == [2, 0]
    all_of_it.go_on(0.2)
    assert all_of_it.running == [1, 1] and not second.refused


def test_what_a_process_has_that_dies_is_free(together):
    all_of_it = together(count=2, most=2, queue=5)
    first, second = all_of_it.processes
    for _ in range(2):
        first.ask(0.5)
    all_of_it.go_on(0.1)
    second.ask(0.1)
    assert not second.running
    all_of_it.cluster.die(0)
    all_of_it.go_on(0.01)
    assert second.running == 1
    new = all_of_it.come()
    second.ask(1)
    second.ask(1)
    all_of_it.go_on(0.2)
    new.ask(1)
    assert not new.running


def test_one_that_has_just_come_knows_how_many_there_are(together):
    all_of_it = together(count=2, most=3)
    for process in all_of_it.processes:
        process.ask(2)
    all_of_it.go_on(0.1)
    new = all_of_it.come()
    all_of_it.go_on(0.05)
    for _ in range(2):
        new.ask(1)
    assert (new.running, new.refused) == (1, 1)


def test_without_others_each_has_all(together):
    all_of_it = together(count=2, most=2, queue=1)
    first, second = all_of_it.processes
    for _ in range(2):
        first.ask(1)
    all_of_it.go_on(0.1)
    second.ask(0.1)
    all_of_it.cluster.members[1].alone()
    assert second.running == 1
    second.ask(0.1)
    second.ask(0.1)
    assert second.running == 2
    all_of_it.go_on(0.2)
    assert second.done == 3


def test_other_keys_have_their_own(together):
    first, second = together(count=2, most=1).processes
    first.ask(1, "a")
    first.clock.pump([0.01] * 10)
    second.ask(1, "b")
    second.ask(1, "a")
    assert (second.running, second.refused) == (1, 1)
