"""Tests of purges that are to survive a power failure: who waits for which write, and what becomes of who has left."""

import pytest
from twisted.internet.defer import Deferred

from txproxy.proxy.caching.purge_flush import PurgeFlush


class Disk:
    """Counts what it is asked to flush."""

    def __init__(self):
        self.purged = 0
        self.calls = []
        self.fails = None
        self.flush = PurgeFlush(self.flushing, self.in_thread)

    def flushing(self):
        if self.fails:
            raise self.fails
        known = self.purged
        return lambda: known

    def in_thread(self, call):
        self.calls.append((Deferred(), call()))
        return self.calls[-1][0]

    def purge(self):
        self.purged += 1
        told = []
        self.flush.flushed().addBoth(told.append)
        return told


@pytest.fixture
def disk():
    return Disk()


def test_those_that_come_meanwhile_wait_for_the_next_one(disk):
    first = disk.purge()
    later = [disk.purge() for _ in range(5)]
    assert [known for _, known in disk.calls] == [1]
    disk.calls[0][0].callback(None)
    assert first == [None] and later == [[]] * 5
    assert [known for _, known in disk.calls] == [1, 6]
    disk.calls[1][0].callback(None)
    assert later == [[None]] * 5 and len(disk.calls) == 2
    again = disk.purge()
    disk.calls[2][0].callback(None)
    assert again == [None]


def test_a_failure_is_told_to_those_it_is_about(disk):
    first, second = disk.purge(), disk.purge()
    disk.calls[0][0].errback(OSError(5, "Input/output error"))
    assert first[0].check(OSError) and not second
    disk.calls[1][0].callback(None)
    assert second == [None]


def test_what_cannot_begin_is_a_failure_as_well(disk):
    disk.fails = OSError(24, "Too many open files")
    assert disk.purge()[0].check(OSError)
    disk.fails = None
    told = disk.purge()
    disk.calls[0][0].callback(None)
    assert told == [None]


def test_who_has_left_keeps_nobody_from_being_told(disk):
    told = []
    waiter = disk.flush.flushed()
    waiter.addBoth(told.append)
    other = disk.purge()
    waiter.cancel()
    disk.calls[0][0].callback(None)
    disk.calls[1][0].callback(None)
    assert len(told) == 1 and other == [None]
