"""Failed logins are slowed, those of others are not."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.task import Clock

from txproxy.auth.login_throttle import FailedTries, TryLimits
from txproxy.errors import ConfigError

A, B = "192.0.2.1", "192.0.2.2"


@pytest.fixture
def clock() -> Clock:
    return Clock()


def fail(tries: FailedTries, address: str = A) -> float:
    tries.begin(address)
    return tries.failed(address)


def test_the_first_failures_are_answered_at_once_the_others_later_and_later(clock: Clock) -> None:
    tries = FailedTries(clock)
    assert [fail(tries) for _ in range(10)] == [0, 0, 0, 1, 2, 4, 8, 16, 30, 30]
    assert fail(tries, B) == 0


def test_failures_are_forgotten_one_by_one(clock: Clock) -> None:
    tries = FailedTries(clock)
    for _ in range(4):
        fail(tries)
    clock.advance(60)
    assert fail(tries) == 1
    clock.advance(240)
    assert [fail(tries) for _ in range(4)] == [0, 0, 0, 1]


def test_failures_are_forgotten_on_time_however_often_one_looks(clock: Clock) -> None:
    tries = FailedTries(clock)
    for _ in range(4):
        fail(tries)
    for _ in range(2):
        clock.advance(90)
        assert tries.wait(A) == 0
    assert [fail(tries) for _ in range(3)] == [0, 0, 1]


def test_a_failure_counts_from_when_it_is_known(clock: Clock) -> None:
    tries = FailedTries(clock)
    tries.begin(A)
    tries.begin(A)
    clock.advance(59)
    assert tries.failed(A) == 0
    clock.advance(59)
    assert [fail(tries) for _ in range(3)] == [0, 0, 1]


def test_however_many_there_were_all_are_forgotten_in_a_while(clock: Clock) -> None:
    tries = FailedTries(clock)
    for _ in range(1000):
        fail(tries)
    clock.advance(60 * 9)
    assert fail(tries) == 0


def test_a_slowed_address_has_few_tries_at_once_and_leaving_early_does_not_help(clock: Clock) -> None:
    tries = FailedTries(clock)
    for _ in range(3):
        fail(tries)
    assert [fail(tries) for _ in range(4)] == [1, 2, 4, 8]
    # Nobody need wait for these answers: the places are taken all the same.
    assert tries.wait(A) == 1
    assert tries.wait(B) == 0
    clock.advance(1)
    assert tries.wait(A) == 0
    tries.begin(A)
    assert tries.wait(A) == 1
    tries.passed(A)
    assert tries.wait(A) == 0


def test_an_address_without_failures_may_have_many_tries_at_once(clock: Clock) -> None:
    tries = FailedTries(clock, TryLimits(burst=8))
    for _ in range(8):
        assert tries.wait(A) == 0
        tries.begin(A)
    assert tries.wait(A) == 1
    for _ in range(8):
        tries.passed(A)
    assert tries.wait(A) == 0


def test_who_has_not_failed_is_not_remembered(clock: Clock) -> None:
    tries = FailedTries(clock)
    tries.begin(A)
    tries.begin(A)
    tries.passed(A)
    assert len(tries) == 1
    tries.passed(A)
    assert len(tries) == 0


def test_a_try_that_was_never_made_is_none(clock: Clock) -> None:
    tries = FailedTries(clock, TryLimits(burst=1))
    tries.begin(A)
    assert tries.wait(A)
    tries.given_up(A)
    assert not tries.wait(A) and not len(tries)


def test_to_be_right_once_does_not_make_up_for_failures(clock: Clock) -> None:
    tries = FailedTries(clock)
    for _ in range(3):
        fail(tries)
    tries.begin(A)
    tries.passed(A)
    assert fail(tries) == 1


def test_the_table_is_bounded_and_the_latest_stay(clock: Clock) -> None:
    tries = FailedTries(clock, TryLimits(capacity=3))
    for address in ("a", "b", "c", "a", "d"):
        fail(tries, address)
    assert len(tries) == 3
    assert [fail(tries, "a") for _ in range(2)] == [0, 1]
    # An end without a record, which has had to make room, does no harm.
    tries.passed("b")
    assert len(tries) == 3


@pytest.mark.parametrize(
    "wrong", [{"first": 0}, {"first": 31}, {"forget": 0}, {"free": -1}, {"at_once": 0}, {"burst": 0}, {"capacity": 0}]
)
def test_limits_that_make_no_sense_are_refused(wrong: Any) -> None:
    with pytest.raises(ConfigError, match="accepted"):
        TryLimits(**wrong)
