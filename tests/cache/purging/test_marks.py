"""Tests of what was purged: what each mark is about, what it is not, and that others hear of it."""

from __future__ import annotations

import os
from pathlib import Path

import attrs
import pytest

from tests.cache.disk.responses import head_of, key_of
from txproxy.cache.purging.mark import Kind, group_value
from txproxy.cache.purging.marks import Marks, Verdict
from txproxy.cache.purging.marks_journal import MarksJournal
from txproxy.cache.stored import StoredHead
from txproxy.errors import ConfigError

KEY = key_of("a")
URL = (b"https", b"example.com:443", b"/img/1?v=2")


def _head(mark: int) -> StoredHead:
    return attrs.evolve(head_of("a"), mark=mark, tags=frozenset({b"one", b"two"}), groups=frozenset({b"g"}))


def _verdict(marks: Marks, mark: int) -> Verdict:
    return marks.verdict(_head(mark), KEY, *URL)


ABOUT = [
    (Kind.ALL, b""),
    (Kind.KEY, KEY),
    (Kind.URL, b"https://example.com/img/1?v=2"),
    (Kind.PREFIX, b"https://example.com/img/"),
    (Kind.PREFIX, b"https://example.com/"),
    (Kind.HOST, b"EXAMPLE.com"),
    (Kind.HOST, b"example.com:443"),
    (Kind.TAG, b"two"),
    (Kind.GROUP, group_value(b"https", b"example.com:443", b"g")),
]
NOT_ABOUT = [
    (Kind.KEY, key_of("b")),
    (Kind.URL, b"http://example.com/img/1?v=2"),
    (Kind.URL, b"https://example.com/img/1"),
    (Kind.URL, b"https://example.com:8443/img/1?v=2"),
    (Kind.PREFIX, b"https://example.com/imgs"),
    (Kind.PREFIX, b"http://example.com/"),
    (Kind.HOST, b"www.example.com"),
    (Kind.HOST, b"example.com:80"),
    (Kind.TAG, b"three"),
    (Kind.TAG, b"g"),
    (Kind.GROUP, group_value(b"https", b"other.example:443", b"g")),
    (Kind.GROUP, group_value(b"https", b"example.com:443", b"one")),
]


@pytest.mark.parametrize(("kind", "value"), ABOUT)
def test_what_was_stored_before_a_mark_is_gone_and_what_came_after_is_not(kind: Kind, value: bytes) -> None:
    marks = Marks()
    marks.add(Kind.TAG, b"before")
    before = marks.seq
    assert _verdict(marks, before) is Verdict.ALIVE
    after = marks.add(kind, value)
    assert after == marks.seq > before
    assert _verdict(marks, before) is Verdict.GONE
    assert _verdict(marks, after) is Verdict.ALIVE


@pytest.mark.parametrize(("kind", "value"), ABOUT)
def test_after_a_soft_mark_it_is_stale_and_after_a_hard_one_gone(kind: Kind, value: bytes) -> None:
    marks = Marks()
    first = marks.add(kind, value, soft=True)
    assert _verdict(marks, 0) is Verdict.STALE
    second = marks.add(Kind.HOST, b"example.com")
    assert _verdict(marks, 0) is _verdict(marks, first) is Verdict.GONE
    marks.add(kind, value, soft=True)
    assert _verdict(marks, first) is Verdict.GONE
    assert _verdict(marks, second) is Verdict.STALE
    assert _verdict(marks, marks.seq) is Verdict.ALIVE


def test_a_mark_says_nothing_of_what_it_is_not_about() -> None:
    marks = Marks()
    for kind, value in NOT_ABOUT:
        marks.add(kind, value)
        assert _verdict(marks, 0) is Verdict.ALIVE, (kind, value)
    plain = head_of("a")
    marks.add(Kind.TAG, b"one")
    assert marks.verdict(plain, KEY, *URL) is Verdict.ALIVE


def test_what_is_none_changes_nothing() -> None:
    marks = Marks()
    with pytest.raises(ConfigError):
        marks.add(Kind.URL, b"nonsense")
    assert (marks.seq, len(marks)) == (0, 0)


def test_marks_that_nothing_is_older_than_are_forgotten() -> None:
    marks = Marks()
    marks.add(Kind.PREFIX, b"https://example.com/img/")
    oldest = marks.add(Kind.TAG, b"one", soft=True)
    marks.add(Kind.TAG, b"two")
    marks.forget(oldest)
    assert len(marks) == 1
    assert _verdict(marks, oldest) is Verdict.GONE
    marks.forget(marks.seq)
    assert len(marks) == 0
    assert _verdict(marks, marks.seq) is Verdict.ALIVE


def test_too_many_marks_become_one_about_all_that_is_older() -> None:
    marks = Marks(most=100)
    seqs = [marks.add(Kind.TAG, b"%d" % number, soft=number % 2 == 0) for number in range(101)]
    assert len(marks) < 100
    assert _verdict(marks, 0) is Verdict.GONE
    assert _verdict(marks, seqs[48]) is Verdict.GONE
    assert _verdict(marks, seqs[60]) is Verdict.ALIVE
    for number in range(1_000):
        marks.add(Kind.TAG, b"%d" % number)
        assert len(marks) <= 100


def test_all_who_share_a_journal_hear_of_a_mark(tmp_path: Path) -> None:
    one, two = (Marks(MarksJournal(str(tmp_path / "purges"))) for _ in range(2))
    before = one.seq
    assert two.seq == before > 0
    for marks, other in ((one, two), (two, one)):
        known = other.seq
        seq = marks.add(Kind.TAG, b"one")
        assert other.seq == known
        other.look()
        assert other.seq == seq == marks.seq
        assert _verdict(other, known) is Verdict.GONE
        assert _verdict(other, seq) is Verdict.ALIVE
    later = Marks(MarksJournal(str(tmp_path / "purges")))
    assert later.seq == one.seq
    assert _verdict(later, before) is Verdict.GONE


def test_two_who_add_at_once_give_each_its_own_number(tmp_path: Path) -> None:
    one, two = (Marks(MarksJournal(str(tmp_path / "purges"))) for _ in range(2))
    seqs = [marks.add(Kind.TAG, b"%d" % number) for number in range(10) for marks in (one, two)]
    assert seqs == list(range(seqs[0], seqs[0] + 20))


def test_a_journal_that_was_lost_makes_stale_what_was_stored_before(tmp_path: Path) -> None:
    marks = Marks(MarksJournal(str(tmp_path / "purges")))
    before = marks.add(Kind.TAG, b"other")
    (tmp_path / "purges").unlink()
    again = Marks(MarksJournal(str(tmp_path / "purges")))
    for one in (again, marks):
        one.look()
        assert one.seq > before
        assert _verdict(one, before) is Verdict.STALE
        assert _verdict(one, one.seq) is Verdict.ALIVE
    seq = marks.add(Kind.TAG, b"one")
    again.look()
    assert again.seq == seq and _verdict(again, seq - 1) is Verdict.GONE


def test_a_journal_is_written_anew_when_most_of_it_does_not_count(tmp_path: Path) -> None:
    one, two = (Marks(MarksJournal(str(tmp_path / "purges"))) for _ in range(2))
    begun = one.seq
    kept = one.add(Kind.TAG, b"one")
    longest = 0
    for number in range(4_000):
        (one if number % 3 else two).add(Kind.HOST, b"%d.example" % (number % 7), soft=number % 2 == 0)
        longest = max(longest, (tmp_path / "purges").stat().st_size)
    assert longest < 100_000
    for marks in (one, two, Marks(MarksJournal(str(tmp_path / "purges")))):
        marks.look()
        assert marks.seq == begun + 4_001
        assert len(marks) == 8
        assert _verdict(marks, kept - 1) is Verdict.GONE
        assert _verdict(marks, kept) is Verdict.ALIVE
    assert one.add(Kind.ALL) == begun + 4_002


def test_numbers_go_on_when_all_marks_were_forgotten(tmp_path: Path) -> None:
    marks = Marks(MarksJournal(str(tmp_path / "purges")))
    for number in range(5_000):
        marks.add(Kind.TAG, b"%d" % number)
        marks.forget(marks.seq)
    again = Marks(MarksJournal(str(tmp_path / "purges")))
    assert again.seq == marks.seq
    assert (tmp_path / "purges").stat().st_size < 100_000


def test_a_journal_that_cannot_be_written_to_is_told_and_nothing_is_purged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object) -> int:
        raise OSError(28, "No space left on device")

    marks = Marks(MarksJournal(str(tmp_path / "purges")))
    before = marks.seq
    with monkeypatch.context() as patch:
        patch.setattr("txproxy.cache.purging.marks_journal.os.write", full)
        with pytest.raises(OSError, match="No space"):
            marks.add(Kind.TAG, b"one")
    assert _verdict(marks, before) is Verdict.ALIVE and marks.seq == before
    marks.flushing()()
    assert marks.add(Kind.TAG, b"one") == before + 1


def test_what_was_added_is_flushed_whatever_becomes_of_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Marks().flushing()()
    path = tmp_path / "purges"
    marks = Marks(MarksJournal(str(path)))
    marks.add(Kind.TAG, b"one")
    first, flushed = path.stat().st_ino, []
    monkeypatch.setattr("txproxy.cache.purging.marks_journal.os.fsync", lambda fd: flushed.append(os.fstat(fd).st_ino))
    flushing = marks.flushing()
    # Another process writes it anew, and this one has that then.
    path.rename(tmp_path / "before")
    marks.look()
    descriptors = len(os.listdir("/proc/self/fd"))
    flushing()
    assert flushed == [first, tmp_path.stat().st_ino]
    del flushing
    assert len(os.listdir("/proc/self/fd")) == descriptors - 1


def test_what_cannot_be_flushed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(fd: int) -> None:
        raise OSError(5, "Input/output error")

    marks = Marks(MarksJournal(str(tmp_path / "purges")))
    monkeypatch.setattr("txproxy.cache.purging.marks_journal.os.fsync", broken)
    with pytest.raises(OSError, match="Input/output"):
        marks.flushing()()
