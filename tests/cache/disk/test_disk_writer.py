"""Tests of responses on their way to a disk: where their bodies stand, and when they are there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cache.disk.responses import MB, body_of, found, head_of, key_of, put, read
from txproxy.cache.disk.disk_store import DiskStore
from txproxy.cache.disk.disk_writer import MOST_VARIANTS
from txproxy.cache.disk.file_body import bodies_on_disk, segments_of
from txproxy.cache.stored import BY_KERNEL, Entry, FileRange, MemoryBody


@pytest.fixture
def store(tmp_path: Path) -> DiskStore:
    return DiskStore(str(tmp_path), 32 * MB)


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("size", [0, 1, BY_KERNEL - 1, BY_KERNEL, 200_000, 900_000])
@pytest.mark.parametrize("step", [10_000, 1_000_000])
def test_a_body_is_there_while_it_comes_and_after(store: DiskStore, known: bool, size: int, step: int) -> None:
    data = body_of("a", size)
    writer = store.writer(key_of("a"), size if known else None)
    for start in range(0, size, step):
        assert writer.write(data[start : start + step])
        assert writer.written == writer.body.length == min(start + step, size)
        assert read(writer.body, 0, 2 * MB) == data[: start + step]
        assert read(writer.body, start) == data[start : start + step]
    assert found(store, "a") == ()
    entry = writer.commit(head_of("a"))
    assert entry is not None
    (again,) = found(store, "a")
    assert read(entry.body) == read(again.body) == read(writer.body) == data
    assert again.head.headers == head_of("a").headers
    assert not known or len(again.body.parts(0, size)) == (1 if size else 0)
    assert all(isinstance(part, FileRange) is (size >= BY_KERNEL) for part in again.body.parts(0, size))


def test_a_body_of_known_length_is_one_piece_on_a_page(store: DiskStore) -> None:
    put(store, "b", 77)
    (part,) = put(store, "a", 300_000).body.parts(0, 300_000)
    assert isinstance(part, FileRange) and part.offset % 4096 == 0


def test_many_that_come_at_once_do_not_mix(store: DiskStore) -> None:
    writers = [store.writer(key_of(number), None if number % 2 else 150_000) for number in range(20)]
    for start in range(0, 150_000, 30_000):
        for number, writer in enumerate(writers):
            assert writer.write(body_of(number, 150_000)[start : start + 30_000])
    for number, writer in enumerate(writers):
        assert writer.commit(head_of(number)) is not None
    for number in range(20):
        (entry,) = found(store, number)
        assert read(entry.body) == body_of(number, 150_000)


def test_a_body_may_go_on_in_the_next_segment(tmp_path: Path) -> None:
    store = DiskStore(str(tmp_path), 16 * MB, MB)
    writer = store.writer(key_of("a"))
    data = body_of("a", 250_000)
    assert writer.write(data[:200_000])
    for number in range(12):
        put(store, number, 100_000)
    assert writer.write(data[200_000:])
    assert writer.commit(head_of("a")) is not None
    (entry,) = found(store, "a")
    assert len(segments_of(bodies_on_disk(entry.body))) == 2
    assert read(entry.body) == data


@pytest.mark.parametrize(("length", "sizes"), [(10, (10, 1)), (None, (4 * MB, 1))])
def test_what_is_too_long_is_not_kept_and_can_still_be_read(
    store: DiskStore, length: int | None, sizes: tuple[int, int]
) -> None:
    assert store.max_object == 4 * MB
    writer = store.writer(key_of("a"), length)
    assert writer.write(b"a" * sizes[0])
    assert not writer.write(b"b" * sizes[1])
    assert not writer.write(b"")
    assert writer.commit(head_of("a")) is None
    assert read(writer.body) == b"a" * sizes[0]
    assert found(store, "a") == ()


def test_of_what_is_known_to_be_too_long_nothing_is_kept(store: DiskStore) -> None:
    before = store.bytes_used
    writer = store.writer(key_of("a"), store.max_object + 1)
    assert not writer.write(b"a" * 100_000)
    assert (writer.written, store.bytes_used) == (0, before)


def test_what_is_abandoned_is_not_there(store: DiskStore) -> None:
    writer = store.writer(key_of("a"), 100_000)
    assert writer.write(b"a" * 100_000)
    writer.abandon()
    assert writer.commit(head_of("a")) is None
    assert found(store, "a") == ()


def test_a_key_is_a_hash(store: DiskStore) -> None:
    with pytest.raises(ValueError, match="a key of 3 bytes; accepted is one of 32"):
        store.writer(b"abc")


@pytest.mark.parametrize("size", [100, 100_000])
@pytest.mark.parametrize("works", range(3))
def test_a_disk_that_is_full_keeps_nothing_and_breaks_nothing(
    store: DiskStore, size: int, works: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, "before", 100)
    real = os.pwrite
    left = [works]

    def pwrite(fd: int, data: bytes, offset: int) -> int:
        left[0] -= 1
        if left[0] < 0:
            real(fd, data[: len(data) // 2], offset)
            raise OSError(28, "No space left on device")
        return real(fd, data, offset)

    with monkeypatch.context() as patch:
        patch.setattr("txproxy.cache.disk.segment.os.pwrite", pwrite)
        writer = store.writer(key_of("a"), size)
        entry = writer.commit(head_of("a")) if writer.write(body_of("a", size)) else None
    if works < (1 if size == 100 else 3):
        assert entry is None and found(store, "a") == ()
    else:
        assert entry is not None
    put(store, "after", 100_000)
    for name, length in (("before", 100), ("after", 100_000)):
        (kept,) = found(store, name)
        assert read(kept.body) == body_of(name, length)


@pytest.mark.parametrize("known", [True, False])
def test_a_body_whose_file_was_cut_meanwhile_is_not_kept(store: DiskStore, known: bool, tmp_path: Path) -> None:
    put(store, "before", 40_000)
    data = body_of("a", 400_000)
    writer = store.writer(key_of("a"), 400_000 if known else None)
    assert writer.write(data[:200_000])
    (path,) = tmp_path.glob("*.segment")
    os.truncate(path, 50_000)
    entry = writer.commit(head_of("a")) if writer.write(data[200_000:]) else None
    # What was cut off would be zeros.
    assert entry is None and found(store, "a") == ()
    assert os.stat(path).st_size == 50_000
    # The next one goes to another file, and is not hurt.
    put(store, "after", 100_000)
    (kept,) = found(store, "after")
    assert read(kept.body) == body_of("after", 100_000)


def test_a_body_whose_file_is_cut_at_its_end_is_not_kept(store: DiskStore, tmp_path: Path) -> None:
    data = body_of("a", 400_000)
    writer = store.writer(key_of("a"), 400_000)
    assert writer.write(data)
    (path,) = tmp_path.glob("*.segment")
    os.truncate(path, 50_000)
    assert writer.commit(head_of("a")) is None and found(store, "a") == ()


def test_whether_a_long_body_has_room_is_known_before_it_comes(
    store: DiskStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = store.writer(key_of("a"), 300_000)
    assert writer.reserve() and writer.written == 0 and read(writer.body, 0, 10) == b""
    assert writer.write(body_of("a", 300_000))
    entry = writer.commit(head_of("a"))
    assert entry is not None and read(entry.body) == body_of("a", 300_000) and len(entry.body.parts(0, 300_000)) == 1

    def full(fd: int, offset: int, size: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("txproxy.cache.disk.segment._allocate", full)
    writer = store.writer(key_of("b"), 300_000)
    assert not writer.reserve() and not writer.write(b"b")
    assert store.health.trouble is not None and store.health.trouble.endswith(": No space left on device")
    # Of others nothing is known yet.
    assert store.writer(key_of("c"), 100).reserve() and store.writer(key_of("c")).reserve()


def test_what_was_held_back_is_not_lost_when_the_disk_is_full(
    store: DiskStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object) -> int:
        raise OSError(28, "No space left on device")

    writer = store.writer(key_of("a"))
    assert writer.write(body_of("a", 100_000))
    monkeypatch.setattr("txproxy.cache.disk.segment.os.pwrite", full)
    body = writer.finish()
    assert isinstance(body, MemoryBody) and body.data == body_of("a", 100_000)
    assert store.health.failures == 1


def test_no_body_is_kept_that_no_writer_of_a_disk_took(store: DiskStore) -> None:
    class Foreign:
        length = 5

        def parts(self, start: int, stop: int) -> list[bytes | FileRange]:
            return [b"hello"[start:stop]]

    with pytest.raises(TypeError, match="no writer of a disk"):
        store.put(Entry(key_of("a"), head_of("a"), Foreign()))


def test_more_variants_than_a_key_may_have_evict_each_other(store: DiskStore) -> None:
    for number in range(MOST_VARIANTS + 6):
        put(store, "a", 10, head_of(number, ((b"accept", b"%d" % number),), 1000.0 + number))
    variants = found(store, "a")
    assert len(variants) == MOST_VARIANTS
    assert [entry.head.vary[0][1] for entry in variants] == [b"%d" % number for number in range(69, 5, -1)]


def test_one_takes_the_place_of_another(store: DiskStore) -> None:
    old = put(store, "a", 10, head_of("old", ((b"accept", b"a"),)))
    writer = store.writer(key_of("a"), 10)
    assert writer.write(b"0123456789")
    # It was chosen by something else, and is not newer.
    new = writer.commit(head_of("new", ((b"accept", b"b"),), 5.0), old)
    assert new is not None and old.place.is_gone()
    assert [read(entry.body) for entry in found(store, "a")] == [b"0123456789"]
