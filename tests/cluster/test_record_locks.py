"""Places of several processes, which the kernel keeps."""

import os
import signal

import pytest

from txproxy.cluster.record_locks import SPAN, RecordLocks, first_place, open_lock_file


class Child:
    """A process of its own, that does what it is told by one byte at a time, and says what came of it."""

    def __init__(self, descriptor):
        ours, theirs = os.pipe(), os.pipe()
        self._asks, self._hears = ours[1], theirs[0]
        self.pid = os.fork()
        if not self.pid:
            try:
                locks = RecordLocks(descriptor)
                calls = {b"t": locks.take, b"f": locks.free, b"o": locks.take_over, b"s": locks.stand}
                while word := os.read(ours[0], 2):
                    os.write(theirs[1], b"1" if calls[word[:1]](PLACE + word[1] - 48) else b"0")
            finally:
                os._exit(0)
        os.close(ours[0])
        os.close(theirs[1])

    def does(self, words):
        os.write(self._asks, words)
        return os.read(self._hears, 1) == b"1"

    def dies(self):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            os.close(self._asks)
            os.close(self._hears)
            self.pid = 0


# As far behind the beginning of a file as places may be.
PLACE = ((1 << 63) - 2 * SPAN) // SPAN * SPAN


@pytest.fixture
def descriptor():
    opened = open_lock_file()
    yield opened
    os.close(opened)


@pytest.fixture
def children(descriptor):
    made = []

    def child():
        made.append(Child(descriptor))
        return made[-1]

    yield child
    for one in made:
        one.dies()


def test_one_process_has_a_place_at_a_time(descriptor, children):
    locks, child = RecordLocks(descriptor), children()
    assert locks.take(PLACE) and not locks.take(PLACE)
    assert not child.does(b"t0") and child.does(b"t1") and not child.does(b"t1")
    assert not locks.take(PLACE + 1)
    locks.free(PLACE)
    assert child.does(b"t0") and not locks.take(PLACE)


def test_what_a_process_has_is_free_when_it_is_killed(descriptor, children):
    locks, child, other = RecordLocks(descriptor), children(), children()
    assert child.does(b"t0") and not locks.take(PLACE) and not other.does(b"t0")
    child.dies()
    assert locks.take(PLACE) and not other.does(b"t0")


def test_a_child_has_nothing_of_what_its_parent_has(descriptor, children):
    locks = RecordLocks(descriptor)
    assert locks.take(PLACE)
    child = children()
    assert not child.does(b"t0")
    child.dies()
    # Nor does its end free that.
    assert not children().does(b"t0")


def test_a_program_that_is_started_does_not_take_them_along(descriptor, children):
    locks = RecordLocks(descriptor)
    assert locks.take(PLACE)
    pid = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(pid, 0)
    assert not children().does(b"t0") and not os.get_inheritable(descriptor)


def test_a_place_goes_to_another_process_and_no_third_one_gets_it(descriptor, children):
    locks, child, third = RecordLocks(descriptor), children(), children()
    assert locks.take(PLACE)
    # Who does not pass it on has it alone.
    assert not child.does(b"o0")
    locks.pass_on(PLACE)
    assert not third.does(b"t0") and not locks.take(PLACE)
    assert child.does(b"o0") and not third.does(b"t0")
    locks.free_passed(PLACE)
    locks.free_passed(PLACE)
    assert not third.does(b"t0") and not locks.take(PLACE)
    child.does(b"f0")
    assert third.does(b"t0")


def test_what_was_passed_on_may_come_back(descriptor, children):
    locks, third = RecordLocks(descriptor), children()
    assert locks.take(PLACE)
    locks.pass_on(PLACE)
    assert locks.take_over(PLACE) and not locks.take_over(PLACE)
    locks.free_passed(PLACE)
    assert not third.does(b"t0")
    locks.free(PLACE)
    assert third.does(b"t0")


def test_any_number_may_stand_at_a_place_and_each_sees_whether_others_do(descriptor, children):
    locks, child, other = RecordLocks(descriptor), children(), children()
    assert not locks.others_stand(PLACE, False)
    assert locks.stand(PLACE) and not locks.others_stand(PLACE, True)
    # It stands there still.
    assert not child.does(b"t0") and child.does(b"s0") and other.does(b"s0")
    assert locks.others_stand(PLACE, True)
    child.does(b"f0")
    other.dies()
    assert not locks.others_stand(PLACE, True)
    locks.free(PLACE)
    assert child.does(b"t0") and not locks.stand(PLACE)


def test_places_have_their_names_in_all_processes_and_fit_into_a_file():
    assert first_place("app", "http://10.0.0.1:80") == 84129001599197184
    found = {first_place(pool, name) for pool in ("a", "b", "") for name in ("a", "b", "ab", "", "\udcff")}
    found |= {first_place("ab", "c"), first_place("a", "bc")}
    assert len(found) == 17 and all(0 <= place <= (1 << 63) - 2 * SPAN and place % SPAN == 0 for place in found)


def test_without_the_call_of_linux_it_is_a_file_that_is_gone(monkeypatch, children):
    monkeypatch.delattr(os, "memfd_create")
    opened = open_lock_file()
    try:
        assert os.fstat(opened).st_nlink == 0 and not os.get_inheritable(opened)
        locks = RecordLocks(opened)
        assert locks.take(PLACE)
    finally:
        os.close(opened)


def test_what_is_passed_on_may_be_gone_on_with_by_who_had_it(descriptor, children):
    locks, other = RecordLocks(descriptor), children()
    assert locks.take(PLACE)
    locks.pass_on(PLACE)
    assert locks.take_over(PLACE)
    # It is one that this one has, and once: it is no other's before it is free.
    assert not other.does(b"t0")
    locks.free_passed(PLACE)
    assert not other.does(b"t0")
    locks.free(PLACE)
    assert other.does(b"t0")
