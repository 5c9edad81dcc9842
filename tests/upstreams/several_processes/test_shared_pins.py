"""Clients that are remembered by several processes: each is pinned to one upstream at all of them."""

import random

import pytest

from tests.cluster.played import Cluster
from txproxy.testing import context_of
from txproxy.upstreams import affinity as affinity_module
from txproxy.upstreams.affinity import affinity_from
from txproxy.upstreams.pool import Pool
from txproxy.upstreams.several_processes import shared_pins
from txproxy.upstreams.several_processes.shared_pins import SharedPins
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead

HEAD = RequestHead(b"GET", b"/", Headers([(b"Host", b"a")]), authority=b"a", scheme=b"http")
NAMES = ("http://10.0.0.1", "http://10.0.0.2", "http://10.0.0.3")


class Process:
    def __init__(self, cluster, number, names=NAMES):
        self.pool = Pool(list(names), clock=cluster.clock)
        self.pins = affinity_from("ip", self.pool, table=SharedPins)
        cluster.come(number, {"pins": self.pins})

    def pin(self, client, number):
        self.pins.pin(self.pool.upstreams[number], HEAD, context_of(client))

    def find(self, client):
        found = self.pins.find(HEAD, context_of(client))
        return self.pool.upstreams.index(found) if found is not None else None


class Together:
    def __init__(self, count=3, delay=0.002):
        self.cluster, self.processes = Cluster(delay), []
        for _ in range(count):
            self.come()
        self.tell()

    def come(self):
        self.processes.append(Process(self.cluster, len(self.processes)))
        return self.processes[-1]

    def tell(self, seconds=0.1):
        self.cluster.go_on(seconds)

    def find(self, client="a"):
        return [process.find(client) for process in self.processes]


@pytest.fixture
def together():
    made = Together()
    yield made
    made.tell(1)
    assert not made.cluster.clock.getDelayedCalls()


def test_who_was_pinned_by_one_is_by_all(together):
    together.processes[0].pin("a", 1)
    assert together.find() == [1, None, None]
    together.tell()
    assert together.find() == [1, 1, 1] and together.find("b") == [None] * 3


def test_the_newer_pin_holds_though_each_has_pinned_another(together):
    first, second, third = together.processes
    first.pin("a", 0)
    together.tell()
    second.pin("a", 2)
    together.tell()
    assert together.find() == [2, 2, 2]
    # Its clock does not matter, but what it knew.
    third.pin("a", 1)
    third.pin("a", 0)
    first.pin("a", 1)
    together.tell()
    assert together.find() == [0, 0, 0]


def test_of_two_in_the_same_moment_all_agree_on_one(together):
    first, second, third = together.processes
    first.pin("a", 2)
    second.pin("a", 1)
    third.pin("a", 2)
    together.tell()
    assert together.find() == [1, 1, 1]


def test_who_has_forgotten_hears_of_a_newer_pin(together):
    first, second, *_ = together.processes
    for number in (0, 1, 2):
        first.pin("a", number)
    together.tell()
    # There were too many others.
    second.pins._pinned.clear()
    second.pins._times.clear()
    second.pin("a", 0)
    together.tell(0.2)
    assert together.find() == [2, 2, 2]


@pytest.mark.parametrize("delay", [0.002, 0.3])
def test_whatever_they_pin_and_however_late_they_hear_all_agree_in_the_end(delay):
    together, chance = Together(4, delay), random.Random(2)
    for _ in range(300):
        chance.choice(together.processes).pin(chance.choice("abcde"), chance.randrange(3))
        together.cluster.go_on(chance.choice([0.0, 0.001, 0.05]))
    together.tell(3)
    for client in "abcde":
        assert len(set(together.find(client))) == 1 and together.find(client)[0] is not None
    assert not together.cluster.clock.getDelayedCalls()


def test_one_that_comes_knows_the_latest_and_one_that_dies_has_told_the_others(together, monkeypatch):
    monkeypatch.setattr(shared_pins, "_MOST_WHOLE", 2)
    first, *_ = together.processes
    for client in "abc":
        first.pin(client, 1)
    together.tell()
    together.cluster.die(0)
    new = together.come()
    together.tell()
    assert [new.find(client) for client in "abc"] == [None, 1, 1]
    assert list(new.pins._pinned) == ["b", "c"]


def test_who_comes_to_one_alone_is_not_forgotten_by_the_others(together):
    first, second, _ = together.processes
    first.pin("a", 1)
    together.tell()
    before = len(together.cluster.messages)
    for _ in range(60):
        together.cluster.clock.advance(60)
        first.pin("a", 1)
        together.tell()
    assert second.find("a") == 1 and len(together.cluster.messages) - before < 10
    together.cluster.clock.advance(2000)
    assert together.find() == [None] * 3


def test_an_upstream_that_is_not_here_pins_nobody(together):
    other = Process(together.cluster, 7, ("http://10.0.0.9", NAMES[0]))
    together.tell()
    other.pin("a", 0)
    other.pin("b", 1)
    together.tell()
    assert together.find() == [None] * 3 and together.find("b") == [0] * 3


def test_the_table_is_bounded(together, monkeypatch):
    monkeypatch.setattr(shared_pins, "MOST_CLIENTS", 3)
    for number in range(5):
        together.processes[0].pin(str(number), 0)
    together.tell()
    for process in together.processes:
        assert list(process.pins._pinned) == list(process.pins._times) and len(process.pins._pinned) == 3
    assert [together.find(str(number)) for number in (1, 4)] == [[None] * 3, [0] * 3]


def test_a_long_value_of_a_header_is_known_by_its_digest():
    pool = Pool(list(NAMES))
    affinity = affinity_from("header:X-Session", pool)
    for value in (b"short", b"x" * 1000):
        head = RequestHead(b"GET", b"/", Headers([(b"X-Session", value)]), authority=b"a", scheme=b"http")
        affinity.pin(pool.upstreams[1], head, context_of("a"))
        assert affinity.find(head, context_of("b")) is pool.upstreams[1]
    assert max(map(len, affinity._pinned)) == 32 < affinity_module._LONGEST


def test_where_there_are_no_others_it_pins_as_before(together):
    together.cluster.members[0].alone()
    first = together.processes[0]
    first.pin("a", 1)
    together.tell()
    assert together.find() == [1, None, None] and first.pins.news() == (None, False)


def test_who_finds_an_upstream_later_knows_whom_others_have_pinned_to_it(together):
    first, *_ = together.processes
    first.pin("a", 2)
    together.tell()
    late = Process(together.cluster, 9, NAMES[:2])
    together.processes.append(late)
    together.tell()
    assert late.find("a") is None
    late.pool.add(NAMES[2])
    assert late.find("a") == 2 and together.find() == [2] * 4
