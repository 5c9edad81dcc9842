"""Files are looked at while somebody listens."""

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorThreads
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from txproxy.forward.policy_files import FileWatch, in_threads


@pytest.fixture
def clock():
    clock = Clock()
    yield clock
    assert not clock.getDelayedCalls()


def test_each_look_comes_every_ten_seconds_until_the_end(clock):
    looked = []

    async def look():
        looked.append(clock.seconds())

    watch = FileWatch(clock, [look, look])
    watch.start()
    for _ in range(25):
        clock.advance(1)
    assert looked == [10, 10, 20, 20]
    watch.stop()
    clock.advance(20)
    assert len(looked) == 4


def test_nothing_to_look_at_needs_no_timer(clock):
    FileWatch(clock, []).start()


def test_a_look_that_takes_its_time_is_not_hurried(clock):
    waiting = []

    async def look():
        waiting.append(Deferred())
        await waiting[-1]

    watch = FileWatch(clock, [look])
    watch.start()
    clock.advance(10)
    clock.advance(30)
    assert len(waiting) == 1
    waiting[0].callback(None)
    clock.advance(10)
    assert len(waiting) == 2
    watch.stop()


def test_a_watch_may_end_while_it_looks(clock):
    events = []

    async def hang():
        await Deferred()

    watch = FileWatch(clock, [hang])
    watch.start()
    clock.advance(10)
    globalLogPublisher.addObserver(events.append)
    watch.stop()
    globalLogPublisher.removeObserver(events.append)
    assert not events


def test_a_look_that_takes_its_time_holds_up_no_other(clock):
    looked = []

    async def hang():
        await Deferred()

    async def look():
        looked.append(clock.seconds())

    watch = FileWatch(clock, [hang, look])
    watch.start()
    for _ in range(3):
        clock.advance(10)
    assert looked == [10, 20, 30]
    watch.stop()


def test_one_that_fails_is_called_again_and_harms_no_other(clock):
    looked = []

    async def fail():
        looked.append("fail")
        raise OSError("gone")

    async def look():
        looked.append("look")

    watch = FileWatch(clock, [fail, look])
    watch.start()
    clock.advance(10)
    clock.advance(10)
    assert looked == ["fail", "look"] * 2
    watch.stop()


def test_a_watch_may_begin_again(clock):
    looked = []

    async def look():
        looked.append(1)

    watch = FileWatch(clock, [look])
    watch.start()
    watch.stop()
    watch.start()
    clock.advance(10)
    assert looked == [1]
    watch.stop()


def test_without_threads_a_function_runs_at_once(clock):
    results = []
    Deferred.fromCoroutine(in_threads(clock)(lambda: 7)).addCallback(results.append)
    assert results == [7]


def test_with_threads_it_runs_in_one_of_them(clock):
    handed = []

    class Pool(ThreadPool):
        def callInThreadWithCallback(self, onResult, function, *args, **kwargs):
            handed.append(function)

    @implementer(IReactorThreads)
    class Reactor(Clock):
        def getThreadPool(self):
            return Pool()

    def function():
        raise AssertionError("not here")

    in_threads(Reactor())(function)
    assert handed == [function]
