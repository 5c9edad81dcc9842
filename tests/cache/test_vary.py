"""Tests of what a response was chosen by, and which of several a request gets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.strategies import fields, values
from txproxy.cache.stored import Entry, Freshness, MemoryBody, StoredHead, VaryValues
from txproxy.cache.vary import choose, matches, superseded, vary_names, vary_values
from txproxy.wire.headers import Headers


def _request(*lines: bytes) -> Headers:
    return Headers.parsed(list(lines))


def _entry(vary: VaryValues = (), came: float = 1000.0, *lines: bytes) -> Entry:
    head = StoredHead(200, b"OK", Headers.parsed(list(lines)), came, came, Freshness(60.0, 0.0), vary)
    return Entry(b"key", head, MemoryBody(b""))


def _chosen_by(request: Headers, *names: bytes, came: float = 1000.0) -> Entry:
    return _entry(vary_values(request, names), came)


# -- Vary


@pytest.mark.parametrize(
    ("lines", "names"),
    [
        ([], ()),
        ([b"Vary: Foo"], (b"foo",)),
        ([b"Vary: Foo, bar ,,foo"], (b"bar", b"foo")),
        ([b"Vary: Foo", b"vary: Bar"], (b"bar", b"foo")),
        ([b"Vary: "], ()),
        # RFC 9110 12.5.5: a member that is * says that nothing can be told from the request's fields
        ([b"Vary: *"], None),
        ([b"Vary: *, *"], None),
        ([b"Vary: *", b"Vary: *"], None),
        ([b"Vary: , *"], None),
        ([b"Vary: ", b"Vary: *"], None),
        ([b"Vary: *, Foo"], None),
        ([b"Vary: Foo, *"], None),
        ([b"Vary: Foo Bar"], None),
        ([b'Vary: "Foo"'], None),
    ],
)
def test_names_are_those_of_all_lines(lines: list[bytes], names: tuple[bytes, ...] | None) -> None:
    assert vary_names(_request(*lines)) == names


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([b"Foo: 1,2"], [b"Foo: 1, 2"]),
        ([b"Foo: 1 ,\t2"], [b"Foo: 1", b"foo: 2"]),
        ([b"Accept-Language: en, de"], [b"Accept-Language: de, en"]),
        ([b"Accept-Language: en, de"], [b"Accept-Language: eN, De"]),
        ([b"Accept-Language: en, de"], [b"Accept-Language: en ,   de"]),
        ([b"Accept-Language: en;q=0.5, de"], [b"Accept-Language: de;q=1.0", b"accept-language: en ; Q=0.50"]),
        ([b"Accept-Encoding: gzip, br"], [b"Accept-Encoding: BR,,x-gzip;q=1"]),
        ([b"Accept-Encoding: gzip;q=0, br"], [b"Accept-Encoding: gzip;q=0., br;q=1."]),
        ([b"Accept-Encoding: " + b"a, " * 50 + b"b"], [b"Accept-Encoding: b, a"]),
    ],
)
def test_values_that_mean_the_same_are_the_same(one: list[bytes], other: list[bytes]) -> None:
    names = (b"accept-encoding", b"accept-language", b"foo")
    assert vary_values(_request(*one), names) == vary_values(_request(*other), names)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([b"Foo: 1"], [b"Foo: 2"]),
        ([b"Foo: 1"], []),
        # RFC 9111 4.1: absent from one is absent from both
        ([b"Foo: "], []),
        ([b"Foo: 1, 2"], [b"Foo: 2, 1"]),
        ([b"Foo: a"], [b"Foo: A"]),
        ([b'Foo: "1,2"'], [b'Foo: "1, 2"']),
        ([b"Accept-Language: en, de;q=0.5"], [b"Accept-Language: en, de"]),
        ([b"Accept-Language: en, de;q=0"], [b"Accept-Language: en"]),
        ([b"Accept-Encoding: gzip"], [b"Accept-Encoding: gzip;level=1"]),
        # what is malformed reads like nothing that is well formed
        ([b"Accept-Language: en;q=0.5"], [b"Accept-Language: en;q=500"]),
        ([b"Accept-Language: en;q=0.5, en;q=0.7"], [b"Accept-Language: en;q=0.5"]),
    ],
)
def test_values_that_may_mean_another_are_not_the_same(one: list[bytes], other: list[bytes]) -> None:
    names = (b"accept-encoding", b"accept-language", b"foo")
    assert vary_values(_request(*one), names) != vary_values(_request(*other), names)


def test_a_field_that_connection_names_counts_as_absent() -> None:
    # It does not reach the origin, which so answers as if it were not there: kept under its value, that would be what
    # everybody gets who has it.
    attack = _request(b"Connection: close, Accept-Language", b"Accept-Language: de")
    assert vary_values(attack, (b"accept-language",)) == ((b"accept-language", None),)
    entry = _chosen_by(attack, b"accept-language")
    assert not matches(entry.head, _request(b"Accept-Language: de"))
    assert matches(entry.head, _request())


@given(values())
def test_what_is_normal_stays_as_it_is(value: bytes) -> None:
    for name in (b"accept-language", b"accept-encoding", b"foo"):
        ((_, once),) = vary_values(_request(name + b": " + value), (name,))
        assert once is not None
        assert vary_values(_request(name + b": " + once), (name,)) == ((name, once),)


@given(st.lists(fields(), max_size=5), st.lists(fields(), max_size=5))
def test_no_request_and_no_response_is_too_odd(
    asked: list[tuple[bytes, bytes]], got: list[tuple[bytes, bytes]]
) -> None:
    names = vary_names(Headers([*got, *((b"Vary", value) for _, value in got)]))
    request = Headers(asked)
    if names is not None:
        entry = _chosen_by(request, *names)
        assert choose([entry], request) is entry


# -- which of several


def test_the_one_that_does_not_vary_is_for_everybody() -> None:
    entry = _entry()
    assert choose([entry], _request(b"Foo: 1")) is entry
    assert choose([], _request(b"Foo: 1")) is None


def test_each_variant_is_for_its_own_requests() -> None:
    one, two = _chosen_by(_request(b"Foo: 1"), b"foo"), _chosen_by(_request(b"Foo: 2"), b"foo")
    assert choose([one, two], _request(b"Foo: 1", b"Other: 3")) is one
    assert choose([one, two], _request(b"Foo: 2")) is two
    assert choose([one, two], _request(b"Foo: 3")) is None
    assert choose([one, two], _request()) is None


def test_all_fields_have_to_match() -> None:
    request = _request(b"Foo: 1", b"Baz: 789")
    entry = _chosen_by(request, b"foo", b"bar", b"baz")
    assert choose([entry], request) is entry
    assert choose([entry], _request(b"Foo: 1", b"Bar: abc", b"Baz: 789")) is None


@pytest.mark.parametrize("turned", [False, True])
def test_of_several_the_one_with_the_latest_date_counts(turned: bool) -> None:
    request = _request(b"Foo: 1", b"Bar: 1")
    old = _entry(vary_values(request, (b"foo",)), 2000.0, b"Date: Thu, 01 Jan 1970 00:16:40 GMT")
    new = _entry(vary_values(request, (b"bar",)), 1500.0, b"Date: Thu, 01 Jan 1970 00:18:20 GMT")
    assert choose([new, old] if turned else [old, new], request) is new


@pytest.mark.parametrize("turned", [False, True])
def test_without_dates_it_is_the_one_that_came_last(turned: bool) -> None:
    old, new = _entry(came=1000.0), _entry(came=2000.0)
    assert choose([new, old] if turned else [old, new], _request()) is new


def test_beside_others_one_without_vary_is_for_those_who_want_nothing_in_particular() -> None:
    # RFC 9111 4.1: the default of a resource often lacks Vary.
    told, untold = _chosen_by(_request(b"Foo: 1"), b"foo"), _entry(came=3000.0)
    assert choose([told, untold], _request(b"Foo: 1")) is told
    assert choose([told, untold], _request(b"Foo: 2")) is None
    assert choose([told, untold], _request(b"Bar: 2")) is untold
    assert choose([told, untold, _chosen_by(_request(), b"foo")], _request()) is not untold


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (b"fr;q=0.5, de;q=1.0", True),
        (b"DE", True),
        (b"de, fr", False),
        (b"fr, de;q=0.5", False),
        (b"de;q=0", False),
        (b"*", False),
        (b"de;q=x", False),
    ],
)
def test_a_variant_in_the_language_that_is_wanted_most_serves_as_well(wanted: bytes, found: bool) -> None:
    stored = vary_values(_request(b"Accept-Language: en, de", b"Foo: 1"), (b"accept-language", b"foo"))
    entry = _entry(stored, 1000.0, b"Content-Language: De")
    chosen = choose([entry], _request(b"Accept-Language: " + wanted, b"Foo: 1"))
    assert chosen is (entry if found else None)
    assert choose([entry], _request(b"Accept-Language: " + wanted, b"Foo: 2")) is None


def test_a_language_means_nothing_where_the_response_was_not_chosen_by_it() -> None:
    entry = _entry(vary_values(_request(b"Foo: 1"), (b"foo",)), 1000.0, b"Content-Language: de")
    assert choose([entry], _request(b"Accept-Language: de")) is None


# -- what a new one replaces


def test_a_new_variant_replaces_the_one_of_the_same_values() -> None:
    one, two = _chosen_by(_request(b"Foo: 1"), b"foo"), _chosen_by(_request(b"Foo: 2"), b"foo")
    request = _request(b"Foo: 1")
    assert superseded([one, two], _chosen_by(request, b"foo").head, request) == [one]


def test_what_has_ceased_to_vary_replaces_all_variants() -> None:
    # They would be chosen before it for ever.
    variants = [_chosen_by(_request(b"Foo: 1"), b"foo"), _chosen_by(_request(b"Foo: 2"), b"foo"), _entry()]
    new = _entry().head
    assert superseded(variants, new, _request(b"Foo: 1")) == variants
    assert superseded(variants, new, _request(b"Foo: 3")) == variants
    assert superseded(variants, new, _request(b"Bar: 1")) == variants[2:]
