"""Tests of walking over the records of a segment: all of them, in slices, up to what is none."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

from tests.cache.disk.responses import MB, key_of, put
from txproxy.cache.disk.disk_store import DiskStore
from txproxy.cache.disk.record_format import RESPONSE, ROOM
from txproxy.cache.disk.segment import Segment
from txproxy.cache.disk.segment_walk import SLICE, walk


@pytest.fixture
def segment(tmp_path: Path) -> Segment:
    store = DiskStore(str(tmp_path), 32 * MB)
    for name in ("a", "b"):
        put(store, name, 100)
    put(store, "c", 100_000)
    store.remove(put(store, "d", 0))
    found = store._segments.current
    assert found is not None
    return found


def test_all_records_are_met_in_order(segment: Segment) -> None:
    walked = [record for record in walk(segment) if record is not None]
    assert [(record.key, record.kind, record.alive) for record in walked] == [
        (key_of("a"), RESPONSE, True),
        (key_of("b"), RESPONSE, True),
        (key_of("c"), ROOM, True),
        (key_of("c"), RESPONSE, True),
        (key_of("d"), RESPONSE, False),
    ]


def test_there_is_a_turn_for_others_after_each_slice(segment: Segment) -> None:
    ticks = count()
    walked = list(walk(segment, lambda: next(ticks) * SLICE * 0.6))
    assert [record is None for record in walked] == [False, False, True, False, False, True, False]


def test_what_is_none_ends_it(segment: Segment) -> None:
    offsets = [record.offset for record in walk(segment) if record is not None]
    segment.write(b"?", offsets[2])
    assert len(list(walk(segment))) == 2


def test_what_cannot_be_read_ends_it(segment: Segment, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("txproxy.cache.disk.segment.os.preadv", broken)
    assert list(walk(segment)) == []
