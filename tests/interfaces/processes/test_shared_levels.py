"""How many there are of several processes together."""

from tests.cluster.played import Cluster
from txproxy.interfaces.processes import shared_levels
from txproxy.interfaces.processes.shared_levels import SharedLevels
from txproxy.interfaces.processes.sharing import MOST_TOLD

LEVELS = "levels"


def together(count=3):
    cluster = Cluster()
    levels = [SharedLevels() for _ in range(count)]
    for number, one in enumerate(levels):
        cluster.come(number, {LEVELS: one})
    cluster.go_on(0.1)
    return cluster, levels


def test_each_knows_all_within_a_moment():
    cluster, (first, second, third) = together()
    first.change("a", 2)
    second.change("a", 1)
    second.change("b", 1)
    assert (first.of("a"), second.of("a"), third.of("a")) == (2, 1, 0)
    cluster.go_on(0.06)
    assert [one.of("a") for one in (first, second, third)] == [3] * 3 and third.of("b") == 1
    assert (len(first), len(second), len(third)) == (1, 2, 0)
    first.change("a", -1)
    second.change("b", -1)
    cluster.go_on(0.06)
    assert [one.of("a") for one in (first, second, third)] == [2] * 3 and third.of("b") == 0
    assert not third._others.get("b") and not cluster.clock.getDelayedCalls()


def test_one_that_dies_has_none_and_one_that_comes_knows_all():
    cluster, (first, second, third) = together()
    first.change("a", 2)
    second.change("a", 5)
    cluster.go_on(0.06)
    cluster.die(1)
    new = SharedLevels()
    cluster.come(7, {LEVELS: new})
    cluster.go_on(0.1)
    assert [one.of("a") for one in (first, third, new)] == [2] * 3


def test_another_in_its_place_begins_anew_and_hears_of_the_others():
    cluster, (first, second, third) = together()
    for one in (first, second):
        one.change("a", 2)
    first.change("b", 1)
    cluster.go_on(0.06)
    other = SharedLevels()
    other.change("a", 1)
    cluster.members[0].follow({LEVELS: other})
    cluster.go_on(0.1)
    assert (other.of("a"), second.of("a"), third.of("a")) == (3, 3, 3)
    assert second.of("b") == third.of("b") == 0
    # The one before counts for itself.
    assert first.of("a") == 2
    first.change("a", -2)
    cluster.go_on(0.06)
    assert second.of("a") == 3


def test_a_message_is_bounded_and_what_is_more_follows():
    cluster, (first, second, _) = together()
    for number in range(MOST_TOLD + 5):
        first.change(number, 1)
    cluster.go_on(0.2)
    assert all(second.of(number) == 1 for number in range(MOST_TOLD + 5))


def test_memory_is_bounded_where_nobody_is_told_for_long_and_all_is_right_after_that(monkeypatch):
    monkeypatch.setattr(shared_levels, "_MOST_NEW", 10)
    cluster, (first, second, _) = together()
    first.change("before", 1)
    cluster.go_on(0.06)
    first.change("before", -1)
    for number in range(1000):
        first.change("stays", 1)
        first.change(number, 1)
        first.change(number, -1)
        assert len(first._new) <= 13
    cluster.go_on(0.06)
    assert [second.of(key) for key in ("before", "stays", 1, 999)] == [0, 1000, 0, 0]


def test_who_waits_for_fewer_is_told_when_others_have_fewer():
    cluster, (first, second, third) = together()
    told = []
    first.on_less = told.append
    second.change("a", 2)
    third.change("b", 1)
    cluster.go_on(0.06)
    assert not told and (first.elsewhere("a"), first.here("a")) == (2, 0)
    second.change("a", -1)
    second.change("c", 1)
    cluster.go_on(0.06)
    assert told == ["a"]
    cluster.die(1)
    cluster.go_on(0.01)
    assert told == ["a", "a", "c"]
    cluster.members[0].alone()
    assert told[3:] == ["b"] and not first.elsewhere("b")
