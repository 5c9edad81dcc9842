"""A 304 says which of the stored responses holds, and for whom."""

from __future__ import annotations

import pytest

from txproxy.cache.changes.not_modified import Held, held
from txproxy.cache.stored import Entry, Freshness, MemoryBody, StoredHead, VaryValues
from txproxy.cache.storing import Times
from txproxy.wire.headers import Headers

FRESH = Freshness(60.0, 0.0)
TIMES = Times(100.0, 101.0)


def _entry(language: bytes, tag: bytes, when: float = 0.0) -> Entry:
    vary: VaryValues = ((b"accept-language", language),)
    headers = Headers.parsed([b"ETag: " + tag, b"Vary: Accept-Language", b"Content-Language: " + language])
    return Entry(b"k", StoredHead(200, b"OK", headers, when, when, Freshness(1.0, 0.0), vary), MemoryBody(language))


def _held(
    *asked_for: Entry, tag: bytes, more: tuple[bytes, ...] = (), matched: bool = False, may: bool = True
) -> Held | None:
    return held(
        asked_for,
        Headers.parsed([b"ETag: " + tag, *more]),
        Headers.parsed([b"Accept-Language: fr", b"X: 1"]),
        TIMES,
        lambda status, headers: FRESH if may else None,
        matched=matched,
        mark=7,
    )


def test_one_of_the_others_is_what_the_request_gets() -> None:
    en, de = _entry(b"en", b'"1"'), _entry(b"de", b'"2"')
    told = _held(en, de, tag=b'"2"')
    assert told is not None and told.holds is de and told.stored
    assert told.head.vary == ((b"accept-language", b"fr"),)
    assert (told.head.freshness, told.head.request_time, told.head.response_time, told.head.mark) == (FRESH, *TIMES, 7)
    ((other, head),) = told.others
    assert other is de and head.vary == de.head.vary and head.freshness == FRESH


def test_what_none_of_them_is_says_nothing() -> None:
    assert _held(_entry(b"en", b'"1"'), _entry(b"de", b'"2"'), tag=b'"3"') is None
    assert _held(_entry(b"en", b'"1"'), tag=b'"3"', matched=True) is None


def test_all_under_a_strong_tag_are_fresh_again() -> None:
    entries = [_entry(b"en", b'"1"', 1.0), _entry(b"de", b'"1"', 2.0), _entry(b"it", b'"2"', 3.0)]
    told = _held(*entries, tag=b'"1"')
    assert told is not None and told.holds is entries[1]
    assert [one for one, _ in told.others] == entries[:2]


def test_under_a_weak_one_it_is_the_latest_alone() -> None:
    entries = [_entry(b"en", b'W/"1"', 1.0), _entry(b"de", b'W/"1"', 2.0)]
    told = _held(*entries, tag=b'W/"1"')
    assert told is not None and told.holds is entries[1]
    assert [one for one, _ in told.others] == entries[1:]


def test_what_was_matched_keeps_what_it_was_chosen_by() -> None:
    en = _entry(b"en", b'"1"')
    told = _held(en, tag=b'"1"', matched=True)
    assert told is not None and told.head.vary == en.head.vary and not told.others


@pytest.mark.parametrize("matched", [True, False])
def test_it_may_be_chosen_by_other_fields_from_now_on(matched: bool) -> None:
    told = _held(_entry(b"en", b'"1"'), tag=b'"1"', more=(b"Vary: X",), matched=matched)
    assert told is not None and told.head.vary == ((b"x", b"1"),)
    # What the others would be chosen by nobody knows.
    assert not told.others


@pytest.mark.parametrize("more", [(b"Vary: *",), ()])
def test_what_may_not_be_stored_so_holds_this_once(more: tuple[bytes, ...]) -> None:
    en = _entry(b"en", b'"1"')
    told = _held(en, tag=b'"1"', more=(*more, b"X: new"), may=bool(more))
    assert told is not None and not told.stored and not told.others
    assert told.head.headers.get(b"x") == b"new" and told.head.freshness == en.head.freshness


def test_a_cookie_is_none_of_theirs() -> None:
    told = _held(_entry(b"en", b'"1"'), tag=b'"1"', more=(b"Set-Cookie: a=b",))
    assert told is not None and b"set-cookie" not in told.head.headers.index
