"""Partial responses: what is read of them, and what they can be combined with."""

from __future__ import annotations

import pytest

from txproxy.cache.parts.partial_content import (
    Span,
    are_same,
    as_whole,
    asked_range,
    has_wanted,
    is_within,
    lines_to_complete,
    merged,
    span_of,
    strong_validator,
    to_complete,
    wanted,
)
from txproxy.cache.parts.parts_body import Part, PartsBody
from txproxy.cache.stored import Entry, Freshness, MemoryBody, StoredBody, StoredHead, VaryValues
from txproxy.wire.headers import Headers
from txproxy.wire.message import CHUNKED, UNTIL_CLOSE, ResponseHead

WHOLE = b"0123456789"
NOW = 1000.0
CHANGED = "Sun, 09 Sep 2001 01:46:40 GMT"
LONG_AFTER = "Sun, 09 Sep 2001 02:46:40 GMT"


def fields(**named: str) -> Headers:
    return Headers.parsed([f"{name.replace('_', '-')}: {value}".encode() for name, value in named.items()])


def entry(body: StoredBody, etag: str = '"1"', status: int = 200, vary: VaryValues = ()) -> Entry:
    head = StoredHead(status, b"OK", fields(etag=etag, date="x"), NOW, NOW, Freshness(60.0, 0.0), vary)
    return Entry(b"k" * 32, head, body)


def held(*spans: tuple[int, int], length: int = 10) -> PartsBody:
    return PartsBody(length, tuple(Part(start, MemoryBody(WHOLE[start:stop])) for start, stop in spans))


@pytest.mark.parametrize(
    ("tag", "strong"), [('"1"', True), ('""', True), ('W/"1"', False), ("1", False), ('"1', False), ('"1", "2"', False)]
)
def test_a_strong_tag(tag: str, strong: bool) -> None:
    for dates in ({}, {"last_modified": CHANGED, "date": LONG_AFTER}):
        assert strong_validator(fields(etag=tag, **dates), NOW) == (tag.encode() if strong else None)
        assert are_same(fields(etag=tag, **dates), fields(etag=tag, **dates), NOW) is strong
        assert not are_same(fields(etag=tag, **dates), fields(etag='"x"', **dates), NOW)
    assert strong_validator(fields(), NOW) is None


@pytest.mark.parametrize(
    ("date", "strong"),
    [
        (LONG_AFTER, True),
        (CHANGED, False),
        ("Sun, 09 Sep 2001 01:46:41 GMT", False),
        ("yesterday", False),
        (None, False),
    ],
)
def test_a_date_of_change_that_is_strong(date: str | None, strong: bool) -> None:
    dated = {"date": date} if date is not None else {}
    response = fields(last_modified=CHANGED, **dated)
    assert strong_validator(response, NOW) == (CHANGED.encode() if strong else None)
    assert are_same(response, fields(last_modified=CHANGED, date=LONG_AFTER), NOW) is strong
    assert not are_same(response, fields(last_modified="Sun, 09 Sep 2001 01:46:39 GMT", date=LONG_AFTER), NOW)
    assert not are_same(response, fields(last_modified=CHANGED, date=LONG_AFTER, etag='"1"'), NOW)


@pytest.mark.parametrize(
    ("told", "length", "span"),
    [
        ("bytes 2-4/10", 3, Span(2, 5, 10)),
        ("Bytes  2-4/10", CHUNKED, Span(2, 5, 10)),
        ("bytes 0-0/1", 1, Span(0, 1, 1)),
        ("bytes 2-4/10", 4, None),
        ("bytes 2-4/10", UNTIL_CLOSE, None),
        ("bytes 2-4/4", 3, None),
        ("bytes 4-2/10", 3, None),
        ("bytes 2-4/*", 3, None),
        ("bytes */10", 3, None),
        ("bytes=2-4/10", 3, None),
        ("bytes 2-4/9999999999999999999", 3, None),
        ("bytes 2-4/10, bytes 2-4/10", 3, None),
    ],
)
def test_where_a_part_is(told: str, length: int, span: Span | None) -> None:
    assert span_of(ResponseHead(206, fields(content_range=told), b"", length)) == span
    kind = "Multipart/Byteranges; boundary=x"
    assert span_of(ResponseHead(206, fields(content_range=told, content_type=kind), b"", length)) is None


def test_the_head_of_the_whole() -> None:
    part = ResponseHead(
        206, fields(content_range="bytes 2-4/10", content_length="3", etag='"1"'), b"Partial Content", 3
    )
    whole = as_whole(part, 10)
    assert (whole.status, whole.reason, whole.body, whole.headers.lines) == (200, b"OK", 10, [b'etag: "1"'])


@pytest.mark.parametrize(
    ("field", "part"),
    [
        ("bytes=0-4", b"bytes=0-4"),
        ("BYTES= 5- ", b"bytes=5-"),
        ("bytes=-3", b"bytes=-3"),
        ("bytes=-", None),
        ("bytes=0-1,3-4", None),
        ("lines=0-1", None),
        ("bytes=0-9999999999999999999", None),
    ],
)
def test_what_one_part_is_asked_for(field: str, part: bytes | None) -> None:
    assert asked_range(fields(range=field)) == part
    assert asked_range(fields(range=field, if_range='"1"')) == part
    assert asked_range(fields(range=field, if_none_match='"1"')) is None
    assert asked_range(fields(range=field, if_modified_since="x")) is None


@pytest.mark.parametrize(
    ("part", "other", "within"),
    [
        (b"0-4", b"0-4", True),
        (b"1-3", b"0-4", True),
        (b"1-5", b"0-4", False),
        (b"1-", b"0-4", False),
        (b"1-", b"0-", True),
        (b"1-5", b"1-", True),
        (b"0-5", b"1-", False),
        (b"-3", b"-3", True),
        (b"-2", b"-3", False),
        (b"1-2", b"-3", False),
        (b"-2", b"0-", False),
    ],
)
def test_what_is_within(part: bytes, other: bytes, within: bool) -> None:
    assert is_within(b"bytes=" + part, b"bytes=" + other) is within
    assert not is_within(None, b"bytes=" + other) and not is_within(b"bytes=" + part, None)


@pytest.mark.parametrize(
    ("request_fields", "pieces", "has", "missing"),
    [
        ({}, [(0, 10)], False, (0, 6)),
        ({"range": "bytes=2-4"}, [(2, 5)], True, None),
        ({"range": "bytes=3-7"}, [(3, 8)], False, (5, 6)),
        ({"range": "bytes=-4"}, [(6, 10)], True, None),
        ({"range": "bytes=2-3,6-7"}, [(2, 4), (6, 8)], True, None),
        ({"range": "bytes=0-1,6-7"}, [(0, 2), (6, 8)], False, None),
        ({"range": "bytes=99-"}, None, False, None),
        ({"range": "bytes=2-4", "if_range": '"2"'}, [(0, 10)], False, (0, 6)),
        ({"if_none_match": '"1"'}, None, False, None),
        ({"if_none_match": '"2"'}, [(0, 10)], False, (0, 6)),
    ],
)
def test_what_is_wanted_and_what_is_missing_of_it(
    request_fields: dict[str, str],
    pieces: list[tuple[int, int]] | None,
    has: bool,
    missing: tuple[int, int] | None,
) -> None:
    stored, request = entry(held((2, 5), (6, 10))), fields(**request_fields)
    assert wanted(stored, 10, request, NOW) == pieces
    assert has_wanted(stored, b"GET", request, NOW) is has
    assert not has_wanted(stored, b"HEAD", request, NOW)
    assert has_wanted(stored, b"GET", request, NOW, validated=True) is (
        has or ("if_none_match" in request_fields and pieces is None)
    )
    assert to_complete(stored, request, NOW) == missing


def test_what_has_no_strong_tag_cannot_be_completed() -> None:
    assert to_complete(entry(held((0, 5)), 'W/"1"'), fields(), NOW) is None
    assert to_complete(entry(MemoryBody(WHOLE)), fields(), NOW) is None
    assert to_complete(entry(held((0, 5)), status=404), fields(), NOW) is None
    assert has_wanted(entry(MemoryBody(WHOLE)), b"HEAD", fields(), NOW)


@pytest.mark.parametrize(("missing", "line"), [((3, 5), b"Range: bytes=3-4"), ((3, 10), b"Range: bytes=3-")])
def test_the_lines_that_ask_for_it(missing: tuple[int, int], line: bytes) -> None:
    assert lines_to_complete(entry(held((0, 3))), missing) == [line, b'If-Range: "1"']


def test_what_is_of_the_same_is_merged() -> None:
    together = merged(entry(held((5, 10))), [entry(held((0, 4)))])
    assert together is not None and isinstance(together.body, PartsBody)
    assert [(part.start, part.stop) for part in together.body.held] == [(0, 4), (5, 10)]
    whole = merged(entry(held((4, 10))), [entry(held((0, 4)))])
    assert whole is not None and whole.body.parts(0, 10) == [WHOLE]


@pytest.mark.parametrize(
    "other",
    [
        entry(held((0, 5)), '"2"'),
        entry(held((0, 5)), 'W/"1"'),
        entry(held((0, 5), length=11)),
        entry(held((0, 5)), vary=((b"accept", b"x"),)),
    ],
)
def test_what_is_of_another_is_not(other: Entry) -> None:
    mine = merged(entry(held((5, 10))), [other])
    assert mine is not None and isinstance(mine.body, PartsBody)
    assert [(part.start, part.stop) for part in mine.body.held] == [(5, 10)]


def test_a_part_does_not_take_the_place_of_a_whole() -> None:
    whole = entry(MemoryBody(WHOLE))
    assert merged(entry(held((5, 10))), [whole]) is None
    assert merged(entry(held((5, 10))), [entry(held((0, 5), (5, 10)))]) is None
    assert merged(whole, [entry(held((5, 10)))]) is whole
