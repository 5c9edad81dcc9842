"""The ring of consistent hashing."""

from collections import Counter

import pytest

from txproxy.upstreams.balancing.consistent_hashing import Ring, spot

KEYS = [spot(b"/path/%d" % number) for number in range(20000)]


def ring_of(weights):
    ring = Ring()
    ring.hold({name: (name, weight) for name, weight in weights.items()})
    return ring


def owners(ring):
    return [ring.owner(key) for key in KEYS]


def even(count, weight=1):
    return {f"http://10.0.0.{number}:80": weight for number in range(count)}


def test_spots_are_the_same_in_each_process_and_release():
    assert spot(b"") == 0xE4A6A0577479B2B4
    assert spot(b"192.0.2.1") == 0xC874FACE288B2811


def test_owners_are_the_same_in_each_process_and_release():
    ring = ring_of({"a": 1, "b": 1, "c": 2})
    assert "".join(ring.owner(spot(b"%d" % number)) for number in range(16)) == "aaccbbacccaccbba"


@pytest.mark.parametrize("count", [2, 10, 100])
def test_each_has_about_its_share(count):
    counts = Counter(owners(ring_of(even(count))))
    assert len(counts) == count
    assert all(0.6 < number * count / len(KEYS) < 1.5 for number in counts.values())


def test_shares_go_by_weight():
    counts = Counter(owners(ring_of({"a": 1, "b": 3, "c": 6})))
    assert counts["a"] / len(KEYS) == pytest.approx(0.1, rel=0.2)
    assert counts["b"] / len(KEYS) == pytest.approx(0.3, rel=0.2)
    assert counts["c"] / len(KEYS) == pytest.approx(0.6, rel=0.2)


def test_points_are_bounded_whatever_the_weights():
    ring = ring_of({f"u{number}": 1 + number for number in range(1000)})
    assert 130_000 < len(ring._points) < 132_000
    assert len(set(ring.walk(0))) == 1000


def test_the_order_of_members_does_not_matter():
    backwards = dict(reversed(even(20).items()))
    assert owners(ring_of(even(20))) == owners(ring_of(backwards))


def test_a_new_member_takes_its_share_and_moves_no_other_key():
    ring = ring_of(even(9))
    before = owners(ring)
    ring.hold({name: (name, 1) for name in even(10)})
    moved = [(old, new) for old, new in zip(before, owners(ring), strict=True) if old != new]
    assert {new for _, new in moved} == {"http://10.0.0.9:80"}
    assert len(moved) / len(KEYS) == pytest.approx(0.1, rel=0.3)


def test_more_weight_takes_keys_and_gives_none():
    ring = ring_of({"a": 1, "b": 1, "c": 1})
    before = owners(ring)
    ring.hold({"a": ("a", 1), "b": ("b", 2), "c": ("c", 1)})
    moved = [new for old, new in zip(before, owners(ring), strict=True) if old != new]
    assert set(moved) == {"b"}


def test_where_points_are_scaled_a_new_member_moves_little_more():
    ring = ring_of(even(1500))
    before = owners(ring)
    ring.hold({name: (name, 1) for name in even(1501)})
    moved = sum(old != new for old, new in zip(before, owners(ring), strict=True))
    assert moved < len(KEYS) * 4 / 1500


def test_who_is_away_stays_to_be_passed_over():
    ring = ring_of(even(4))
    before, points = owners(ring), ring._points
    ring.hold({"http://10.0.0.0:80": ("http://10.0.0.0:80", 1)})
    ring.hold({})
    assert owners(ring) == before
    assert ring._points is points  # nothing was built, which takes long for many


def test_those_who_are_away_go_once_they_are_far_more():
    ring = ring_of(even(5))
    ring.hold({"http://10.0.0.0:80": ("http://10.0.0.0:80", 1)})
    assert set(owners(ring)) == {"http://10.0.0.0:80"}


def test_another_member_of_the_same_name_has_the_same_keys():
    ring = ring_of({"a": 1, "b": 1})
    before = owners(ring)
    ring.hold({"a": ("new a", 1), "b": ("b", 1)})
    assert owners(ring) == [{"a": "new a", "b": "b"}[name] for name in before]


def test_a_walk_begins_with_the_owner_and_meets_each_once():
    ring = ring_of(even(7))
    for key in KEYS[:50]:
        met = list(ring.walk(key))
        assert met[0] == ring.owner(key)
        assert sorted(met) == sorted(even(7))


def test_the_next_on_the_walk_is_who_would_own_the_key_alone():
    whole = ring_of(even(7))
    for key in KEYS[:50]:
        first, second, *_ = whole.walk(key)
        assert ring_of({name: 1 for name in even(7) if name != first}).owner(key) == second


def test_the_ring_is_closed():
    ring = ring_of({"a": 1, "b": 1})
    assert ring.owner(0) == ring.owner(2**64 - 1)
