"""All time limits, by one sweep."""

from itertools import pairwise

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


def test_many_that_are_late_are_told_bit_by_bit_before_the_next_look():
    clock = Clock()
    deadlines = Deadlines(clock)
    things = [Thing() for _ in range(100)]
    for thing in things:
        deadlines.watch(thing)
        thing.deadline = 0.1
    moved, gone = things[:2]
    deadlines.forget(gone)
    # The look, which finds them all.
    clock.advance(0.5)
    told = [sum(thing.passed for thing in things)]
    for _ in range(45):
        clock.advance(0.01)
        told.append(sum(thing.passed for thing in things))
    steps = [after - before for before, after in pairwise([0, *told])]
    assert [thing.passed for thing in things] == [1, 0] + [1] * 98 and moved.passed
    assert max(steps) <= 16 and 40 <= told[12] <= 60
    for thing in things:
        deadlines.forget(thing)
    assert not clock.getDelayedCalls()


def test_one_that_is_late_need_not_wait():
    clock = Clock()
    deadlines = Deadlines(clock)
    thing = Thing()
    deadlines.watch(thing)
    thing.deadline = 0.1
    clock.advance(0.5)
    assert thing.passed == 1
    deadlines.forget(thing)


def test_those_that_take_long_are_told_one_a_turn_and_leave_most_of_the_time_to_others():
    clock = Clock()
    deadlines = Deadlines(clock)
    told = []

    class Slow(Thing):
        def deadline_passed(self):
            super().deadline_passed()
            told.append(clock.rightNow)
            # What is done about it takes a while.
            clock.rightNow += 0.01

    things = [Slow() for _ in range(100)]
    for thing in things:
        deadlines.watch(thing)
        thing.deadline = 0.1
    clock.advance(0.5)
    assert len(told) == 1
    for _ in range(5000):
        clock.advance(0.001)
    assert {thing.passed for thing in things} == {1}
    pauses = [after - before for before, after in pairwise(told)]
    assert min(pauses) >= 0.0399 and max(pauses) <= 0.06
    for thing in things:
        deadlines.forget(thing)
    assert not clock.getDelayedCalls()


def test_who_was_late_and_is_not_any_more_is_left_alone():
    clock = Clock()
    deadlines = Deadlines(clock)

    class First(Thing):
        def deadline_passed(self):
            super().deadline_passed()
            if sum(thing.passed for thing in things) == 1:
                for thing in things:
                    if thing is not self and not thing.passed:
                        thing.deadline = NEVER

    things = [First() for _ in range(100)]
    for thing in things:
        deadlines.watch(thing)
        thing.deadline = 0.1
    clock.advance(0.5)
    assert sum(thing.passed for thing in things) == 1
    for thing in things:
        thing.deadline = 0.6
    clock.advance(0.5)
    for thing in things[:-1]:
        deadlines.forget(thing)
    deadlines.forget(things[-1])
    assert not clock.getDelayedCalls()


def test_the_end_of_all_ends_what_has_to_wait():
    clock = Clock()
    deadlines = Deadlines(clock)

    class Last(Thing):
        def deadline_passed(self):
            super().deadline_passed()
            for thing in things:
                deadlines.forget(thing)

    things = [Last() for _ in range(100)]
    for thing in things:
        deadlines.watch(thing)
        thing.deadline = 0.1
    clock.advance(0.5)
    assert not clock.getDelayedCalls() and sum(thing.passed for thing in things) == 1
