"""What several processes find out together of a pool, with servers that are simulated."""

import heapq
import random

import pytest

from tests.cluster.played import Cluster
from txproxy.interfaces.context import HIGH, LOW, NORMAL
from txproxy.limits.requests.adaptive_limit import AdaptiveBounds, Learnt
from txproxy.limits.requests.shared_adaptive import SharedAdaptiveLimiter


class Servers:
    """So many workers, each of which takes ``seconds`` for a request; who finds none free waits in order."""

    def __init__(self, workers, seconds):
        self.free_at = [0.0] * workers
        self.seconds = seconds

    def take(self, now):
        """When a request that comes now is done."""
        begins = max(now, heapq.heappop(self.free_at))
        heapq.heappush(self.free_at, begins + self.seconds)
        return begins + self.seconds


class Together:
    """So many processes before these servers."""

    def __init__(self, servers, count=4, bounds=None):
        self.cluster, self.servers, self.bounds = Cluster(), servers, bounds or AdaptiveBounds()
        self.limiters, self.running, self.took, self.chance = [], [], [], random.Random(1)
        for _ in range(count):
            self.come()
        self.cluster.go_on(0.1)

    def come(self):
        limiter = SharedAdaptiveLimiter("app", self.bounds, self.cluster.clock)
        slots = limiter.slots
        self.cluster.come(len(self.limiters), {"adaptive": limiter, "at work": slots.levels, "unmet": slots.unmet})
        self.limiters.append(limiter)
        return limiter

    def ask(self, number, priority=NORMAL):
        limiter, now = self.limiters[number], self.cluster.clock.seconds()
        if not limiter.has_room(priority):
            limiter.refuse()
            return False
        limiter.enter()
        heapq.heappush(self.running, (self.servers.take(now), now, number))
        return True

    def offer(self, seconds, rates, step=0.001):
        """So many a second at each process; gives how many were done there, and how long that took in the middle."""
        done, took, clock = [0] * len(rates), [], self.cluster.clock
        for _ in range(round(seconds / step)):
            now = clock.seconds()
            while self.running and self.running[0][0] <= now:
                _, came, number = heapq.heappop(self.running)
                self.limiters[number].answered(now - came, now)
                self.limiters[number].leave()
                done[number] += 1
                took.append(now - came)
            for number, rate in enumerate(rates):
                for _ in range(int(rate * step) + (self.chance.random() < rate * step % 1)):
                    self.ask(number)
            clock.advance(step)
        return done, sum(took) / max(1, len(took))


@pytest.mark.no_cover
@pytest.mark.parametrize("rates", [(750, 750, 750, 750), (2400, 300, 300, 0), (0, 0, 0, 3000)])
def test_they_find_out_what_a_pool_is_good_for_and_each_has_its_part(rates):
    together = Together(Servers(10, 0.01))
    together.offer(3, rates)
    done, took = together.offer(4, rates)
    assert sum(done) >= 0.9 * 4 * 1000 and took <= 0.05
    for count, rate in zip(done, rates, strict=True):
        assert count >= 0.4 * sum(done) * rate / sum(rates)
    values = {round(limiter.limit.value) for limiter in together.limiters}
    assert max(values) <= 3 * 10 + 10 and max(values) - min(values) <= 10


def test_all_go_by_what_the_one_that_leads_has_learnt_and_so_does_one_that_comes():
    together = Together(Servers(10, 0.01), count=2)
    first, second = together.limiters
    second.failed()
    assert (first.limit.value, second.limit.value) == (20.0, 20.0)
    together.cluster.go_on(0.12)
    assert first.limit.value == second.limit.value == 18.0 and second.slots.most == 18
    new = together.come()
    together.cluster.go_on(0.1)
    assert new.limit.learnt == Learnt(18.0, None)


def test_when_the_one_that_leads_is_gone_another_learns():
    together = Together(Servers(10, 0.01), count=2)
    first, second = together.limiters
    first.failed()
    together.cluster.go_on(0.06)
    together.cluster.die(0)
    together.cluster.go_on(0.01)
    second.failed()
    assert second.limit.value == 16.2
    together.cluster.members[1].alone()
    for _ in range(30):
        second.enter()
    for number in range(30):
        second.answered(0.01, 1.0 + number * 0.01)
    assert second.limit.value > 16.2


def test_those_at_work_elsewhere_take_places_and_low_ones_go_first():
    together = Together(Servers(10, 0.01), count=2, bounds=AdaptiveBounds(min=8, max=8))
    first, second = together.limiters
    for _ in range(6):
        assert together.ask(0)
    together.cluster.go_on(0.06)
    assert [second.has_room(priority) for priority in (LOW, NORMAL, HIGH)] == [False, True, True]
    for _ in range(2):
        assert together.ask(1)
    turn = second.wait(together.cluster.clock)
    come = []
    turn.addCallback(come.append)
    assert not second.has_room(HIGH) and not come
    first.leave()
    together.cluster.go_on(0.06)
    assert come == [True]
    together.cluster.go_on(0.3)
    assert second.counts.delayed == 1 and (first.counts.running, second.counts.running) == (5, 3)
