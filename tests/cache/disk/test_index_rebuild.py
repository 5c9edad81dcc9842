"""Tests of an index that was lost: all is found again, and nothing that is gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cache.disk.responses import MB, body_of, found, head_of, key_of, put, read, refresh
from txproxy.cache.disk.disk_store import DiskStore

SIZES = {number: (number * 7919) % 90_000 for number in range(150)}


def _filled(path: Path) -> DiskStore:
    store = DiskStore(str(path), 32 * MB, MB)
    for number, size in SIZES.items():
        put(store, number, size)
    return store


@pytest.mark.parametrize("data", [None, b"", b"short", b"x" * 1_000_000])
def test_all_is_found_again(tmp_path: Path, data: bytes | None) -> None:
    store = _filled(tmp_path)
    store.remove(put(store, "gone", 100))
    fresher = refresh(store, found(store, 7)[0], head_of("fresher", time=2000.0))
    assert fresher is not None
    store.close()
    index = tmp_path / "index.v1"
    index.unlink()
    if data is not None:
        index.write_bytes(data)
    store = DiskStore(str(tmp_path), 32 * MB, MB)
    assert not store.is_complete
    assert [found(store, number) for number in SIZES] == [()] * len(SIZES)
    steps = sum(1 for _ in store.rebuild())
    assert steps >= len(list(tmp_path.glob("*.segment")))
    assert store.is_complete
    for number, size in SIZES.items():
        (entry,) = found(store, number)
        assert read(entry.body) == body_of(number, size)
    assert found(store, 7)[0].head.headers.get(b"x-name") == b"fresher"
    assert store._index.find(key_of("gone")) == []


def test_it_is_done_again_when_it_was_broken_off(tmp_path: Path) -> None:
    _filled(tmp_path).close()
    (tmp_path / "index.v1").unlink()
    store = DiskStore(str(tmp_path), 32 * MB, MB)
    next(store.rebuild())
    put(store, "new", 10)
    store.close()
    store = DiskStore(str(tmp_path), 32 * MB, MB)
    assert not store.is_complete
    for _ in store.rebuild():
        assert len(found(store, "new")) == 1
    assert store.is_complete and len(found(store, 1)) == 1
    hints = [store._index.find(entry.key) for number in SIZES for entry in found(store, number)]
    assert [len(one) for one in hints] == [1] * len(SIZES)


def test_what_was_found_twice_is_entered_once_and_a_segment_may_go_meanwhile(tmp_path: Path) -> None:
    _filled(tmp_path).close()
    (tmp_path / "index.v1").unlink()
    store = DiskStore(str(tmp_path), 32 * MB, MB)
    steps = store.rebuild()
    next(steps)
    for path in sorted(tmp_path.glob("*.segment"))[:2]:
        path.unlink()
    list(steps)
    assert store.is_complete
    kept = [number for number in SIZES if found(store, number)]
    assert 0 < len(kept) < len(SIZES)


def test_an_empty_directory_needs_none(tmp_path: Path) -> None:
    assert DiskStore(str(tmp_path), MB).is_complete
