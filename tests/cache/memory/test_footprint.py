"""Tests of the estimate of what an entry takes: it is near what Python has allocated, and no less than the bytes."""

from __future__ import annotations

import gc
import tracemalloc

import pytest

from txproxy.cache.memory.footprint import of_entry, of_pages
from txproxy.cache.memory.memory_store import MemoryStore
from txproxy.cache.stored import BY_KERNEL, Entry, Freshness, MemoryBody, StoredHead
from txproxy.wire.headers import Headers


def _entry(number: int, fields: int, body: int) -> Entry:
    headers = Headers.from_lines([b"X-Field-%d: a value of number %d" % (place, number) for place in range(fields)])
    # What is made when it is asked for counts as well.
    assert len(headers.index) == fields and headers.block.count(b"\r\n") == fields - 1
    vary = ((b"accept-language", b"en-%d" % number), (b"accept-encoding", None))
    tags = frozenset({b"tag-%d" % number, b"all"})
    freshness = Freshness(60.5 + number, 0.5 + number)
    head = StoredHead(
        200,
        b"OK",
        headers,
        1000.5 + number,
        1001.5 + number,
        freshness,
        vary,
        tags,
        url=b"http://a.example:80/%d" % number,
    )
    return Entry(b"%032d" % number, head, MemoryBody(bytes(body)))


@pytest.mark.parametrize(("fields", "body"), [(1, 0), (8, 100), (12, 1_000), (30, 20_000)])
def test_it_is_near_what_is_allocated(fields: int, body: int) -> None:
    store = MemoryStore(200_000_000)
    # What Python keeps of tuples and the like that other tests have had would be taken, and not allocated.
    gc.collect()
    tracemalloc.start()
    try:
        for number in range(300):
            store.put(_entry(number, fields, body))
        allocated, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # The allocator has holes, and rounds up.
    assert 1 < store.bytes_used / allocated < 1.8


def test_the_pages_of_a_body_count_once() -> None:
    store = MemoryStore(10_000_000)
    if store.arena is None:
        pytest.skip("the system has no memfd")
    writer = store.body()
    assert writer.write(b"x" * (BY_KERNEL + 1))
    entry = Entry(b"k", _entry(1, 1, 0).head, writer.finish())
    assert of_pages(entry.body) == BY_KERNEL + 4096
    assert store.put(entry)
    assert store.bytes_used == of_entry(entry)
