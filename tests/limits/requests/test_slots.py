"""Places and queues of keys."""

from txproxy.limits.requests.slots import Slots


def test_so_many_of_each_key_are_at_work_at_once():
    slots = Slots(2)
    assert [slots.enter("a") for _ in range(3)] == [True, True, False]
    assert slots.enter("b") and (len(slots), slots.running, slots.of("a")) == (2, 3, 2)
    assert slots.wait("a", "one") == "one", "nobody may wait"
    assert slots.leave("a") is None and slots.enter("a")
    for key in "aab":
        assert slots.leave(key) is None
    assert (len(slots), slots.running, slots.waiting) == (0, 0, 0)


def test_who_waits_is_next_before_anybody_who_comes_later():
    slots = Slots(1, queue=4)
    assert slots.enter("a")
    assert slots.wait("a", 1) is slots.wait("a", 2) is None
    assert slots.leave("a") == 1
    assert not slots.enter("a"), "the place is taken"
    assert slots.leave("a") == 2 and slots.leave("a") is None and slots.running == 0


def test_where_there_is_too_much_to_do_the_newest_is_first():
    slots = Slots(1, queue=4)
    assert slots.enter("a")
    for number in range(1, 5):
        assert slots.wait("a", number) is None
    assert slots.waiting == 4
    assert slots.wait("a", 5) == 1, "who has waited longest goes"
    assert [slots.leave("a") for _ in range(5)] == [5, 4, 2, 3, None]


def test_who_gives_up_is_not_called():
    slots = Slots(1, queue=4)
    assert slots.enter("a")
    assert slots.wait("a", 1) is slots.wait("a", 2) is None
    slots.give_up("a", 1)
    assert slots.leave("a") == 2
    assert (slots.running, slots.waiting) == (1, 0)


def test_where_nothing_is_enforced_there_may_be_more():
    slots = Slots(1)
    assert slots.enter("a") and not slots.enter("a") and slots.enter("a", over=True)
    assert slots.of("a") == 2
    assert slots.leave("a") is None and not slots.enter("a")
