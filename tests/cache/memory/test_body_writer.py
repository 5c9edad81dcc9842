"""Tests of bodies while they come: what is there can be read, and stays when no more comes."""

from __future__ import annotations

import os

import pytest

from txproxy.cache.memory.memory_store import MemoryStore
from txproxy.cache.stored import BY_KERNEL, FileRange, MemoryBody, StoredBody

MB = 1_000_000


def _read(body: StoredBody, start: int = 0, stop: int | None = None) -> bytes:
    parts = body.parts(start, body.length if stop is None else stop)
    return b"".join(
        os.pread(part.fd, part.size, part.offset) if isinstance(part, FileRange) else part for part in parts
    )


@pytest.mark.parametrize("length", [None, 100_000])
def test_what_has_come_can_be_read(length: int | None) -> None:
    writer = MemoryStore(2 * MB).body(length)
    whole = b""
    for letter in b"abcdefghij":
        assert writer.write(bytes([letter]) * 10_000)
        whole += bytes([letter]) * 10_000
        assert writer.written == writer.body.length == len(whole)
        assert _read(writer.body, stop=MB) == whole
        assert _read(writer.body, len(whole) - 10_001) == whole[len(whole) - 10_001 :]
        assert _read(writer.body, len(whole), MB) == b""
    reader = writer.body
    body = writer.finish()
    assert body.length == 100_000
    assert _read(body) == _read(reader) == whole
    assert body.parts(5, 5) == []


def test_a_small_body_is_bytes_and_a_large_one_in_one_piece_for_the_kernel() -> None:
    store = MemoryStore(2 * MB)
    small, large = store.body(), store.body()
    assert small.write(b"a" * (BY_KERNEL - 1))
    for _ in range(10):
        assert large.write(b"b" * (BY_KERNEL // 5))
    assert isinstance(small.finish(), MemoryBody)
    (part,) = large.finish().parts(1, 2 * BY_KERNEL // 5 * 5)
    assert isinstance(part, FileRange) and part.offset % 4096 == 1


def test_a_body_without_a_byte_is_one() -> None:
    body = MemoryStore(MB).body().finish()
    assert body.length == 0 and body.parts(0, 0) == []


@pytest.mark.parametrize("fits", [1_000, 90_000])
def test_readers_keep_what_was_there_when_no_more_could_be_kept(fits: int) -> None:
    store = MemoryStore(MB)
    writer = store.body()
    assert writer.write(b"a" * fits)
    assert not writer.write(b"b" * MB)
    assert not writer.write(b"c")
    assert _read(writer.body) == b"a" * fits
    del writer
    assert store.bytes_used == 0


def test_more_than_was_said_is_not_taken() -> None:
    writer = MemoryStore(MB).body(10)
    assert writer.write(b"0123456789")
    assert not writer.write(b"x")


def test_of_what_is_known_to_be_too_long_nothing_is_taken() -> None:
    store = MemoryStore(MB)
    writer = store.body(store.max_object + 1)
    assert not writer.write(b"a" * 10)
    assert writer.written == store.bytes_used == 0


def test_what_is_abandoned_is_uncounted() -> None:
    store = MemoryStore(MB)
    writer = store.body()
    writer.write(b"a" * 1_000)
    assert store.bytes_used == 1_000
    writer.abandon()
    writer.abandon()
    assert store.bytes_used == 0


def test_without_a_place_for_the_kernel_bodies_are_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("txproxy.cache.memory.memfd_arena.sys.platform", "darwin")
    store = MemoryStore(MB)
    writer = store.body()
    assert writer.write(b"a" * 90_000)
    assert _read(writer.body) == b"a" * 90_000
    assert isinstance(writer.finish(), MemoryBody)
    assert store.bytes_used == 0


@pytest.mark.parametrize("before", [1_000, 40_000])
def test_a_write_that_fails_leaves_what_was_there(before: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> int:
        raise OSError(12, "Cannot allocate memory")

    store = MemoryStore(MB)
    writer = store.body()
    assert writer.write(b"a" * before)
    with monkeypatch.context() as patch:
        patch.setattr("txproxy.cache.memory.memfd_arena.os.pwrite", refuse)
        assert not writer.write(b"b" * 50_000)
    assert _read(writer.body) == b"a" * before
    del writer
    assert store.bytes_used == 0
