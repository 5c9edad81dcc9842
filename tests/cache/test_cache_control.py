"""Tests of Cache-Control, of the fields that are targeted at caches, and of Pragma."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from txproxy.cache.cache_control import MOST_SECONDS, Directives, directives, of_request, of_response, targeted
from txproxy.wire.headers import Headers

CDN = (b"cdn-cache-control",)


def _said(found: Directives | None) -> dict[str, Any] | None:
    """What differs from saying nothing."""
    if found is None:
        return None
    return {name: value for name, value in attrs.asdict(found).items() if value is not False and value is not None}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, {}),
        (b"", {}),
        (b"max-age=3600", {"max_age": 3600}),
        (b"foobar, max-age=3600", {"max_age": 3600}),
        (b"MaX-aGe=3600, nO-StOrE", {"max_age": 3600, "no_store": True}),
        (b" max-age=3600 ,\tpublic\t,, ,", {"max_age": 3600, "public": True}),
        (
            b"s-maxage=1,private,no-cache,must-revalidate,proxy-revalidate,must-understand,immutable",
            {
                "s_maxage": 1,
                "private": True,
                "no_cache": True,
                "must_revalidate": True,
                "proxy_revalidate": True,
                "must_understand": True,
                "immutable": True,
            },
        ),
        (b"stale-while-revalidate=60, stale-if-error=70", {"stale_while_revalidate": 60, "stale_if_error": 70}),
        (b"only-if-cached, min-fresh=5, max-stale=6", {"only_if_cached": True, "min_fresh": 5, "max_stale": 6}),
        (b"max-stale", {"max_stale": MOST_SECONDS}),
        # Section 4.2.1: the first of several counts.
        (b"max-age=1800, max-age=1", {"max_age": 1800}),
        (b"max-age=1, max-age=1800", {"max_age": 1}),
        (b"max-age=x, max-age=1800", {"max_age": 0}),
        # What stands in a quoted string is not said.
        (b'extension="max-age=3600", max-age=1', {"max_age": 1}),
        (b'max-age=1, extension="max-age=3600"', {"max_age": 1}),
        (b'extension="a, no-store, b\\", private", public', {"public": True}),
        (b'"no-store", public', {"public": True}),
        # Section 5.2: both forms of an argument.
        (b'max-age="3600"', {"max_age": 3600}),
        (b'extension="max-age=100", max-age="1"', {"max_age": 1}),
        # Section 1.2.2.
        (b"max-age=003600", {"max_age": 3600}),
        (b"max-age=0", {"max_age": 0}),
        (b"max-age=2147483647", {"max_age": 2147483647}),
        (b"max-age=2147483648", {"max_age": 2147483648}),
        (b"max-age=2147483649", {"max_age": 2147483648}),
        (b"max-age=99999999999", {"max_age": 2147483648}),
        (b"max-age=" + b"9" * 5000, {"max_age": 2147483648}),
        (b"max-age=" + b"0" * 5000 + b"7", {"max_age": 7}),
        # What is no time is stale.
        (b"max-age", {"max_age": 0}),
        (b"max-age=", {"max_age": 0}),
        (b"max-age=-3600", {"max_age": 0}),
        (b"max-age=+3600", {"max_age": 0}),
        (b"max-age=3600.0", {"max_age": 0}),
        (b"max-age=a3600", {"max_age": 0}),
        (b"max-age=3600a", {"max_age": 0}),
        (b"max-age='3600'", {"max_age": 0}),
        (b'max-age="3600', {"max_age": 0}),
        (b'max-age="36"00', {"max_age": 0}),
        (b'max-age="', {"max_age": 0}),
        (b"max-age =3600", {"max_age": 0}),
        (b"max-age= 3600", {"max_age": 0}),
        (b"max-age:3600", {"max_age": 0}),
        ("max-age=٣".encode(), {"max_age": 0}),
        # With names of fields they count as without (5.2.2.4, 5.2.2.7).
        (b'no-cache="a, b", max-age=5', {"no_cache": True, "max_age": 5}),
        (b'private="set-cookie"', {"private": True}),
        (b"no-cache=a", {"no_cache": True}),
        # What forbids counts whatever it is given, what allows does not.
        (b"no-store=1, must-revalidate=1", {"no_store": True, "must_revalidate": True}),
        (b"public=1, immutable=1, must-understand=1", {}),
        # After a quoted string without an end all is read: it may forbid something.
        (b'a="b, no-store', {"no_store": True}),
        (b'a="b\\", no-store\\', {"no_store": True}),
        (b"no-storeX, xno-store, no_store", {}),
        (b"@, =, max-age=5", {"max_age": 5}),
    ],
)
def test_what_cache_control_says(value: bytes | None, said: dict[str, Any]) -> None:
    assert _said(directives(value)) == said


def test_all_lines_count() -> None:
    headers = Headers([(b"Cache-Control", b"max-age=5"), (b"X", b"y"), (b"cache-control", b"no-cache, max-age=7")])
    said, by_target = of_response(headers)
    assert _said(said) == {"max_age": 5, "no_cache": True}
    assert not by_target


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ([(b"Pragma", b"no-cache")], {"no_cache": True}),
        ([(b"Pragma", b"foo, No-Cache")], {"no_cache": True}),
        ([(b"Pragma", b"foo")], {}),
        ([(b"Pragma", b"no-cache"), (b"Cache-Control", b"max-stale=5")], {"max_stale": 5}),
        ([(b"Pragma", b"no-cache"), (b"Cache-Control", b"")], {}),
        ([], {}),
    ],
)
def test_pragma_of_a_request_counts_where_there_is_no_cache_control(
    fields: list[tuple[bytes, bytes]], said: dict[str, Any]
) -> None:
    assert _said(of_request(Headers(fields))) == said


def test_pragma_of_a_response_means_nothing() -> None:
    assert _said(of_response(Headers([(b"Pragma", b"no-cache")]))[0]) == {}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b"max-age=3600", {"max_age": 3600}),
        (b"max-age=2147483648", {"max_age": 2147483648}),
        (b"max-age=99999999999", {"max_age": 2147483648}),
        (b"max-age=-5", {"max_age": 0}),
        (b"foobar, max-age=3600;x=y", {"max_age": 3600}),
        (b"foo", {}),
        (b"private, no-store=?0, no-cache=?1", {"private": True, "no_cache": True}),
        (b'private="a", no-cache=("a" "b")', {"private": True, "no_cache": True}),
        (b"max-age=1, max-age=5", {"max_age": 5}),
        (b"max-stale", {"max_stale": MOST_SECONDS}),
        # As if it was not there: section 2.1.
        (b"", None),
        (b"max-age=10000, &&&&&", None),
        (b"MaX-aGe=3600", None),
        (b"max-age =100", None),
        (b"max-age= 100", None),
        (b"max-age=1000000000000000", None),
        (b'max-age="10000"', None),
        (b"max-age=1.5", None),
        (b"max-age", None),
        (b"no-store=1", None),
        (b"max-age=5, public=yes", None),
    ],
)
def test_what_a_targeted_field_says(value: bytes, said: dict[str, Any] | None) -> None:
    headers = Headers([(b"CDN-Cache-Control", value), (b"Cache-Control", b"no-store")])
    assert _said(targeted(headers, CDN)) == said
    # RFC 9213 section 2.2: whole, both ways.
    assert of_response(headers, CDN)[1] == (said is not None)
    assert _said(of_response(headers, CDN)[0]) == (said if said is not None else {"no_store": True})
    assert _said(of_response(headers)[0]) == {"no_store": True}


def test_the_first_targeted_field_that_is_valid_counts() -> None:
    headers = Headers([(b"A", b"max-age"), (b"B", b"max-age=2"), (b"C", b"max-age=3")])
    assert _said(targeted(headers, (b"x", b"a", b"b", b"c"))) == {"max_age": 2}
    assert targeted(headers, (b"x", b"a")) is None


def test_lines_of_a_targeted_field_are_one_dictionary() -> None:
    headers = Headers([(b"CDN-Cache-Control", b"max-age=2"), (b"CDN-Cache-Control", b"private")])
    assert _said(targeted(headers, CDN)) == {"max_age": 2, "private": True}


_ODD = st.text(alphabet='max-age=no-store,"\\ \t01', max_size=60).map(str.encode)


@given(st.binary(max_size=80) | _ODD)
def test_no_value_is_too_odd(value: bytes) -> None:
    said = directives(value)
    for name, found in attrs.asdict(said).items():
        assert found is None or isinstance(found, bool) or 0 <= found <= MOST_SECONDS, name
    targeted(Headers.parsed([b"CDN-Cache-Control: " + value]), CDN)


@given(st.lists(_ODD.filter(lambda value: b'"' not in value), max_size=4))
def test_what_forbids_is_heard_wherever_it_stands(values: list[bytes]) -> None:
    for place in range(len(values) + 1):
        value = b", ".join([*values[:place], b"No-Store", *values[place:]])
        assert directives(value).no_store


@pytest.mark.parametrize("value", [b'"', b'"\\', b'="', b"a,", b"\\a", b'",', b"a=(", b'a="\\"'])
def test_a_long_value_is_read_once_from_end_to_end(value: bytes) -> None:
    # Whoever goes back to each beginning is at work for hours.
    value = b"no-store, " + b'a="' + value * 300000
    assert directives(value).no_store
    assert targeted(Headers.parsed([b"CDN-Cache-Control: " + value]), CDN) is None
