"""Conditions on when a request comes: hours and days."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from txproxy.errors import ConfigError
from txproxy.forward.access.conditions.condition_type import ConditionType, Surroundings, Test
from txproxy.forward.request.facts import Facts

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY: Final = 24 * 60
_HOURS: Final = re.compile(r"([01]?[0-9]|2[0-4]):([0-5][0-9])-([01]?[0-9]|2[0-4]):([0-5][0-9])")


def _hours(text: str) -> tuple[int, int]:
    match = _HOURS.fullmatch(text)
    numbers = [int(number) for number in match.groups()] if match is not None else [0, 0, 0, 0]
    start, end = numbers[0] * 60 + numbers[1], numbers[2] * 60 + numbers[3]
    if start == end or start >= _DAY or end > _DAY:
        raise ConfigError(f"{text!r} are no hours", "accepted is a time of day to another, 08:00-18:00 or 22:00-06:00")
    return start, end


def _hours_cover(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one == other or (one[0] <= other[0] < other[1] <= one[1])


def _hours_test(values: Sequence[tuple[int, int]], surroundings: Surroundings) -> Test:
    now = surroundings.now

    def test(_: Facts) -> bool:
        moment = now()
        minute = moment.hour * 60 + moment.minute
        return any(start <= minute < end if start < end else minute >= start or minute < end for start, end in values)

    return test


def _days(text: str) -> frozenset[int]:
    first, dash, last = text.strip().lower().partition("-")
    if first not in DAYS or (dash and last not in DAYS):
        raise ConfigError(f"{text!r} is no day", f"accepted: {', '.join(DAYS)}, or a range such as mon-fri")
    start = DAYS.index(first)
    count = (DAYS.index(last) - start) % 7 + 1 if dash else 1
    return frozenset((start + day) % 7 for day in range(count))


def _days_cover(one: frozenset[int], other: frozenset[int]) -> bool:
    return other <= one


def _days_test(values: Sequence[frozenset[int]], surroundings: Surroundings) -> Test:
    now = surroundings.now
    days = frozenset().union(*values)
    return lambda _: now().weekday() in days


HOURS: Final = ConditionType(
    "hours",
    _hours,
    _hours_test,
    "",
    lambda _, surroundings: f"time {surroundings.now():%H:%M}",
    _hours_cover,
    listed=True,
)
DAY: Final = ConditionType(
    "days",
    _days,
    _days_test,
    "",
    lambda _, surroundings: f"day {DAYS[surroundings.now().weekday()]}",
    _days_cover,
    listed=True,
)
