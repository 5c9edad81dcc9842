"""Tests of the store in memory: variants, bounds of bytes, and that what is being sent never changes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from txproxy.cache.memory.memory_store import MOST_VARIANTS, MemoryStore
from txproxy.cache.stored import BY_KERNEL, Entry, FileRange, Freshness, MemoryBody, StoredBody, StoredHead
from txproxy.wire.headers import Headers

MB = 1_000_000


def _head(*vary: tuple[bytes, bytes | None], etag: bytes = b'"1"') -> StoredHead:
    headers = Headers.from_lines([b"Content-Type: text/plain", b"ETag: " + etag])
    return StoredHead(200, b"OK", headers, 1000.0, 1001.0, Freshness(60.0, 0.0), vary)


def _entry(store: MemoryStore, key: bytes, data: bytes = b"", head: StoredHead | None = None) -> Entry:
    writer = store.body(len(data))
    assert writer.write(data)
    return Entry(key, head or _head(), writer.finish())


def _read(body: StoredBody) -> bytes:
    return b"".join(
        os.pread(part.fd, part.size, part.offset) if isinstance(part, FileRange) else part
        for part in body.parts(0, body.length)
    )


def test_variants_of_a_key_stand_newest_first() -> None:
    store = MemoryStore(MB)
    one, two, other = _entry(store, b"k", b"1"), _entry(store, b"k", b"2"), _entry(store, b"o", b"3")
    assert store.put(one) and store.put(two) and store.put(other)
    assert store.variants(b"k") == (two, one)
    assert store.variants(b"o") == (other,)
    assert store.variants(b"none") == ()
    assert len(store) == 3


def test_one_takes_the_place_of_another() -> None:
    store = MemoryStore(MB)
    one, two = _entry(store, b"k", b"1"), _entry(store, b"k", b"2")
    store.put(one)
    store.put(two)
    fresher = Entry(b"k", _head(etag=b'"2"'), one.body)
    assert store.put(fresher, one)
    assert store.variants(b"k") == (fresher, two)
    store.remove(one)
    assert store.variants(b"k") == (fresher, two)
    store.remove_key(b"k")
    assert store.variants(b"k") == () and store.bytes_used == 0


def test_what_replaces_one_that_is_gone_is_kept() -> None:
    store = MemoryStore(MB)
    one = _entry(store, b"k", b"1")
    fresher = Entry(b"k", _head(), one.body)
    assert store.put(fresher, one)
    assert store.variants(b"k") == (fresher,)
    assert store.put(fresher)
    assert store.variants(b"k") == (fresher,) and len(store) == 1


def test_all_is_counted_and_uncounted() -> None:
    store = MemoryStore(4 * MB)
    entries = [_entry(store, b"%d" % size, b"x" * size) for size in (0, 1_000, BY_KERNEL, 200_000)]
    for entry in entries:
        store.put(entry)
    assert store.bytes_used > 233_000 + 4 * 1_000
    for entry in entries:
        store.remove(entry)
    del entry, entries
    assert store.bytes_used == 0


def test_more_variants_than_a_key_may_have_evict_each_other() -> None:
    store = MemoryStore(10 * MB)
    other = _entry(store, b"other", b"1")
    store.put(other)
    first = _entry(store, b"k", b"0")
    store.put(first)
    store.used(first)
    for number in range(MOST_VARIANTS + 9):
        store.put(_entry(store, b"k", b"%d" % number, _head((b"accept", b"%d" % number))))
    kept = store.variants(b"k")
    assert len(kept) == MOST_VARIANTS
    assert kept[0].body.parts(0, 9) == [b"%d" % (MOST_VARIANTS + 8)] and first in kept
    assert store.variants(b"other") == (other,)
    assert store.evictions == 10


def test_bytes_are_bounded_and_what_is_used_stays() -> None:
    store = MemoryStore(MB)
    loved = _entry(store, b"loved", b"x" * 5_000)
    store.put(loved)
    for number in range(2_000):
        store.put(_entry(store, b"%d" % number, b"x" * (number * 37 % 60_000)))
        assert store.bytes_used <= MB
        store.used(loved)
    assert store.variants(b"loved") == (loved,)
    assert (store.hits, store.evictions) == (2_000, 2_001 - len(store))
    assert store.bytes_used > 0.8 * MB


@pytest.mark.parametrize("size", [BY_KERNEL, 90_000])
def test_a_body_that_is_evicted_while_it_is_sent_stays_as_it_is(size: int) -> None:
    store = MemoryStore(MB)
    sent = _entry(store, b"sent", b"s" * size)
    store.put(sent)
    body = sent.body
    del sent
    for number in range(100):
        store.put(_entry(store, b"%d" % number, b"x" * size))
        assert store.bytes_used <= MB
    assert store.variants(b"sent") == ()
    assert _read(body) == b"s" * size
    before = store.bytes_used
    for number in range(100):
        store.remove_key(b"%d" % number)
    assert before > store.bytes_used >= size
    del body
    assert store.bytes_used < size


def test_what_is_too_large_is_not_kept() -> None:
    store = MemoryStore(MB)
    assert store.max_object == MB // 10
    writer = store.body()
    assert writer.write(b"x" * 90_000)
    assert not writer.write(b"x" * 20_000)
    entry = Entry(b"k", _head(), MemoryBody(b"x" * 200_000))
    assert not store.put(entry)
    assert store.variants(b"k") == ()


def test_what_is_too_large_takes_the_one_with_it_that_it_replaces() -> None:
    store = MemoryStore(MB)
    one = _entry(store, b"k", b"1")
    store.put(one)
    assert not store.put(Entry(b"k", _head(), MemoryBody(b"x" * 200_000)), one)
    assert store.variants(b"k") == ()


def test_bodies_that_come_displace_no_more_than_half() -> None:
    store = MemoryStore(2 * MB)
    for number in range(30):
        store.put(_entry(store, b"%d" % number, b"x" * 50_000))
    writers = [store.body() for _ in range(100)]
    kept = [writer.write(b"y" * 50_000) for writer in writers]
    assert 15 <= sum(kept) <= 20
    assert kept == sorted(kept, reverse=True)
    assert store.bytes_used <= 2 * MB
    assert len(store) >= 15
    for writer in writers:
        writer.abandon()
    del writer, writers
    assert store.make_room(50_000) and store.body().write(b"y" * 50_000)


_MEASURE = """
import os
from txproxy.cache.memory.memory_store import MemoryStore
from txproxy.cache.stored import Entry, Freshness, StoredHead
from txproxy.wire.headers import Headers

def held(store):
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 + os.fstat(store.arena.fd).st_blocks * 512

SIZE = 12_000_000
store = MemoryStore(SIZE)
base = held(store)
written = number = most = 0
while written < 10 * SIZE:
    number += 1
    size = (1_000, 3_000, 20_000, 60_000)[number % 4]
    lines = [b"X-Field-%d: a value of %d" % (place, number) for place in range(8)]
    headers = Headers.from_lines(lines)
    headers.index, headers.block
    writer = store.body(size)
    writer.write(bytes(size))
    head = StoredHead(200, b"OK", headers, 1.0 * number, 2.0 * number, Freshness(3.0 * number, 4.0 * number))
    store.put(Entry(b"%032d" % number, head, writer.finish()))
    del writer
    written += size
    if number % 500 == 0:
        most = max(most, held(store))
print((most - base) / SIZE)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="measures by /proc")
def test_memory_is_what_is_said_though_ten_times_that_is_written() -> None:
    result = subprocess.run([sys.executable, "-c", _MEASURE], capture_output=True, text=True, check=True)
    assert 0.7 < float(result.stdout) <= 1.3


def test_what_fits_stays_when_the_size_changes() -> None:
    store = MemoryStore(MB)
    for number in range(20):
        store.put(_entry(store, b"%d" % number, bytes(20_000)))
    assert len(store) == 20
    store.resize(2 * MB)
    assert len(store) == 20 and store.max_object == MB // 5
    store.resize(MB // 5)
    assert 0 < len(store) < 10
    assert store.bytes_used <= store.size == MB // 5
    assert not store.body(20_001).write(bytes(20_001))


def test_all_that_there_is_is_told() -> None:
    store = MemoryStore(MB)
    entries = [_entry(store, b"%d" % number, b"x") for number in range(5)]
    for one in entries:
        store.put(one)
    store.remove(entries[2])
    assert set(store.entries()) == {*entries} - {entries[2]}
