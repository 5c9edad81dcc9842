"""Token buckets on a clock."""

import pytest
from twisted.internet.task import Clock

from txproxy.limits.buckets import Bucket

ME = object()
ALL = 1 << 40


class Taker:
    """Takes all that it is offered, or as much as it wants."""

    def __init__(self, bucket, wants=float("inf")):
        self.bucket, self.wants, self.got, self.turns = bucket, wants, 0, 0
        bucket.wait(self)

    def serve(self):
        taken = min(self.bucket.free(self, ALL), self.wants)
        self.turns += 1
        self.got += taken
        self.wants -= taken
        self.bucket.spend(self, taken)
        if self.wants:
            self.bucket.wait(self)


@pytest.fixture
def clock():
    made = Clock()
    yield made
    assert not made.getDelayedCalls()


def advance(clock, seconds, step=0.01):
    for _ in range(round(seconds / step)):
        clock.advance(step)


def test_a_new_bucket_is_full_and_holds_no_more_than_its_burst(clock):
    bucket = Bucket(clock, 1000, 5000)
    assert bucket.free(ME, ALL) == 5000
    clock.advance(100)
    assert bucket.free(ME, ALL) == 5000
    bucket.spend(ME, 5000)
    assert bucket.free(ME, ALL) == 0
    clock.advance(2)
    assert bucket.free(ME, ALL) == 2000 and not bucket.idle
    clock.advance(3)
    assert bucket.idle


def test_without_a_burst_it_is_a_quarter_of_a_second(clock):
    assert Bucket(clock, 1_000_000).free(ME, ALL) == 250_000


@pytest.mark.parametrize("rate", [100, 10_000, 1_000_000, 100_000_000])
def test_who_waits_gets_the_rate(clock, rate):
    bucket = Bucket(clock, rate)
    bucket.spend(ME, bucket.free(ME, ALL))
    taker = Taker(bucket)
    advance(clock, 10)
    assert taker.got == pytest.approx(10 * rate, rel=0.02)
    bucket.leave(taker)


def test_shares_are_equal(clock):
    bucket = Bucket(clock, 1_000_000)
    takers = [Taker(bucket) for _ in range(7)]
    advance(clock, 10)
    for taker in takers:
        assert taker.got == pytest.approx(10_000_000 / 7, rel=0.05)
        bucket.leave(taker)


def test_many_who_wait_have_their_turns_one_after_the_other(clock):
    bucket = Bucket(clock, 100_000)
    takers = [Taker(bucket) for _ in range(200)]
    advance(clock, 60)
    got = [taker.got for taker in takers]
    assert sum(got) == pytest.approx(6_000_000, rel=0.02)
    assert max(got) - min(got) <= bucket.least
    for taker in takers:
        bucket.leave(taker)


def test_what_one_does_not_want_the_others_get(clock):
    bucket = Bucket(clock, 1_000_000)
    bucket.spend(ME, bucket.free(ME, ALL))
    modest, greedy = Taker(bucket, wants=1000), Taker(bucket)
    advance(clock, 10)
    assert modest.got == 1000
    assert greedy.got == pytest.approx(9_999_000, rel=0.02)
    bucket.leave(greedy)


def test_who_comes_later_does_not_take_it_from_who_waits(clock):
    bucket = Bucket(clock, 1000)
    taker = Taker(bucket)
    assert bucket.free(ME, ALL) == 0
    # It may be who has waited elsewhere.
    assert bucket.free(ME, ALL, served=True) > 0
    bucket.leave(taker)
    assert bucket.free(ME, ALL) > 0


def test_a_few_tokens_are_taken_only_if_no_more_are_wanted(clock):
    bucket = Bucket(clock, 1_000_000)
    bucket.spend(ME, 249_000)
    assert bucket.free(ME, 1000) == 1000
    assert bucket.free(ME, 1001) == 0
    clock.advance(0.0011)
    assert bucket.free(ME, 3000) >= bucket.least


def test_a_late_timer_takes_nothing_from_who_waits(clock):
    bucket = Bucket(clock, 1_000_000)
    bucket.spend(ME, bucket.free(ME, ALL))
    taker = Taker(bucket)
    for _ in range(10):
        clock.advance(1)
    assert taker.got == pytest.approx(10_000_000, rel=0.02)
    # But the sleep of a whole machine does not end in a flood.
    clock.advance(3600)
    assert taker.got <= 10_000_000 + 1_250_000
    bucket.leave(taker)


def test_one_timer_for_all_and_none_for_nobody(clock):
    bucket = Bucket(clock, 1000)
    takers = [Taker(bucket, wants=float("inf")) for _ in range(3)]
    assert len(clock.getDelayedCalls()) == 1
    advance(clock, 5)
    assert len(clock.getDelayedCalls()) == 1
    for taker in takers:
        bucket.leave(taker)
    assert not clock.getDelayedCalls()


@pytest.mark.parametrize("rate", [1000, 100_000, 100_000_000])
def test_turns_are_as_rare_as_the_bytes_are_few(clock, rate):
    bucket = Bucket(clock, rate)
    taker = Taker(bucket)
    advance(clock, 10)
    assert taker.turns <= max(10 / 0.02, 1)
    assert taker.turns <= max(10 / 0.125, 10 * rate / 16384) + 1
    bucket.leave(taker)


def test_what_is_not_taken_of_a_share_is_kept_until_the_next_turn(clock):
    bucket = Bucket(clock, 1_000_000)
    bucket.spend(ME, bucket.free(ME, ALL))
    slow, greedy = Taker(bucket, wants=4000), Taker(bucket)
    clock.advance(0.02)
    assert (slow.got, greedy.got) == (4000, 10_000)
    assert bucket.free(ME, ALL) == 0 and bucket.free(ME, ALL, served=True) == 0
    assert bucket.free(slow, ALL) == 6000
    bucket.spend(slow, 6000)
    assert bucket.free(slow, ALL) == 0
    bucket.leave(greedy)
    clock.advance(0.01)
    assert bucket.free(ME, ALL) == pytest.approx(10_000, abs=1)


def test_no_more_is_kept_than_there_is(clock):
    bucket = Bucket(clock, 204_800)
    bucket.spend(ME, bucket.free(ME, ALL))
    waiting = [Taker(bucket, wants=1) for _ in range(16)]
    # 16384 tokens, of which each that is served has 2048, however few of them it takes.
    clock.advance(0.08)
    assert [one.turns for one in waiting] == [1] * 8 + [0] * 8
    assert [bucket.free(one, ALL) for one in waiting[:8]] == [2047] * 8
    assert bucket.free(ME, ALL, served=True) == 0
    for one in waiting:
        bucket.leave(one)
    assert bucket.free(ME, ALL) == 16384 - 8


def test_what_is_kept_for_somebody_is_not_kept_for_ever(clock):
    bucket = Bucket(clock, 1_000_000)
    bucket.spend(ME, bucket.free(ME, ALL))
    Taker(bucket, wants=1)
    clock.advance(0.02)
    assert bucket.free(ME, ALL) == 0
    clock.advance(0.02)
    assert bucket.free(ME, ALL) == pytest.approx(39_999, abs=1)
    gone = Taker(bucket, wants=1)
    clock.advance(0.02)
    bucket.leave(gone)
    assert bucket.free(ME, ALL) == pytest.approx(59_998, abs=1)
