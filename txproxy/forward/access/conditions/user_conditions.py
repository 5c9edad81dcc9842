"""Conditions on who sends a request: users, their groups, and what they have used already."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from txproxy.errors import ConfigError
from txproxy.forward.access.conditions.condition_type import ConditionType, Surroundings, Test
from txproxy.forward.request.facts import Facts

_USED: Final = re.compile(r"([0-9]{1,15})([kKmMgG]?)(?:/(day|month))?")
_UNITS: Final = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def _name(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ConfigError(f"{text!r} is no name", "accepted is one such as alice, or * for anyone who has one")
    return text


def _name_covers(one: str, other: str) -> bool:
    return one in ("*", other)


def _users_test(values: Sequence[str], _: Surroundings) -> Test:
    known = frozenset(values)
    if "*" in known:
        return lambda facts: facts.user is not None
    return lambda facts: facts.user in known


def _groups_test(values: Sequence[str], _: Surroundings) -> Test:
    known = frozenset(values)
    if "*" in known:
        return lambda facts: bool(facts.groups)
    return lambda facts: not known.isdisjoint(facts.groups)


def _used(text: str) -> tuple[int, str]:
    match = _USED.fullmatch(text)
    if match is None:
        raise ConfigError(f"{text!r} is no amount", "accepted are bytes such as 500M, 1G/day, 20G/month")
    return int(match[1]) * _UNITS[match[2].lower()], match[3] or "day"


def _used_covers(one: tuple[int, str], other: tuple[int, str]) -> bool:
    return one[1] == other[1] and one[0] <= other[0]


def _used_test(values: Sequence[tuple[int, str]], surroundings: Surroundings) -> Test:
    usage = surroundings.usage
    if usage is None:
        return lambda _: False
    return lambda facts: any(usage(facts.client_ip, facts.user, period) > limit for limit, period in values)


def _who(facts: Facts) -> str:
    return facts.user or facts.client_ip


USER: Final = ConditionType(
    "users", _name, _users_test, "user", lambda facts, _: f"user {facts.user or '(none)'}", _name_covers
)
GROUP: Final = ConditionType(
    "groups",
    _name,
    _groups_test,
    "groups",
    lambda facts, _: f"group {' '.join(sorted(facts.groups)) or '(none)'}",
    _name_covers,
)
USE: Final = ConditionType(
    "used_more_than",
    _used,
    _used_test,
    "",
    lambda facts, _: f"what {_who(facts)} has used",
    _used_covers,
    ("is over", "is not over"),
    numbers=True,
)
