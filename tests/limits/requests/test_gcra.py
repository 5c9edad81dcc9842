"""The algorithm, at given times."""

import random

import pytest

from txproxy.limits.requests.gcra import Gcra

# A clock that counts from 1970 has fewer digits after the point.
STARTS = [0.0, 1.8e9]


@pytest.fixture(params=STARTS)
def start(request):
    return request.param


def test_so_many_may_come_at_once_and_then_one_for_each_interval(start):
    rate = Gcra(0.1, 5)
    assert [rate.take("a", start) for _ in range(5)] == [0.0] * 5
    assert rate.take("a", start) == pytest.approx(-0.1, abs=1e-5)
    assert rate.take("a", start + 0.05) == pytest.approx(-0.05, abs=1e-5)
    assert rate.take("a", start + 0.1) == 0.0
    assert rate.take("a", start + 0.1) < 0
    # after long silence no more are saved up than a burst
    assert [rate.take("a", start + 100) >= 0 for _ in range(7)] == [True] * 5 + [False] * 2


def test_what_is_evenly_sent_at_the_rate_always_passes(start):
    rate = Gcra(1 / 300, 1)
    assert all(rate.take("a", start + number / 300) == 0.0 for number in range(3000))


def test_what_passes_is_the_rate_whatever_is_offered(start):
    rate = Gcra(0.01, 10)
    chance = random.Random(1)
    times = sorted(chance.uniform(0, 20) for _ in range(20000))
    passed = sum(rate.take("a", start + moment) == 0.0 for moment in times)
    assert 2000 <= passed <= 2010


def test_who_is_refused_after_so_long_is_let_through_then_and_not_sooner(start):
    rate = Gcra(0.3, 2)
    while (wait := rate.take("a", start)) == 0.0:
        pass
    assert rate.take("a", start - wait - 0.001) < 0
    assert rate.take("a", start - wait + 0.0001) == 0.0


def test_some_wait_and_each_has_its_own_turn(start):
    rate = Gcra(0.1, 2, waiting=3)
    waits = [rate.take("a", start) for _ in range(6)]
    assert waits == pytest.approx([0.0, 0.0, 0.1, 0.2, 0.3, -0.1], abs=1e-5)
    assert rate.take("a", start + 0.1) == pytest.approx(0.3, abs=1e-5)


def test_keys_do_not_know_each_other(start):
    rate = Gcra(1.0, 1)
    assert [rate.take(key, start) for key in ("a", "b", ("a", 1))] == [0.0] * 3
    assert all(rate.take(key, start) < 0 for key in ("a", "b", ("a", 1)))


def test_what_has_come_elsewhere_moves_the_clock_and_what_has_not_moves_it_back(start):
    rate = Gcra(0.1, 5)
    rate.add("a", 3, start)
    assert [rate.take("a", start) for _ in range(3)] == pytest.approx([0.0, 0.0, -0.1], abs=1e-5)
    rate.add("a", -1, start)
    assert rate.take("a", start) == 0.0
    rate.add("a", -100, start)
    assert len(rate) == 0 and rate.left("a", start) == (5, 0.0)
    # nobody is kept out for longer than what a burst takes to be paid off
    rate.add("a", 1000, start)
    assert rate.take("a", start + 0.1) == 0.0


def test_it_says_what_is_left(start):
    rate = Gcra(0.5, 4)
    assert rate.left("a", start) == (4, 0.0)
    for left in (3, 2, 1, 0):
        rate.take("a", start)
        assert rate.left("a", start)[0] == left
    assert rate.left("a", start)[1] == pytest.approx(2.0, abs=1e-5)
    assert rate.left("a", start + 1.01)[0] == 2


def test_a_clock_that_is_set_back_keeps_nobody_out_for_longer_than_a_burst():
    rate = Gcra(0.1, 5)
    for _ in range(6):
        rate.take("a", 1000.0)
    assert rate.take("a", 10.0) == pytest.approx(-0.1, abs=1e-5)
    assert rate.take("a", 10.1001) == 0.0


def test_what_is_forgotten_begins_anew():
    rate = Gcra(1.0, 1)
    for key in "ab":
        rate.take(key, 0.0)
    rate.forget("a")
    assert (rate.take("a", 0.0), len(rate)) == (0.0, 2)
    rate.forget()
    assert len(rate) == 0 and rate.take("b", 0.0) == 0.0


@pytest.mark.parametrize("add", [False, True])
def test_a_spray_of_keys_is_bounded_and_frees_none_of_those_that_are_held_back(add, start):
    rate = Gcra(1.0, 20, most_keys=1000)
    for _ in range(21):
        for heavy in range(50):
            rate.take(("heavy", heavy), start)
    passed = 0
    for number in range(20000):
        now = start + number / 20000
        if add:
            rate.add(number, 1, now)
        else:
            assert rate.take(number, now) == 0.0
        assert len(rate) <= 1000
        if number % 100 == 0:
            passed += sum(rate.take(("heavy", heavy), now) == 0.0 for heavy in range(50))
    assert passed == 0


def test_keys_that_owe_nothing_make_room_first():
    rate = Gcra(1.0, 1, most_keys=100)
    for number in range(60):
        rate.take(("old", number), 0.0)
    for number in range(40):
        rate.take(("new", number), 5.0)
    rate.take("one more", 5.5)
    assert len(rate) == 41
    assert all(rate.take(("new", number), 5.5) < 0 for number in range(40))


def test_who_owes_something_is_told_with_how_long_that_takes(start):
    rate = Gcra(10.0, 5)
    for key in ("a", "b", "b"):
        rate.take(key, start)
    assert dict(rate.debts(start)) == {"a": pytest.approx(10.0), "b": pytest.approx(20.0)}
    assert dict(rate.debts(start + 10)) == {"b": pytest.approx(10.0)}
    rate.forget("b")
    assert dict(rate.debts(start + 10)) == {}


def test_what_a_key_owes_may_be_kept_until_it_is_forgotten(start):
    rate = Gcra(1.0, 2, most_keys=4)
    assert rate.debt("a") is None
    rate.take("a", start)
    debt = rate.debt("a")
    assert debt.due == start + 1.0 and rate.debt("a") is debt
    # Whoever lets one through that comes in time does what the rate would.
    debt.due += rate.interval
    assert rate.take("a", start) < 0 and debt.due == start + 2.0

    forgets = [
        lambda: rate.forget("a"),
        rate.forget,
        lambda: rate.give_back("a", start),
        lambda: [rate.take(number, start + 9) for number in range(4)],
    ]
    for forget in forgets:
        rate.forget()
        rate.take("a", start)
        debt = rate.debt("a")
        forget()
        assert debt.due == float("inf") and rate.debt("a") is not debt
