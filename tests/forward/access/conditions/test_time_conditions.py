"""Conditions on when a request comes."""

import datetime

import pytest

from tests.forward.access.conditions.asking import fits, request


@pytest.mark.parametrize(
    ("key", "value", "moment", "expected"),
    [
        ("hours", "08:00-18:00", "2024-01-01 08:00:00", True),
        ("hours", "08:00-18:00", "2024-01-01 17:59:59", True),
        ("hours", "08:00-18:00", "2024-01-01 18:00:00", False),
        ("hours", "08:00-18:00", "2024-01-01 07:59:59", False),
        ("hours", "8:00-12:00, 13:00-24:00", "2024-01-01 23:59:59", True),
        ("hours", ["8:00-12:00", "13:00-17:00"], "2024-01-01 12:30:00", False),
        ("hours", "22:00-06:00", "2024-01-01 23:00:00", True),
        ("hours", "22:00-06:00", "2024-01-01 05:59:00", True),
        ("hours", "22:00-06:00", "2024-01-01 06:00:00", False),
        ("hours", "08:30-18:15", "2024-01-01 08:29:59", False),
        ("hours", "08:30-18:15", "2024-01-01 08:30:00", True),
        ("hours", "08:30-18:15", "2024-01-01 18:14:59", True),
        ("hours", "08:30-18:15", "2024-01-01 18:15:00", False),
        ("not_hours", "08:00-18:00", "2024-01-01 12:00:00", False),
        # 1 January 2024 was a Monday.
        ("days", "mon-fri", "2024-01-01 12:00:00", True),
        ("days", "mon-fri", "2024-01-06 12:00:00", False),
        ("days", "Sat,Sun", "2024-01-06 12:00:00", True),
        ("days", ["sat", "mon"], "2024-01-07 12:00:00", False),
        ("days", "fri-mon", "2024-01-07 12:00:00", True),
        ("days", "fri-mon", "2024-01-02 12:00:00", False),
        ("not_days", "sun", "2024-01-07 12:00:00", False),
    ],
)
def test_times(key, value, moment, expected):
    now = datetime.datetime.fromisoformat(moment)
    assert fits(key, value, request(), now=lambda: now) is expected
