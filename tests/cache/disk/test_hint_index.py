"""Tests of the table of hints: what was put in is found, and what cannot be is only not found."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.cache.disk.responses import key_of
from txproxy.cache.disk.hint_index import MOST_USES, SEGMENTS, HintIndex, slots_for


def _open(path: Path, slots: int = 4096) -> HintIndex:
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    if not os.fstat(fd).st_size:
        HintIndex.lay_out(fd, slots)
    return HintIndex(fd)


@pytest.fixture
def index(tmp_path: Path) -> HintIndex:
    return _open(tmp_path / "index")


def _places(index: HintIndex, key: bytes) -> list[tuple[int, int]]:
    return [(hint.segment, hint.offset) for hint in index.find(key)]


def test_what_was_put_in_is_found(index: HintIndex) -> None:
    for number in range(2_000):
        index.add(key_of(number), number + 1, 64 + 16 * number)
    for number in range(2_000):
        assert (number + 1, 64 + 16 * number) in _places(index, key_of(number))
    assert sum(len(index.find(key_of(number))) for number in range(2_000, 4_000)) < 10


def test_all_variants_of_a_key_are_found(index: HintIndex) -> None:
    for number in range(64):
        index.add(key_of("a"), 5, 64 + 16 * number)
    assert sorted(_places(index, key_of("a"))) == [(5, 64 + 16 * number) for number in range(64)]


def test_what_stands_behind_what_was_cleared_is_found(index: HintIndex) -> None:
    for number in range(20):
        index.add(key_of("a"), 5, 64 + 16 * number)
    for hint in index.find(key_of("a"))[:9]:
        index.clear(hint)
    assert len(index.find(key_of("a"))) == 11
    index.add(key_of("a"), 6, 64)
    assert len(index.find(key_of("a"))) == 12


def test_the_oldest_segment_makes_room(index: HintIndex) -> None:
    for number in range(300):
        index.add(key_of("a"), SEGMENTS - 100 + number, 64)
    segments = {hint.segment for hint in index.find(key_of("a"))}
    assert segments == {(SEGMENTS - 100 + number) % SEGMENTS for number in range(300 - len(segments), 300)}
    assert len(segments) > 64


def test_uses_are_counted_up_to_some(index: HintIndex) -> None:
    hint = index.add(key_of("a"), 5, 64)
    for uses in (0, 1, 2, MOST_USES, MOST_USES):
        assert index.find(key_of("a"))[0].uses == uses
        index.use(hint)


def test_a_hint_is_replaced_and_keeps_its_uses(index: HintIndex) -> None:
    hint = index.add(key_of("a"), 5, 64)
    index.use(hint)
    new = index.replace(hint, key_of("a"), 6, 128)
    assert _places(index, key_of("a")) == [(6, 128)] and new.slot == hint.slot
    assert index.find(key_of("a"))[0].uses == 1


def test_what_others_have_changed_is_not_touched(index: HintIndex) -> None:
    hint = index.add(key_of("a"), 5, 64)
    index.clear(hint)
    other = index.add(key_of("a"), 7, 64)
    assert other.slot == hint.slot
    index.clear(hint)
    index.use(hint)
    index.replace(hint, key_of("a"), 6, 128)
    assert sorted(_places(index, key_of("a"))) == [(6, 128), (7, 64)]
    assert {found.uses for found in index.find(key_of("a"))} == {0}


def test_what_is_there_twice_is_found_once(index: HintIndex) -> None:
    first = index.add(key_of("a"), 5, 64)
    index.add(key_of("a"), 6, 64)
    index.clear(first)
    index.add_missing(key_of("a"), 6, 64)
    index.add(key_of("a"), 6, 64)
    assert _places(index, key_of("a")) == [(6, 64)]


def test_it_is_shared_and_stays(tmp_path: Path) -> None:
    one, two = _open(tmp_path / "index"), _open(tmp_path / "index")
    one.add(key_of("a"), 5, 64)
    assert _places(two, key_of("a")) == [(5, 64)]
    assert not two.complete
    one.set_complete()
    one.close()
    assert two.complete
    two.close()
    assert _places(_open(tmp_path / "index"), key_of("a")) == [(5, 64)]


def test_whatever_stands_in_a_slot_is_a_hint_or_none(tmp_path: Path) -> None:
    _open(tmp_path / "index").close()
    with open(tmp_path / "index", "r+b") as file:
        file.seek(4096 + 4 * 16384)
        file.write(random.Random(1).randbytes(8 * 4096))
    index = _open(tmp_path / "index")
    for number in range(500):
        for hint in index.find(key_of(number)):
            assert 0 <= hint.segment < SEGMENTS and hint.offset % 16 == 0
            index.use(hint)
        index.add(key_of(number), 5, 64 + 16 * number)
        assert (5, 64 + 16 * number) in _places(index, key_of(number))


@pytest.mark.parametrize("data", [b"", b"x" * 10, b"x" * 50_000, b"TxIndex2" + bytes(4096)])
def test_what_is_no_table_is_told(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "index").write_bytes(data)
    fd = os.open(tmp_path / "index", os.O_RDWR)
    with pytest.raises(ValueError, match=r"short|foreign"):
        HintIndex(fd)
    os.close(fd)


@pytest.mark.parametrize(("size", "slots"), [(1 << 20, 4096), (10 << 30, 5 << 20)])
def test_there_is_a_slot_for_each_2_kb(size: int, slots: int) -> None:
    assert slots_for(size) == slots


@pytest.mark.parametrize("at_once", [True, False])
def test_all_blocks_are_there_from_the_beginning(
    tmp_path: Path, at_once: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not at_once:
        monkeypatch.delattr("txproxy.cache.disk.hint_index.os.posix_fallocate")
    index = _open(tmp_path / "index", 8192)
    assert index.slots == 8192
    assert (tmp_path / "index").stat().st_blocks * 512 >= 4096 + 8 * 8192


def test_what_was_changed_is_told_to_all_and_hardly_of_another(tmp_path: Path) -> None:
    one, two = _open(tmp_path / "index"), _open(tmp_path / "index")
    before = {key: two.changes(key) for key in map(key_of, range(1000))}
    for _ in range(3):
        one.count_change(key_of("a"))
    assert two.changes(key_of("a")) == one.changes(key_of("a")) == 3
    assert sum(two.changes(key) != count for key, count in before.items()) <= 3
    # The count goes round, as it is of 32 bits.
    one._changes[:] = memoryview(b"\xff" * len(one._changes) * 4).cast("I")
    two.count_change(key_of("b"))
    assert one.changes(key_of("b")) == 0


def test_a_table_that_takes_the_place_of_another_counts_with_who_has_it(tmp_path: Path) -> None:
    index, new, other = _open(tmp_path / "index"), _open(tmp_path / "new"), _open(tmp_path / "new")
    index.become(new)
    index.count_change(key_of("a"))
    assert index.changes(key_of("a")) == other.changes(key_of("a")) == 1
    other.close()


def test_all_that_there_is_is_gone_through(index: HintIndex) -> None:
    for number in range(3_000):
        index.add(key_of(number), number + 1, 64)
    index.clear(index.find(key_of(5))[0])
    assert sorted(hint.segment for hint in index.hints()) == [number + 1 for number in range(3_000) if number != 5]


def test_changes_are_counted_for_all_processes(tmp_path: Path) -> None:
    one, two = _open(tmp_path / "index"), _open(tmp_path / "index")
    before = two.changes(b"a" * 32), two.changes(b"b" * 32)
    one.count_change(b"a" * 32)
    assert two.changes(b"a" * 32) != before[0] and two.changes(b"b" * 32) == before[1]
    one.count_change(b"\xff" * 32)
    assert two.find(b"\xff" * 32) == []
