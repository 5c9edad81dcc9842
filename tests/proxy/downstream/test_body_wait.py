"""How long the body of a request is waited for."""

import attrs
import pytest
from twisted.internet.task import Clock

from txproxy import Limits
from txproxy.proxy.downstream.body_wait import BodyWait, Late
from txproxy.proxy.exchanges.early_body import EarlyBody
from txproxy.proxy.services import Services


@attrs.define
class Body:
    """What is asked of the body of a request."""

    early: EarlyBody | None = None
    gathering: bool = True
    told: int = 0

    def first_part_late(self):
        self.told += 1


@attrs.define
class Exchange:
    """What is asked of an exchange."""

    received: int = 0
    response_begun: bool = False
    wants_body: bool = True
    body: Body = attrs.field(factory=Body)


@attrs.define(eq=False)
class Connection:
    """Keeps the sweep of deadlines awake."""

    deadline: float = float("inf")

    def deadline_passed(self):
        raise AssertionError


@pytest.fixture
def make():
    made = []

    def make(**limits):
        clock = Clock()
        services = Services(clock, Limits(idle_timeout=100, min_body_rate=10, **limits), None)
        connection = Connection()
        services.deadlines.watch(connection)
        made.append((services, connection))
        return clock, BodyWait(services)

    yield make
    for services, connection in made:
        services.deadlines.forget(connection)
        services.stop()


def pass_time(clock, seconds):
    for _ in range(seconds * 2):
        clock.advance(0.5)


def in_about(until, clock):
    return until - clock.seconds()


def test_a_body_has_a_grace_and_then_the_time_that_its_rate_gives_it(make):
    clock, wait = make()
    exchange = Exchange()
    assert in_about(wait.until(exchange), clock) == pytest.approx(30, abs=1)
    pass_time(clock, 20)
    assert in_about(wait.until(exchange), clock) == pytest.approx(10, abs=1)
    exchange.received = 500
    assert in_about(wait.until(exchange), clock) == pytest.approx(30, abs=1)
    # and never more than a silence may take
    exchange.received = 10_000
    assert in_about(wait.until(exchange), clock) == pytest.approx(100, abs=1)


def test_time_in_which_it_was_not_waited_for_does_not_count(make):
    clock, wait = make()
    exchange = Exchange()
    wait.until(exchange)
    pass_time(clock, 10)
    wait.cease(exchange)
    pass_time(clock, 50)
    wait.wait_again()
    assert in_about(wait.until(exchange), clock) == pytest.approx(20, abs=1)


def test_who_is_answered_while_it_asks_is_held_to_no_rate(make):
    clock, wait = make()
    exchange = Exchange()
    wait.until(exchange)
    assert not wait.answered_before(exchange)
    exchange.response_begun = True
    assert wait.answered_before(exchange) and not wait.answered_before(exchange)
    assert in_about(wait.until(exchange), clock) == pytest.approx(100, abs=1)


def test_without_a_rate_there_is_none_to_wait_for_again(make):
    clock, wait = make()
    wait.wait_again()
    wait.cease(Exchange())
    assert not wait.answered_before(Exchange(response_begun=True))
    assert in_about(wait.until(Exchange()), clock) == pytest.approx(30, abs=1)


def test_a_first_part_may_have_to_come_sooner(make):
    clock, wait = make()
    early = EarlyBody(None)
    exchange = Exchange(body=Body(early))
    assert in_about(wait.until(exchange), clock) == pytest.approx(30, abs=1)
    early.until = clock.seconds() + 1
    assert in_about(wait.until(exchange), clock) == 1


@pytest.mark.parametrize(("gathering", "late"), [(True, Late.FIRST_PART), (False, Late.NOTHING)])
def test_a_first_part_that_is_late_is_said_and_waited_for_as_long_as_somebody_gathers(make, gathering, late):
    clock, wait = make()
    early = EarlyBody(None)
    early.until = clock.seconds() + 5
    exchange = Exchange(body=Body(early, gathering))
    assert wait.late(exchange, early.until) is late and exchange.body.told == 1
    assert wait.late(exchange, early.until - 1) is Late.BODY and exchange.body.told == 1


def test_what_an_upstream_is_not_ready_for_is_not_late(make):
    _, wait = make()
    assert wait.late(Exchange(wants_body=False), 0.0) is Late.NOTHING
