"""Whether an upstream is still there: when it is asked, and how often."""

import pytest
from twisted.internet.task import Clock

from txproxy.net.deadlines import Deadlines
from txproxy.proxy.upstream.http2.liveness import Liveness


class Watched:
    deadline = float("inf")

    def deadline_passed(self):
        pass


@pytest.fixture
def clock():
    clock = Clock()
    clock.advance(1000)
    return clock


@pytest.fixture
def liveness(clock):
    deadlines, watched = Deadlines(clock), Watched()
    deadlines.watch(watched)
    yield Liveness(deadlines, 60.0)
    deadlines.forget(watched)


def test_silence_is_borne_for_a_quarter_of_the_time_of_a_response(liveness):
    assert 1015 <= liveness.heard() <= 1016


def test_who_does_not_answer_within_half_of_it_is_gone(liveness):
    asks, until = liveness.ask(1015)
    assert asks and 1030 <= until <= 1031 and liveness.gone
    liveness.heard()
    assert not liveness.gone


def test_who_answers_and_is_silent_again_is_not_asked_for_five_minutes(liveness):
    liveness.ask(1015)
    liveness.heard()
    assert liveness.ask(1030) == (False, 1315) and not liveness.gone
    assert liveness.ask(1315)[0]
