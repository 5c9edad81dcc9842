"""Tests of what is no more to be used once something was changed."""

from __future__ import annotations

import pytest
from hypothesis import given

from tests.wire.strategies import values
from txproxy.cache.changes.invalidation import Invalidation, invalidated
from txproxy.wire.headers import Headers

_TARGET = (b"http", b"example.com", b"/dir/page?q=1")


def _gone(method: bytes, status: int, *lines: bytes) -> Invalidation | None:
    return invalidated(method, *_TARGET, status, Headers.parsed(list(lines)))


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PROPFIND", b"CONNECT"])
def test_safe_methods_change_nothing(method: bytes) -> None:
    # RFC 9875 section 3: nor do groups go by an answer to these
    assert _gone(method, 200, b"Location: /a", b'Cache-Group-Invalidation: "a"') is None


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"DELETE", b"PATCH", b"M-SEARCH", b"get", b"PURGE"])
@pytest.mark.parametrize(
    ("status", "expected"),
    [(200, True), (204, True), (303, True), (399, True), (400, False), (404, False), (500, False), (101, False)],
)
def test_all_others_change_what_they_are_about_if_they_succeed(method: bytes, status: int, expected: bool) -> None:
    # RFC 9111 section 4.4
    assert _gone(method, status) == (Invalidation((_TARGET,)) if expected else None)


@pytest.mark.parametrize("name", [b"Location", b"content-location"])
@pytest.mark.parametrize(
    ("reference", "path"),
    [
        (b"/a", b"/a"),
        (b"a?b#c", b"/dir/a?b"),
        (b"../a", b"/a"),
        (b"?q=2", b"/dir/page?q=2"),
        (b"http://example.com/a", b"/a"),
        (b"HTTP://Example.com.:80/a", b"/a"),
        (b"//example.com/a", b"/a"),
        (b"http://example.com", b"/"),
        (b"http://example.com?a", b"/?a"),
        # another origin is none of its business
        (b"http://example.org/a", None),
        (b"https://example.com/a", None),
        (b"http://example.com:81/a", None),
        (b"http://user@example.com/a", None),
        (b"//example.org/a", None),
        (b"mailto:a@example.com", None),
        # nothing that could be asked for
        (b"http://[/a", None),
        (b"http://[v1.x]/a", None),
        (b"/a b", None),
        (b"/\xff", None),
        (b"/" + b"a" * 10000, None),
        # itself, and only once
        (b"", None),
        (b"/dir/page?q=1", None),
        (b"#here", None),
    ],
)
def test_what_else_the_answer_names_goes_if_it_is_of_the_same_origin(
    name: bytes, reference: bytes, path: bytes | None
) -> None:
    gone = _gone(b"POST", 201, name + b": " + reference)
    others = ((b"http", b"example.com", path),) if path is not None else ()
    assert gone == Invalidation((_TARGET, *others))


def test_both_fields_count() -> None:
    gone = _gone(b"POST", 201, b"Location: /a", b"Content-Location: /b")
    assert gone == Invalidation((_TARGET, (b"http", b"example.com", b"/a"), (b"http", b"example.com", b"/b")))


# -- groups (RFC 9875)


@pytest.mark.parametrize(
    ("lines", "groups"),
    [
        ([b'"a"'], {b"a"}),
        ([b'"a", "b c"'], {b"a", b"b c"}),
        ([b'"a"', b'"b"'], {b"a", b"b"}),
        ([b'"a\\"b"'], {b'a"b'}),
        ([b'"a";x=1;y'], {b"a"}),
        ([b"a"], set()),
        ([b'"a", b'], set()),
        ([b'"a'], set()),
        ([b'("a")'], set()),
        ([b""], set()),
    ],
)
def test_groups_go_that_are_named(lines: list[bytes], groups: set[bytes]) -> None:
    gone = _gone(b"POST", 200, *[b"Cache-Group-Invalidation: " + line for line in lines])
    assert gone == Invalidation((_TARGET,), frozenset(groups))


def test_groups_go_even_if_the_request_has_failed() -> None:
    assert _gone(b"POST", 409, b'Cache-Group-Invalidation: "a"') == Invalidation((), frozenset({b"a"}))


@given(values())
def test_no_answer_is_too_odd(value: bytes) -> None:
    gone = _gone(b"POST", 200, b"Location: " + value, b"Cache-Group-Invalidation: " + value)
    assert gone is not None
    assert all(target[:2] == _TARGET[:2] and target[2].startswith(b"/") for target in gone.targets)
