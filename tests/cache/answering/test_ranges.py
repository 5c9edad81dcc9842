"""Tests of parts of stored bodies."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.strategies import of_bytes
from txproxy.cache.answering.ranges import (
    MOST_RANGES,
    PartialAnswer,
    is_unchanged,
    last_modified_if_strong,
    new_boundary,
    partial_answer,
    read_ranges,
)
from txproxy.cache.stored import Freshness, StoredHead
from txproxy.wire.headers import Headers

_NOW = 1_800_000_000.0
_SUNDAY = b"Sun, 06 Nov 1994 08:49:37 GMT"
_MINUTE_LATER = b"Sun, 06 Nov 1994 08:50:37 GMT"
_SOON_AFTER = b"Sun, 06 Nov 1994 08:50:36 GMT"
_BODY = b"0123456789A"


def _head(*lines: bytes, status: int = 200) -> StoredHead:
    return StoredHead(status, b"OK", Headers.parsed(list(lines)), _NOW, _NOW, Freshness(60.0, 0.0))


def _answer(head: StoredHead, *lines: bytes) -> PartialAnswer | None:
    asked = Headers.parsed(list(lines))
    return partial_answer(asked, head, head.headers.lines, len(_BODY), _NOW, lambda: b"XX")


def _sent(answer: PartialAnswer) -> bytes:
    return b"".join([_BODY[slice(*piece)] if isinstance(piece, tuple) else piece for piece in answer.pieces])


# -- what is asked for


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"bytes=0-1", [(0, 2)]),
        (b"bytes=1-", [(1, 11)]),
        (b"bytes=-1", [(10, 11)]),
        (b"bytes=-11", [(0, 11)]),
        # RFC 9110 14.1.2: what is longer than the body is the body
        (b"bytes=-100", [(0, 11)]),
        (b"bytes=9-100", [(9, 11)]),
        (b"bytes=9-999999999999999999", [(9, 11)]),
        (b"bytes=0-0,-1", [(0, 1), (10, 11)]),
        (b"bytes= 5-6 ,, 0-1\t,", [(5, 7), (0, 2)]),
        (b"bytes=0-1, ,2-3", [(0, 2), (2, 4)]),
        (b"Bytes=0-1", [(0, 2)]),
        # those that can be had are given
        (b"bytes=0-1,20-30", [(0, 2)]),
        (b"bytes=11-", []),
        (b"bytes=11-12, 99-", []),
        (b"bytes=-0", []),
        # malformed, and so no range at all
        (b"bytes=2-1", None),
        (b"bytes=0-1,2-1", None),
        (b"bytes=", None),
        (b"bytes=,", None),
        (b"bytes=-", None),
        (b"bytes=a-b", None),
        (b"bytes=0x1-2", None),
        (b"bytes=1 - 2", None),
        (b"bytes=+1-2", None),
        (b"bytes=--1", None),
        (b"bytes 0-1", None),
        (b"lines=0-1", None),
        (b"0-1", None),
        (b"", None),
        (b"bytes=0-" + b"9" * 1500, None),
        # RFC 9110 14.2: the same more than once, or more than anybody needs
        (b"bytes=0-,0-", None),
        (b"bytes=0-5,5-6", None),
        (b"bytes=0-,-1", None),
        (b"bytes=" + b",".join([b"0-0"] * 3), None),
        (b"bytes=0-1" + b" " * 4096, None),
    ],
)
def test_ranges_are_read(value: bytes, expected: list[tuple[int, int]] | None) -> None:
    assert read_ranges(value, len(_BODY)) == expected


def test_of_an_empty_body_there_is_no_part() -> None:
    assert read_ranges(b"bytes=0-", 0) == []
    assert read_ranges(b"bytes=-5", 0) == []


def test_there_is_a_bound_to_how_many_are_asked_for() -> None:
    most = [b"%d-%d" % (10 * n, 10 * n + 4) for n in range(MOST_RANGES)]
    assert len(read_ranges(b"bytes=" + b",".join(most), 1000) or []) == MOST_RANGES
    assert read_ranges(b"bytes=" + b",".join([*most, b"900-901"]), 1000) is None


@given(of_bytes(b"0123456789-, \tx", max_size=30), st.integers(0, 50))
def test_no_range_is_too_odd(specs: bytes, length: int) -> None:
    found = read_ranges(b"bytes=" + specs, length)
    assert all(0 <= start < stop <= length for start, stop in found or [])
    assert sum(stop - start for start, stop in found or []) <= length


# -- what is answered


def test_one_part_is_the_body_of_a_206() -> None:
    head = _head(b"Content-Type: text/plain", b"Content-Length: 11", b"A: 1", b"Content-MD5: x", b'ETag: "a"')
    answer = _answer(head, b"Range: bytes=2-4")
    assert answer is not None
    assert answer.status == 206
    assert answer.lines == [
        b"Content-Type: text/plain",
        b"A: 1",
        b'ETag: "a"',
        b"Content-Range: bytes 2-4/11",
        b"Content-Length: 3",
    ]
    assert (_sent(answer), answer.length) == (b"234", 3)


def test_several_parts_are_a_multipart_body() -> None:
    # RFC 9110 section 14.6: no Content-Range but in the parts
    answer = _answer(_head(b"Content-Type: text/plain", b"A: 1"), b"Range: bytes=-1,0-1")
    assert answer is not None
    assert answer.status == 206
    body = (
        b"--XX\r\nContent-Type: text/plain\r\nContent-Range: bytes 10-10/11\r\n\r\nA"
        b"\r\n--XX\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/11\r\n\r\n01"
        b"\r\n--XX--\r\n"
    )
    assert _sent(answer) == body
    assert answer.length == len(body)
    assert answer.lines == [
        b"A: 1",
        b"Content-Type: multipart/byteranges; boundary=XX",
        b"Content-Length: %d" % len(body),
    ]


def test_parts_of_what_has_no_type_have_none() -> None:
    answer = _answer(_head(), b"Range: bytes=0-0,2-2")
    assert answer is not None
    assert b"--XX\r\nContent-Range: bytes 0-0/11\r\n\r\n0" in _sent(answer)


def test_of_several_the_only_one_there_is_stands_alone() -> None:
    answer = _answer(_head(), b"Range: bytes=0-1,20-")
    assert answer is not None
    assert _sent(answer) == b"01"
    assert b"Content-Range: bytes 0-1/11" in answer.lines


def test_what_is_not_there_cannot_be_had() -> None:
    # RFC 9110 section 15.5.17. Nothing in it makes a cache on the way keep it for the whole.
    date = b"Date: " + _SUNDAY
    head = _head(b"Cache-Control: max-age=100", b"Expires: x", date, b"Content-Type: text/plain", b"Content-Length: 11")
    answer = _answer(head, b"Range: bytes=11-")
    assert answer == PartialAnswer(416, [date, b"Content-Range: bytes */11", b"Content-Length: 0"], (), 0)


@pytest.mark.parametrize("value", [b"bytes=2-1", b"lines=1-2", b"bytes=0-,0-,0-"])
def test_a_range_that_does_not_count_gets_the_whole(value: bytes) -> None:
    assert _answer(_head(), b"Range: " + value) is None


def test_a_repeated_range_is_malformed() -> None:
    assert _answer(_head(), b"Range: bytes=0-1", b"Range: bytes=3-4") is None


def test_without_range_or_of_another_status_the_whole_is_given() -> None:
    assert _answer(_head()) is None
    assert _answer(_head(status=404), b"Range: bytes=0-1") is None
    assert _answer(_head(status=203), b"Range: bytes=0-1") is None


def test_nobody_foresees_a_boundary() -> None:
    assert new_boundary() != new_boundary()
    assert re.fullmatch(rb"[0-9a-f]{32}", new_boundary())


# -- If-Range


@pytest.mark.parametrize(
    ("lines", "condition", "expected"),
    [
        ([b'ETag: "a"'], b'"a"', True),
        ([b'ETag: "a"'], b'"b"', False),
        # RFC 9110 13.1.5: strong comparison
        ([b'ETag: W/"a"'], b'W/"a"', False),
        ([b'ETag: W/"a"'], b'"a"', False),
        ([b'ETag: "a"'], b'W/"a"', False),
        ([], b'"a"', False),
        ([b"ETag: a"], b"a", False),
        ([b'ETag: "a"'], b'"a", "b"', False),
        # the date itself, and it has to be a strong one (section 8.8.2.2)
        ([b"Last-Modified: " + _SUNDAY, b"Date: " + _MINUTE_LATER], _SUNDAY, True),
        ([b"Last-Modified: " + _SUNDAY, b"Date: " + _MINUTE_LATER], b"Sunday, 06-Nov-94 08:49:37 GMT", True),
        ([b"Last-Modified: " + _SUNDAY, b"Date: " + _MINUTE_LATER], _MINUTE_LATER, False),
        ([b"Last-Modified: " + _SUNDAY, b"Date: " + _SOON_AFTER], _SUNDAY, False),
        ([b"Last-Modified: " + _SUNDAY], _SUNDAY, False),
        ([b"Date: " + _MINUTE_LATER], _SUNDAY, False),
        ([b"Date: " + _MINUTE_LATER], b"junk", False),
    ],
)
def test_parts_of_what_has_changed_are_not_given(lines: list[bytes], condition: bytes, expected: bool) -> None:
    head = _head(*lines)
    request = [b"If-Range: " + condition, b"Range: bytes=0-1"]
    assert is_unchanged(Headers.parsed(request), head, _NOW) is expected
    assert (_answer(head, *request) is not None) is expected


def test_a_date_that_tells_states_apart_is_strong() -> None:
    strong = Headers.parsed([b"Last-Modified: " + _SUNDAY, b"Date: " + _MINUTE_LATER])
    weak = Headers.parsed([b"Last-Modified: " + _SUNDAY, b"Date: " + _SOON_AFTER])
    assert last_modified_if_strong(strong, _NOW) == 784111777.0
    assert last_modified_if_strong(weak, _NOW) is None
