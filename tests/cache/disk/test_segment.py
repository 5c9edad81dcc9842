"""Tests of a segment: what is written to it, how it is read, and what is remembered of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from txproxy.cache.disk import segment as segments
from txproxy.cache.disk.segment import NotInMemory, Segment


@pytest.fixture
def segment(tmp_path: Path) -> Segment:
    return Segment(os.open(tmp_path / "segment", os.O_RDWR | os.O_CREAT), 7)


@pytest.mark.parametrize("wait", [True, False])
def test_what_was_appended_is_read(segment: Segment, wait: bool) -> None:
    segment.append(b"hello ")
    segment.append(b"world")
    assert segment.end == 11
    assert segment.read(0, 11, wait) == b"hello world"
    assert segment.read(6, 100, wait) == b"world"
    assert segment.read(100, 5, wait) == b""


@pytest.mark.parametrize("error", [11, 95])
def test_what_would_have_to_be_waited_for_is_told(
    segment: Segment, error: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    segment.append(b"hello")
    real = os.preadv

    def cold(fd: int, views: list[memoryview], offset: int, flags: int = 0) -> int:
        if flags:
            raise OSError(error, "not now")
        return real(fd, views, offset)

    monkeypatch.setattr("txproxy.cache.disk.segment.os.preadv", cold)
    with pytest.raises(NotInMemory):
        segment.read(0, 5, wait=False)
    assert segment.read(0, 5, wait=True) == b"hello"


def test_other_errors_are_errors(segment: Segment, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("txproxy.cache.disk.segment.os.preadv", broken)
    with pytest.raises(OSError, match="Input/output"):
        segment.read(0, 5, wait=False)


def test_where_nobody_can_tell_it_is_waited_for_elsewhere(segment: Segment, monkeypatch: pytest.MonkeyPatch) -> None:
    segment.append(b"hello")
    monkeypatch.setattr(segments, "_NOWAIT", 0)
    with pytest.raises(NotInMemory):
        segment.read(0, 5, wait=False)


def test_a_write_goes_on_until_all_is_written_and_one_that_fails_changes_nothing(
    segment: Segment, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.pwrite
    monkeypatch.setattr("txproxy.cache.disk.segment.os.pwrite", lambda fd, data, at: real(fd, data[:3], at))
    segment.append(b"hello world")
    assert segment.read(0, 11, wait=True) == b"hello world"

    def full(*args: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("txproxy.cache.disk.segment.os.pwrite", full)
    with pytest.raises(OSError, match="No space"):
        segment.append(b"more")
    assert segment.end == 11


def test_what_was_verified_is_remembered_by_pages(segment: Segment) -> None:
    assert not segment.is_verified(0)
    for offset in (0, 4096 * 9, 4096 * 10_000):
        segment.set_verified(offset)
    pages = [page for page in range(10_010) if segment.is_verified(page * 4096)]
    assert pages == [0, 9, 10_000]


def test_what_is_in_doubt_is_not_believed(segment: Segment) -> None:
    for offset in (0, 4096 * 9):
        segment.set_verified(offset)
    segment.set_unverified(4096 * 9)
    segment.set_unverified(4096 * 100)
    assert segment.is_verified(0) and not segment.is_verified(4096 * 9)


def test_a_file_that_was_cut_is_written_to_no_more(segment: Segment) -> None:
    segment.append(b"a" * 5000)
    assert segment.is_whole
    os.ftruncate(segment.fd, 100)
    for offset in (segment.end, 50):
        with pytest.raises(OSError, match="cut"):
            segment.write(b"more", offset)
    assert os.fstat(segment.fd).st_size == 100 and not segment.is_whole


def test_of_a_file_that_was_cut_nothing_is_believed_any_more(segment: Segment) -> None:
    segment.append(b"a" * 9000)
    assert not segment.removed
    segment.set_verified(4096)
    os.ftruncate(segment.fd, 5000)
    # Whoever looks sees that, though it has become longer again.
    assert not segment.removed
    os.ftruncate(segment.fd, 9000)
    assert not segment.removed and not segment.is_verified(4096)


def test_room_is_there_when_it_was_allocated(segment: Segment, monkeypatch: pytest.MonkeyPatch) -> None:
    segment.allocate(100, 10_000)
    assert os.fstat(segment.fd).st_size == 10_100 and os.fstat(segment.fd).st_blocks * 512 >= 10_000

    def says(number: int) -> None:
        def allocate(fd: int, offset: int, size: int) -> None:
            raise OSError(number, "no")

        monkeypatch.setattr(segments, "_allocate", allocate)

    says(28)
    with pytest.raises(OSError, match="no"):
        segment.allocate(0, 1)
    says(95)
    # It cannot be known there.
    segment.allocate(20_000, 1)
    monkeypatch.setattr(segments, "_allocate", None)
    segment.allocate(20_000, 1)
    segment.append(b"a")


def test_it_is_locked_as_long_as_it_is_open(segment: Segment, tmp_path: Path) -> None:
    other = Segment(os.open(tmp_path / "segment", os.O_RDWR), 7)
    assert segment.lock()
    assert not other.lock()
    segment.unlock()
    assert other.lock()


def test_it_can_be_read_when_it_was_removed(segment: Segment, tmp_path: Path) -> None:
    segment.append(b"hello")
    assert not segment.removed
    (tmp_path / "segment").unlink()
    assert segment.removed
    assert segment.read(0, 5, wait=True) == b"hello"


def test_it_closes_with_the_last_who_has_it(tmp_path: Path) -> None:
    fd = os.open(tmp_path / "segment", os.O_RDWR | os.O_CREAT)
    segment = Segment(fd, 1)
    also = [segment]
    del segment
    os.fstat(fd)
    also.clear()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)
