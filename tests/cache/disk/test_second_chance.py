"""Tests of room for what comes: what was used stays, be it in a segment with its head or its body alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cache.disk.responses import MB, body_of, found, head_of, key_of, put, read, refresh
from txproxy.cache.disk.disk_store import DiskStore
from txproxy.cache.stored import FileRange


def _store(path: Path) -> DiskStore:
    return DiskStore(str(path), 8 * MB, MB)


def _fill(store: DiskStore, count: int, first: int = 0) -> None:
    """Write so many segments full."""
    for number in range(count * 11):
        put(store, ("fill", first + number), 90_000)


def _tidy(store: DiskStore) -> int:
    return sum(1 for _ in store.tidy())


@pytest.mark.parametrize("size", [100, 90_000, 230_000])
def test_what_was_used_is_written_once_more_and_the_rest_goes(tmp_path: Path, size: int) -> None:
    store = _store(tmp_path)
    store.used(put(store, "used", size))
    put(store, "unused", size)
    _fill(store, 7)
    _tidy(store)
    assert 1 not in store._segments.numbers
    (entry,) = found(store, "used")
    assert entry.place.segment.number > 1
    assert read(entry.body) == body_of("used", size)
    assert entry.head.headers == head_of("used").headers
    assert found(store, "unused") == ()
    assert store._index.find(key_of("used"))[0].uses == 0


def test_nothing_goes_while_there_is_room(tmp_path: Path) -> None:
    store = _store(tmp_path)
    _fill(store, 3)
    assert _tidy(store) == 0
    assert store._segments.numbers == [1, 2, 3]


def test_a_body_whose_head_was_renewed_is_kept(tmp_path: Path) -> None:
    store = _store(tmp_path)
    old = put(store, "used", 90_000)
    _fill(store, 2)
    fresher = refresh(store, old, head_of("fresher", time=2000.0))
    assert fresher is not None and fresher.place.segment.number > 1
    store.used(fresher)
    _fill(store, 4, 1_000)
    _tidy(store)
    assert 1 not in store._segments.numbers
    (entry,) = found(store, "used")
    assert entry.head.headers.get(b"x-name") == b"fresher"
    assert read(entry.body) == body_of("used", 90_000)


def test_when_all_was_used_half_of_a_segment_stays(tmp_path: Path) -> None:
    store = _store(tmp_path)
    for number in range(11):
        store.used(put(store, number, 90_000))
    _fill(store, 6)
    _tidy(store)
    kept = [number for number in range(11) if found(store, number)]
    assert kept == [0, 1, 2, 3, 4]


def test_what_stays_in_use_outlives_all_else(tmp_path: Path) -> None:
    store = _store(tmp_path)
    put(store, "used", 5_000)
    for turn in range(20):
        store.used(found(store, "used")[0])
        _fill(store, 1, turn * 1_000)
        _tidy(store)
        assert store.bytes_used <= 8 * MB
    assert read(found(store, "used")[0].body) == body_of("used", 5_000)


def test_what_is_removed_while_it_is_copied_is_gone(tmp_path: Path) -> None:
    store = _store(tmp_path)
    store.used(put(store, "used", 230_000))
    _fill(store, 6)
    for step, _ in enumerate(store.tidy()):
        if step == 0:
            assert len(found(store, "used")) == 1
            store.remove_key(key_of("used"))
    assert found(store, "used") == ()
    assert 1 not in store._segments.numbers


def test_what_is_damaged_is_not_copied(tmp_path: Path) -> None:
    store = _store(tmp_path)
    entry = put(store, "used", 90_000)
    store.used(entry)
    (part,) = entry.body.parts(50_000, 50_001)
    assert isinstance(part, FileRange)
    _fill(store, 6)
    entry.place.segment.write(b"?", part.offset)
    _tidy(store)
    assert found(store, "used") == ()


def test_one_process_at_a_time_tidies(tmp_path: Path) -> None:
    store, other = _store(tmp_path), _store(tmp_path)
    store.used(put(store, "used", 230_000))
    _fill(store, 6)
    steps = store.tidy()
    next(steps)
    assert _tidy(other) == 0
    steps.close()  # type: ignore[attr-defined]
    _tidy(other)
    assert 1 not in other._segments.numbers
    assert len(found(other, "used")) == 1


def test_nothing_is_done_while_another_has_the_lock(tmp_path: Path) -> None:
    store, other = _store(tmp_path), _store(tmp_path)
    _fill(store, 7)
    with other._directory.locked():
        assert _tidy(store) == 0
    assert 1 in store._segments.numbers
    assert _tidy(store) > 0
