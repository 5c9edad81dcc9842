"""Tests of what is known of a disk that is written to: it is left alone after a failure, and tried again."""

from __future__ import annotations

import errno

from txproxy.cache.disk.disk_health import DiskHealth

FULL = OSError(errno.ENOSPC, "No space left on device")


class Time:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_disk_that_fails_is_left_alone_and_tried_again() -> None:
    time = Time()
    health = DiskHealth("/kept", time)
    assert health.may_write and health.is_sure and health.trouble is None
    health.failed(FULL)
    assert (health.may_write, health.is_sure, health.failures) == (False, False, 1)
    assert health.trouble == "/kept: No space left on device"
    time.now = 9.9
    assert not health.may_write
    time.now = 10.0
    assert health.may_write and not health.is_sure
    health.failed(OSError(errno.EIO, "Input/output error"))
    assert not health.may_write and health.trouble == "/kept: Input/output error"
    time.now = 20.0
    health.worked()
    assert health.may_write and health.is_sure


def test_the_trouble_is_over_when_all_went_well_for_a_while() -> None:
    time = Time()
    health = DiskHealth("/kept", time)
    for now in (0.0, 10.0, 20.0):
        # The last blocks take what is small.
        time.now = now
        health.failed(FULL)
        health.worked()
        assert health.may_write and health.trouble is not None
    time.now = 79.9
    assert health.trouble is not None
    time.now = 80.0
    assert health.trouble is None


def test_a_disk_that_nobody_writes_to_any_more_is_not_said_to_work() -> None:
    time = Time()
    health = DiskHealth("/kept", time)
    health.failed(FULL)
    time.now = 1e6
    assert health.trouble is not None and not health.is_sure
