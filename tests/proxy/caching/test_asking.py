"""A request that waits for what another has asked for."""

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from txproxy.interfaces.answers import Answer
from txproxy.net.deadlines import NEVER, Deadlines
from txproxy.proxy.caching.asking import Asking, Waiter

LATE = "the response that was waited for is late"


class World:
    """What a waiter stands among: time, what it waits for, and what is decided in the end."""

    def __init__(self):
        self.clock = Clock()
        self.deadlines = Deadlines(self.clock)
        self.gone = []
        self.decision = Answer(200)
        self.asked = []
        self.got = []

    def waiter_gone(self, waiter):
        self.gone.append(waiter)

    def decide(self, asking, why=""):
        self.asked.append(why)
        if isinstance(self.decision, Exception):
            raise self.decision
        return self.decision

    def waiter(self, patience=5.0):
        asking = Asking(None, None, b"key", None, False, self, self.decide, self.decide)
        waiter = Waiter(asking, self, patience)
        waiter.decided.addBoth(self.got.append)
        return waiter

    def advance(self, seconds):
        for _ in range(int(seconds * 10)):
            self.clock.advance(0.1)


@pytest.fixture
def world():
    world = World()
    yield world
    assert not world.clock.getDelayedCalls()


def test_it_gets_the_answer(world):
    waiter, answer = world.waiter(), Answer(204)
    waiter.answer(lambda: answer)
    assert world.got == [answer] and not world.gone


def test_it_waits_no_longer_than_it_has_patience(world):
    waiter = world.waiter()
    world.advance(4.9)
    assert not world.got
    world.advance(1)
    assert world.got == [world.decision] and world.asked == [LATE] and world.gone == [waiter]


def test_the_first_waits_as_long_as_it_takes(world):
    waiter = world.waiter(NEVER)
    world.advance(100)
    assert not world.got
    waiter.ask_again()


def test_its_time_goes_on_while_it_waits_for_another(world):
    waiter, other = world.waiter(), World()
    world.advance(3)
    waiter.wait_for(other)
    world.advance(3)
    assert other.gone == [waiter] and not world.gone and world.asked == [LATE]


def test_its_own_time_counts_though_nobody_else_is_there(world):
    world.advance(1000)
    world.waiter()
    world.advance(4)
    assert not world.got
    world.advance(2)


def test_who_leaves_waits_no_longer(world):
    waiter = world.waiter()
    waiter.decided.cancel()
    assert world.gone == [waiter]
    (failure,) = world.got
    assert failure.check(CancelledError)


def test_who_has_left_gets_nothing(world):
    waiter = world.waiter()
    waiter.decided.cancel()
    world.got.clear()
    waiter.answer(lambda: pytest.fail("nobody is there"))
    assert not world.got


def test_who_asks_again_asks_alone(world):
    waiter = world.waiter()
    waiter.ask_again()
    assert waiter.asking.alone and world.got == [world.decision]


def test_who_decides_anew_may_share(world):
    waiter = world.waiter()
    waiter.decide_anew()
    assert not waiter.asking.alone and world.got == [world.decision]


def test_what_is_decided_later_is_what_it_gets(world):
    world.decision = decision = Deferred()
    world.waiter().go("why")
    assert world.asked == ["why"] and not world.got
    answer = Answer(200)
    decision.callback(answer)
    assert world.got == [answer]


def test_who_leaves_by_then_cancels_it(world):
    world.decision = Deferred()
    waiter = world.waiter()
    waiter.go("why")
    waiter.decided.cancel()
    assert world.decision.called and len(world.got) == 1


def test_a_fault_is_what_it_gets(world):
    world.decision = ZeroDivisionError()
    world.waiter().go("why")
    (failure,) = world.got
    assert failure.check(ZeroDivisionError)
