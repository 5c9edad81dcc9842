"""Tests of many marks that become few: what they say is still said, and others' responses stay."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.cache.disk.responses import head_of, key_of
from txproxy.cache.purging.folding import Values, covers, fold, groups_of
from txproxy.cache.purging.mark import Kind, group_value
from txproxy.cache.purging.marks import Marks, Verdict
from txproxy.cache.purging.marks_journal import MarksJournal

MOST = 400


def _values(**pairs: dict[bytes, tuple[int, int]]) -> Values:
    return {kind: pairs.get(kind.name.lower(), {}) for kind in Kind}


def _verdict(marks: Marks, authority: bytes, path: bytes = b"/", mark: int = 0) -> Verdict:
    return marks.verdict(head_of("a", time=1.0), key_of("a"), b"http", authority, path)


def _groups(marks: Marks, authority: bytes, count: int, soft: bool = False) -> None:
    for number in range(count):
        marks.add(Kind.GROUP, group_value(b"http", authority, b"%d" % number), soft)


@pytest.mark.parametrize("soft", [True, False])
def test_an_origin_with_too_many_groups_loses_its_own_responses_and_no_others(soft: bool) -> None:
    marks = Marks(most=MOST)
    marks.add(Kind.TAG, b"shop")
    marks.add(Kind.URL, b"http://operator.example/one")
    _groups(marks, b"honest.example:80", 3)
    _groups(marks, b"evil.example:80", 5_000, soft)
    assert len(marks) <= groups_of(MOST) + 10
    assert _verdict(marks, b"evil.example:80") is (Verdict.STALE if soft else Verdict.GONE)
    assert _verdict(marks, b"honest.example:80") is Verdict.ALIVE
    assert _verdict(marks, b"operator.example:80") is Verdict.ALIVE
    assert _verdict(marks, b"operator.example:80", b"/one") is Verdict.GONE
    assert _verdict(marks, b"evil.example:81") is Verdict.ALIVE


def test_so_does_one_with_many_ports() -> None:
    marks = Marks(most=MOST)
    marks.add(Kind.URL, b"http://operator.example/one")
    for port in range(1, 3_000):
        _groups(marks, b"10.0.0.9:%d" % port, 1)
        assert len(marks) <= MOST
    assert _verdict(marks, b"10.0.0.9:7777") is Verdict.GONE
    assert _verdict(marks, b"10.0.0.8:1") is _verdict(marks, b"operator.example:80") is Verdict.ALIVE


@pytest.mark.parametrize("pattern", [b"%d.evil.example:80", b"a.%d.evil.example:80", b"%d.b.evil.example:8080"])
def test_so_does_one_that_has_all_names_below_a_domain(pattern: bytes) -> None:
    marks = Marks(most=MOST)
    marks.add(Kind.URL, b"http://operator.example/one")
    for number in range(3_000):
        _groups(marks, pattern % number, 1)
        assert len(marks) <= MOST
    assert _verdict(marks, pattern % 5) is Verdict.GONE
    for other in (b"operator.example:80", b"example:80", b"notevil.example:80"):
        assert _verdict(marks, other) is Verdict.ALIVE


def test_many_urls_of_one_site_are_all_of_it() -> None:
    marks = Marks(most=MOST)
    for number in range(1_000):
        marks.add(Kind.URL, b"https://www.example.com/%d" % number)
        marks.add(Kind.PREFIX, b"https://www.example.com/%d/" % number)
    assert len(marks) <= MOST and _verdict(marks, b"www.example.com:443", b"/x") is Verdict.GONE
    assert _verdict(marks, b"example.com:443", b"/x") is Verdict.ALIVE


def test_what_cannot_be_folded_is_told() -> None:
    tags = {b"%d" % number: (number, 0) for number in range(101)}
    assert not fold(_values(tag=dict(tags)), 100)
    addresses = {b"10.0.%d.%d:80" % divmod(number, 250): (number, 0) for number in range(101)}
    assert not fold(_values(host=dict(addresses)), 100)


def test_each_mark_says_at_least_what_it_has_said() -> None:
    chance = random.Random(5)
    names = [b"a.example", b"b.a.example", b"c.b.a.example", b"x.co.example", b"[2001:db8::1]", b"10.0.0.1", b"solo"]
    for _ in range(200):
        marks, exact = Marks(most=40), Marks(most=10_000)
        for _ in range(120):
            authority = b"%b:%d" % (chance.choice(names), chance.choice([80, 443, 8080]))
            kind = chance.choice([Kind.URL, Kind.PREFIX, Kind.GROUP, Kind.HOST])
            path = b"/%d" % chance.randrange(9)
            value = {
                Kind.URL: b"http://%b%b" % (authority, path),
                Kind.PREFIX: b"http://%b%b" % (authority, path),
                Kind.GROUP: b"http://%b %b" % (authority, path),
                Kind.HOST: authority,
            }[kind]
            soft = chance.random() < 0.5
            assert marks.add(kind, value, soft) == exact.add(kind, value, soft)
            assert len(marks) <= 40
        order = [Verdict.ALIVE, Verdict.STALE, Verdict.GONE]
        for name in names:
            for port in (80, 443, 8080):
                one, other = (_verdict(each, b"%b:%d" % (name, port), b"/3") for each in (marks, exact))
                assert order.index(one) >= order.index(other)


def test_a_host_is_in_the_domains_above_it_and_in_itself() -> None:
    hosts = {b".b.example": (1, 0), b"a.b.example": (2, 0), b"a.b.example:80": (3, 0), b".example": (4, 0)}
    found = covers(hosts, b"a.b.example:80")
    assert sorted(pair for pair in found if pair is not None) == [(1, 0), (2, 0), (3, 0), (4, 0)]
    assert [pair for pair in covers(hosts, b"b.example:81") if pair is not None] == [(1, 0), (4, 0)]
    assert not any(covers(hosts, b"xb.examples:80"))


def test_all_processes_and_those_after_a_restart_have_no_more_than_they_may(tmp_path: Path) -> None:
    path = str(tmp_path / "purges")
    one, two = (Marks(MarksJournal(path), MOST) for _ in range(2))
    _groups(one, b"evil.example:80", 3_000)
    two.look()
    for marks in (one, two, Marks(MarksJournal(path), MOST)):
        assert len(marks) <= MOST and marks.seq == one.seq
        assert _verdict(marks, b"evil.example:80") is Verdict.GONE
