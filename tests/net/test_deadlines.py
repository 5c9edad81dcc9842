"""All time limits, by one sweep."""

from twisted.internet.task import Clock

from txproxy.net.deadlines import NEVER, Deadlines


class Thing:
    deadline = NEVER
    passed = 0

    def deadline_passed(self):
        self.passed += 1
        self.deadline = NEVER


def advance(clock, seconds):
    for _ in range(round(seconds * 20)):
        clock.advance(0.05)


def test_a_limit_is_not_over_too_early_and_not_much_too_late():
    clock = Clock()
    deadlines = Deadlines(clock)
    limit = deadlines.limit(3.0)
    thing = Thing()
    deadlines.watch(thing)
    advance(clock, 0.4)
    thing.deadline = limit.ahead
    advance(clock, 2.9)
    assert not thing.passed
    advance(clock, 1.2)
    assert thing.passed == 1
    deadlines.forget(thing)


def test_a_short_limit_is_looked_at_more_often():
    clock = Clock()
    deadlines = Deadlines(clock)
    limit = deadlines.limit(0.2)
    thing = Thing()
    deadlines.watch(thing)
    thing.deadline = limit.ahead
    advance(clock, 0.4)
    assert thing.passed == 1
    deadlines.forget(thing)


def test_the_timer_runs_only_while_something_is_watched():
    clock = Clock()
    deadlines = Deadlines(clock)
    assert not clock.getDelayedCalls()
    things = [Thing(), Thing()]
    for thing in things:
        deadlines.watch(thing)
    assert len(clock.getDelayedCalls()) == 1
    for thing in things:
        deadlines.forget(thing)
    assert not clock.getDelayedCalls()


def test_a_thing_that_is_forgotten_in_a_sweep_harms_nobody():
    clock = Clock()
    deadlines = Deadlines(clock)
    other = Thing()

    class Last(Thing):
        def deadline_passed(self):
            deadlines.forget(self)
            deadlines.forget(other)

    last = Last()
    last.deadline = 0
    deadlines.watch(last)
    deadlines.watch(other)
    advance(clock, 2)
    assert not clock.getDelayedCalls()
