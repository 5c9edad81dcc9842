"""The conditions of access rules, as they are written and compared.

A condition is a list of values, of which one has to fit; ``not_`` before its key turns it round.
"""

from __future__ import annotations

from collections.abc import ItemsView, Mapping
from typing import Any

import attrs

from txproxy.components.named_code import NamedCode
from txproxy.errors import ConfigError, Finding
from txproxy.forward.access.conditions.code_conditions import MATCHES
from txproxy.forward.access.conditions.condition_type import ConditionType, Surroundings, Test
from txproxy.forward.access.conditions.head_conditions import by_readings
from txproxy.forward.access.conditions.host_conditions import hosts_test, list_names
from txproxy.forward.access.conditions.network_conditions import address_test, clients_test


@attrs.frozen
class Condition:
    """One condition of a rule. ``texts`` are its ``values`` as they were written."""

    kind: ConditionType
    negated: bool
    values: tuple[Any, ...]
    texts: tuple[str, ...]

    @property
    def key(self) -> str:
        """As it is written in a rule."""
        return f"not_{self.kind.key}" if self.negated else self.kind.key

    def __str__(self) -> str:
        return f"{self.key} = {', '.join(self.texts)}"

    @property
    def empty(self) -> bool:
        """Whether no request can fulfil it."""
        return not self.values and not self.negated

    def covers(self, other: Condition) -> bool:
        """Whether all that fulfils ``other`` is known to fulfil this one."""
        if self.kind is not other.kind or self.negated is not other.negated:
            return False
        covers = self.kind.covers
        if self.kind.key == "headers":
            # Each of its values has to fit, where one is enough of the others.
            return set(self.values) <= set(other.values)
        wide, narrow = (other.values, self.values) if self.negated else (self.values, other.values)
        return all(any(covers(one, value) for one in wide) for value in narrow)

    def excludes(self, other: Condition) -> bool:
        """Whether nothing that fulfils ``other`` can fulfil this one: all of its values are ruled out here."""
        if self.kind is not other.kind or not self.negated or other.negated:
            return False
        if self.kind.key == "addresses":
            return False  # a host may have addresses on both sides
        return all(any(self.kind.covers(one, value) for one in self.values) for value in other.values)

    def test(self, surroundings: Surroundings, every: bool) -> Test:
        """The condition as a function of facts. Of a host that has several addresses, and of a path that servers may
        read in several ways, ``every`` one has to fulfil it, or else one of them.
        """
        key, values = self.kind.key, self.values
        if key == "addresses":
            return address_test(values, self.negated, every)
        # What a rule refuses, or takes from what it allows, is not gone around by another way to the same address.
        loosely = self.negated is every
        if key == "clients":
            fits = clients_test(values, loosely)
        elif key == "hosts":
            fits = hosts_test(values, surroundings, loosely)
        else:
            fits = self.kind.test(values, surroundings)
        test: Test = (lambda facts: not fits(facts)) if self.negated else fits
        by_url = key == "url" or (key == "hosts" and list_names(values))
        return by_readings(test, every) if by_url else test

    def fact(self, surroundings: Surroundings) -> str:
        """``kind.fact``, or nothing where a list has patterns of URLs, which do not follow from the host alone."""
        lists = surroundings.lists
        listed = list_names(self.values) if self.kind.key == "hosts" and lists is not None else ()
        return "" if any(lists is not None and len(lists.lists[name].globs) for name in listed) else self.kind.fact


def parse_condition(kind: ConditionType, negated: bool, given: Any) -> Condition:
    """A condition as TOML or Python gives it: a list of texts (numbers too, for ports and bytes), one of them alone, or
    for ``headers`` a mapping or pairs. ``ConfigError``, with a line for each value that is wrong.
    """
    key = f"not_{kind.key}" if negated else kind.key
    items = _pairs(key, given) if kind.key == "headers" else _texts(key, given, kind)
    values: list[Any] = []
    faults: list[Finding] = []
    for item in items:
        try:
            values.append(kind.parse(item))
        except ConfigError as fault:
            faults += fault.at(key).findings
    if faults:
        raise ConfigError(faults)
    return Condition(kind, negated, tuple(values), tuple(map(_written, items)))


def _written(item: Any) -> str:
    if isinstance(item, str | NamedCode):
        return str(item)
    name, value = item
    return f"{name}: {str(value).lower() if isinstance(value, bool) else value}"


def _texts(key: str, given: Any, kind: ConditionType) -> list[Any]:
    types = str | NamedCode if kind is MATCHES else str | int if kind.numbers else str
    items = [given] if isinstance(given, types) else given
    if not isinstance(items, list | tuple | set | frozenset) or not all(
        isinstance(item, types) and not isinstance(item, bool) for item in items
    ):
        raise ConfigError(f"{given!r} is no list", "accepted is a list of texts", (key,))
    if kind is MATCHES:
        return list(items)
    texts = [str(item) for item in items]
    return [part.strip() for text in texts for part in text.split(",")] if kind.listed else texts


def _pairs(key: str, given: Any) -> list[tuple[Any, Any]]:
    pairs = given.items() if isinstance(given, Mapping) else given
    if not isinstance(pairs, ItemsView | tuple) or not all(
        isinstance(pair, tuple) and len(pair) == 2 for pair in pairs
    ):
        raise ConfigError(f"{given!r} is no table", "accepted is one such as { User-Agent = '*curl*' }", (key,))
    return list(pairs)
