"""Tests of entries from hints: wrong hints go, what is gone is not found, and the newest of a kind is left."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import attrs
import pytest

from tests.cache.disk.responses import MB, found, head_of, key_of, put, read
from txproxy.cache.disk.disk_store import DiskStore, NeedsThread
from txproxy.cache.disk.record_reader import read_response


@pytest.fixture
def store(tmp_path: Path) -> DiskStore:
    return DiskStore(str(tmp_path), 8 * MB)


def test_a_record_is_read_where_it_stands_and_nowhere_else(store: DiskStore) -> None:
    segment, offset = put(store, "a", 100).place
    response = read_response(segment, offset, wait=True)
    assert response is not None and response[0].key == key_of("a") and len(response[1]) == 100
    assert read_response(segment, offset + 16, wait=True) is None
    assert read_response(segment, 10 * MB, wait=True) is None


def test_a_record_longer_than_what_is_read_at_once_is_read(store: DiskStore) -> None:
    tags = frozenset(b"%d" % number for number in range(5_000))
    entry = put(store, "a", 20_000, attrs.evolve(head_of("a"), tags=tags))
    (again,) = found(store, "a")
    assert again.head.tags == tags
    assert read(again.body) == read(entry.body)


def test_a_hint_that_leads_nowhere_is_forgotten(store: DiskStore) -> None:
    entry = put(store, "a", 100)
    for segment, offset in ((entry.place.segment.number, entry.place.offset + 16), (999, 64)):
        store._index.add(key_of("a"), segment, offset)
    assert len(found(store, "a")) == 1
    assert len(store._index.find(key_of("a"))) == 1


def test_a_hint_at_another_key_is_left_to_that(store: DiskStore) -> None:
    other = put(store, "b", 100)
    hint = store._index.add(key_of("a"), other.place.segment.number, other.place.offset)
    assert found(store, "a") == ()
    assert store._index.find(key_of("a")) == [hint]
    store.remove_key(key_of("a"))
    assert len(found(store, "b")) == 1


def test_of_those_that_were_chosen_by_the_same_the_newest_is_left(store: DiskStore) -> None:
    vary = ((b"accept", b"x"),)
    old = put(store, "a", 10, head_of("old", vary, 1000.0))
    other = put(store, "a", 20, head_of("other", (), 1500.0))
    new = put(store, "a", 30, head_of("new", vary, 2000.0))
    assert [entry.body.length for entry in found(store, "a")] == [30, 20]
    assert old.place.is_gone() and not new.place.is_gone() and not other.place.is_gone()
    assert len(store._index.find(key_of("a"))) == 2


def test_a_record_to_which_two_hints_lead_is_not_lost(store: DiskStore) -> None:
    entry = put(store, "a", 10)
    number, offset = entry.place.segment.number, entry.place.offset
    words = store._index._words
    words[entry.hint.slot ^ 1] = words[entry.hint.slot]
    assert len(found(store, "a")) == 1
    assert not entry.place.is_gone() and (number, offset) == (entry.hint.segment, entry.hint.offset)


def test_where_no_descriptor_is_left_it_is_a_miss(store: DiskStore, monkeypatch: pytest.MonkeyPatch) -> None:
    put(store, "a", 100)
    put(store, "b", 100)

    def hinted(*args: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr("txproxy.cache.disk.segments.Segments.hinted", hinted)
    assert store.variants(key_of("a")) == ()
    store.remove_key(key_of("b"))
    monkeypatch.undo()
    assert store.variants(key_of("b")) == ()


@pytest.mark.parametrize("size", [100, 100_000])
def test_a_disk_that_cannot_be_read_is_a_miss(store: DiskStore, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object) -> int:
        raise OSError(5, "Input/output error")

    put(store, "a", size)
    monkeypatch.setattr("txproxy.cache.disk.segment.os.preadv", broken)
    assert store.variants(key_of("a")) == ()


@pytest.mark.parametrize("size", [100, 100_000])
def test_what_is_not_in_memory_is_read_in_a_thread(
    store: DiskStore, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.preadv

    def cold(fd: int, views: list[memoryview], offset: int, flags: int = 0) -> int:
        if flags:
            raise BlockingIOError(11, "not now")
        return real(fd, views, offset)

    entry = put(store, "a", size)
    monkeypatch.setattr("txproxy.cache.disk.segment.os.preadv", cold)
    variants = store.variants(key_of("a"))
    assert isinstance(variants, NeedsThread)
    (again,) = variants.read()
    assert read(again.body) == read(entry.body)


def test_what_cannot_be_said_to_be_gone_is_not_found(store: DiskStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object) -> int:
        raise OSError(30, "Read-only file system")

    entry = put(store, "a", 100)
    monkeypatch.setattr("txproxy.cache.disk.segment.os.pwrite", broken)
    store.remove(entry)
    assert found(store, "a") == ()
