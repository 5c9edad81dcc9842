"""What a type of condition is, and what conditions ask beside the request."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import attrs

from txproxy.forward.blocklists.filtering import Filters
from txproxy.forward.request.facts import Facts

Test: TypeAlias = "Callable[[Facts], bool]"
Usage: TypeAlias = "Callable[[str, str | None, str], int]"
"""Bytes that a client (address, user or None) has used in the running ``day`` or ``month``."""


@attrs.frozen(kw_only=True)
class Surroundings:
    """What conditions ask beside the request: the time, what a client has used, and the lists."""

    now: Callable[[], datetime.datetime] = datetime.datetime.now
    usage: Usage | None = None
    lists: Filters | None = None


def _equal(one: Any, other: Any) -> bool:
    return bool(one == other)


@attrs.frozen
class ConditionType:
    """One type of condition: how a value of it is written, what it asks of a request, and which of two values asks for
    less. ``fact`` is the attribute of ``Facts`` that its answer follows from alone, and empty where
    it follows from more, or changes by itself. ``says`` tells the fact for an explanation, and ``verbs`` how it stands
    to a condition that it fulfils, and to one that it does not.
    """

    key: str
    parse: Callable[[Any], Any]
    test: Callable[[Sequence[Any], Surroundings], Test]
    fact: str
    says: Callable[[Facts, Surroundings], str]
    covers: Callable[[Any, Any], bool] = _equal
    verbs: tuple[str, str] = ("is in", "is not in")
    listed: bool = False
    """Whether one text may hold several values, with commas between."""
    numbers: bool = False
    """Whether values may be numbers as well as texts."""
