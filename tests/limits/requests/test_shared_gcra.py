"""One rate of several processes: what they let through together."""

import random

import pytest

from tests.cluster.played import Cluster
from txproxy.limits.requests.gcra import Gcra
from txproxy.limits.requests.shared_gcra import MOST_TOLD, SharedGcra

RATE = "rate"


class Together:
    """So many processes with one rate of ``per_second``, and how many of each key they have let through."""

    def __init__(self, processes=4, per_second=300, burst=300, waiting=0):
        self.cluster = Cluster()
        self.rates = []
        self._made = lambda: SharedGcra(1 / per_second, burst, waiting)
        self.passed = {}
        # what one process lets through that all come to
        self.offered = 0
        self._alone, self.alone = Gcra(1 / per_second, burst, waiting), {}
        for _ in range(processes):
            self.come()
        for rate in self.rates:
            rate.of_processes(processes)
        self.cluster.go_on(0.01)

    def come(self):
        """One more process."""
        rate = self._made()
        rate.of_processes(len(self.rates) + 1)
        self.cluster.come(len(self.rates), {RATE: rate})
        self.rates.append(rate)
        return rate

    def offer(self, seconds, per_second, keys=("a",), shares=None, step=0.001):
        """So many a second at each process for ``shares`` of it, which take the ``keys`` by chance."""
        chance = random.Random(7)
        shares = shares or [1.0] * len(self.rates)
        for _ in range(round(seconds / step)):
            now = self.cluster.clock.seconds()
            for rate, share in zip(self.rates, shares, strict=False):
                count = per_second * share * step
                for _ in range(int(count) + (chance.random() < count % 1)):
                    key = chance.choice(keys)
                    self.offered += 1
                    if rate.take(key, now) >= 0:
                        self.passed[key] = self.passed.get(key, 0) + 1
                    if self._alone.take(key, now) >= 0:
                        self.alone[key] = self.alone.get(key, 0) + 1
            self.cluster.clock.advance(step)


@pytest.mark.parametrize(
    ("burst", "shares"),
    [(300, (1, 1, 1, 1)), (300, (4, 1, 0.5, 0)), (30, (1, 1, 1, 1)), (1, (8, 0.2, 0.2, 0.2))],
)
def test_four_processes_let_through_what_one_would_within_2_percent(burst, shares):
    together = Together(burst=burst)
    # One key comes most, and at processes as it likes.
    together.offer(10, 400, keys=("a", "a", "a", "b"), shares=shares)
    for key, passed in together.passed.items():
        # Alone, with a burst of 1, what comes a little too soon is lost; together some of it is not.
        assert 0.98 * together.alone[key] <= passed <= 1.02 * (300 * 10 + burst)
    if burst > 1:
        assert together.passed == pytest.approx(together.alone, rel=0.02)


def test_what_is_within_the_rate_is_never_refused():
    together = Together(per_second=400, burst=100)
    together.offer(5, 80, keys=("a",))
    assert together.passed == together.alone == {"a": together.offered}


def test_those_who_wait_their_turn_are_counted_too():
    together = Together(processes=2, per_second=10, burst=1, waiting=5)
    now = together.cluster.clock.seconds()
    first, second = together.rates
    assert [first.take("a", now) for _ in range(3)] == pytest.approx([0.0, 0.1, 0.2])
    together.cluster.go_on(0.06)
    assert second.take("a", together.cluster.clock.seconds()) == pytest.approx(0.3 - 0.06, abs=0.012)


def test_what_was_given_back_is_so_everywhere():
    together = Together(processes=2, per_second=10, burst=2)
    first, second = together.rates
    now = together.cluster.clock.seconds()
    for _ in range(2):
        assert first.take("a", now) == 0.0
        first.give_back("a", now)
    first.take("b", now)
    first.take("b", now)
    first.give_back("b", now)
    together.cluster.go_on(0.06)
    assert second.left("a", together.cluster.clock.seconds())[0] == 2
    assert second.left("b", together.cluster.clock.seconds())[0] == 1


def test_one_that_comes_later_knows_what_is_owed_and_one_that_dies_leaves_its_count():
    together = Together(processes=3, per_second=10, burst=10)
    now = together.cluster.clock.seconds()
    for _ in range(9):
        assert together.rates[1].take("a", now) == 0.0
    together.cluster.go_on(0.06)
    together.cluster.die(1)
    new = together.come()
    together.cluster.go_on(0.01)
    now = together.cluster.clock.seconds()
    # In 0.07 s less than one of them is paid off.
    assert [rate.left("a", now)[0] for rate in (together.rates[0], together.rates[2], new)] == [1, 1, 1]


def test_it_is_told_all_only_once_though_others_tell_their_part():
    together = Together(processes=2, per_second=1, burst=100)
    now = together.cluster.clock.seconds()
    for rate in together.rates:
        for _ in range(5):
            rate.take("a", now)
    # What nobody knows yet, of the one who tells, is told in a moment by itself.
    new = together.come()
    together.cluster.go_on(0.1)
    assert new.left("a", together.cluster.clock.seconds())[0] == 90


def test_a_message_is_bounded_and_what_is_more_follows():
    together = Together(processes=2, per_second=1, burst=1)
    first, second = together.rates
    now = together.cluster.clock.seconds()
    for number in range(MOST_TOLD + 10):
        first.take(f"10.{number}", now)
    before = len(together.cluster.messages)
    together.cluster.go_on(0.2)
    assert len(together.cluster.messages) - before == 2
    assert max(size for _, size in together.cluster.messages) < 40 * MOST_TOLD
    assert all(second.take(f"10.{number}", now) < 0 for number in range(MOST_TOLD + 10))


def test_memory_is_bounded_where_nobody_is_told_for_long():
    rate = SharedGcra(1.0, 1, most_keys=100)
    rate.join(lambda: None)
    for number in range(1000):
        rate.take(number, 0.0)
    assert len(rate) <= 100 and len(rate._new) <= 100 + MOST_TOLD
    rate.part()
    rate.take("a", 0.0)
    assert rate.news() == (None, False)


def test_alone_it_is_as_any():
    alone, shared = Gcra(0.1, 3, 2), SharedGcra(0.1, 3, 2)
    for number in range(200):
        now = number * 0.04
        assert shared.take("a", now) == alone.take("a", now)
    shared.add("a", 1000, 9.0)
    alone.add("a", 1000, 9.0)
    assert shared.left("a", 9.0) == alone.left("a", 9.0)


def test_who_lets_some_through_himself_has_them_told():
    rate = SharedGcra(1.0, 9)
    rate.take("a", 0.0)
    assert rate.debt("a").new == 0 and rate.debt("b") is None
    woken = []
    rate.join(lambda: woken.append(True))
    rate.take("a", 0.0)
    debt = rate.debt("a")
    for _ in range(2):
        debt.due += rate.interval
        debt.new += 1
    assert rate.news() == ({"a": 3}, False) and debt.new == 0
    # What is forgotten, and known anew, is told of all the same.
    rate.take("a", 0.0)
    rate.forget("a")
    rate.take("a", 0.0)
    assert rate.debt("a") is not debt and rate.debt("a").new == 0
    assert rate.news() == ({"a": 2}, False) and len(woken) == 2
    rate.take("a", 0.0)
    rate.part()
    assert rate.debt("a").new == 0
