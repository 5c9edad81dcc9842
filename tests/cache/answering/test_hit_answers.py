"""Tests of stored responses as answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.strategies import values
from txproxy.cache.answering.hit_answers import HitAnswer, PreparedHit
from txproxy.cache.stored import Entry, Freshness, MemoryBody, StoredHead
from txproxy.wire.headers import Headers

_DATE = b"Date: Sun, 06 Nov 1994 08:49:37 GMT"


def _hit(*lines: bytes, status: int = 200, body: bytes = b"hello", initial_age: float = 0.0) -> PreparedHit:
    freshness = Freshness(60.0, initial_age)
    head = StoredHead(status, b"Fine", Headers.parsed([_DATE, *lines]), 1000.0, 1000.0, freshness)
    return PreparedHit.of(Entry(b"key", head, MemoryBody(body)))


def _answer(hit: PreparedHit, *lines: bytes, method: bytes = b"GET", now: float = 1003.9) -> HitAnswer:
    return hit.answer(method, Headers.parsed(list(lines)), now, lambda: b"XX")


def test_the_whole_is_given_with_its_age_and_length() -> None:
    answer = _answer(
        _hit(b"A: 1", b"Age: 30", b"content-length: 5", b"Set-Cookie: a", b"Set-Cookie: b", initial_age=30.5)
    )
    assert answer.status == 200
    assert answer.reason == b"Fine"
    assert answer.lines == [_DATE, b"A: 1", b"Set-Cookie: a", b"Set-Cookie: b", b"Content-Length: 5", b"Age: 34"]
    assert (answer.pieces, answer.length) == (((0, 5),), 5)


@pytest.mark.parametrize(
    ("now", "age"), [(1000.0, b"Age: 0"), (900.0, b"Age: 0"), (1001.99, b"Age: 1"), (1e15, b"Age: 2147483648")]
)
def test_an_age_is_whole_seconds(now: float, age: bytes) -> None:
    # RFC 9111 sections 1.2.2 and 5.1
    assert _answer(_hit(), now=now).lines[-1] == age


def test_a_response_without_date_has_that_of_when_it_came() -> None:
    head = StoredHead(200, b"", Headers.parsed([b"A: 1"]), 1000.0, 1000.0, Freshness(60.0, 0.0))
    answer = _answer(PreparedHit.of(Entry(b"key", head, MemoryBody(b""))))
    assert answer.lines[1] == b"Date: Thu, 01 Jan 1970 00:16:40 GMT"


def test_head_gets_the_head_alone() -> None:
    whole, answer = _answer(_hit()), _answer(_hit(), method=b"HEAD")
    assert answer.lines == whole.lines
    assert (answer.status, answer.pieces, answer.length) == (200, (), 0)


def test_head_has_no_parts() -> None:
    # RFC 9110 section 14.2
    assert _answer(_hit(), b"Range: bytes=0-1", method=b"HEAD") == _answer(_hit(), method=b"HEAD")


def test_an_empty_body_has_no_pieces() -> None:
    answer = _answer(_hit(body=b""))
    assert b"Content-Length: 0" in answer.lines
    assert (answer.pieces, answer.length) == ((), 0)


def test_no_length_is_told_of_what_can_have_no_body() -> None:
    # RFC 9110 section 8.6
    assert _answer(_hit(status=204, body=b"")).lines == [_DATE, b"Age: 3"]


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
def test_who_has_it_already_gets_a_304(method: bytes) -> None:
    hit = _hit(b'ETag: "a"', b"Content-Type: text/plain", b"Cache-Control: max-age=60")
    answer = _answer(hit, b'If-None-Match: "a"', b"Range: bytes=0-1", method=method)
    assert answer == HitAnswer(
        304, b"Not Modified", [_DATE, b'ETag: "a"', b"Cache-Control: max-age=60", b"Age: 3"], (), 0
    )


def test_who_has_another_gets_the_whole() -> None:
    hit = _hit(b'ETag: "a"')
    assert _answer(hit, b'If-None-Match: "b"') == _answer(hit)


def test_a_part_is_given() -> None:
    answer = _answer(_hit(b"Content-Type: text/plain"), b"Range: bytes=1-2")
    assert (answer.status, answer.reason, answer.pieces, answer.length) == (206, b"Partial Content", ((1, 3),), 2)
    assert answer.lines == [
        _DATE,
        b"Content-Type: text/plain",
        b"Age: 3",
        b"Content-Range: bytes 1-2/5",
        b"Content-Length: 2",
    ]


def test_a_part_that_is_not_there_is_refused() -> None:
    answer = _answer(_hit(), b"Range: bytes=5-")
    assert (answer.status, answer.reason, answer.pieces) == (416, b"Range Not Satisfiable", ())
    assert answer.lines == [_DATE, b"Content-Range: bytes */5", b"Content-Length: 0"]


def test_an_answer_changes_nothing_of_what_is_prepared() -> None:
    hit = _hit(b'ETag: "a"')
    before = [*hit.lines]
    for lines in ([], [b"Range: bytes=0-1"], [b"Range: bytes=0-0,2-2"], [b"Range: bytes=9-"], [b"If-None-Match: *"]):
        _answer(hit, *lines).lines.append(b"X: 1")
    assert hit.lines == before


@given(st.sampled_from([b"Range: ", b"If-None-Match: ", b"If-Modified-Since: "]), values(), values(), st.binary())
def test_pieces_and_lengths_agree(name: bytes, value: bytes, condition: bytes, body: bytes) -> None:
    answer = _answer(_hit(b'ETag: "a"', body=body), name + value, b"If-Range: " + condition)
    sizes = [piece[1] - piece[0] if isinstance(piece, tuple) else len(piece) for piece in answer.pieces]
    assert sum(sizes) == answer.length
    assert answer.status == 304 or b"Content-Length: %d" % answer.length in answer.lines
