"""How many client connections several processes have together."""

import random

import pytest

from tests.cluster.played import Cluster
from txproxy.proxy.downstream.admission import Admission
from txproxy.proxy.shared_places import SharedPlaces


class Guest:
    """A client connection that nobody's port has accepted."""

    transport = None

    def __init__(self):
        self.let_in = False

    def admitted(self):
        self.let_in = True


class Process:
    def __init__(self, cluster, number, most, processes):
        self.admission = Admission(most)
        self.places = SharedPlaces(self.admission, cluster.clock.seconds)
        self.places.of_processes(processes)
        cluster.come(number, {"places": self.places})
        self.guests = []

    def connect(self, count=1):
        for _ in range(count):
            guest = Guest()
            guest.let_in = self.admission.admit(guest)
            self.guests.append(guest)

    def close(self, count=1):
        for _ in range(count):
            self.admission.left(self.guests.pop(0))


class Together:
    def __init__(self, most=100, count=4, delay=0.002):
        self.cluster, self.most, self.count, self.processes = Cluster(delay), most, count, []
        for _ in range(count):
            self.come()
        self.cluster.go_on(0.3)
        self.highest = 0

    def come(self):
        self.processes.append(Process(self.cluster, len(self.processes), self.most, self.count))
        return self.processes[-1]

    def go_on(self, seconds):
        for _ in range(round(seconds / 0.005)):
            self.cluster.clock.advance(0.005)
            self.highest = max(self.highest, sum(self.open))

    @property
    def open(self):
        return [len(process.admission) for process in self.processes]


@pytest.fixture
def together():
    made = Together()
    yield made
    for process in made.processes:
        process.admission.fill()
        process.close(len(process.guests))
    made.cluster.go_on(8, 0.05)
    # Who has no more than his own looks after nothing.
    assert not made.cluster.clock.getDelayedCalls()
    for member in made.cluster.members.values():
        member.end()


def test_one_may_have_what_the_others_do_not_need(together):
    first = together.processes[0]
    first.connect(200)
    # At once what is its own, and as much again as would be its share of the rest.
    assert 25 <= together.open[0] <= 50
    together.go_on(2)
    # A quarter of each share is kept for who comes to the others.
    assert together.open[0] == 100 - 3 * 7 and together.highest == together.open[0]
    for process in together.processes[1:]:
        process.connect(7)
    assert sum(together.open) == 100


def test_each_has_the_same_where_all_need_them_and_all_together_no_more_than_there_are(together):
    for process in together.processes:
        process.connect(60)
    together.go_on(3)
    assert sum(together.open) == 100 == together.highest
    assert min(together.open) >= 20


def test_what_one_does_not_need_any_more_the_others_get(together):
    first, second, *_ = together.processes
    first.connect(79)
    together.go_on(2)
    second.connect(60)
    together.go_on(1)
    assert together.open[:2] == [79, 7]
    first.close(60)
    together.go_on(3)
    assert together.open[:2] == [19, 60] and all(guest.let_in for guest in second.guests)


def test_clients_that_come_and_go_as_they_like_are_never_too_many_and_never_wait_for_long(together):
    chance = random.Random(11)
    for _ in range(400):
        process = chance.choice(together.processes)
        process.connect(chance.randrange(12))
        for one in together.processes:
            one.close(min(len(one.guests), chance.randrange(6)))
        together.go_on(0.05)
    assert together.highest <= 100
    while sum(len(one.guests) for one in together.processes) > 70:
        max(together.processes, key=lambda one: len(one.guests)).close()
    together.go_on(4)
    assert sum(together.open) == sum(len(one.guests) for one in together.processes)


@pytest.mark.parametrize("delay", [0.05, 0.4])
def test_where_they_hear_of_each_other_late_there_are_no_more_either(delay):
    together = Together(delay=delay)
    together.go_on(2)
    for process in together.processes:
        process.connect(60)
        together.go_on(0.1)
    together.go_on(8)
    assert 97 <= sum(together.open) <= together.highest <= 103
    for process in together.processes:
        process.close(30)
    together.go_on(6)
    assert 97 <= sum(together.open) <= together.highest <= 103
    for member in together.cluster.members.values():
        member.end()


def test_what_one_had_that_dies_is_free_and_who_comes_in_its_place_has_its_own(together):
    first, second, *_ = together.processes
    first.connect(79)
    together.go_on(2)
    second.connect(40)
    together.go_on(0.5)
    together.cluster.die(0)
    together.processes.remove(first)
    together.processes.append(None)
    new = Process(together.cluster, 9, 100, 4)
    together.processes[-1] = new
    new.connect(10)
    assert len(new.admission) == 7
    together.go_on(2)
    assert len(second.admission) == 40 and len(new.admission) == 10
    first.close(len(first.guests))


def test_without_others_each_has_its_share(together):
    first = together.processes[0]
    first.connect(30)
    together.go_on(1)
    assert together.open[0] == 30
    together.cluster.members[0].alone()
    first.connect(30)
    first.close(20)
    assert together.open[0] == 25 and first.admission.limit == 25


def test_those_that_go_on_in_another_process_are_known_to_all_as_claimed():
    together = Together(count=2)
    first, second = together.processes
    first.connect(80)
    together.go_on(2)
    there = len(first.admission)
    third = together.come()
    for guest in first.guests[:there]:
        third.admission.take_over(guest)
        first.admission.left(guest)
    first.guests.clear()
    together.go_on(1)
    second.connect(200)
    together.go_on(3)
    assert there > 40 and len(third.admission) == there
    assert len(second.admission) + there <= 103
