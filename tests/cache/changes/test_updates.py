"""Tests of what a 304, and an answer to HEAD, changes of what is stored."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.strategies import fields
from txproxy.cache.changes.updates import HeadEffect, confirms, effect_of_head, freshened, updated_headers
from txproxy.cache.stored import Freshness, StoredHead
from txproxy.wire.headers import Headers

_NOW = 1_800_000_000.0
_SUNDAY = b"Sun, 06 Nov 1994 08:49:37 GMT"
_EARLIER = b"Sun, 06 Nov 1994 08:49:36 GMT"
_MINUTE_LATER = b"Sun, 06 Nov 1994 08:50:37 GMT"
_WRITTEN_NOW = b"Date: Fri, 15 Jan 2027 08:00:00 GMT"


def _head(*lines: bytes, came: float = 1000.0, status: int = 200) -> StoredHead:
    return StoredHead(status, b"OK", Headers.parsed(list(lines)), came, came, Freshness(60.0, 0.0), mark=3)


def _fields(*lines: bytes) -> Headers:
    return Headers.parsed(list(lines))


# -- what it is about (RFC 9111 section 4.3.4)


@pytest.mark.parametrize(
    ("stored", "response", "expected"),
    [
        ([b'ETag: "a"'], [b'ETag: "a"'], True),
        ([b'ETag: "a"'], [b'ETag: "b"'], False),
        ([b'ETag: "a"', b"Last-Modified: " + _SUNDAY], [b'ETag: "b"', b"Last-Modified: " + _SUNDAY], False),
        ([b'ETag: W/"a"'], [b'ETag: W/"a"'], True),
        ([b'ETag: "a"'], [b'ETag: W/"a"'], True),
        ([b'ETag: W/"a"'], [b'ETag: W/"b"'], False),
        # dates
        ([b"Last-Modified: " + _SUNDAY], [b"Last-Modified: " + _SUNDAY], True),
        ([b"Last-Modified: " + _SUNDAY], [b"Last-Modified: " + _EARLIER], False),
        ([b"Last-Modified: " + _SUNDAY], [b"Last-Modified: x"], False),
        ([b'ETag: "a"'], [b"Last-Modified: " + _SUNDAY], False),
        # there was a tag, and now there is none
        ([b'ETag: "a"', b"Last-Modified: " + _SUNDAY], [b"Last-Modified: " + _SUNDAY], True),
        # there was no tag, and now there is one
        ([b"Last-Modified: " + _SUNDAY], [b'ETag: "a"', b"Last-Modified: " + _SUNDAY], True),
        ([b"Last-Modified: " + _SUNDAY], [b'ETag: "a"', b"Last-Modified: " + _EARLIER], False),
        ([b"Last-Modified: " + _SUNDAY], [b'ETag: "a"'], False),
        # no validator: about what was asked for
        ([b'ETag: "a"'], [], True),
    ],
)
def test_a_304_is_about_what_has_its_validators(stored: list[bytes], response: list[bytes], expected: bool) -> None:
    assert confirms(_fields(*response), _fields(*stored), _NOW) is expected


# -- what it changes (RFC 9111 section 3.2)


def test_fields_are_replaced_and_others_stay() -> None:
    stored = _fields(b"A: 1", b"Set-Cookie: a=b", b"B: 2", b"set-cookie: c=d", b"Cache-Control: max-age=2")
    new = _fields(b"Date: " + _SUNDAY, b"b: 3", b"Set-Cookie: e=f", b"Set-Cookie: g=h", b"C: 4")
    assert updated_headers(stored, new, _NOW).lines == [
        b"A: 1",
        b"Cache-Control: max-age=2",
        b"Date: " + _SUNDAY,
        b"b: 3",
        b"Set-Cookie: e=f",
        b"Set-Cookie: g=h",
        b"C: 4",
    ]


@pytest.mark.parametrize(
    "line",
    [
        b"Content-Length: 10",
        b"content-encoding: gzip",
        b"Content-Type: a/b",
        b"Content-Range: bytes 0-1/2",
        b"Transfer-Encoding: chunked",
        b"Keep-Alive: x",
        b"Proxy-Authenticate: x",
        b"Proxy-Connection: x",
        b"Upgrade: x",
        b"Connection: close",
    ],
)
def test_what_belongs_to_the_body_or_to_one_hop_is_not(line: bytes) -> None:
    stored = [b"Content-Length: 5", b"Content-Type: text/plain", b"Date: " + _SUNDAY]
    assert updated_headers(_fields(*stored), _fields(b"Date: " + _SUNDAY, line), _NOW).lines == stored


@pytest.mark.parametrize(
    "name", [b"Content-Location", b"Content-MD5", b"Content-Foo", b"ETag", b"Expires", b"Cache-Control", b"Vary"]
)
def test_all_others_are(name: bytes) -> None:
    merged = updated_headers(_fields(name + b": 1"), _fields(name + b": 2"), _NOW)
    assert merged.lines == [name + b": 2", _WRITTEN_NOW]


def test_what_connection_names_is_not_for_the_store() -> None:
    new = _fields(b"Connection: A", b"A: 2", b"Date: " + _SUNDAY)
    assert updated_headers(_fields(b"A: 1"), new, _NOW).lines == [b"A: 1", b"Date: " + _SUNDAY]


def test_age_and_date_are_those_of_the_new_message() -> None:
    stored = _fields(b"Age: 50", b"Date: " + _SUNDAY)
    assert updated_headers(stored, _fields(), _NOW).lines == [_WRITTEN_NOW]
    assert updated_headers(stored, _fields(b"Age: 3"), _NOW).lines == [b"Age: 3", _WRITTEN_NOW]


@given(st.lists(fields(), max_size=6), st.lists(fields(), max_size=6))
def test_no_update_is_too_odd(stored: list[tuple[bytes, bytes]], new: list[tuple[bytes, bytes]]) -> None:
    merged = updated_headers(Headers(stored), Headers(new), _NOW)
    assert {name.lower() for name, _ in stored} - {b"age", b"date"} <= set(merged.names())


def test_a_head_that_was_validated_is_as_good_as_a_new_one() -> None:
    head = _head(b"A: 1")
    headers, freshness = _fields(b"A: 2"), Freshness(100.0, 1.0)
    new = freshened(head, headers, freshness, 2000.0, 2001.0)
    assert (new.headers, new.freshness, new.request_time, new.response_time) == (headers, freshness, 2000.0, 2001.0)
    assert (new.status, new.reason, new.vary, new.mark) == (200, b"OK", (), 3)
    other = freshened(head, headers, freshness, 2000.0, 2001.0, ((b"foo", b"1"),), 7)
    assert (other.vary, other.mark) == (((b"foo", b"1"),), 7)


# -- HEAD (RFC 9111 section 4.3.5)


@pytest.mark.parametrize(
    ("status", "lines", "effect"),
    [
        (200, [], HeadEffect.NONE),
        (200, [b"Cache-Control: max-age=1000", b"Content-Length: 5"], HeadEffect.NONE),
        (200, [b"Cache-Control: max-age=1000", b'ETag: "a"'], HeadEffect.FRESHENS),
        (200, [b"Last-Modified: " + _SUNDAY], HeadEffect.FRESHENS),
        (200, [b'ETag: "a"', b"Last-Modified: " + _SUNDAY, b"Content-Length: 5"], HeadEffect.FRESHENS),
        (200, [b'ETag: "b"'], HeadEffect.FREES),
        (200, [b'ETag: W/"a"'], HeadEffect.FREES),
        (200, [b"Last-Modified: " + _EARLIER], HeadEffect.FREES),
        (200, [b"Content-Length: 6"], HeadEffect.FREES),
        (200, [b"Content-Length: 05"], HeadEffect.FREES),
        (304, [b'ETag: "a"'], HeadEffect.NONE),
        (404, [b"Content-Length: 6"], HeadEffect.NONE),
        (500, [], HeadEffect.NONE),
    ],
)
def test_an_answer_to_head_freshens_or_frees(status: int, lines: list[bytes], effect: HeadEffect) -> None:
    head = _head(b'ETag: "a"', b"Last-Modified: " + _SUNDAY)
    assert effect_of_head(head, 5, status, _fields(*lines)) is effect


def test_a_validator_that_is_new_frees() -> None:
    assert effect_of_head(_head(), 5, 200, _fields(b'ETag: "a"')) is HeadEffect.FREES
    assert effect_of_head(_head(), 5, 200, _fields(b"Last-Modified: " + _SUNDAY)) is HeadEffect.FREES


def test_head_says_nothing_of_a_page_of_another_status() -> None:
    assert effect_of_head(_head(status=404), 5, 200, _fields()) is HeadEffect.NONE
