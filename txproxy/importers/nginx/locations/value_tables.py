"""``map`` and ``geo``: variables that follow from others."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Final

import attrs

from txproxy.importers.nginx.locations.route_conditions import Condition, condition_on
from txproxy.importers.nginx.syntax.nginx_expressions import marked, whole_expression
from txproxy.importers.nginx.syntax.nginx_scopes import Scope
from txproxy.importers.notes import Untranslatable

_WORDS: Final = frozenset({"hostnames", "volatile", "ranges", "delete", "proxy", "proxy_recursive"})


@attrs.frozen
class ValueTable:
    """A ``map`` or ``geo``: the values of ``variable`` by those of ``source``, and ``default`` for all others."""

    variable: str
    source: str
    entries: tuple[tuple[str, str], ...]
    default: str

    @property
    def constant(self) -> str | None:
        """The value, if it is always the same."""
        values = {value for _, value in self.entries} | {self.default}
        return values.pop() if len(values) == 1 and "$" not in next(iter(values), "$") else None

    def condition(self, fits: Callable[[str], bool]) -> Condition:
        """Where a value ``fits``; ``Untranslatable`` if no conditions of routes say that."""
        if any("$" in value for _, value in self.entries) or "$" in self.default:
            raise Untranslatable(f"${self.variable} has other variables as its values")
        # What does not fit comes into question where all else does, and else where it stands before what fits.
        otherwise = fits(self.default)
        fitting = [key for key, value in self.entries if fits(value) != otherwise]
        others = [key for key, value in self.entries if fits(value) == otherwise]
        if others and any(key.startswith("~") for key in (*fitting, *others)):
            raise Untranslatable(f"${self.variable} has expressions for both")
        alternatives = tuple(condition_on(self.source, _wanted(key)) for key in fitting)
        return Condition(alternatives, negated=otherwise)


def _wanted(key: str) -> str:
    if key.startswith("~"):
        ignore = key.startswith("~*")
        return marked(whole_expression(key.removeprefix("~*" if ignore else "~"), ignore))
    if not key:
        raise Untranslatable("that a variable is empty is no condition of a table here")
    return key.removeprefix("\\")


def read_map(scope: Scope) -> ValueTable:
    """From a ``map``; ``Untranslatable`` if its source is none that can be said."""
    words = scope.directive.words
    if len(words) != 2:
        raise Untranslatable("two variables are wanted")
    entries, default = _entries(scope)
    return ValueTable(words[1].lstrip("$"), words[0].strip("${}"), entries, default)


def read_geo(scope: Scope) -> ValueTable:
    """From a ``geo``, which is of the client's address unless it says otherwise."""
    words = scope.directive.words
    source = words[0].strip("${}") if len(words) == 2 else "remote_addr"
    entries, default = _entries(scope)
    for key, _ in entries:
        try:
            ipaddress.ip_network(key, strict=False)
        except ValueError:
            raise Untranslatable(f"{key} is no network") from None
    return ValueTable(words[-1].lstrip("$") if words else "", source, entries, default)


def _entries(scope: Scope) -> tuple[tuple[tuple[str, str], ...], str]:
    entries, default = [], ""
    for one in scope.directives:
        one.taken = True
        if one.name == "default":
            default = one.first
        elif one.name not in _WORDS:
            entries.append((one.name, one.first))
    return tuple(entries), default
