"""Bodies in slices: what becomes of one is nothing to the others, and what is left is never taken for all of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cache.disk.responses import MB, body_of, found, head_of, key_of, put, read
from txproxy.cache.disk.disk_store import DiskStore
from txproxy.cache.disk.disk_writer import DiskWriter
from txproxy.cache.disk.file_body import bodies_on_disk, segments_of
from txproxy.cache.disk.record_format import Extent, Response, StoredPart, pack_response, unpack_response
from txproxy.cache.disk.record_reader import DiskEntry
from txproxy.cache.memory.memory_store import MemoryStore
from txproxy.cache.parts.parts_body import Part, PartsBody
from txproxy.cache.stored import Entry, FileRange, MemoryBody
from txproxy.cache.tiered_store import TieredStore
from txproxy.wire.headers import Headers

LONG = 3 * MB + 12_345


def _store(path: Path) -> DiskStore:
    return DiskStore(str(path), 128 * MB)


def _put_parts(store: DiskStore, length: int, *spans: tuple[int, int]) -> DiskEntry:
    data = body_of("a", length)
    held = tuple(Part(start, MemoryBody(data[start:stop])) for start, stop in spans)
    entry = store.put(Entry(key_of("a"), head_of("a"), PartsBody(length, held)))
    assert entry is not None
    return entry


def _parts(entry: DiskEntry) -> list[tuple[int, int]]:
    assert isinstance(entry.body, PartsBody)
    return [(part.start, part.stop) for part in entry.body.held]


@pytest.mark.parametrize("known", [True, False])
def test_a_long_body_is_in_slices(tmp_path: Path, known: bool) -> None:
    store, data = _store(tmp_path), body_of("a", LONG)
    writer = store.writer(key_of("a"), LONG if known else None)
    for start in range(0, LONG, 100_000):
        assert writer.write(data[start : start + 100_000])
        assert read(writer.body) == data[: start + 100_000]
    assert writer.commit(head_of("a")) is not None
    (entry,) = found(store, "a")
    assert read(entry.body) == data
    sizes = [stop - start for start, stop in _parts(entry)]
    assert max(sizes) == MB and (sizes == [MB, MB, MB, 12_345]) is known
    # Nothing of it is anywhere but in files.
    assert all(isinstance(part, FileRange) for part in entry.body.parts(0, LONG))


def test_what_is_there_after_a_restart_has_the_same_parts(tmp_path: Path) -> None:
    _put_parts(_store(tmp_path), 1000, (0, 10), (500, 1000))
    (entry,) = found(_store(tmp_path), "a")
    assert _parts(entry) == [(0, 10), (500, 1000)] and entry.body.length == 1000
    assert read(entry.body, 500, 1000) == body_of("a", 1000)[500:]
    assert read(entry.body, 10, 20) == b""


@pytest.mark.parametrize("hurt", range(4))
def test_a_slice_that_is_damaged_is_missing(tmp_path: Path, hurt: int) -> None:
    entry = put(_store(tmp_path), "a", LONG)
    body = bodies_on_disk(entry.body)[hurt]
    (segment, offset, _) = body.pieces[0]
    os.pwrite(segment.fd, b"!", offset + 77)
    (entry,) = found(_store(tmp_path), "a")
    assert isinstance(entry.body, PartsBody)
    start = hurt * MB
    assert entry.body.missing(0, LONG) == (start, min(start + MB, LONG))


def test_when_all_is_damaged_nothing_is_there(tmp_path: Path) -> None:
    entry = _put_parts(_store(tmp_path), 100, (0, 10))
    (segment, offset, _) = bodies_on_disk(entry.body)[0].pieces[0]
    os.pwrite(segment.fd, b"!", offset)
    assert found(_store(tmp_path), "a") == ()


def test_slices_go_with_their_segment(tmp_path: Path) -> None:
    store = DiskStore(str(tmp_path), 8 * MB, MB)
    store.max_object = 4 * MB
    tiers = TieredStore(MemoryStore(MB), store)
    data = body_of("a", 3 * MB)
    writer = DiskWriter(store._log, key_of("a"), len(data), len(data))
    assert writer.write(data)
    body = writer.finish()
    assert body is not None and tiers.put(Entry(key_of("a"), head_of("a"), body))
    (entry,) = tiers.variants(key_of("a"))
    first = min(segment.number for segment in segments_of(bodies_on_disk(entry.body)))
    assert tiers.is_ready(entry)
    store._segments.remove(first)
    # It is looked for again, and what is left of it is not all.
    assert not tiers.is_ready(entry)
    reading = tiers.look(key_of("a"), Headers())
    if reading is not None:
        tiers.take(reading())
    (left,) = tiers.variants(key_of("a"))
    assert isinstance(left.body, PartsBody) and not left.body.is_whole
    missing = left.body.missing(0, len(data))
    assert missing is not None and missing[0] == 0
    assert read(left.body, missing[1], len(data)) == data[missing[1] :]


def test_what_was_used_stays_in_parts(tmp_path: Path) -> None:
    store = DiskStore(str(tmp_path), 8 * MB, MB)
    store.used(_put_parts(store, 200_000, (0, 100), (1000, 90_000)))
    for number in range(77):
        put(store, ("fill", number), 90_000)
    list(store.tidy())
    assert 1 not in store._segments.numbers
    (entry,) = found(store, "a")
    assert _parts(entry) == [(0, 100), (1000, 90_000)]
    assert read(entry.body, 1000, 90_000) == body_of("a", 200_000)[1000:90_000]
    assert all(segment.number > 1 for segment in segments_of(bodies_on_disk(entry.body)))


def test_what_is_damaged_of_it_is_not_written_again(tmp_path: Path) -> None:
    store = DiskStore(str(tmp_path), 8 * MB, MB)
    kept = _put_parts(store, 200_000, (0, 40_000), (100_000, 140_000))
    store.used(kept)
    (segment, offset, _) = bodies_on_disk(kept.body)[0].pieces[0]
    os.pwrite(segment.fd, b"!", offset)
    for number in range(77):
        put(store, ("fill", number), 90_000)
    list(store.tidy())
    (entry,) = found(store, "a")
    assert _parts(entry) == [(100_000, 140_000)]


@pytest.mark.parametrize(
    "parts",
    [
        (),
        (StoredPart(5, 1, Extent(1, 64, 10)), StoredPart(10, 1, Extent(1, 64, 10))),
        (StoredPart(10, 1, Extent(1, 64, 10)), StoredPart(0, 1, Extent(1, 64, 10))),
        (StoredPart(95, 1, Extent(1, 64, 10)),),
        (StoredPart(0, 1, Extent(1, 64, 0)),),
    ],
)
def test_parts_that_cannot_be_are_none(parts: tuple[StoredPart, ...]) -> None:
    packed = pack_response(Response(key_of("a"), head_of("a"), 100, 0, (), parts))
    assert unpack_response(packed, 3) is None


def test_a_body_of_another_store_is_not_taken(tmp_path: Path) -> None:
    store, memory = _store(tmp_path), MemoryStore(8 * MB)
    writer = memory.body()
    assert writer.write(bytes(100_000))
    paged = writer.finish()
    for body in (paged, PartsBody(200_000, (Part(0, paged),))):
        with pytest.raises(TypeError, match="taken by no writer of a disk"):
            store.put(Entry(key_of("a"), head_of("a"), body))
    tiers = TieredStore(MemoryStore(8 * MB), store)
    assert tiers.put(Entry(key_of("a"), head_of("a"), PartsBody(200_000, (Part(0, paged),))))
    assert len(tiers.variants(key_of("a"))) == 1 and found(store, "a") == ()
