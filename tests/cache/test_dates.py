"""Tests of the dates of HTTP (RFC 9110 section 5.6.7), which a cache reads as RFC 9111 section 4.2 has it."""

from __future__ import annotations

import calendar
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txproxy.cache.dates import http_date, written_date

NOW = calendar.timegm((2026, 11, 29, 4, 0, 0))
EXAMPLE = 784111777


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        # The three of RFC 9110.
        (b"Sun, 06 Nov 1994 08:49:37 GMT", EXAMPLE),
        (b"Sunday, 06-Nov-94 08:49:37 GMT", EXAMPLE),
        (b"Sun Nov  6 08:49:37 1994", EXAMPLE),
        (b"Wed Nov 16 08:49:37 1994", EXAMPLE + 10 * 86400),
        # RFC 9111 4.2: without regard to case.
        (b"SUN, 06 Nov 1994 08:49:37 GMT", EXAMPLE),
        (b"Sun, 06 NOV 1994 08:49:37 GMT", EXAMPLE),
        (b"Sun, 06 Nov 1994 08:49:37 gMT", EXAMPLE),
        # The day is one, but not that of this date.
        (b"Mon, 06 Nov 1994 08:49:37 GMT", EXAMPLE),
        (b"Thu, 01 Jan 1970 00:00:00 GMT", 0),
        (b"Tue, 19 Jan 2038 14:14:08 GMT", 2147523248),
        (b"Sun, 21 Nov 2286 04:46:39 GMT", 10000039599),
        (b"Thu, 29 Feb 2024 00:00:00 GMT", 1709164800),
        (b"Sat, 31 Dec 2016 23:59:60 GMT", 1483228800),
    ],
)
def test_a_date(value: bytes, seconds: int) -> None:
    assert http_date(value, NOW) == seconds


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"0",
        b"-1",
        b"Sun, 06 Nov 1994 08:49:37 UTC",
        b"Sun, 06 Nov 1994 08:49:37 +0000",
        b"Sun, 06 Nov 1994 08:49:37 AEST",
        b"Sun, 06 Nov 1994 08:49:37",
        b"Sun, 06 Nov 94 08:49:37 GMT",
        b"Sun 06 Nov 1994 08:49:37 GMT",
        b"Sun, 06  Nov  1994 08:49:37 GMT",
        b"Sun, 06-Nov-1994 08:49:37 GMT",
        b"Sun, 06 Nov 1994 08.49.37 GMT",
        b"Sun, 06 Nov 1994 8:49:37 GMT",
        b"Sun, 6 Nov 1994 08:49:37 GMT",
        b"Sunday, 06 Nov 1994 08:49:37 GMT",
        b"Sun, 06-Nov-94 08:49:37 GMT",
        b"Son, 06 Nov 1994 08:49:37 GMT",
        b"Sun, 06 Nov 1994 08:49:37 GMT ",
        b" Sun, 06 Nov 1994 08:49:37 GMT",
        b"Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
        b"Sun, 00 Nov 1994 08:49:37 GMT",
        b"Sun, 31 Nov 1994 08:49:37 GMT",
        b"Wed, 29 Feb 2023 08:49:37 GMT",
        b"Sun, 06 Nov 1994 24:00:00 GMT",
        b"Sun, 06 Nov 1994 08:60:00 GMT",
        b"Sun, 06 Nov 1994 08:49:61 GMT",
        b"Sun, 06 Nov 0000 08:49:37 GMT",
        b"Sun Nov 6 08:49:37 1994",
        b"Sun Nov  6 08:49:37 1994 GMT",
        b"Sun Nov 06 08:49:37 94",
        "Sun, 0٦ Nov 1994 08:49:37 GMT".encode(),
    ],
)
def test_what_is_no_date(value: bytes | None) -> None:
    assert http_date(value, NOW) is None


@pytest.mark.parametrize(("digits", "year"), [(26, 2026), (76, 2076), (77, 1977), (99, 1999), (0, 2000)])
def test_a_year_of_two_digits_is_at_most_50_years_ahead(digits: int, year: int) -> None:
    value = b"Sunday, 06-Nov-%02d 08:49:37 GMT" % digits
    assert http_date(value, NOW) == calendar.timegm((year, 11, 6, 8, 49, 37))


def test_a_year_of_two_digits_late_in_a_century() -> None:
    late = calendar.timegm((2080, 1, 1, 0, 0, 0))
    assert http_date(b"Sunday, 06-Nov-10 08:49:37 GMT", late) == calendar.timegm((2110, 11, 6, 8, 49, 37))
    assert http_date(b"Sunday, 06-Nov-40 08:49:37 GMT", late) == calendar.timegm((2040, 11, 6, 8, 49, 37))


@given(st.integers(min_value=0, max_value=4102444800))
def test_what_is_written_as_a_date_is_read_as_the_same(seconds: int) -> None:
    form = time.gmtime(seconds)
    assert http_date(time.strftime("%a, %d %b %Y %H:%M:%S GMT", form).encode(), NOW) == seconds
    assert http_date(time.asctime(form).encode(), NOW) == seconds
    assert http_date(written_date(seconds + 0.9), NOW) == seconds


@given(st.binary(max_size=40) | st.from_regex(rb"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} ..:..:.. GMT"))
def test_no_value_is_too_odd(value: bytes) -> None:
    http_date(value, NOW)


def test_a_date_is_written_in_the_form_that_is_sent() -> None:
    assert written_date(784111777.9) == b"Sun, 06 Nov 1994 08:49:37 GMT"
