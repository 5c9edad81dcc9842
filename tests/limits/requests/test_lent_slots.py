"""Of several processes together there are never more at work than may be, however late they hear of each other."""

import random
from collections import deque

import pytest

from tests.cluster.played import Cluster
from txproxy.cluster.hub import Hub
from txproxy.cluster.ledger import Ledger
from txproxy.limits.requests.concurrency import Places
from txproxy.limits.requests.lent_slots import LentSlots


class Process:
    """Takes places for requests, each for a while."""

    def __init__(self, together, number, most, queue):
        self.together, self.clock = together, together.cluster.clock
        self.places = Places(LentSlots(most, queue, self.clock.seconds), 1.0)
        self.places.slots.of_processes(together.count)
        together.cluster.come(number, {}, {"at work": self.places.slots})
        self.done, self.refused, self.running, self.waited = 0, 0, 0, []

    def ask(self, took, key=""):
        since = self.clock.seconds()
        if self.places.slots.enter(key):
            self._begin(True, took, key, since)
            return None
        turn = self.places.wait(key, self.clock)
        if turn is None:
            self.refused += 1
        else:
            turn.addCallback(self._begin, took, key, since).addErrback(lambda _: None)
        return turn

    def _begin(self, come, took, key, since):
        if come:
            self.waited.append(self.clock.seconds() - since)
            self.running += 1
            self.together.begun(key)
            self.clock.callLater(took, self._end, key)
        else:
            self.refused += 1

    def _end(self, key):
        self.running -= 1
        self.together.at_work[key] -= 1
        self.done += 1
        self.places.leave(key)


class Together:
    def __init__(self, count=4, most=10, queue=0, delay=0.002):
        self.cluster, self.count, self.most, self.words = Cluster(delay), count, most, (most, queue)
        self.processes, self.at_work, self.highest = [], {}, 0
        for _ in range(count):
            self.come()
        self.cluster.go_on(0.1)

    def begun(self, key):
        self.at_work[key] = self.at_work.get(key, 0) + 1
        self.highest = max(self.highest, self.at_work[key])

    def come(self):
        self.processes.append(Process(self, len(self.processes), *self.words))
        return self.processes[-1]

    def go_on(self, seconds, per_second=None, took=0.0, step=0.005, keys=("",)):
        """Let time pass, in which so many come to each process; gives how many were at work, on average."""
        chance, levels = random.Random(5), []
        for _ in range(round(seconds / step)):
            for process, rate in zip(self.processes, per_second or (), strict=False):
                for _ in range(int(rate * step) + (chance.random() < rate * step % 1)):
                    process.ask(took * (0.5 + chance.random()), chance.choice(keys))
            self.cluster.clock.advance(step)
            levels.append(sum(process.running for process in self.processes))
        return sum(levels) / len(levels)

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
            slots = process.places.slots
            assert not len(slots) and not slots.running and not slots.waiting and not slots._asking
            assert not any(slots._lent.values())
        for number, member in one.cluster.members.items():
            one.cluster.hub.leave(number)
            member.end()
        one.go_on(5, step=0.05)
        assert all(account.at_rest for account in one.cluster.hub.ledger._accounts.values())
        assert not one.cluster.clock.getDelayedCalls()


@pytest.mark.parametrize("delay", [0.002, 0.2])
@pytest.mark.parametrize("queue", [0, 20])
@pytest.mark.parametrize("shares", [(100, 100, 100, 100), (400, 0, 0, 40)])
def test_there_are_never_too_many(together, shares, queue, delay):
    all_of_it = together(most=20, queue=queue, delay=delay)
    level = all_of_it.go_on(3, shares, took=0.2)
    assert all_of_it.highest <= 20
    if delay < 0.1:
        # 400 a second are offered, of which 100 can be done.
        assert level >= (17 if queue else 13)
        for process, offered in zip(all_of_it.processes, shares, strict=True):
            assert process.done > 0.2 * offered or not offered


def test_who_is_far_too_many_does_not_ask_each_time(together):
    all_of_it = together(most=2)
    all_of_it.cluster.messages.clear()
    all_of_it.go_on(1, (2000, 0, 0, 0), took=10)
    assert all_of_it.running == [2, 0, 0, 0] and all_of_it.processes[0].refused > 1900
    assert len(all_of_it.cluster.messages) < 300


@pytest.mark.parametrize("most", [1, 2, 3, 5])
def test_nor_where_there_are_less_than_processes(together, most):
    all_of_it = together(most=most, queue=20)
    level = all_of_it.go_on(6, (10, 10, 10, 10), took=0.3)
    done = [process.done for process in all_of_it.processes]
    assert all_of_it.highest == most and level > 0.85 * most
    assert min(done) > 0.15 * sum(done)


def test_who_is_within_its_own_part_asks_nobody(together):
    all_of_it = together(most=10)
    all_of_it.cluster.messages.clear()
    for process in all_of_it.processes:
        process.ask(0.1, "a")
        process.ask(0.1, "a")
    assert all_of_it.running == [2, 2, 2, 2]
    all_of_it.go_on(0.3)
    assert not all_of_it.cluster.messages


def test_a_burst_at_one_process_has_all_of_it_a_moment_later(together):
    all_of_it = together(most=10)
    process = all_of_it.processes[1]
    for _ in range(12):
        process.ask(0.5)
    # More than ten there cannot be.
    assert (process.running, process.refused) == (2, 2)
    all_of_it.cluster.go_on(0.02)
    assert (process.running, process.refused) == (10, 2)
    # Asked and answered, with the count of the others before it.
    assert max(process.waited) <= 0.011


def test_who_waits_gets_a_place_that_another_process_gives_back(together):
    all_of_it = together(count=2, most=2, queue=5)
    first, second = all_of_it.processes
    first.ask(0.3)
    first.ask(2)
    all_of_it.cluster.go_on(0.1)
    second.ask(0.1)
    all_of_it.cluster.go_on(0.1)
    assert all_of_it.running == [2, 0]
    all_of_it.cluster.go_on(0.15)
    assert all_of_it.running == [1, 1] and not second.refused
    assert (second.places.delayed, second.places.lent, first.places.lent) == (1, 0, 1)


def test_what_a_process_has_that_dies_is_free_and_who_comes_for_it_knows_what_there_is(together):
    all_of_it = together(count=2, most=2, queue=5)
    first, second = all_of_it.processes
    for _ in range(2):
        first.ask(0.5)
    all_of_it.cluster.go_on(0.1)
    second.ask(5)
    second.ask(5)
    all_of_it.cluster.go_on(0.05)
    assert not second.running
    all_of_it.cluster.die(0)
    all_of_it.cluster.go_on(0.01)
    assert second.running == 2
    new = all_of_it.come()
    new.ask(1)
    all_of_it.cluster.go_on(0.4)
    assert not new.running


def test_other_keys_have_their_own(together):
    all_of_it = together(count=2, most=1)
    first, second = all_of_it.processes
    first.ask(1, "a")
    all_of_it.cluster.go_on(0.02)
    second.ask(1, "b")
    second.ask(1, "a")
    all_of_it.cluster.go_on(0.02)
    assert (second.running, second.refused) == (1, 1)


def test_a_client_that_leaves_while_the_hub_is_asked_leaves_nothing(together):
    all_of_it = together(count=2, most=1)
    first, second = all_of_it.processes
    turn = first.ask(1)
    turn.cancel()
    all_of_it.cluster.go_on(0.05)
    second.ask(0.1)
    all_of_it.cluster.go_on(0.05)
    assert all_of_it.running == [0, 1]


def test_a_hub_that_does_not_answer_is_not_waited_for(together):
    all_of_it = together(count=2, most=1, delay=3.0)
    all_of_it.cluster.go_on(6)
    first = all_of_it.processes[0]
    first.ask(1)
    all_of_it.cluster.go_on(0.6)
    assert (first.running, first.refused) == (0, 1)


@pytest.mark.parametrize(("most", "own"), [(5, 2), (1, 1)])
def test_without_a_hub_each_has_its_own_part_and_one_at_least(together, most, own):
    all_of_it = together(count=2, most=most, queue=1)
    first, second = all_of_it.processes
    for _ in range(most):
        first.ask(1)
    all_of_it.cluster.go_on(0.1)
    second.ask(0.1)
    for member in all_of_it.cluster.members.values():
        member.alone()
    assert second.running == 1
    for _ in range(own):
        second.ask(0.1)
    assert second.running == own
    all_of_it.cluster.go_on(0.3)
    assert second.done == own + 1


def test_those_that_were_lent_by_a_hub_before_count_for_the_next(together):
    all_of_it = together(count=2, most=3, queue=5)
    cluster, (first, second) = all_of_it.cluster, all_of_it.processes
    for _ in range(3):
        first.ask(2)
    cluster.go_on(0.05)
    second.ask(1)
    cluster.go_on(0.05)
    cluster.hub = Hub(cluster._send, cluster.clock.seconds)
    for number in (0, 1):
        cluster.hub.join(number)
    cluster.go_on(0.05)
    second.ask(1)
    cluster.go_on(0.5)
    assert all_of_it.running == [3, 0] and not second.refused
    cluster.go_on(1.8)
    assert all_of_it.highest == 3


def test_those_that_come_from_another_process_are_there_whatever_there_is(together):
    all_of_it = together(count=2, most=2)
    first, second = all_of_it.processes
    for _ in range(3):
        assert first.places.slots.enter("", over=True)
    second.ask(1)
    second.ask(1)
    all_of_it.cluster.go_on(0.05)
    assert (second.running, second.refused) == (1, 1)
    for _ in range(3):
        first.places.leave("")
    second.ask(1)
    all_of_it.cluster.go_on(0.05)
    assert second.running == 2


def test_those_who_come_before_the_hub_knows_the_process_have_their_turn(together):
    all_of_it = together(count=2, most=1, queue=20)
    new = all_of_it.come()
    for _ in range(5):
        new.ask(0.1)
    all_of_it.cluster.go_on(0.6)
    assert new.done == 5 and not new.refused


def test_of_many_that_never_cease_to_wait_some_are_always_at_work(together):
    all_of_it = together(count=2, most=1, queue=20, delay=0.3)
    for process in all_of_it.processes:
        for _ in range(15):
            process.ask(0.05)
    level = all_of_it.go_on(10, (20, 20), took=0.05)
    assert level > 0.05 and min(process.done for process in all_of_it.processes) > 3 and all_of_it.highest == 1


def test_what_was_lent_while_all_are_asked_what_they_have_is_not_forgotten():
    said, told, work = {1: deque(), 2: deque()}, {1: deque(), 2: deque()}, []
    hub = Ledger(lambda peer, topic, content: told[peer].append(content) or True, lambda: 0.0)

    def process(number):
        slots = LentSlots(1, 4, lambda: 0.0)
        slots.of_processes(2)
        slots.on_turn = lambda who: work.append((number, who))
        slots.on_refusal = lambda key, who: slots.wait(key, who)
        hub.join(number)
        slots.borrow(said[number].append)
        return slots

    def hub_hears(number):
        hub.heard(number, "t", said[number].popleft())

    one, two = process(1), process(2)
    hub_hears(1)
    one.told(told[1].popleft())
    # At 2 one asks, and another one waits; what it has said of that is on its way when all are asked what they have.
    two.ask("k", "b")
    two.wait("k", "c")
    one.ask("k", "a")
    hub_hears(1)
    two.told(told[2].popleft())
    one.told(told[1].popleft())
    hub_hears(1)
    for _ in range(3):
        hub_hears(2)
    while any(said.values()) or any(told.values()):
        for number, slots in ((1, one), (2, two)):
            while said[number]:
                hub_hears(number)
            while told[number]:
                slots.told(told[number].popleft())
    assert one.of("k") + two.of("k") == 1
