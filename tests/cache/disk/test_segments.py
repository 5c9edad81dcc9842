"""Tests of all segments together: their bound, which are open, and how one is found by a hint."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cache.disk.responses import MB
from txproxy.cache.disk.cache_directory import CacheDirectory
from txproxy.cache.disk.hint_index import SEGMENTS
from txproxy.cache.disk.segments import Segments


def _segments(path: Path, size: int = 8 * MB, segment_size: int = MB, most_open: int = 3) -> Segments:
    return Segments(CacheDirectory(str(path)), size, segment_size, most_open)


def _fill(segments: Segments, count: int, size: int = MB - 100) -> None:
    for _ in range(count):
        segment = segments.with_room(size)
        assert segment is not None
        segment.append(b"x" * size)


def test_what_fits_goes_to_the_same_segment_and_what_does_not_to_the_next(tmp_path: Path) -> None:
    segments = _segments(tmp_path)
    numbers = []
    for size in (400_000, 400_000, 400_000, 10):
        segment = segments.with_room(size)
        assert segment is not None
        segment.append(b"x" * size)
        numbers.append(segment.number)
    assert numbers == [1, 1, 2, 2]
    assert segments.bytes_used == 64 * 2 + 1_200_010
    assert segments.with_room(MB) is None


def test_the_oldest_go_when_there_is_too_much(tmp_path: Path) -> None:
    segments = _segments(tmp_path)
    for _ in range(30):
        _fill(segments, 1)
        assert sum(path.stat().st_size for path in tmp_path.glob("*.segment")) == segments.bytes_used <= 8 * MB
    assert segments.numbers == list(range(23, 31))


def test_what_others_write_to_counts_as_if_it_were_full_and_stays(tmp_path: Path) -> None:
    others = [_segments(tmp_path) for _ in range(3)]
    for other in others:
        _fill(other, 1, 10)
    segments = _segments(tmp_path)
    _fill(segments, 20)
    assert segments.numbers == [1, 2, 3, 19, 20, 21, 22, 23]
    others[0].close()
    _fill(segments, 2)
    assert 1 not in segments.numbers and {2, 3} < set(segments.numbers)


def test_what_was_written_until_the_end_counts(tmp_path: Path) -> None:
    other, segments = _segments(tmp_path), _segments(tmp_path)
    _fill(other, 1, 10)
    segments.look()
    _fill(other, 1, 400_000)
    # It was shorter when that was looked at.
    other.close()
    assert segments.excess(10_000_000) == []
    assert segments.bytes_used == 400_074
    for _ in range(3):
        segments.look()
        assert segments.bytes_used == 400_074 and segments.excess(0) == [1]
    assert segments.removals == 0
    segments.remove(1)
    assert segments.removals == 1
    _fill(segments, 1)
    (tmp_path / "00000001.v1.segment").unlink()
    segments.look()
    assert segments.removals == 2


def test_when_it_is_closed_nothing_is_written_or_kept_open(tmp_path: Path) -> None:
    segments = _segments(tmp_path)
    _fill(segments, 1)
    segments.close()
    assert segments.with_room(10) is None
    one = segments.get(1)
    assert one is not None and segments.get(1) is not one


def test_nothing_is_written_where_others_have_all_the_room(tmp_path: Path) -> None:
    others = [_segments(tmp_path) for _ in range(8)]
    for other in others:
        _fill(other, 1, 10)
    assert _segments(tmp_path).with_room(10) is None


def test_nothing_is_written_while_another_has_the_lock(tmp_path: Path) -> None:
    segments = _segments(tmp_path)
    with CacheDirectory(str(tmp_path)).locked():
        assert segments.with_room(10) is None
    assert segments.with_room(10) is not None


def test_a_segment_is_found_by_the_low_bits_of_its_number(tmp_path: Path) -> None:
    directory = CacheDirectory(str(tmp_path))
    kept = [directory.new_segment(SEGMENTS * 3 + number) for number in (-2, -1, 0, 1)]
    segments = _segments(tmp_path)
    for segment in kept:
        found = segments.hinted(segment.number % SEGMENTS)
        assert found is not None and found.number == segment.number
    # One of which this process has not heard yet.
    directory.new_segment(SEGMENTS * 3 + 2)
    assert segments.hinted(2) is not None
    assert segments.hinted(77) is None


def test_so_many_are_open_and_what_was_removed_is_closed(tmp_path: Path) -> None:
    directory = CacheDirectory(str(tmp_path))
    for number in range(1, 8):
        directory.new_segment(number)
    segments = _segments(tmp_path)
    first = segments.get(1)
    assert first is not None and segments.get(1) is first
    for number in range(2, 8):
        assert segments.get(number) is not None
    assert segments.get(1) is not first
    seventh = segments.get(7)
    directory.remove_segment(7)
    assert segments.get(7) is None
    assert seventh is not None and seventh.removed
    segments.look()
    assert segments.numbers == [1, 2, 3, 4, 5, 6]


def test_what_is_written_goes_elsewhere_when_its_segment_was_removed(tmp_path: Path) -> None:
    segments = _segments(tmp_path)
    _fill(segments, 1, 10)
    (tmp_path / "00000001.v1.segment").unlink()
    segment = segments.with_room(10)
    assert segment is not None and not segment.removed
    segments.look()
    assert segments.numbers == [segment.number]


@pytest.mark.parametrize(
    ("size", "asked", "given"),
    [(8 * MB, MB, MB), (4 * MB, MB, MB // 2), (MB, MB, MB // 8), (100, MB, 65_536), (1 << 40, 1 << 36, 1 << 30)],
)
def test_a_segment_is_a_small_part_of_all(tmp_path: Path, size: int, asked: int, given: int) -> None:
    assert _segments(tmp_path, size, asked).segment_size == given
