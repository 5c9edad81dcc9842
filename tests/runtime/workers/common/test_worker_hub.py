"""The hub in the master: what workers tell each other, over their channels."""

import pickle

import pytest

from tests.runtime.workers.played import PlayedMould, Reactor
from txproxy.config.model import Config
from txproxy.runtime.workers.channel import Channel, channel_pair
from txproxy.runtime.workers.common.worker_hub import WorkerHub
from txproxy.runtime.workers.crew import Crew


@pytest.fixture
def mould():
    reactor = Reactor()
    played = PlayedMould(reactor)
    crew = Crew(reactor, lambda number: (number, []), lambda *said: None, played.start)
    crew.configure(Config(listeners=()))
    crew.resize(3)
    played.turn()
    for number, worker in enumerate(played.workers, 1):
        worker.says("ready", 100 + number)
    yield played
    crew.end()
    for worker in played.workers:
        worker.channel.close()
    reactor.turn()
    played.close()


def shared(worker):
    return [message.content for message in worker.hears(shared=True)]


def test_what_one_tells_goes_to_all_others_and_not_back(mould):
    first, second, third = mould.workers
    assert shared(first) == [("welcome", None), ("lead", True), ("joined", 102), ("joined", 103)]
    assert shared(second) == [("welcome", None), ("joined", 103)]
    assert shared(third) == [("welcome", None)]
    third.says("shared", ("news", {"rate": {"a": 1}}))
    assert shared(first) == shared(second) == [("news", (103, {"rate": {"a": 1}}))]
    assert shared(third) == []
    first.says("shared", ("whole", (103, "all")))
    assert shared(third) == [("whole", (101, "all"))] and shared(second) == []


def test_who_leaves_leads_no_more_and_who_ends_is_gone(mould):
    first, second, third = mould.workers
    for worker in mould.workers:
        shared(worker)
    first.says("leaving")
    assert shared(first) == [("lead", False)] and shared(second) == [("lead", True)]
    mould.turn()
    mould.workers[-1].says("ready", 104)
    assert shared(first) == [("joined", 104)]
    first.ends()
    assert shared(third) == [("joined", 104), ("gone", 101)]
    # One that ends before it has served was never there.
    second.ends()
    mould.turn()
    mould.workers[-1].ends()
    assert shared(third) == [("gone", 102), ("lead", True)]


def test_who_does_not_read_is_sent_no_more_than_there_is_room_for():
    hub, reactor = WorkerHub(), Reactor()
    ours, theirs = channel_pair()
    other, unheard = channel_pair()
    for channel in (ours, other):
        channel.start(reactor, lambda message: None, lambda: None)
    hub.came(1, ours)
    hub.came(2, other)
    news = {"rate": {"x" * 1000: 1}}
    for _ in range(5000):
        hub.heard(1, "news", news)
    assert 1 << 20 <= other.waiting < (1 << 20) + 2 * len(pickle.dumps(news))
    for channel in (ours, other, Channel(theirs), Channel(unheard)):
        channel.close()


def test_who_has_read_all_again_is_told_what_it_has_missed():
    hub, reactor, heard, told = WorkerHub(), Reactor(), [], []
    ours, theirs = channel_pair()
    other, stopped = channel_pair()
    for channel in (ours, other):
        channel.start(reactor, lambda message: None, lambda: None)
    first, second = Channel(theirs), Channel(stopped)
    first.start(reactor, told.append, lambda: None)
    hub.came(1, ours)
    hub.came(2, other)
    for _ in range(2000):
        hub.heard(1, "news", {"rate": {"x" * 1000: 1}})
    reactor.turn()
    told.clear()
    # It goes on, and has nothing to say.
    second.start(reactor, heard.append, lambda: None)
    while reactor.getWriters():
        reactor.turn()
    reactor.turn()
    assert [message.content for message in told] == [("joined", 2)]
    assert 1000 < len(heard) < 2000
    for channel in (ours, other, first, second):
        channel.close()
