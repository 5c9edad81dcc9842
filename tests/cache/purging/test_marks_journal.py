"""Tests of the journal of marks: what was written is read by all, and what is damaged counts as any mark."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from txproxy.cache.purging.mark import Kind, Mark
from txproxy.cache.purging.marks_journal import MarksJournal, Numbered

MARKS = [Mark(Kind.TAG, b"a"), Mark(Kind.URL, b"https://a:443/", True), Mark(Kind.ALL, b""), Mark(Kind.KEY, b"k" * 32)]
ALL_STALE = Mark(Kind.ALL, b"", True)


def _journal(tmp_path: Path) -> MarksJournal:
    return MarksJournal(str(tmp_path / "purges"))


def _written(tmp_path: Path) -> list[Numbered]:
    """A journal with the marks in it, and what was given for them."""
    journal = _journal(tmp_path)
    written = journal.begin()
    for mark in MARKS:
        (numbered,) = journal.append(mark)
        written.append(numbered)
    journal.close()
    return written


def test_what_was_appended_is_read(tmp_path: Path) -> None:
    written = _written(tmp_path)
    assert [mark for _, mark in written] == [ALL_STALE, *MARKS]
    seqs = [seq for seq, _ in written]
    assert seqs == list(range(seqs[0], seqs[0] + 5)) and seqs[0] > 10**15
    journal = _journal(tmp_path)
    assert journal.begin() == written
    assert journal.read() == []
    assert journal.size == (tmp_path / "purges").stat().st_size


def test_what_others_append_is_read_once(tmp_path: Path) -> None:
    one, two = _journal(tmp_path), _journal(tmp_path)
    first = one.begin()
    assert two.begin() == first
    (mine,) = one.append(MARKS[0])
    assert two.append(MARKS[1]) == [mine, Numbered(mine.seq + 1, MARKS[1])]
    assert two.read() == []
    assert one.read() == [Numbered(mine.seq + 1, MARKS[1])]


def test_what_is_being_written_is_waited_for(tmp_path: Path) -> None:
    written = _written(tmp_path)
    data = (tmp_path / "purges").read_bytes()
    (tmp_path / "purges").write_bytes(data[:-40])
    journal = _journal(tmp_path)
    fd = os.open(tmp_path / "purges", os.O_WRONLY | os.O_APPEND)
    journal._read, journal._seq = len(data) - 60, written[-2].seq
    assert journal.read() == []
    os.write(fd, data[-40:-3])
    assert journal.read() == []
    os.write(fd, data[-3:])
    assert journal.read() == [written[-1]]


@pytest.mark.parametrize("cut", [1, 20, 59])
def test_what_was_cut_counts_as_any_mark_and_is_followed_by_what_is_appended(tmp_path: Path, cut: int) -> None:
    written = _written(tmp_path)
    data = (tmp_path / "purges").read_bytes()
    (tmp_path / "purges").write_bytes(data[:-cut])
    one, two = _journal(tmp_path), _journal(tmp_path)
    *before, lost = one.begin()
    assert before == written[:-1]
    assert lost.mark == ALL_STALE and lost.seq > written[-1].seq - 1
    (new,) = one.append(MARKS[0])
    assert new.seq == lost.seq + 1
    assert two.begin() == [*before, lost, new]


def test_whatever_is_damaged_no_mark_is_lost_for_good(tmp_path: Path) -> None:
    written = _written(tmp_path)
    data = (tmp_path / "purges").read_bytes()
    chance = random.Random(3)
    for place in range(len(data)):
        damaged = bytearray(data)
        damaged[place] ^= 1 << chance.randrange(8)
        (tmp_path / "purges").write_bytes(damaged)
        journal = _journal(tmp_path)
        found = journal.begin()
        journal.close()
        lost = [one for one in written if one not in found]
        assert len(lost) <= 1
        for one in lost:
            assert any(mark == ALL_STALE and seq >= one.seq for seq, mark in found), place


@pytest.mark.parametrize("data", [b"foreign", b"x" * 10_000])
def test_what_is_no_journal_makes_all_stale(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "purges").write_bytes(data)
    ((seq, mark),) = _journal(tmp_path).begin()
    assert mark == ALL_STALE and seq > 10**15


def test_it_is_written_anew_and_others_go_on_with_that(tmp_path: Path) -> None:
    one, two = _journal(tmp_path), _journal(tmp_path)
    one.begin()
    (first,) = one.append(MARKS[0])
    two.begin()
    (second,) = two.append(MARKS[1])
    told: list[Numbered] = []

    def keep(found: list[Numbered]) -> list[Numbered]:
        told.extend(found)
        return [second]

    one.rewrite(keep)
    assert told == [second]
    (third,) = [one for one in two.append(MARKS[2]) if one != second]
    assert third == Numbered(second.seq + 1, MARKS[2])
    assert one.read() == [second, third]
    assert _journal(tmp_path).begin() == [second, third]
    assert [path.name for path in tmp_path.iterdir()] == ["purges"]
    assert first.seq < second.seq


def test_a_journal_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        MarksJournal(str(tmp_path / "none" / "purges"))


def test_where_there_is_no_directory_no_descriptor_of_others_is_closed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    journal = MarksJournal(str(home / "purges"))
    journal.begin()
    (home / "purges").unlink()
    home.rmdir()
    fd = -1
    for _ in range(3):
        with pytest.raises(FileNotFoundError):
            journal.read()
        # It gets the lowest number that is free.
        fd = os.open(tmp_path, os.O_RDONLY) if fd < 0 else fd
        assert os.fstat(fd)
    home.mkdir()
    (numbered,) = journal.read()
    assert numbered.mark == ALL_STALE
    journal.close()
    os.close(fd)
