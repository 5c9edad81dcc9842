"""A strategy that an embedder writes: what a pool tells it, and what it leaves out."""

import pytest
from twisted.internet.task import Clock
from zope.interface import implementer
from zope.interface.verify import verifyObject

from txproxy import Pool
from txproxy.testing import context_of
from txproxy.upstreams.balancing.strategy import IStrategy, Strategy

CLIENT = context_of("192.0.2.1")


@implementer(IStrategy)
class Last(Strategy):
    """The last one that can take it."""

    def __init__(self):
        self.updates = []

    def update(self, upstreams):
        self.updates.append([upstream.name for upstream in upstreams])
        self.upstreams = list(upstreams)

    def choose(self, head, client, skip=None):
        fit = [upstream for upstream in self.upstreams if skip is None or not skip(upstream)]
        return fit[-1] if fit else None


class Curious(Last):
    """Wants to know all that there is to know."""

    counts = times = True

    def __init__(self):
        super().__init__()
        self.told = []

    def changed(self, upstream):
        self.told.append((upstream.name, upstream.active))

    def measured(self, upstream, seconds):
        self.told.append((upstream.name, f"{seconds:g} s"))


@pytest.mark.parametrize("made", [Last, Curious])
def test_what_many_do_not_need_need_not_be_written(made):
    assert verifyObject(IStrategy, made())


def test_a_pool_tells_who_is_available_before_the_first_choice_and_at_each_change():
    strategy = Last()
    pool = Pool(["http://a", "http://b"], strategy)
    assert strategy.updates == [["http://a", "http://b"]]
    assert pool.take(None, CLIENT).name == "http://b"
    pool.disable("http://b")
    assert strategy.updates[-1] == ["http://a"]
    assert pool.take(None, CLIENT).name == "http://a"
    pool.disable("http://a")
    assert strategy.updates[-1] == []
    assert pool.take(None, CLIENT) is None


def test_who_is_full_or_was_tried_is_to_be_skipped():
    pool = Pool(["http://a", "http://b", "http://c;max=1"], Last())
    taken = [pool.take(None, CLIENT) for _ in range(2)]
    assert [upstream.name for upstream in taken] == ["http://c", "http://b"]
    assert pool.take(None, CLIENT, (taken[1],)).name == "http://a"


def test_one_that_counts_is_told_of_each_request_that_begins_and_ends():
    strategy = Curious()
    pool = Pool(["http://a"], strategy)
    first, _ = pool.take(None, CLIENT), pool.take(None, CLIENT)
    first.ended(None, 200)
    assert strategy.told == [("http://a", 1), ("http://a", 2), ("http://a", 1)]


def test_one_that_times_is_told_how_long_an_answer_took():
    strategy, clock = Curious(), Clock()
    pool = Pool(["http://a"], strategy, clock=clock)
    upstream = pool.take(None, CLIENT)
    answered = pool.attention(upstream, False)
    clock.advance(1.5)
    answered(200)
    assert strategy.told[-1] == ("http://a", "1.5 s")


class Incurious(Curious):
    """Wants to know nothing, and would remember it."""

    counts = times = False


def test_one_that_wants_to_know_neither_is_told_neither():
    strategy = Incurious()
    pool = Pool(["http://a"], strategy)
    assert not pool.listens and not pool.curious
    upstream = pool.take(None, CLIENT)
    pool.attention(upstream, False)(200)
    upstream.ended(None, 200)
    assert strategy.told == []
