"""Logins: for how long right ones are known, and who waits for those that are being checked."""

import pytest
from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock

from txproxy.auth import logins
from txproxy.auth.credentials import User
from txproxy.auth.logins import PendingLogin, Remembered, Waiter
from txproxy.interfaces import Refusal

BOB, EVE = User("bob"), User("eve")
REFUSAL = Refusal(407, "http_request_denied", "wrong credentials")


@pytest.fixture
def clock():
    clock = Clock()
    yield clock
    assert not clock.getDelayedCalls()


# -- those that were right


def test_a_user_is_known_until_a_time_and_says_so(clock):
    memory = Remembered(clock, 300)
    memory.put(memory.key(b"right"), BOB)
    clock.advance(300)
    assert memory.get(memory.key(b"right")) == (BOB, 300.0)
    assert memory.get(memory.key(b"other")) is None
    clock.advance(0.1)
    assert memory.get(memory.key(b"right")) is None


def test_credentials_are_kept_by_a_hash_that_nobody_else_can_work_out(clock):
    one, other = Remembered(clock, 300), Remembered(clock, 300)
    assert one.key(b"Basic secret") == one.key(b"Basic secret") != other.key(b"Basic secret")
    assert b"secret" not in one.key(b"Basic secret") and len(one.key(b"x" * 9999)) == 16


def test_the_oldest_make_room(clock, monkeypatch):
    monkeypatch.setattr(logins, "_MOST_REMEMBERED", 2)
    memory = Remembered(clock, 300)
    for key in (b"a", b"b", b"c"):
        memory.put(key, BOB)
    assert [memory.get(key) is not None for key in (b"a", b"b", b"c")] == [False, True, True]


def test_all_are_forgotten_at_once(clock):
    memory = Remembered(clock, 300)
    memory.put(b"a", BOB)
    memory.clear()
    assert memory.get(b"a") is None


# -- who waits


def told(waiter):
    """What a request has been told."""
    answers = []
    waiter.addBoth(answers.append)
    return answers


def test_a_refusal_is_made_when_it_is_due(clock):
    waiter, made = Waiter("192.0.2.1"), []
    answers = told(waiter.answer)
    waiter.refuse(clock, 2, lambda: made.append(clock.seconds()) or REFUSAL)
    clock.advance(1.9)
    assert (answers, made) == ([], [])
    clock.advance(0.1)
    assert (answers, made) == ([REFUSAL], [2.0])


def test_a_refusal_without_a_delay_comes_at_once(clock):
    waiter = Waiter("192.0.2.1")
    waiter.refuse(clock, 0, lambda: REFUSAL)
    assert told(waiter.answer) == [REFUSAL]


def test_who_leaves_before_a_refusal_leaves_no_timer(clock):
    waiter = Waiter("192.0.2.1")
    answers = told(waiter.answer)
    waiter.refuse(clock, 2, lambda: REFUSAL)
    waiter.answer.cancel()
    assert answers[0].check(CancelledError)


@pytest.mark.parametrize("delay", [0, 2])
def test_who_has_left_is_told_nothing_more(clock, delay):
    waiter = Waiter("192.0.2.1")
    answers = told(waiter.answer)
    waiter.answer.cancel()
    waiter.tell(BOB)
    waiter.refuse(clock, delay, lambda: REFUSAL)
    clock.advance(3)
    assert [answer.check(CancelledError) for answer in answers] == [CancelledError]


def test_a_check_is_unwanted_when_the_last_who_waits_has_left():
    unwanted = []
    pending = PendingLogin(None, 0, unwanted.append)
    first, second = pending.wait("192.0.2.1"), pending.wait("192.0.2.2")
    answers = told(first), told(second)
    first.cancel()
    assert not unwanted and [waiter.address for waiter in pending.waiters] == ["192.0.2.2"]
    second.cancel()
    assert unwanted == [pending]
    assert all(answer[0].check(CancelledError) for answer in answers)


def test_who_leaves_while_all_are_told_makes_nothing_unwanted():
    unwanted = []
    pending = PendingLogin(None, 0, unwanted.append)
    answers = [told(pending.wait("192.0.2.1")) for _ in range(2)]
    # as the one does who tells them: those that are told wait no more
    waiters, pending.waiters = pending.waiters, []
    waiters[0].answer.addCallback(lambda _: waiters[1].answer.cancel())
    for waiter in waiters:
        waiter.tell(EVE)
    assert answers[0] == [EVE] and answers[1][0].check(CancelledError)
    assert not unwanted
