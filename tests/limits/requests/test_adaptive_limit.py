"""The algorithm, with servers that are simulated."""

import heapq
import random

import pytest

from txproxy.errors import ConfigError
from txproxy.limits.requests.adaptive_limit import AdaptiveBounds, AdaptiveLimit


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


def offer(limit, servers, rate, seconds, began=0.0, chance=None):
    """Requests at random times; gives how long each took that was let through, and when it was done."""
    chance = chance or random.Random(1)
    running, took = [], []
    now = began
    while now < began + seconds:
        now += chance.expovariate(rate)
        while running and running[0][0] <= now:
            done, came = heapq.heappop(running)
            limit.answered(done - came, len(running) + 1, done)
            took.append((done, done - came))
        if len(running) < int(limit.value):
            heapq.heappush(running, (servers.take(now), now))
    return took


@pytest.mark.no_cover
def test_it_finds_out_what_a_pool_is_good_for():
    for workers in (2, 10, 50):
        limit = AdaptiveLimit(AdaptiveBounds())
        took = offer(limit, Servers(workers, 0.01), rate=300 * workers, seconds=20)
        done = [one for when, one in took if when > 10]
        assert len(done) / 10 >= 0.95 * workers * 100, workers
        assert sum(done) / len(done) <= 0.05, "nobody waits for long"
        assert workers <= limit.value <= 3 * workers + 10


def test_it_follows_servers_that_become_slower_and_faster_again():
    limit, servers = AdaptiveLimit(AdaptiveBounds()), Servers(20, 0.01)
    offer(limit, servers, rate=6000, seconds=10)
    servers.seconds = 0.1
    took = offer(limit, servers, rate=600, seconds=60, began=10.0)
    late = [one for when, one in took if when > 50]
    assert len(late) / 20 >= 0.9 * 200 and sum(late) / len(late) < 0.4
    servers.seconds = 0.01
    took = offer(limit, servers, rate=6000, seconds=60, began=70.0)
    assert len([one for when, one in took if when > 110]) / 20 >= 0.9 * 2000


def test_where_nobody_waits_it_says_nothing_and_stays():
    limit = AdaptiveLimit(AdaptiveBounds())
    offer(limit, Servers(100, 0.01), rate=100, seconds=20)
    assert limit.value == 20.0


def test_failures_lower_it_once_in_a_window_and_no_lower_than_it_may():
    limit = AdaptiveLimit(AdaptiveBounds(min=5, max=100))
    limit.failed(), limit.failed()
    assert limit.value == 18.0
    for window in range(100):
        for _ in range(10):
            limit.answered(0.01, 1, window + 0.2)
        limit.failed()
    assert limit.value == 5.0


def test_it_stays_within_its_bounds():
    limit = AdaptiveLimit(AdaptiveBounds(min=3, max=12))
    assert limit.value == 12.0
    offer(limit, Servers(100, 0.01), rate=30000, seconds=5)
    assert limit.value == 12.0
    limit = AdaptiveLimit(AdaptiveBounds(min=4, max=40))
    offer(limit, Servers(1, 0.01), rate=300, seconds=30)
    assert 4.0 <= limit.value <= 15.0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"min": 0}, "min: 0 cannot be; accepted is a whole number from 1"),
        ({"max": 0}, "max: 0 cannot be"),
        ({"min": 9, "max": 3}, "min: 9 is more than max; accepted is 3 at most"),
    ],
)
def test_bounds_that_are_none_are_said(words, said):
    with pytest.raises(ConfigError, match=said):
        AdaptiveBounds(**words)
