"""An upstream that may have a few requests at once, of all processes together."""

import pytest

from tests.upstreams.several_processes.played_locks import Kernel
from txproxy.cluster.record_locks import SPAN
from txproxy.upstreams.several_processes.locked_places import LEAVES, TURN, LockedPlaces


class Door:
    def __init__(self):
        self.now, self.shuts = 100.0, []

    def shut(self, seconds):
        self.shuts.append(round(seconds, 6))

    def seconds(self):
        return self.now


class Process:
    def __init__(self, kernel, number, most):
        self.door, self.locks = Door(), kernel.process(number)
        self.places = LockedPlaces(self.locks, 3 * SPAN, most, self.door, lambda: 0.5)


@pytest.fixture
def kernel():
    return Kernel()


@pytest.fixture
def two(kernel):
    return Process(kernel, 1, 3), Process(kernel, 2, 3)


def held(kernel):
    return sorted(place - 3 * SPAN for place, by in kernel.held.items() if by)


def test_all_together_have_as_many_as_there_are(two, kernel):
    one, other = two
    assert [one.places.take(), other.places.take(), one.places.take(), other.places.take()] == [True, True, True, False]
    assert held(kernel) == [0, 1, 2] and (one.door.shuts, other.door.shuts) == ([], [0.0025])
    one.places.give_back()
    assert other.places.take() and held(kernel) == [0, 1, 2]


def test_what_was_freed_last_is_tried_first(two, kernel):
    one, other = two
    assert other.places.take() and one.places.take() and one.places.take()
    one.places.give_back()
    kernel.asked = 0
    assert one.places.take() and kernel.asked == 1 and held(kernel) == [0, 1, 2]


def test_who_has_had_its_turn_leaves_what_it_frees_to_those_who_wait(two):
    one, other = two
    for place in range(3):
        assert one.places.take(), place
    # Nobody else waits: it goes on for another turn.
    one.places.give_back()
    assert one.places.take() and one.door.shuts == []
    assert not other.places.take()
    other.places.stand(True)
    one.door.now += TURN / 2
    one.places.give_back()
    assert one.places.take() and one.door.shuts == []
    one.door.now += TURN
    one.places.give_back()
    assert one.door.shuts == [LEAVES]
    # So does what it frees while they look.
    one.door.now += LEAVES / 2
    one.places.give_back()
    assert one.door.shuts == [LEAVES, LEAVES / 2]
    # It has a turn of its own after that, and so has the other, which has waited.
    one.door.now += LEAVES
    assert one.places.take()
    one.places.give_back()
    assert len(one.door.shuts) == 2
    assert other.places.take()
    one.places.stand(True)
    other.door.now += TURN / 2
    other.places.give_back()
    assert len(other.door.shuts) == 1
    assert other.places.take()
    other.door.now += TURN
    other.places.give_back()
    assert other.door.shuts[1:] == [LEAVES]


def test_who_waits_no_more_does_not_stand_there(two, kernel):
    one, other = two
    for waits, stand in ((True, {2}), (True, {2}), (False, set()), (False, set())):
        other.places.stand(waits)
        assert kernel.standing.get(4 * SPAN - 1, set()) == stand and other.places.standing is waits
    assert one.places.take()
    one.places.give_back()
    assert one.door.shuts == []


def test_what_goes_on_in_another_process_has_its_place_there(two, kernel):
    one, other = two
    assert one.places.take() and one.places.take() and other.places.take()
    passed = one.places.pass_on()
    # It is over here, and another here is not.
    one.places.give_back()
    assert held(kernel) == [0, 1, 2] and not other.places.take()
    other.places.take_over(passed.number)
    passed.free()
    passed.free()
    assert held(kernel) == [0, 1, 2] and not one.places.take()
    other.places.give_back()
    other.places.give_back()
    assert held(kernel) == [0]
    one.places.give_back()
    assert held(kernel) == []


def test_what_comes_back_has_its_place_again(two, kernel):
    one, _ = two
    assert one.places.take()
    passed = one.places.pass_on()
    one.places.give_back()
    one.places.take_over(passed.number)
    passed.free()
    assert held(kernel) == [0]
    one.places.give_back()
    assert held(kernel) == [] and one.places.pass_on() is None


def test_what_comes_without_a_place_goes_on_with_one_or_without(two, kernel):
    one, other = two
    other.places.take_over(None)
    assert held(kernel) == [0]
    assert one.places.take() and one.places.take()
    other.places.take_over(None)
    assert held(kernel) == [0, 1, 2]
    # The one that has none ends first, whichever it is.
    other.places.give_back()
    assert held(kernel) == [0, 1, 2]
    other.places.give_back()
    assert held(kernel) == [1, 2]


def test_requests_that_are_there_have_places_from_then_on(two, kernel):
    one, other = two
    assert other.places.take()
    one.places.begin(3)
    assert held(kernel) == [0, 1, 2]
    for left in ([0, 1, 2], [0, 1], [0]):
        one.places.give_back()
        assert held(kernel) == left


def test_where_they_are_no_bound_any_more_those_there_keep_theirs(two, kernel):
    one, other = two
    assert one.places.take()
    one.places.enforced = False
    for _ in range(5):
        assert one.places.take()
    assert held(kernel) == [0]
    other.places.stand(True)
    one.door.now += 1
    for _ in range(6):
        one.places.give_back()
    assert held(kernel) == [] and one.door.shuts == []
