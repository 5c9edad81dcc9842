"""Tests of the store on a disk as a whole: what is damaged is a miss, and its bound is kept."""

from __future__ import annotations

import os
import random
import threading
from pathlib import Path

import pytest

from tests.cache.disk.responses import MB, body_of, found, head_of, key_of, put, read, refresh
from txproxy.cache.disk.disk_store import DiskStore, NeedsThread
from txproxy.cache.disk.segment import NotInMemory
from txproxy.cache.purging.mark import Kind
from txproxy.cache.purging.marks import Marks
from txproxy.cache.purging.marks_journal import MarksJournal
from txproxy.errors import ConfigError


def test_what_is_stored_is_found_by_all_and_after_a_restart(tmp_path: Path) -> None:
    one, two = (DiskStore(str(tmp_path), 32 * MB) for _ in range(2))
    for number, store in enumerate((one, two, one, two)):
        put(store, number, 30_000 * number)
    for store in (one, two, DiskStore(str(tmp_path), 32 * MB)):
        for number in range(4):
            (entry,) = found(store, number)
            assert read(entry.body) == body_of(number, 30_000 * number)
        assert found(store, "none") == ()


def test_a_large_body_is_read_once_by_each_process_before_it_is_sent(tmp_path: Path) -> None:
    one, two = (DiskStore(str(tmp_path), 32 * MB) for _ in range(2))
    put(one, "a", 100_000)
    assert isinstance(one.variants(key_of("a")), tuple)
    first = two.variants(key_of("a"))
    assert isinstance(first, NeedsThread)
    given: list[object] = []
    thread = threading.Thread(target=lambda: given.extend(first.read()))
    thread.start()
    thread.join()
    assert len(given) == 1
    assert isinstance(two.variants(key_of("a")), tuple)


@pytest.mark.parametrize("size", [100, 100_000])
def test_who_still_waits_when_it_is_closed_gets_nothing_or_all(
    tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = DiskStore(str(tmp_path), 32 * MB)
    entry = put(store, "a", size)
    monkeypatch.setattr("txproxy.cache.disk.segment._NOWAIT", 0)
    whole, removed = store.variants(key_of("a")), store.variants(key_of("a"))
    assert isinstance(whole, NeedsThread) and isinstance(removed, NeedsThread)
    store.close()
    assert [one.head.headers for one in whole.read()] == [entry.head.headers]
    entry.place.set_gone()
    assert removed.read() == ()


@pytest.mark.parametrize("size", [100, 100_000])
def test_a_fresher_head_has_the_body_that_was_there(tmp_path: Path, size: int) -> None:
    store = DiskStore(str(tmp_path), 32 * MB)
    old = put(store, "a", size)
    before = store.bytes_used
    fresher = refresh(store, old, head_of("fresher"))
    assert fresher is not None and store.bytes_used - before < 1_000
    (entry,) = found(store, "a")
    assert entry.head.headers.get(b"x-name") == b"fresher"
    assert read(entry.body) == read(fresher.body) == body_of("a", size)
    assert old.place.is_gone()


def test_a_head_that_cannot_be_written_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> int:
        raise OSError(28, "No space left on device")

    store = DiskStore(str(tmp_path), 32 * MB)
    old = put(store, "a", 100)
    with monkeypatch.context() as patch:
        patch.setattr("txproxy.cache.disk.segment.os.pwrite", full)
        assert refresh(store, old, head_of("fresher")) is None
    assert found(store, "a")[0].head.headers.get(b"x-name") == b"a"


def test_what_is_removed_is_gone_for_all(tmp_path: Path) -> None:
    one, two = (DiskStore(str(tmp_path), 32 * MB) for _ in range(2))
    kept = put(one, "a", 10, head_of("kept", ((b"accept", b"a"),)))
    put(one, "a", 10, head_of("gone", ((b"accept", b"b"),)))
    put(one, "b", 100_000)
    put(two, "b", 10, head_of("b", ((b"accept", b"b"),)))
    put(one, "c", 10)
    one.remove(found(one, "a")[1] if found(one, "a")[0].place == kept.place else found(one, "a")[0])
    two.remove_key(key_of("b"))
    two.remove_key(key_of("none"))
    for store in (one, two):
        assert [entry.place.offset for entry in found(store, "a")] == [kept.place.offset]
        assert found(store, "b") == ()
        assert len(found(store, "c")) == 1


def test_what_somebody_has_kept_is_known_to_be_gone(tmp_path: Path) -> None:
    store = DiskStore(str(tmp_path), 8 * MB, MB)
    removed, old, new = put(store, "removed", 10), put(store, "old", 100_000), put(store, "new", 10)
    store.remove(removed)
    assert [store.is_there(entry) for entry in (removed, old, new)] == [False, True, True]
    (tmp_path / "00000001.v1.segment").unlink()
    assert not store.is_there(old)


def test_a_journal_of_purges_is_among_its_files(tmp_path: Path) -> None:
    store = DiskStore(str(tmp_path), MB)
    before = Marks(MarksJournal(store.purges)).add(Kind.TAG, b"one")
    store.close()
    assert Marks(MarksJournal(DiskStore(str(tmp_path), MB).purges)).seq == before


def test_a_body_that_is_sent_stays_when_its_segment_goes(tmp_path: Path) -> None:
    store = DiskStore(str(tmp_path), 8 * MB, MB)
    body = put(store, "a", 100_000).body
    for number in range(100):
        put(store, number, 100_000)
    assert found(store, "a") == ()
    store.close()
    assert read(body) == body_of("a", 100_000)


def test_its_bound_is_kept_though_ten_times_that_is_written(tmp_path: Path) -> None:
    size = 8 * MB
    stores = [DiskStore(str(tmp_path), size, MB // 2) for _ in range(2)]
    written = number = 0
    while written < 10 * size:
        store = stores[number % 2]
        length = number * 7919 % 120_000
        writer = store.writer(key_of(number), length if number % 3 else None)
        # Another process may just be making a segment.
        if writer.write(body_of(number, length)):
            writer.commit(head_of(number))
        written += length
        number += 1
        if number % 20 == 0:
            taken = sum(path.stat().st_blocks * 512 for path in tmp_path.glob("*.segment"))
            assert taken <= 1.05 * size
        if number % 60 == 0:
            list(store.tidy())
    kept = sum(bool(found(stores[0], one)) for one in range(number - 60, number))
    assert kept > 50
    assert stores[0].bytes_used <= size


def _contents(path: Path) -> dict[Path, bytes]:
    return {one: one.read_bytes() for one in sorted(path.iterdir())}


def test_whatever_is_damaged_what_is_found_is_right(tmp_path: Path) -> None:
    store = DiskStore(str(tmp_path), 4 * MB)
    lengths = {"small": 700, "large": 40_000, "empty": 0, "other": 33_000}
    for name, length in lengths.items():
        put(store, name, length)
    refresh(store, found(store, "other")[0], head_of("other"))
    put(store, "gone", 50)
    store.remove_key(key_of("gone"))
    store.close()
    contents = _contents(tmp_path)
    chance = random.Random(20)
    found_all = 0
    for _ in range(700):
        path = chance.choice([path for path in contents if contents[path]])
        data = contents[path]
        # Most of what stands in these files is nothing, or bodies.
        marks = [place for place in (data.find(b"TxR1", chance.randrange(len(data))), 0) if place >= 0]
        place = chance.choice([chance.randrange(len(data)), min(marks[0] + chance.randrange(400), len(data) - 1)])
        flipped = bytearray(data)
        flipped[place] ^= 1 << chance.randrange(8)
        path.write_bytes(flipped)
        store = DiskStore(str(tmp_path), 4 * MB)
        for step in range(2):
            for name, length in lengths.items():
                for entry in found(store, name):
                    assert read(entry.body) == body_of(name, length)
                    assert entry.head.headers == head_of(name).headers
                    found_all += 1
            assert found(store, "gone") == ()
            if step == 0:
                list(store.rebuild())
        store.close()
        for other, before in contents.items():
            other.write_bytes(before)
    assert 700 * 2 * 4 * 0.7 < found_all < 700 * 2 * 4


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.99])
def test_files_that_were_cut_are_misses(tmp_path: Path, share: float) -> None:
    store = DiskStore(str(tmp_path), 32 * MB)
    for number in range(40):
        put(store, number, number * 2_000)
    store.close()
    for path in tmp_path.glob("*.segment"):
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    store = DiskStore(str(tmp_path), 32 * MB)
    kept = 0
    for number in range(40):
        for entry in found(store, number):
            assert read(entry.body) == body_of(number, number * 2_000)
            kept += 1
    assert (kept > 0) == (share > 0) and kept < 40
    put(store, "new", 100)
    assert len(found(store, "new")) == 1


@pytest.mark.parametrize("size", [100, 100_000])
def test_what_is_in_its_place_counts_though_the_old_one_cannot_be_written_to(
    tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(place: object) -> None:
        raise OSError(5, "Input/output error")

    store = DiskStore(str(tmp_path), 32 * MB)
    old = put(store, "a", size)
    monkeypatch.setattr("txproxy.cache.disk.record_reader.Place.set_gone", broken)
    assert refresh(store, old, head_of("fresher", time=2000.0)) is not None
    assert [entry.head.headers.get(b"x-name") for entry in found(store, "a")] == [b"fresher"]


@pytest.mark.parametrize("errors", [0, 1])
def test_what_cannot_be_looked_at_is_not_there(tmp_path: Path, errors: int, monkeypatch: pytest.MonkeyPatch) -> None:
    store = DiskStore(str(tmp_path), 32 * MB)
    entry = put(store, "a", 100)

    def preadv(*args: object) -> int:
        raise OSError(5, "Input/output error") if errors else BlockingIOError(11, "not now")

    monkeypatch.setattr("txproxy.cache.disk.segment.os.preadv", preadv)
    if errors:
        assert not store.is_there(entry)
    else:
        with pytest.raises(NotInMemory):
            store.is_there(entry)


def test_a_directory_that_was_emptied_is_used_by_all_again(tmp_path: Path) -> None:
    one = DiskStore(str(tmp_path), 32 * MB)
    put(one, "before", 100_000)
    for path in tmp_path.iterdir():
        path.unlink()
    two = DiskStore(str(tmp_path), 32 * MB)
    assert found(one, "before") == found(two, "before") == ()
    put(two, "a", 100_000)
    list(one.tidy())
    assert len(found(one, "a")) == 1
    put(one, "b", 100)
    # What the one removes, the other does not find.
    one.remove_key(key_of("a"))
    assert found(two, "a") == () and len(found(two, "b")) == 1
    with two._directory.locked() as alone, one._directory.locked() as also:
        assert alone and not also
    assert sorted(path.suffix for path in tmp_path.iterdir() if "segment" in path.name) == [".segment"] * 2


def test_what_is_on_a_disk_that_may_only_be_read_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = DiskStore(str(tmp_path), 32 * MB)
    for name in ("a", "b"):
        put(store, name, 100_000)
    store.close()
    real = os.open

    def read_only(path: str, flags: int, *args: int) -> int:
        if path.endswith(".segment") and flags & os.O_RDWR:
            raise OSError(30, "Read-only file system")
        return real(path, flags, *args)

    store = DiskStore(str(tmp_path), 32 * MB)
    monkeypatch.setattr("txproxy.cache.disk.cache_directory.os.open", read_only)
    for name in ("a", "b"):
        (entry,) = found(store, name)
        assert read(entry.body) == body_of(name, 100_000)
    store.remove(entry)
    assert found(store, "b") == ()


@pytest.mark.parametrize(("error", "left"), [(24, 1), (5, 0)])
def test_what_cannot_be_opened_just_now_is_there_another_time(
    tmp_path: Path, error: int, left: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = DiskStore(str(tmp_path), 32 * MB)
    put(store, "a", 100)

    def fails(*args: object) -> None:
        raise OSError(error, "no")

    with monkeypatch.context() as patch:
        patch.setattr("txproxy.cache.disk.segments.Segments.hinted", fails)
        assert found(store, "a") == ()
    assert len(found(store, "a")) == left


@pytest.mark.parametrize("error", [28, 122, 5])
def test_on_a_disk_that_is_full_the_oldest_goes_once_for_each_time_it_is_tried(
    tmp_path: Path, error: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    store = DiskStore(str(tmp_path), 16 * MB, MB, clock=lambda: now[0])
    for number in range(50):
        put(store, number, 100_000)
    before = len(list(tmp_path.glob("*.segment")))

    def full(*args: object) -> int:
        raise OSError(error, "no")

    with monkeypatch.context() as patch:
        patch.setattr("txproxy.cache.disk.segment.os.pwrite", full)
        for turn in range(3):
            now[0] = 10.0 * turn
            for _ in range(5):
                assert not store.writer(key_of("new"), 100_000).write(body_of("new", 100_000))
            gone = 0 if error == 5 else turn + 1
            assert len(list(tmp_path.glob("*.segment"))) == before - gone
    assert (found(store, 0) == ()) is (error != 5)
    (kept,) = found(store, 49)
    assert read(kept.body) == body_of(49, 100_000)
    # That goes on as long as it is full.
    monkeypatch.setattr("txproxy.cache.disk.segment.os.pwrite", full)
    for turn in range(3, 30):
        now[0] = 10.0 * turn
        assert not store.writer(key_of("new"), 100_000).write(body_of("new", 100_000))
    left = len(list(tmp_path.glob("*.segment")))
    assert left == before if error == 5 else left <= 1


@pytest.mark.parametrize("size", [0, -1, 1000])
def test_what_is_too_small_is_told(tmp_path: Path, size: int) -> None:
    with pytest.raises(ConfigError, match=f"{size} bytes are too few; accepted are 1048576 and more"):
        DiskStore(str(tmp_path), size)


def test_no_file_stays_open_when_it_is_closed(tmp_path: Path) -> None:
    descriptors = Path("/proc/self/fd")
    if not descriptors.is_dir():
        pytest.skip("the system does not tell")

    def open_there() -> list[str]:
        links = [str(one.resolve()) for one in descriptors.iterdir()]
        return [link for link in links if link.startswith(str(tmp_path))]

    store = DiskStore(str(tmp_path), 32 * MB)
    put(store, "a", 100_000)
    assert len(open_there()) >= 4
    store.close()
    assert open_there() == []


def test_all_that_there_is_is_gone_through(tmp_path: Path) -> None:
    store = DiskStore(str(tmp_path), 32 * MB)
    for number in range(20):
        put(store, number, 40_000 if number % 2 else 10)
    put(store, 3, 5)
    store.remove(found(store, 4)[0])
    keys = {entry.key for entry in store.entries()}
    assert keys == {key_of(number) for number in range(20) if number != 4}
    store.close()
    assert list(store.entries()) == []
