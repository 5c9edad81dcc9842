"""Tests of how old a response is when it comes, and for how long it is fresh (RFC 9111 section 4.2)."""

from __future__ import annotations

import time
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txproxy.cache.cache_control import MOST_SECONDS, of_response
from txproxy.cache.freshness import age_value, freshness, initial_age
from txproxy.cache.policy import CachePolicy
from txproxy.cache.stored import Freshness
from txproxy.wire.headers import Headers

Fields: TypeAlias = "dict[str, bytes | str | int]"

NOW = 1795924800.0
PLAIN = CachePolicy()
CDN = CachePolicy(targeted=(b"cdn-cache-control",))


def _date(seconds: float) -> bytes:
    """A time from now, as a date."""
    return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(NOW + seconds)).encode("ascii")


def _headers(fields: Fields) -> Headers:
    """Numbers are dates, in seconds from now."""
    return Headers([(name.encode(), _value(value)) for name, value in fields.items()])


def _value(value: bytes | str | int) -> bytes:
    if isinstance(value, int):
        return _date(value)
    return value.encode() if isinstance(value, str) else value


def _freshness(
    fields: Fields,
    policy: CachePolicy = PLAIN,
    status: int = 200,
    delay: float = 0.0,
    **more: Any,
) -> Freshness:
    headers = _headers(fields)
    said, is_targeted = of_response(headers, policy.targeted)
    return freshness(status, said, headers, (NOW - delay, NOW), policy, is_targeted=is_targeted, **more)


@pytest.mark.parametrize(
    ("value", "age"),
    [
        (None, 0),
        (b"7200", 7200),
        (b"0", 0),
        (b"abc", 0),
        (b"-7200", 0),
        (b"7200.0", 0),
        (b"7200;foo=bar", 0),
        (b"", 0),
        (b"2147483647", 2147483647),
        (b"2147483648", 2147483648),
        (b"2147483649", 2147483648),
        (b"9" * 5000, 2147483648),
        # Section 5.1: of several the first.
        (b"7200, 0", 7200),
        (b"0, 7200", 0),
        (b"7200 ,0", 7200),
        (b"abc, 7200", 0),
    ],
)
def test_the_field_age(value: bytes | None, age: int) -> None:
    assert age_value(value) == age


@pytest.mark.parametrize(
    ("fields", "delay", "age"),
    [
        ({}, 0.0, 0.0),
        ({"Date": 0}, 0.0, 0.0),
        # The apparent age, the corrected one, and the larger of both.
        ({"Date": -30}, 0.0, 30.0),
        ({"Age": "10"}, 0.0, 10.0),
        ({"Age": "10"}, 2.5, 12.5),
        ({"Date": -30, "Age": "10"}, 2.5, 30.0),
        ({"Date": -30, "Age": "40"}, 2.5, 42.5),
        ({"Date": 30}, 2.5, 2.5),
        ({"Date": "foo"}, 2.5, 2.5),
        ({"Date": "foo", "Age": "3"}, 0.0, 3.0),
        # A clock that was set back makes nothing younger.
        ({"Age": "10"}, -100.0, 10.0),
    ],
)
def test_the_initial_age(fields: Fields, delay: float, age: float) -> None:
    assert initial_age(_headers(fields), NOW - delay, NOW) == age


def test_what_was_sent_within_this_second_is_not_old() -> None:
    assert initial_age(_headers({"Date": 0}), NOW + 0.5, NOW + 0.75) == 0.25


@pytest.mark.parametrize(
    ("fields", "lifetime"),
    [
        ({"Cache-Control": "max-age=3600"}, 3600),
        ({"Cache-Control": "max-age=0"}, 0),
        ({"Cache-Control": "max-age=99999999999"}, MOST_SECONDS),
        ({"Cache-Control": "s-maxage=3600"}, 3600),
        # Section 4.2.1: s-maxage over max-age over Expires.
        ({"Cache-Control": "max-age=3600, s-maxage=1"}, 1),
        ({"Cache-Control": "s-maxage=1, max-age=3600"}, 1),
        ({"Cache-Control": "max-age=1, s-maxage=3600"}, 3600),
        ({"Cache-Control": "max-age=0, s-maxage=3600", "Expires": -10}, 3600),
        ({"Cache-Control": "max-age=3600", "Expires": -7200, "Date": 0}, 3600),
        ({"Cache-Control": "max-age=3600", "Expires": "0", "Date": 0}, 3600),
        ({"Cache-Control": "max-age=0", "Expires": 3600, "Date": 0}, 0),
        # Section 5.3: Expires less Date.
        ({"Expires": 3600, "Date": 0}, 3600),
        ({"Expires": 3600, "Date": -100}, 3700),
        ({"Expires": 300, "Date": 400}, 0),
        ({"Expires": 0, "Date": 0}, 0),
        ({"Expires": -3600, "Date": 0}, 0),
        ({"Expires": 3600}, 3600),
        ({"Expires": 10, "Date": "foo"}, 10),
        ({"Expires": "0", "Date": 0}, 0),
        ({"Expires": "-1"}, 0),
        ({"Expires": ""}, 0),
        ({"Expires": "Thursday, 18-Aug-50 02:01:18 GMT"}, 748476078),
        ({"Expires": "Thu, 18 Aug 2050 02:01:18 UTC"}, 0),
        ({"Expires": _date(10) + b", " + _date(10)}, 0),
    ],
)
def test_what_a_response_says_of_its_lifetime(fields: Fields, lifetime: float) -> None:
    found = _freshness(fields)
    assert found.lifetime == lifetime
    assert found.explicit


@pytest.mark.parametrize(
    ("fields", "lifetime", "explicit"),
    [
        ({"CDN-Cache-Control": "max-age=3600", "Cache-Control": "max-age=1"}, 3600, True),
        ({"CDN-Cache-Control": "max-age=1", "Cache-Control": "s-maxage=3600"}, 1, True),
        ({"CDN-Cache-Control": "max-age=3600", "Expires": -10000, "Date": 0}, 3600, True),
        ({"CDN-Cache-Control": "max-age=0", "Expires": 10000, "Date": 0}, 0, True),
        ({"CDN-Cache-Control": "foo", "Cache-Control": "max-age=60", "Expires": 60}, 0, False),
        ({"CDN-Cache-Control": "max-age=x", "Cache-Control": "max-age=60"}, 60, True),
        ({"CDN-Cache-Control": "max-age=x", "Expires": 60}, 60, True),
    ],
)
def test_a_targeted_field_is_in_place_of_cache_control_and_expires(
    fields: Fields, lifetime: float, explicit: bool
) -> None:
    found = _freshness(fields, CDN)
    assert (found.lifetime, found.explicit) == (lifetime, explicit)


@pytest.mark.parametrize("status", [200, 203, 204, 300, 301, 308, 404, 410])
def test_a_tenth_of_the_time_since_it_was_changed(status: int) -> None:
    found = _freshness({"Last-Modified": -3600, "Date": 0}, status=status)
    assert (found.lifetime, found.explicit) == (360.0, False)


@pytest.mark.parametrize("status", [405, 414, 501])
def test_the_same_for_errors_is_short(status: int) -> None:
    assert _freshness({"Last-Modified": -3600, "Date": 0}, status=status).lifetime == 10.0


@pytest.mark.parametrize("status", [201, 202, 302, 303, 307, 403, 500, 502, 503, 504, 599])
def test_nothing_is_guessed_for_other_statuses_unless_they_are_public(status: int) -> None:
    assert _freshness({"Last-Modified": -3600, "Date": 0}, status=status).lifetime == 0.0
    found = _freshness({"Last-Modified": -3600, "Date": 0, "Cache-Control": "public"}, status=status)
    assert found.lifetime == (360.0 if status < 400 else 10.0)
    assert not found.explicit


@pytest.mark.parametrize(
    ("fields", "policy", "lifetime"),
    [
        ({}, PLAIN, 0.0),
        ({"Date": 0}, PLAIN, 0.0),
        ({"Last-Modified": "foo"}, PLAIN, 0.0),
        ({"Last-Modified": 100, "Date": 0}, PLAIN, 0.0),
        # From Date, else from when it came.
        ({"Last-Modified": -1000, "Date": 1000}, PLAIN, 200.0),
        ({"Last-Modified": -1000}, PLAIN, 100.0),
        ({"Last-Modified": -1000, "Date": "foo"}, PLAIN, 100.0),
        # A day at most.
        ({"Last-Modified": -100 * 86400}, PLAIN, 86400.0),
        ({"Last-Modified": -100 * 86400}, CachePolicy(heuristic_max=60.0), 60.0),
        ({"Last-Modified": -1000}, CachePolicy(heuristic_fraction=0.5), 500.0),
        ({"Last-Modified": -1000}, CachePolicy(heuristic_fraction=0.0), 0.0),
    ],
)
def test_what_is_guessed(fields: Fields, policy: CachePolicy, lifetime: float) -> None:
    assert _freshness(fields, policy).lifetime == lifetime


def test_nothing_is_guessed_of_what_may_be_for_somebody() -> None:
    assert _freshness({"Last-Modified": -1000}, personal=True).lifetime == 0.0
    assert _freshness({"Last-Modified": -1000, "Cache-Control": "public"}, personal=True).lifetime == 0.0
    assert _freshness({"Cache-Control": "max-age=60"}, personal=True).lifetime == 60.0


@pytest.mark.parametrize(
    ("status", "lifetime"), [(200, 600.0), (302, 600.0), (404, 600.0), (410, 600.0), (400, 10.0), (503, 10.0)]
)
def test_errors_are_soon_forgotten(status: int, lifetime: float) -> None:
    assert _freshness({"Cache-Control": "max-age=600"}, status=status).lifetime == lifetime
    assert _freshness({"Cache-Control": "max-age=5"}, status=status).lifetime == 5.0
    # However old they are when they come.
    aged = _freshness({"Cache-Control": "max-age=600", "Age": "100"}, status=status)
    assert aged.lifetime - aged.initial_age == (500.0 if lifetime > 10.0 else 10.0)


def test_a_rule_may_keep_errors_longer() -> None:
    fields: Fields = {"Cache-Control": "max-age=600"}
    assert _freshness(fields, CachePolicy(error_ttl=60.0), status=503).lifetime == 60.0
    assert _freshness(fields, CachePolicy(ttl={"5xx": 90.0}), status=503).lifetime == 600.0
    assert _freshness({}, CachePolicy(ttl={"5xx": 90.0}), status=503).lifetime == 90.0
    assert _freshness({}, CachePolicy(ttl={"4xx": 90.0}), status=503).lifetime == 0.0


@pytest.mark.parametrize(
    ("fields", "policy", "left", "explicit"),
    [
        # In place of what a response does not say, counted from when it came.
        ({}, {"ttl": {200: 600.0}}, 600.0, False),
        ({"Age": "100"}, {"ttl": {200: 600.0}}, 600.0, False),
        ({"Last-Modified": -100}, {"ttl": {200: 600.0}}, 600.0, False),
        ({"Last-Modified": -100000}, {"ttl": {200: 5.0}}, 5.0, False),
        ({"Cache-Control": "max-age=60"}, {"ttl": {200: 600.0}}, 60.0, True),
        ({"Cache-Control": "max-age=0"}, {"ttl": {200: 600.0}}, 0.0, True),
        ({"Expires": "0"}, {"ttl": {200: 600.0}}, 0.0, True),
        ({"Cache-Control": "max-age=60"}, {"ttl": {200: 600.0}, "override_expire": True}, 600.0, False),
        ({"Cache-Control": "max-age=600"}, {"ttl": {200: 60.0}, "override_expire": True}, 60.0, False),
        ({"Cache-Control": "max-age=60"}, {"ttl": {404: 600.0}, "override_expire": True}, 60.0, True),
        # The least, where it says nothing and nothing can be guessed.
        ({}, {"min_ttl": 60.0}, 60.0, False),
        ({"Last-Modified": -100}, {"min_ttl": 60.0}, 10.0, False),
        ({"Last-Modified": 0}, {"min_ttl": 60.0}, 60.0, False),
        ({"Last-Modified": -100}, {"min_ttl": 60.0, "override_lastmod": True}, 60.0, False),
        ({"Last-Modified": -1000}, {"min_ttl": 60.0, "override_lastmod": True}, 100.0, False),
        ({"Cache-Control": "max-age=5"}, {"min_ttl": 60.0}, 5.0, True),
        ({"Cache-Control": "max-age=5"}, {"min_ttl": 60.0, "override_expire": True}, 60.0, False),
        ({"Cache-Control": "max-age=100"}, {"min_ttl": 60.0, "override_expire": True}, 100.0, True),
        # The most bounds all.
        ({"Cache-Control": "max-age=100"}, {"max_ttl": 60.0}, 60.0, True),
        ({"Cache-Control": "max-age=100", "Age": "20"}, {"max_ttl": 60.0}, 60.0, True),
        ({"Cache-Control": "max-age=100", "Age": "80"}, {"max_ttl": 60.0}, 20.0, True),
        ({"Last-Modified": -1000}, {"max_ttl": 60.0}, 60.0, False),
        ({}, {"ttl": {200: 600.0}, "max_ttl": 60.0}, 60.0, False),
    ],
)
def test_what_a_rule_makes_of_it(fields: Fields, policy: dict[str, Any], left: float, explicit: bool) -> None:
    found = _freshness(fields, CachePolicy(**policy))
    assert (found.lifetime - found.initial_age, found.explicit) == (left, explicit)


def test_a_rule_that_does_not_apply_lets_it_be_as_it_says() -> None:
    policy = CachePolicy(ttl={200: 600.0}, min_ttl=60.0, override_expire=True)
    assert _freshness({"Cache-Control": "max-age=5"}, policy, by_rule=False).lifetime == 5.0
    assert _freshness({}, policy, by_rule=False).lifetime == 0.0
    assert _freshness({"Last-Modified": -100}, policy, by_rule=False).lifetime == 10.0


def test_the_least_is_for_statuses_that_can_be_kept_without_a_word() -> None:
    assert _freshness({}, CachePolicy(min_ttl=60.0), status=302).lifetime == 0.0
    assert _freshness({"Cache-Control": "public"}, CachePolicy(min_ttl=60.0), status=302).lifetime == 60.0


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("max-age=1", {}),
        ("no-cache", {"validate": True}),
        ("must-revalidate", {"never_stale": True}),
        ("proxy-revalidate", {"never_stale": True}),
        ("s-maxage=1", {"never_stale": True}),
        ("immutable", {"immutable": True}),
        ("stale-while-revalidate=60", {"while_revalidate": 60}),
        ("stale-if-error=60", {"if_error": 60}),
        ("stale-if-error=0", {"if_error": 0}),
    ],
)
def test_what_else_it_says_of_its_use(value: str, said: dict[str, Any]) -> None:
    found = _freshness({"Cache-Control": value})
    usual = {"validate": False, "never_stale": False, "immutable": False, "while_revalidate": 0.0, "if_error": None}
    assert {name: getattr(found, name) for name in usual} == {**usual, **said}


def test_windows_of_a_rule_are_for_those_that_name_none() -> None:
    policy = CachePolicy(stale_while_revalidate=30.0)
    assert _freshness({"Cache-Control": "max-age=1"}, policy).while_revalidate == 30.0
    assert _freshness({"Cache-Control": "stale-while-revalidate=0"}, policy).while_revalidate == 0
    # An error that is over does not come back.
    assert _freshness({"Cache-Control": "max-age=1"}, policy, status=503).while_revalidate == 0.0
    assert _freshness({"Cache-Control": "max-age=1"}, policy, status=503).if_error == 0.0
    assert _freshness({"Cache-Control": "max-age=1, stale-if-error=5"}, policy, status=503).if_error == 5


_NAMES = st.sampled_from([b"Age", b"Date", b"Expires", b"Last-Modified", b"Cache-Control"])
_VALUES = st.binary(max_size=40) | st.sampled_from([b"0", b"max-age=5", _date(5), _date(-5000), b"9" * 30])


@given(
    st.lists(
        st.tuples(st.sampled_from([b"Age", b"Date", b"Expires", b"Last-Modified", b"Cache-Control"]), _VALUES),
        max_size=7,
    ),
    st.integers(200, 599),
    st.floats(-100.0, 100.0),
)
def test_no_response_is_too_odd(fields: list[tuple[bytes, bytes]], status: int, delay: float) -> None:
    headers = Headers.parsed([name + b": " + value for name, value in fields])
    found = freshness(status, of_response(headers)[0], headers, (NOW - delay, NOW), PLAIN)
    assert found.lifetime >= 0
    assert found.initial_age >= 0
