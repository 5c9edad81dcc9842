"""Bytes that several processes count together, on a clock and a calendar."""

import datetime

import pytest
from twisted.internet.defer import execute

from tests.cluster.played import Cluster
from txproxy.interfaces.connection import ClientConnection
from txproxy.limits import shared_usage
from txproxy.limits.quotas import OverQuota, Quota, Quotas
from txproxy.limits.shared_usage import SharedUsage
from txproxy.limits.usage import DAY, MONTH

KEY = "client 192.0.2.1"


class Rows:
    """A store in memory, of all of them."""

    def __init__(self):
        self.rows = {}

    def load(self, period):
        return {key: size for (other, key), size in self.rows.items() if other == period}

    def add(self, added):
        for period, key, size in added:
            self.rows[period, key] = self.rows.get((period, key), 0) + size
        return {(period, key): self.rows[period, key] for period, key, _ in added}

    def forget(self, places):
        for place in places:
            self.rows.pop(place, None)

    def close(self):
        pass


class Together:
    def __init__(self, count=3, delay=0.002):
        self.cluster, self.store, self.usages = Cluster(delay), Rows(), []
        self.moment = datetime.datetime.fromisoformat("2026-03-30 12:00")
        for _ in range(count):
            self.come()
        self.cluster.go_on(0.1)

    def come(self):
        usage = SharedUsage(self.cluster.clock, self.store, now=lambda: self.moment, in_thread=execute)
        self.cluster.come(len(self.usages), {"used": usage})
        self.usages.append(usage)
        return usage

    def used(self, key=KEY, period=DAY):
        return [usage.used(key, period) for usage in self.usages]


@pytest.fixture
def together():
    made = Together()
    yield made
    for usage in made.usages:
        usage.stop()
    made.cluster.go_on(1)
    assert not made.cluster.clock.getDelayedCalls()


def test_what_was_used_at_one_is_known_to_all_in_a_moment_and_written_once(together):
    first, second, _ = together.usages
    first.add(KEY, 100)
    second.add(KEY, 7)
    together.cluster.go_on(0.06)
    assert together.used() == together.used(period=MONTH) == [107] * 3
    together.cluster.go_on(6, 0.01)
    assert together.used() == [107] * 3
    assert together.store.rows == {("2026-03-30", KEY): 107, ("2026-03", KEY): 107}


@pytest.mark.parametrize("delay", [0.002, 0.3])
def test_nothing_is_lost_or_counted_twice_whoever_writes_when(delay):
    together = Together(4, delay)
    total = 0
    for number in range(400):
        together.usages[number % 3 if number % 7 else 3].add(KEY, number)
        total += number
        together.cluster.go_on(0.1, 0.01)
        # Who has just written does not forget what others have not, nor count what it has yet to hear.
        assert max(together.used()) <= total and min(together.used()) >= total - 8 * number
    together.cluster.go_on(10, 0.01)
    assert together.used() == [total] * 4 and together.store.rows["2026-03", KEY] == total


def test_a_quota_that_is_used_up_at_one_is_so_at_the_next(together):
    first, second = (Quotas([Quota(day=1000)], usage, together.cluster.clock) for usage in together.usages[:2])

    class Exchange:
        def carried(self):
            return 1000

    exchange = Exchange()
    first.meter("192.0.2.1", None, "").began(exchange)
    first.ended(exchange)
    second.meter("192.0.2.1", None, "")
    together.cluster.go_on(0.06)
    with pytest.raises(OverQuota, match="used up"):
        second.meter("192.0.2.1", None, "")
    assert ClientConnection("192.0.2.2").peer_ip
    second.meter("192.0.2.2", None, "")
    first.stop()


def test_one_that_comes_knows_what_nobody_has_written_yet(together):
    first, *_ = together.usages
    first.add(KEY, 100)
    together.cluster.go_on(0.06)
    first.add(KEY, 1)
    new = together.come()
    together.cluster.go_on(0.1)
    assert new.used(KEY, DAY) == new.used(KEY, MONTH) == 101


def test_of_too_many_the_store_tells_and_the_others_those_that_have_used_most(together, monkeypatch):
    monkeypatch.setattr(shared_usage, "MOST_TOLD", 1)
    first, *_ = together.usages
    first.add("client 192.0.2.2", 5)
    together.cluster.go_on(6, 0.01)
    first.add("client 192.0.2.3", 1)
    first.add(KEY, 100)
    together.cluster.go_on(0.06)
    new = together.come()
    together.cluster.go_on(0.1)
    assert [new.used(f"client 192.0.2.{number}", DAY) for number in (1, 2, 3)] == [100, 5, 0]


def test_what_one_has_told_that_dies_counts_on(together):
    together.usages[0].add(KEY, 100)
    together.cluster.go_on(0.06)
    together.cluster.die(0)
    together.usages[1].add(KEY, 1)
    together.cluster.go_on(6, 0.01)
    assert together.used()[1:] == [101, 101]


def test_what_is_forgotten_by_all_is_so_though_it_was_just_to_be_told(together):
    for usage in together.usages:
        usage.add(KEY, 100)
    together.cluster.go_on(6, 0.01)
    together.usages[0].add(KEY, 5)
    for usage in together.usages:
        usage.forget([KEY], (DAY, MONTH))
    together.cluster.go_on(6, 0.01)
    assert together.used() == [0] * 3 and not together.store.rows


def test_what_others_have_used_who_have_the_store_and_not_the_hub_is_known_a_while_later(together):
    first, *_ = together.usages
    together.store.add([("2026-03-30", KEY, 1000), ("2026-03", KEY, 1000)])
    first.add(KEY, 1)
    together.cluster.go_on(6.9, 0.01)
    assert together.used() == [1, 1, 1]
    together.cluster.go_on(0.2, 0.01)
    assert together.used() == [1001, 1, 1]


def test_a_new_day_begins_with_nothing(together):
    together.usages[0].add(KEY, 100)
    together.moment += datetime.timedelta(days=1)
    together.cluster.go_on(0.06)
    together.usages[1].add(KEY, 7)
    together.cluster.go_on(0.06)
    assert together.used()[0] == 7 and together.used(period=MONTH) == [107] * 3


def test_where_there_are_no_others_it_counts_as_before(together):
    first, *_ = together.usages
    together.cluster.members[0].alone()
    first.add(KEY, 100)
    assert first.news() == (None, False)
    together.cluster.go_on(6, 0.01)
    assert first.used(KEY, DAY) == together.store.rows["2026-03-30", KEY] == 100
