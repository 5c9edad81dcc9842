"""Shares by weight: in smooth turns, or by lot."""

from collections import Counter
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txproxy.upstreams.balancing.weighted_turns import Deadlines, SmoothTurns, Urn, smooth_cycle


def as_nginx(weights, count):
    """ngx_http_upstream_get_peer, as it is written there."""
    current = [0] * len(weights)
    for _ in range(count):
        best, total = None, 0
        for position, weight in enumerate(weights):
            current[position] += weight
            total += weight
            if best is None or current[position] > current[best]:
                best = position
        current[best] -= total
        yield best


def deadlines_of(weights):
    deadlines = Deadlines()
    deadlines.update(range(len(weights)), weights)
    return deadlines


def urn_of(items, weights, seed=1):
    urn = Urn(Random(seed))
    urn.fill(items, weights)
    return urn


def test_a_cycle_is_the_example_that_nginx_gives():
    assert smooth_cycle([5, 1, 1]) == [0, 0, 1, 0, 2, 0, 0]


@given(st.lists(st.integers(1, 12), min_size=1, max_size=8))
def test_a_cycle_is_in_the_order_of_nginx_and_repeats_itself(weights):
    cycle = smooth_cycle(weights)
    assert cycle * 2 == list(as_nginx(weights, 2 * len(cycle)))


def test_a_cycle_is_as_short_as_can_be():
    assert smooth_cycle([500, 100, 100]) == smooth_cycle([5, 1, 1])
    assert smooth_cycle([0.3] * 1000) == list(range(1000))
    assert smooth_cycle([]) == []


def test_eight_have_a_cycle_whatever_their_weights():
    assert len(smooth_cycle([1000, 999, 998, 997, 996, 995, 994, 993])) == 7972


@pytest.mark.parametrize("weights", [[1, 0.5], [1, 1.5], list(range(1, 1001))])
def test_there_is_no_cycle_of_parts_or_of_very_many(weights):
    assert smooth_cycle(weights) is None


def test_deadlines_give_each_its_share_and_none_of_it_at_once():
    weights = [1 + position % 7 for position in range(1000)]
    deadlines = deadlines_of(weights)
    turns = [deadlines.next() for _ in range(sum(weights) * 3)]
    counts = Counter(turns)
    assert all(abs(counts[position] - 3 * weight) <= 1 for position, weight in enumerate(weights))
    heavy = [when for when, position in enumerate(turns) if position == 6]
    apart = [later - sooner for sooner, later in pairwise(heavy)]
    assert max(apart) < 2 * min(apart)


def test_deadlines_of_parts_of_a_weight():
    deadlines = deadlines_of([1, 0.25])
    assert Counter(deadlines.next() for _ in range(50)) == {0: 40, 1: 10}


def test_changes_that_come_with_each_turn_starve_nobody():
    weights = [3.0, 1.0, 1.5, 0.5]
    deadlines = deadlines_of(weights)
    counts = Counter()
    for turn in range(600):
        deadlines.update(range(4), [weight + turn * 1e-9 for weight in weights])
        counts[deadlines.next()] += 1
    assert all(abs(counts[position] - 100 * weight) <= 2 for position, weight in enumerate(weights))


def test_who_comes_later_has_its_share_from_then_on():
    deadlines = deadlines_of([1.0, 2.5])
    for _ in range(1000):
        deadlines.next()
    deadlines.update(range(3), [1.0, 2.5, 1.5])
    counts = Counter(deadlines.next() for _ in range(100))
    assert counts == {0: 20, 1: 50, 2: 30}


def test_who_was_passed_over_has_no_more_than_its_share_after_it():
    deadlines = deadlines_of([1.0, 1.0, 0.5])
    without = Counter(deadlines.next(lambda item: item == 0) for _ in range(300))
    assert without == {1: 200, 2: 100}
    assert Counter(deadlines.next() for _ in range(5)) == {0: 2, 1: 2, 2: 1}


def test_to_find_nobody_changes_nothing():
    one, other = deadlines_of([2.0, 1.5]), deadlines_of([2.0, 1.5])
    for _ in range(20):
        assert one.next(lambda item: True) is None
        assert one.next() == other.next()
    assert Deadlines().next() is None


def test_a_skip_that_fails_loses_nobody():
    deadlines = deadlines_of([2.0, 1.5, 0.5])

    def fail(item):
        raise ZeroDivisionError

    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            deadlines.next(fail)
    assert {deadlines.next() for _ in range(8)} == {0, 1, 2}


def test_lots_are_drawn_by_weight():
    urn = urn_of("abc", [1, 2.5, 6.5])
    counts = Counter(urn.draw() for _ in range(20000))
    assert counts["a"] / 2000 == pytest.approx(1, rel=0.1)
    assert counts["b"] / 2000 == pytest.approx(2.5, rel=0.1)
    assert counts["c"] / 2000 == pytest.approx(6.5, rel=0.1)


@pytest.mark.parametrize("gone", ["a", "ab", "bc", "abc"])
def test_lots_leave_out_who_is_skipped_and_keep_the_shares_of_the_others(gone):
    urn = urn_of("abcd", [1, 3, 1000, 1])
    counts = Counter(urn.draw(lambda item: item in gone) for _ in range(4000))
    shares = {item: weight for item, weight in zip("abcd", [1, 3, 1000, 1], strict=True) if item not in gone}
    for item in counts | shares:
        expected = 4000 * shares.get(item, 0) / sum(shares.values())
        assert counts[item] == pytest.approx(expected, rel=0.15, abs=20)
        assert counts[item] == 0 or item in shares


def test_two_are_never_the_same_and_drawn_as_if_one_after_the_other():
    weights = {"a": 1, "b": 2, "c": 5}
    urn = urn_of(list(weights), list(weights.values()))
    counts = Counter(urn.draw_two() for _ in range(40000))
    assert set(counts) == {(one, other) for one in weights for other in weights if one != other}
    for (one, other), count in counts.items():
        expected = weights[one] / 8 * weights[other] / (8 - weights[one])
        assert count / 40000 == pytest.approx(expected, rel=0.1)


def test_two_of_those_that_are_left():
    urn = urn_of("abc", [1, 1, 1000])
    assert {frozenset(urn.draw_two(lambda item: item == "c")) for _ in range(50)} == {frozenset("ab")}
    assert urn.draw_two(lambda item: item != "b") == ("b", "b")
    assert urn.draw_two(lambda item: True) is None


def test_one_is_drawn_twice_where_there_is_no_other():
    assert urn_of("a", [0.1]).draw_two() == ("a", "a")


def test_an_empty_urn_gives_nobody():
    urn = urn_of("ab", [1, 1])
    urn.fill((), ())
    assert (urn.draw(), urn.draw_two(), urn.draw(bool), urn.draw_two(bool)) == (None, None, None, None)


def test_the_very_last_lot_is_the_last_ones():
    class Greatest(Random):
        def random(self):
            return 1.0  # which a product with a number just below it is rounded to

    urn = Urn(Greatest())
    urn.fill("ab", [0.1, 0.2])
    assert urn.draw() == "b"
    assert urn.draw_two() == ("b", "b")


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6))
def test_turns_one_by_one_are_in_the_same_order_as_a_cycle(weights):
    turns = SmoothTurns(dict(enumerate(weights)))
    cycle = smooth_cycle(weights)
    assert [turns.next(lambda _: False) for _ in cycle * 2] == cycle * 2


def test_who_is_left_out_gains_nothing_and_loses_nothing():
    turns = SmoothTurns({"a": 5, "b": 1, "c": 1})
    assert [turns.next(lambda item: item == "a") for _ in range(4)] == list("bcbc")
    assert "".join(turns.next(lambda _: False) for _ in range(7)) == "aabacaa"


def test_turns_of_nobody():
    assert SmoothTurns({}).next(lambda _: False) is None
    assert SmoothTurns({"a": 1}).next(lambda _: True) is None
