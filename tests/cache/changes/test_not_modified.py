"""A 304 says whether what is stored holds, and how it is kept then."""

from __future__ import annotations

import pytest

from txproxy.cache.changes.not_modified import Held, held
from txproxy.cache.stored import Freshness, StoredHead
from txproxy.cache.storing import Times
from txproxy.wire.headers import Headers

FRESH = Freshness(60.0, 0.0)
TIMES = Times(100.0, 101.0)
ENGLISH = StoredHead(
    200,
    b"OK",
    Headers.parsed([b'ETag: "1"', b"Vary: Accept-Language", b"Content-Language: en"]),
    0.0,
    0.0,
    Freshness(1.0, 0.0),
    ((b"accept-language", b"en"),),
)


def _held(*fields: bytes, tag: bytes = b'"1"', may: bool = True) -> Held | None:
    return held(
        ENGLISH,
        Headers.parsed([b"ETag: " + tag, *fields]),
        Headers.parsed([b"Accept-Language: en", b"X: 1"]),
        TIMES,
        lambda status, headers: FRESH if may else None,
        mark=7,
    )


def test_what_it_is_not_says_nothing() -> None:
    assert _held(tag=b'"3"') is None


def test_what_holds_keeps_what_it_was_chosen_by() -> None:
    told = _held(b"X: new")
    assert told is not None and told.stored
    assert told.head.vary == ENGLISH.vary and told.head.headers.get(b"x") == b"new"
    assert (told.head.freshness, told.head.request_time, told.head.response_time, told.head.mark) == (FRESH, *TIMES, 7)


def test_it_may_be_chosen_by_other_fields_from_now_on() -> None:
    told = _held(b"Vary: X")
    assert told is not None and told.stored and told.head.vary == ((b"x", b"1"),)


@pytest.mark.parametrize("more", [(b"Vary: *",), ()])
def test_what_may_not_be_stored_so_holds_this_once(more: tuple[bytes, ...]) -> None:
    told = _held(*more, b"X: new", may=bool(more))
    assert told is not None and not told.stored
    assert told.head.headers.get(b"x") == b"new" and told.head.freshness == ENGLISH.freshness


def test_a_cookie_is_none_of_its_fields() -> None:
    told = _held(b"Set-Cookie: a=b")
    assert told is not None and b"set-cookie" not in told.head.headers.index
