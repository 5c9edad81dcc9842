"""The conditions of nginx's ``if``, as those of routes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import attrs

from txproxy.importers.nginx.locations.route_conditions import SOME, Condition, condition_on
from txproxy.importers.nginx.nginx_sites import Site
from txproxy.importers.nginx.syntax.nginx_expressions import marked, python_expression, whole_expression
from txproxy.importers.nginx.syntax.variables import constant
from txproxy.importers.notes import Untranslatable

_OPERATORS: Final = ("=", "!=", "~", "~*", "!~", "!~*")
_FALSE: Final = ("", "0")


def condition_of(words: Sequence[str], site: Site) -> Condition:
    """From the words of an ``if``; ``Untranslatable`` if routes have none like it."""
    said = [*words]
    if not said or not said[0].startswith("(") or not said[-1].endswith(")"):
        raise Untranslatable("a condition in parentheses is wanted")
    said[0] = said[0][1:]
    said[-1] = said[-1][:-1]
    said = [word for number, word in enumerate(said) if word or 0 < number < len(said) - 1 or len(said) == 3]
    while said and not said[0]:
        del said[0]
    if said[:1] and re.fullmatch(r"!?-[fdex]", said[0]):
        raise Untranslatable(f"whether there is a file ({said[0]}) is no condition here")
    if len(said) == 1:
        return _truth(said[0], site)
    operator = said[1] if len(said) > 1 else ""
    if operator not in _OPERATORS:
        raise Untranslatable(f"{' '.join(words)} is no condition that is known")
    value = said[2] if len(said) > 2 else ""
    return _compared(said[0], operator, value, site)


def _known(variable: str, site: Site) -> str | None:
    try:
        return constant(variable, site.known)
    except Untranslatable:
        return None


def _constant(holds: bool) -> Condition:
    return Condition(({},) if holds else ())


def _truth(variable: str, site: Site) -> Condition:
    known = _known(variable, site)
    if known is not None:
        return _constant(known not in _FALSE)
    name = _name(variable)
    table = site.whole.tables.get(name)
    if table is not None:
        return table.condition(lambda value: value not in _FALSE)
    return Condition((condition_on(name, SOME),))


def _compared(variable: str, operator: str, value: str, site: Site) -> Condition:
    negated = operator.startswith("!")
    operator = operator.removeprefix("!")
    known, wanted = _known(variable, site), value
    if operator == "=":
        wanted = constant(value, site.known)
    if known is not None:
        if operator == "=":
            return _constant((known == wanted) != negated)
        flags = re.I if operator == "~*" else 0
        return _constant((re.search(python_expression(value), known, flags) is not None) != negated)
    name = _name(variable)
    table = site.whole.tables.get(name)
    if table is not None:
        if operator != "=":
            raise Untranslatable(f"an expression for ${name} is no condition here")
        found = table.condition(lambda said: said == wanted)
        return attrs.evolve(found, negated=found.negated != negated)
    if operator == "=" and not wanted:
        # What is missing is empty to nginx.
        return Condition((condition_on(name, "~.+"),), negated=not negated)
    if operator == "=":
        return Condition((condition_on(name, wanted),), negated)
    return Condition((condition_on(name, marked(whole_expression(value, operator == "~*"))),), negated)


def _name(variable: str) -> str:
    found = re.fullmatch(r"\$(?:(\w+)|\{(\w+)\})", variable)
    if found is None:
        raise Untranslatable(f"{variable} is no variable alone")
    return found[1] or found[2]
