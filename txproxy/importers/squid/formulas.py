"""What Squid's access lists say, as formulas over the conditions of our rules.

A formula is a number of alternatives, each of which is a set of conditions that have to be fulfilled together, and so
makes a rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

import attrs

from txproxy.forward.access.conditions.condition_types import CONDITION_TYPES, NEGATABLE
from txproxy.importers.notes import Untranslatable
from txproxy.matching.regular_expressions import EXPRESSION_MARK

# More alternatives than this make no file that anybody would want to read.
_MOST: Final = 64
KIND_OF: Final = {kind.key: kind for kind in CONDITION_TYPES}


@attrs.frozen
class Literal:
    """One condition of a rule: ``key``, its ``values``, and whether it is turned round (``not_``)."""

    key: str
    values: tuple[Any, ...]
    negated: bool = False

    @property
    def name(self) -> str:
        """As a rule has it."""
        return f"not_{self.key}" if self.negated else self.key


Conjunction: TypeAlias = "tuple[Literal, ...]"
Formula: TypeAlias = "tuple[Conjunction, ...]"

TRUE: Final[Formula] = ((),)
FALSE: Final[Formula] = ()


def either(*formulas: Formula) -> Formula:
    """One of them."""
    found: list[Conjunction] = []
    for conjunction in (conjunction for formula in formulas for conjunction in formula):
        if not conjunction:
            return TRUE
        for number, there in enumerate(found):
            together = _together(there, conjunction)
            if together is not None:
                found[number] = together
                break
        else:
            found.append(conjunction)
    return tuple(found)


def _together(one: Conjunction, other: Conjunction) -> Conjunction | None:
    """The two alternatives as one, where they differ in no more than the values of one condition."""
    ours, theirs = ({literal.name: literal for literal in literals} for literals in (one, other))
    if ours.keys() != theirs.keys():
        return None
    differing = [name for name, literal in ours.items() if theirs[name] != literal]
    if not differing:
        return one
    name = differing[0]
    if len(differing) > 1 or ours[name].negated or name == "headers":
        return None
    values = tuple(dict.fromkeys(ours[name].values + theirs[name].values))
    return tuple(attrs.evolve(literal, values=values) if literal.name == name else literal for literal in one)


def both(one: Formula, other: Formula) -> Formula:
    """Both of them. ``Untranslatable`` if a rule cannot say so."""
    found = []
    for first in one:
        for second in other:
            merged = _merge(first + second)
            if merged is not None:
                found.append(merged)
    if len(found) > _MOST:
        raise Untranslatable("it makes too many rules")
    return either(tuple(found))


def opposite(formula: Formula) -> Formula:
    """Not that."""
    result = TRUE
    for conjunction in formula:
        result = both(result, tuple((_opposite(literal),) for literal in conjunction))
    return result


def _opposite(literal: Literal) -> Literal:
    if literal.key not in NEGATABLE:
        raise Untranslatable(f"there is no opposite of {literal.key}")
    return attrs.evolve(literal, negated=not literal.negated)


def _merge(literals: Conjunction) -> Conjunction | None:
    """One condition of each kind; None if they cannot all be fulfilled."""
    merged: dict[str, Literal] = {}
    for literal in literals:
        there = merged.get(literal.name)
        if there is not None and there != literal:
            union = tuple(dict.fromkeys(there.values + literal.values))
            literal = attrs.evolve(literal, values=union if literal.negated else _common(there, literal))
        if not literal.values and not literal.negated:
            return None
        merged[literal.name] = literal
    methods, schemes = merged.get("methods"), merged.get("schemes")
    if (
        methods is not None
        and schemes is not None
        and methods.values == ("CONNECT",)
        and "connect" not in schemes.values
    ):
        # A rule that says both is an error.
        return None
    return tuple(merged.values())


def _common(one: Literal, other: Literal) -> tuple[Any, ...]:
    """The values that fulfil both."""
    key = one.key
    if key == "headers":
        names = [name.lower() for name, _ in one.values + other.values]
        if len(set(names)) < len(names):
            raise Untranslatable("two conditions on one header field")
        return one.values + other.values
    if key in ("url", "addresses") or any(value[:1] == EXPRESSION_MARK for value in one.values + other.values):
        raise Untranslatable(f"two conditions on {key} that have to be fulfilled together")
    if key in ("ports", "hours"):
        return _common_spans(key, one.values, other.values)
    kind = KIND_OF[key]
    found = []
    for first in one.values:
        for second in other.values:
            if kind.covers(kind.parse(first), kind.parse(second)):
                found.append(second)
            elif kind.covers(kind.parse(second), kind.parse(first)):
                found.append(first)
    return tuple(dict.fromkeys(found))


def _common_spans(key: str, one: Iterable[str], other: Iterable[str]) -> tuple[str, ...]:
    parse = KIND_OF[key].parse
    ended = key == "ports"  # the last one belongs to it
    spans = [
        (max(first[0], second[0]), min(first[1], second[1]))
        for first in map(parse, one)
        for second in map(parse, other)
    ]
    return tuple(span_text(key, *span) for span in spans if span[0] < span[1] + ended)


def span_text(key: str, first: int, last: int) -> str:
    """Ports, or minutes of the day, as a rule has them."""
    if key == "ports":
        return str(first) if first == last else f"{first}-{last}"
    return f"{first // 60:02}:{first % 60:02}-{last // 60:02}:{last % 60:02}"


def positive(formula: Formula, key: str) -> list[str]:
    """The values of all conditions of that kind."""
    return [
        value
        for conjunction in formula
        for literal in conjunction
        if literal.key == key and not literal.negated
        for value in literal.values
    ]


def as_table(conjunction: Conjunction) -> Mapping[str, Any]:
    """The conditions of a rule."""
    return {one.name: dict(one.values) if one.key == "headers" else list(one.values) for one in conjunction}
