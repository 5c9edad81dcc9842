"""Rates as texts."""

import pytest

from txproxy.components.rates import Rate, parse_rate
from txproxy.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "rate", "interval", "at_once"),
    [
        ("100/s", Rate(100, 1), 0.01, 100),
        ("10/s:burst=50", Rate(10, 1, 50), 0.1, 50),
        ("30/m", Rate(30, 60), 2.0, 30),
        ("60/h:burst=1", Rate(60, 3600, 1), 60.0, 1),
        ("1/d", Rate(1, 86400), 86400.0, 1),
    ],
)
def test_a_rate_is_a_number_for_each_unit(text, rate, interval, at_once):
    assert parse_rate(text) == rate
    assert (rate.interval, rate.at_once, str(rate)) == (interval, at_once, text)


@pytest.mark.parametrize(
    "text",
    ["", "10", "10/", "/s", "0/s", "10/w", "-1/s", "1.5/s", "10/s:burst=0", "10/s:burst=", "10/s:x=1", "\u0661/s"],
)
def test_what_is_none_is_said_with_what_is_accepted(text):
    with pytest.raises(ConfigError, match=r"is no rate; accepted is a number for each s, m, h or d, such as 100/s"):
        parse_rate(text)
