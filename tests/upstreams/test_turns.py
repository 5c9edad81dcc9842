"""Whose turn it is."""

import pytest

from tests.upstreams.asking import CLIENT
from txproxy import Pool
from txproxy.upstreams.balancing.strategies import RoundRobin


def names(pool, count):
    return "".join(pool.take(None, CLIENT).address.host for _ in range(count))


def test_round_robin_goes_round():
    assert names(Pool(["http://a", "http://b", "http://c"]), 7) == "abcabca"


def test_weights_are_spread_smoothly():
    # nginx's own example for 5, 1, 1
    assert names(Pool(["http://a;weight=5", "http://b", "http://c"]), 7) == "aabacaa"


def test_what_was_tried_is_left_out_until_nobody_is_left():
    pool = Pool(["http://a", "http://b"])
    first = pool.take(None, CLIENT)
    second = pool.take(None, CLIENT, (first,))
    assert {first.address.host, second.address.host} == {"a", "b"}
    assert pool.take(None, CLIENT, (first, second)) is None


@pytest.mark.parametrize("strategy", ["round-robin", "least-connections", "two-choices"])
def test_who_asks_nothing_is_counted_as_all_others_are(strategy):
    pool = Pool(["http://a;max=3", "http://b;max=3"], strategy)
    for number in range(6):
        assert (pool.take_unasked() if number % 2 else pool.take(None, CLIENT)) is not None
    assert [(upstream.active, upstream.served) for upstream in pool.upstreams] == [(3, 3), (3, 3)]
    assert pool.full and pool.take_unasked() is None and pool.take(None, CLIENT) is None
    pool.upstreams[1].ended(None, 200)
    assert not pool.full and pool.take_unasked() is pool.upstreams[1]


def test_who_asks_nothing_is_told_of_no_turn_where_a_response_has_to_be_told_of():
    assert Pool(["http://a", "http://b"], "least-time").take_unasked() is None


def test_all_turns_of_the_only_one_are_taken_at_once():
    pool = Pool(["http://a", "http://b;backup"])
    assert pool.take_all_unasked(5) is pool.upstreams[0]
    assert (pool.upstreams[0].active, pool.upstreams[0].served) == (5, 5)


class MindsEach(RoundRobin):
    """What it does with a turn is its own affair."""


@pytest.mark.parametrize(
    ("upstreams", "strategy"),
    [
        (["http://a", "http://b"], "round-robin"),
        (["http://a;max=9"], "round-robin"),
        (["http://a"], "least-connections"),
        (["http://a"], "least-time"),
        (["http://a"], "ip-hash"),
        (["http://a"], MindsEach()),
    ],
)
def test_turns_of_which_each_matters_are_taken_one_by_one(upstreams, strategy):
    pool = Pool(upstreams, strategy)
    assert pool.take_all_unasked(5) is None
    assert not any(upstream.active or upstream.served for upstream in pool.upstreams)


def test_who_is_the_only_one_changes():
    pool = Pool(["http://a", "http://b"])
    first, second = pool.upstreams
    second.checked(False, "down")
    assert pool.take_all_unasked(2) is first
    second.checked(True, "")
    assert pool.take_all_unasked(2) is None and (first.active, second.active) == (2, 0)


def test_where_there_is_no_room_who_may_make_some_is_asked_once():
    pool = Pool(["http://a;max=1"])
    pool.take(None, CLIENT)
    asked = []

    def make_room():
        asked.append(1)
        return False

    pool.on_full = make_room
    assert pool.take(None, CLIENT) is None and asked == [1]
    # who asks nothing asks again as all others do, and that is when room is made
    assert pool.take_unasked() is None and asked == [1]


def test_a_pool_is_no_fuller_than_its_backups():
    pool = Pool(["http://a;max=1", "http://b;backup;max=1"])
    first = pool.take(None, CLIENT)
    assert pool.full and not pool.exhausted and pool.others((first,))
    second = pool.take(None, CLIENT, (first,))
    assert second is pool.upstreams[1] and pool.exhausted and not pool.others((first, second))
