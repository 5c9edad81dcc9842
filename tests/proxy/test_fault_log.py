"""A client that does nothing right does not fill the log."""

import pytest
from twisted.internet.task import Clock
from twisted.logger import Logger, capturedLogs, formatEvent

from txproxy.proxy.fault_log import MOST, STILL, FaultLog


@pytest.fixture
def clock():
    return Clock()


def said(clock, *steps):
    """What is in the log after each kind was said so often, and so much time has passed."""
    log = FaultLog(Logger(), clock)
    with capturedLogs() as events:
        for kind, times, seconds in steps:
            for number in range(times):
                log.say(kind, "{what} {number}", what=kind, number=number)
            clock.advance(seconds)
        log.stop()
    assert not clock.getDelayedCalls()
    return [formatEvent(event) for event in events]


def test_a_few_faults_are_all_said_and_take_no_timer(clock):
    assert said(clock, ("a", MOST, 0)) == [f"a {number}" for number in range(MOST)]


def test_more_of_a_kind_are_counted_and_other_kinds_are_said(clock):
    lines = said(clock, ("a", 1000, 0), ("b", 1, 1))
    assert lines[MOST:] == ["b 0", f"{1000 - MOST} more: a"]


def test_each_second_has_its_own(clock):
    lines = said(clock, ("a", MOST, 1), ("a", MOST + 1, 1), ("b", MOST, 1), ("a", MOST + 2, 1), ("a", 1, 0))
    assert [line for line in lines if "more" in line] == ["1 more: a", "2 more: a"]
    assert len(lines) == 4 * MOST + 3


def test_of_a_kind_that_goes_on_less_is_said(clock):
    lines = said(clock, ("a", 100, 1), ("a", 100, 1), ("a", 100, 1), ("a", STILL, 1), ("a", MOST, 5), ("a", MOST, 0))
    assert [line for line in lines if "more" in line] == [f"{100 - most} more: a" for most in (MOST, STILL, STILL)]
    assert len(lines) == MOST + 1 + 2 * (STILL + 1) + STILL + 2 * MOST


def test_what_was_counted_is_said_at_the_end(clock):
    assert said(clock, ("a", MOST + 7, 0.5))[-1] == "7 more: a"
