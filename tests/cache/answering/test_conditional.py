"""Tests of conditions: those that validate what is stored, and those of clients that have it already."""

from __future__ import annotations

import pytest
from hypothesis import given

from tests.wire.strategies import values
from txproxy.cache.answering.conditional import (
    entity_tag,
    for_the_origin,
    lines_of_304,
    not_modified,
    strongly_equal,
    validators,
    weakly_equal,
    without_conditions,
)
from txproxy.cache.stored import Freshness, StoredHead
from txproxy.wire.headers import Headers

_NOW = 1_800_000_000.0
_SUNDAY = b"Sun, 06 Nov 1994 08:49:37 GMT"
_EARLIER = b"Sun, 06 Nov 1994 08:49:36 GMT"


def _head(*lines: bytes, status: int = 200, came: float = _NOW) -> StoredHead:
    return StoredHead(status, b"", Headers.parsed(list(lines)), came, came, Freshness(60.0, 0.0))


def _asks(*lines: bytes) -> Headers:
    return Headers.parsed(list(lines))


# -- validating what is stored


def test_the_conditions_of_a_client_do_not_bring_a_whole_response() -> None:
    lines = [b"Host: a", b'If-None-Match: "x"', b"if-modified-since: x", b"If-Range: y", b"If-Match: *", b"Accept: b"]
    assert without_conditions(lines) == [b"Host: a", b"Accept: b"]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], []),
        ([b'ETag: "a"'], [b'If-None-Match: "a"']),
        ([b'ETag: W/"a"'], [b'If-None-Match: W/"a"']),
        # RFC 9110 13.1.3: the date as it was sent
        ([b"Last-Modified: " + _SUNDAY], [b"If-Modified-Since: " + _SUNDAY]),
        ([b"Last-Modified: sun, 06 nov 1994 08:49:37 gmt"], [b"If-Modified-Since: sun, 06 nov 1994 08:49:37 gmt"]),
        (
            [b'ETag: "a"', b"Last-Modified: " + _SUNDAY],
            [b'If-None-Match: "a"', b"If-Modified-Since: " + _SUNDAY],
        ),
        ([b"Last-Modified: yesterday"], []),
        ([b"ETag: bare"], [b"If-None-Match: bare"]),
        ([b'ETag: "a"', b'ETag: "b"'], []),
        ([b"ETag: a, b"], []),
    ],
)
def test_a_response_is_validated_by_all_that_it_has(lines: list[bytes], expected: list[bytes]) -> None:
    assert validators(_head(*lines)) == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [([b"If-Match: *"], True), ([b"If-Unmodified-Since: x"], True), ([b"If-None-Match: *"], False), ([], False)],
)
def test_some_conditions_only_the_origin_knows(lines: list[bytes], expected: bool) -> None:
    assert for_the_origin(_asks(*lines)) is expected


# RFC 9110 section 8.8.3.2, table 3
@pytest.mark.parametrize(
    ("one", "other", "strong", "weak"),
    [
        (b'W/"1"', b'W/"1"', False, True),
        (b'W/"1"', b'W/"2"', False, False),
        (b'W/"1"', b'"1"', False, True),
        (b'"1"', b'"1"', True, True),
    ],
)
def test_tags_are_equal_strongly_or_weakly(one: bytes, other: bytes, strong: bool, weak: bool) -> None:
    assert strongly_equal(one, other) is strong
    assert strongly_equal(other, one) is strong
    assert weakly_equal(one, other) is weak
    assert weakly_equal(other, one) is weak


# -- answering conditions


@pytest.mark.parametrize(
    ("tag", "wanted", "expected"),
    [
        (b'"a"', b'"a"', True),
        (b'W/"a"', b'W/"a"', True),
        # RFC 9110 13.1.2: weak comparison
        (b'W/"a"', b'"a"', True),
        (b'"a"', b'W/"a"', True),
        (b'"a"', b'"b"', False),
        (b'"a"', b'"A"', False),
        (b'"a"', b'"a", "b", "c"', True),
        (b'"b"', b'"a" ,\t"b","c"', True),
        (b'"c"', b'"a",, "b", W/"c" ,', True),
        (b'"d"', b'"a", "b", "c"', False),
        (b'"a,b"', b'"x", "a,b"', True),
        (b'"b"', b'"a,b"', False),
        (b'"a\xfc"', b'"a\xfc"', True),
        (b'""', b'""', True),
        (b'"a"', b"*", True),
        (None, b"*", True),
        (None, b'"a"', False),
        (None, b"", False),
        (b'"a"', b"", False),
        # malformed members count for nothing, the others count
        (b'"a"', b'x"a"', False),
        (b'"a"', b'"a"x', False),
        (b'"a"', b'w/"a"', False),
        (b'"a"', b'junk, "a"', True),
        (b'"a"', b'*, "b"', False),
        # what was sent as it is now asked for is the same, well formed or not
        (b"bare", b"bare", True),
        (b"bare", b'"bare"', False),
    ],
)
def test_a_client_that_has_the_tag_has_the_response(tag: bytes | None, wanted: bytes, expected: bool) -> None:
    head = _head(b"ETag: " + tag) if tag is not None else _head()
    assert not_modified(_asks(b"If-None-Match: " + wanted), head, _NOW) is expected


def test_lines_of_one_condition_are_one_list() -> None:
    request = _asks(b'If-None-Match: "a"', b'if-none-match: "b"')
    assert not_modified(request, _head(b'ETag: "b"'), _NOW)


@pytest.mark.parametrize(
    ("lines", "since", "expected"),
    [
        ([b"Last-Modified: " + _SUNDAY], _SUNDAY, True),
        ([b"Last-Modified: " + _EARLIER], _SUNDAY, True),
        ([b"Last-Modified: " + _SUNDAY], _EARLIER, False),
        # RFC 9110 5.6.7: the older forms
        ([b"Last-Modified: " + _SUNDAY], b"Sunday, 06-Nov-94 08:49:37 GMT", True),
        ([b"Last-Modified: " + _SUNDAY], b"Sunday, 06-Nov-94 08:49:36 GMT", False),
        ([b"Last-Modified: " + _SUNDAY], b"Sun Nov  6 08:49:37 1994", True),
        ([b"Last-Modified: Sunday, 06-Nov-94 08:49:37 GMT"], _SUNDAY, True),
        # RFC 9110 13.1.3: what is no date is no condition
        ([b"Last-Modified: " + _SUNDAY], b"yesterday", False),
        ([b"Last-Modified: yesterday"], b"yesterday", False),
        ([b"Last-Modified: " + _SUNDAY], b"", False),
        # RFC 9111 4.3.2: without Last-Modified by Date, or when it came
        ([b"Date: " + _SUNDAY], _SUNDAY, True),
        ([b"Date: " + _SUNDAY], _EARLIER, False),
        ([b"Date: " + _SUNDAY, b"Last-Modified: yesterday"], _SUNDAY, True),
        ([], _SUNDAY, False),
        ([], b"Fri, 15 Jan 2038 08:49:37 GMT", True),
    ],
)
def test_a_client_that_has_a_later_state_has_the_response(lines: list[bytes], since: bytes, expected: bool) -> None:
    assert not_modified(_asks(b"If-Modified-Since: " + since), _head(*lines), _NOW) is expected


@pytest.mark.parametrize(("wanted", "expected"), [(b'"a"', True), (b'"b"', False), (b"junk", False)])
def test_where_there_are_tags_the_date_counts_for_nothing(wanted: bytes, expected: bool) -> None:
    head = _head(b'ETag: "a"', b"Last-Modified: " + _SUNDAY)
    for since in (_SUNDAY, _EARLIER):
        request = _asks(b"If-None-Match: " + wanted, b"If-Modified-Since: " + since)
        assert not_modified(request, head, _NOW) is expected


def test_a_request_without_conditions_gets_it() -> None:
    assert not not_modified(_asks(b"Accept: */*"), _head(b'ETag: "a"'), _NOW)


@pytest.mark.parametrize(
    ("status", "expected"), [(200, True), (203, True), (300, False), (301, False), (404, False), (500, False)]
)
def test_conditions_count_for_successes_alone(status: int, expected: bool) -> None:
    # RFC 9110 section 13.2.1
    head = _head(b'ETag: "a"', status=status)
    assert not_modified(_asks(b'If-None-Match: "a"'), head, _NOW) is expected


def test_a_304_has_what_a_client_may_update_and_nothing_of_the_body() -> None:
    # RFC 9110 section 15.4.5
    kept = [
        b"Cache-Control: max-age=1",
        b"Content-Location: /a",
        b"Content-Security-Policy: default-src 'self'",
        b"Date: " + _SUNDAY,
        b'ETag: "a"',
        b"Expires: 0",
        b"Vary: Foo",
        b"Last-Modified: " + _SUNDAY,
        b"Set-Cookie: a=b",
        b"X-Other: 1",
    ]
    gone = [b"Content-Length: 5", b"content-type: a/b", b"Content-Encoding: gzip", b"Content-Range: bytes 0-1/2"]
    assert lines_of_304(gone + kept + gone) == kept


@given(values(), values())
def test_no_condition_is_too_odd(wanted: bytes, tag: bytes) -> None:
    head = _head(b"ETag: " + tag, b"Last-Modified: " + tag, b"Date: " + wanted)
    for name in (b"If-None-Match: ", b"If-Modified-Since: "):
        assert not_modified(_asks(name + wanted), head, _NOW) in (True, False)
    if entity_tag(head.headers):
        assert not_modified(_asks(b"If-None-Match: " + tag), head, _NOW)


def test_long_lists_are_read_in_one_pass() -> None:
    # A list that is read again and again from each of its places would take minutes.
    for wanted in (b'"a" ' * 100_000, b'"' * 200_000, b" ," * 100_000, b'"a"' + b" " * 200_000 + b"x"):
        assert not not_modified(_asks(b"If-None-Match: " + wanted), _head(b'ETag: "b"'), _NOW)
