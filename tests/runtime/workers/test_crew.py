"""Who ends is replaced: the master's side of a mould and its workers."""

import os
import socket

import pytest
from twisted.logger import LogLevel, capturedLogs, formatEvent

from tests.runtime.workers.played import PlayedMould, PlayedWorker, Reactor
from txproxy.config.model import Config
from txproxy.errors import ConfigError
from txproxy.runtime.workers.channel import channel_pair
from txproxy.runtime.workers.crew import Crew
from txproxy.runtime.workers.inheritance import OldWorker

CONFIG = Config(listeners=())


@pytest.fixture
def reactor():
    return Reactor()


@pytest.fixture
def mould(reactor):
    played = PlayedMould(reactor)
    yield played
    played.close()


@pytest.fixture
def heard():
    return []


@pytest.fixture
def crew(reactor, mould, heard):
    made = Crew(reactor, lambda number: (number, []), lambda *said: heard.append(said), mould.start)
    yield made
    made.end()
    if mould.channel is not None and not mould.channel.closed:
        mould.turn()
    for worker in mould.workers:
        worker.channel.close()
    reactor.turn()
    assert not reactor.getDelayedCalls() and not reactor.getReaders()


@pytest.fixture
def serving(crew, mould):
    """A crew of two, who serve."""
    crew.configure(CONFIG)
    crew.resize(2)
    mould.turn()
    for number, worker in enumerate(mould.workers, 1):
        worker.says("ready", 100 + number)
    return crew


def said(events, level=LogLevel.error):
    return [formatEvent(event) for event in events if event["log_level"] is level]


def test_workers_are_asked_for_once_the_mould_has_read_what_they_serve(crew, mould, reactor):
    crew.resize(2)
    crew.configure(CONFIG, (1, 2, False))
    assert not mould.workers
    mould.turn()
    assert mould.configured == [(CONFIG, type(reactor).__module__)] and mould.became == [(1, 2, False)]
    mould.turn()
    assert [worker.number for worker in mould.workers] == [1, 2]
    # Each has what it listens on before it asks.
    assert [[(one.kind, one.content) for one in worker.hears()] for worker in mould.workers] == [
        [("sockets", 1)],
        [("sockets", 2)],
    ]


def test_who_ends_is_replaced_at_once_and_how_it_ended_is_said(serving, mould, reactor):
    with capturedLogs() as events:
        mould.workers[0].ends()
        mould.says("ended", (1, 101, -9))
    mould.turn()
    assert [worker.number for worker in mould.workers] == [1, 2, 1]
    assert said(events) == ["worker 1 (process 101) has ended by SIGKILL"]


def test_one_that_fails_again_and_again_is_tried_less_and_less_often(crew, mould, reactor):
    crew.configure(CONFIG)
    crew.resize(1)
    pauses = []
    with capturedLogs() as events:
        for _ in range(12):
            mould.turn()
            count = len(mould.workers)
            mould.workers[-1].ends()
            mould.turn()
            before = reactor.seconds()
            while len(mould.workers) == count:
                (timer,) = reactor.getDelayedCalls()
                reactor.advance(timer.getTime() - reactor.seconds())
                mould.turn()
            pauses.append(reactor.seconds() - before)
    assert pauses[:6] == [0, 0, 0.5, 1, 2, 4] and pauses[-1] == 30
    assert said(events)[0] == "worker 1 has ended 3 times soon after its start; the next one is started in 0.5 s"


def test_one_that_is_killed_again_and_again_is_followed_at_once(serving, mould, reactor):
    """Half of the clients wait at its sockets."""
    for _ in range(5):
        mould.workers[-1].says("ready", 7)
        reactor.advance(1.5)
        mould.workers[-1].ends()
        mould.turn()
    assert len(mould.workers) == 7 and not reactor.getDelayedCalls()


def test_one_that_leaves_is_followed_before_it_has_gone_and_that_is_no_fault(serving, mould):
    first = mould.workers[0]
    with capturedLogs() as events:
        first.says("leaving")
        mould.turn()
        assert [worker.number for worker in mould.workers] == [1, 2, 1]
        first.ends()
        mould.says("ended", (1, 101, 0))
    mould.turn()
    assert len(mould.workers) == 3 and said(events) == []


def test_workers_go_on_while_the_mould_is_started_again(serving, mould, reactor):
    with capturedLogs() as events:
        mould.channel.close()
        reactor.turn()
        assert said(events) == ["the process that starts workers has ended; it is started again"]
    mould.workers[0].ends()
    reactor.advance(0)
    assert mould.starts == 2
    mould.turn()
    mould.turn()
    assert [worker.number for worker in mould.workers] == [1, 2, 1]


def test_a_smaller_crew_sends_the_last_ones_home(serving, mould):
    serving.resize(1)
    # The one that stays goes on with what it has.
    assert [one.kind for one in mould.workers[1].hears()] == ["sockets", "hand over", "drain"]
    assert [one.kind for one in mould.workers[0].hears()] == ["sockets", "take over"]
    mould.workers[1].says("leaving")
    assert mould.workers[0].hears() == []
    mould.workers[1].ends()
    mould.turn()
    assert serving.numbers == [1] and len(mould.workers) == 2
    serving.resize(3)
    mould.turn()
    assert [worker.number for worker in mould.workers] == [1, 2, 2, 3]


def test_what_workers_log_is_in_the_masters_log(serving, mould):
    with capturedLogs() as events:
        mould.workers[1].says("log", ("warn", "something"))
    (event,) = events
    assert (formatEvent(event), event["log_system"]) == ("something", "worker 2")
    assert event["log_level"] is LogLevel.warn


def test_what_is_no_business_of_the_crew_is_passed_on(serving, mould, heard):
    mould.workers[1].says("taken", 5)
    mould.workers[1].ends()
    said = [(number, message.kind, message.content) for number, message in heard]
    assert said == [(2, "taken", 5), (2, "ended", 102), (2, "gone", None)]


def test_the_end_waits_for_all(serving, mould):
    ended = serving.end()
    for worker in mould.workers:
        assert worker.hears()[-1].kind == "drain"
        assert not ended.called
        worker.ends()
    assert ended.called
    # Nobody is started any more, and the mould is told by the end of its channel.
    mould.turn()
    assert len(mould.workers) == 2 and mould.channel.closed


def test_who_is_still_on_its_way_at_the_end_is_waited_for(crew, mould):
    crew.configure(CONFIG)
    crew.resize(1)
    mould.turn()
    ended = crew.end()
    mould.turn()
    (worker,) = mould.workers
    assert [one.kind for one in worker.hears()] == ["sockets", "drain"] and not ended.called
    worker.says("ready", 9)
    worker.ends()
    assert ended.called


@pytest.fixture
def old(crew, reactor):
    """A worker of the program before, which it has handed on."""
    ours, theirs = channel_pair()
    crew.take_over([OldWorker(1, 77, os.dup(ours.fileno()))], 0)
    ours.close()
    made = PlayedWorker(1, theirs.detach(), reactor)
    yield made
    made.channel.close()
    reactor.turn()
    reactor.advance(1)


def test_workers_of_the_program_before_leave_once_all_of_this_one_serve(old, crew, mould, heard):
    crew.configure(CONFIG)
    crew.resize(2)
    mould.turn()
    first, second = mould.workers
    first.says("ready", 101)
    assert old.hears() == []
    with capturedLogs() as events:
        second.says("ready", 102)
    told = old.hears()
    assert [one.kind for one in told] == ["hand over", "drain"] and "finish and leave" in formatEvent(events[0])
    # To one of the new ones it leads.
    (taking,) = [one for worker in (first, second) for one in worker.hears() if one.kind == "take over"]
    with socket.socket(fileno=told[0].descriptors[0]) as gives, socket.socket(fileno=taking.descriptors[0]) as takes:
        gives.sendall(b"a connection")
        assert takes.recv(100) == b"a connection"
    # One that has ended is followed by another one of those that serve.
    old.says("another")
    again = [one for worker in (first, second) for one in worker.hears() if one.kind == "take over"]
    assert [one.kind for one in old.hears()] == ["hand over"] and len(again) == 1
    # Nobody follows it.
    old.says("leaving")
    old.ends()
    mould.turn()
    assert len(mould.workers) == 2
    # Whoever has asked it something as it left hears that there will be no answer.
    assert [(number, one.kind, one.content) for number, one in heard] == [(1, "ended", 77)]


def test_those_of_the_program_before_are_waited_for_in_the_end(old, crew):
    ended = crew.end()
    assert [one.kind for one in old.hears()] == ["drain"] and not ended.called
    old.ends()
    assert ended.called


def test_who_serves_or_leaves_is_handed_on(serving, mould):
    mould.workers[0].says("leaving")
    mould.turn()
    handed = serving.hand_over()
    # Who was just asked for is nobody's yet.
    assert sorted((one.number, one.pid) for one in handed) == [(1, 101), (2, 102)]
    # Else it would serve what there is now for ever.
    said = [[message.kind for message in worker.hears()] for worker in mould.workers]
    assert [kinds.count("drain") for kinds in said] == [0, 0, 1]


def test_before_the_reactor_runs_the_first_worker_is_waited_for(serving):
    serving.wait_until_served()


@pytest.mark.parametrize(
    ("speaker", "kind", "line"),
    [
        ("mould", "wrong", "workers cannot be made: no"),
        ("worker", "failed", "worker 1 could not start: no"),
    ],
)
def test_what_hinders_the_first_one_is_an_error(crew, mould, speaker, kind, line):
    crew.configure(CONFIG)
    crew.resize(1)
    mould.turn()
    (mould if speaker == "mould" else mould.workers[0]).says(kind, "no")
    with pytest.raises(ConfigError, match=line):
        crew.wait_until_served()
