"""``map`` and ``geo``: variables that follow from others."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from typing import Final

import attrs

from txproxy.importers.nginx.locations.route_conditions import Condition, condition_on
from txproxy.importers.nginx.syntax.nginx_expressions import marked, whole_expression
from txproxy.importers.nginx.syntax.nginx_scopes import Scope
from txproxy.importers.notes import Untranslatable

# What changes what a network means, or which address is looked for.
_OTHER_MEANINGS: Final = ("ranges", "delete", "proxy")
_VARIABLE: Final = re.compile(r"\$(?:(\w+)|\{(\w+)\})", re.ASCII)
_HOSTS: Final = ("host", "http_host", "ssl_preread_server_name")
_WORDS: Final = frozenset({"hostnames", "volatile", "ranges", "delete", "proxy", "proxy_recursive"})


@attrs.frozen
class ValueTable:
    """A ``map`` or ``geo``: the values of ``variable`` by those of ``source``, and ``default`` for all others.
    Keys are ``networks``, or may be patterns of ``hostnames``; else they are values, whose case does not count.
    """

    variable: str
    source: str
    entries: tuple[tuple[str, str], ...]
    default: str
    networks: bool = False
    hostnames: bool = False

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
        self._check_nested(fitting, others)
        alternatives = tuple(condition_on(self.source, _wanted(key), ignore_case=True) for key in fitting)
        return Condition(alternatives, negated=otherwise)

    def _check_nested(self, fitting: Sequence[str], others: Sequence[str]) -> None:
        """Of keys that stand within each other nginx takes the narrowest, where conditions know of no exceptions."""
        if self.networks:
            within = [(one, other) for one in fitting for other in others if _is_within(other, one)]
            if within:
                raise Untranslatable(f"${self.variable} has {within[0][1]} within {within[0][0]}")
        elif self.source == "remote_addr" and any("/" in key for key in (*fitting, *others)):
            raise Untranslatable(f"the keys of ${self.variable} are addresses: networks are for geo")
        patterns = [key for key in (*fitting, *others) if key.startswith((".", "*.")) or key.endswith(".*")]
        if self.hostnames and patterns and (others or self.source not in _HOSTS or patterns[0].endswith(".*")):
            raise Untranslatable(f"${self.variable} has names with {patterns[0]} among them")


def _is_within(one: str, other: str) -> bool:
    inner, outer = ipaddress.ip_network(one, strict=False), ipaddress.ip_network(other, strict=False)
    if isinstance(inner, ipaddress.IPv4Network):
        return isinstance(outer, ipaddress.IPv4Network) and inner.subnet_of(outer)
    return isinstance(outer, ipaddress.IPv6Network) and inner.subnet_of(outer)


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
    entries, default = _entries(scope)
    if len(words) != 2:
        raise Untranslatable("two variables are wanted")
    source = _VARIABLE.fullmatch(words[0])
    if source is None:
        raise Untranslatable(f"{words[0]} is no variable alone")
    hostnames = bool(scope.own("hostnames"))
    return ValueTable(words[1].lstrip("$"), source[1] or source[2], entries, default, hostnames=hostnames)


def read_geo(scope: Scope) -> ValueTable:
    """From a ``geo``, which is of the client's address unless it says otherwise."""
    words = scope.directive.words
    source = words[0].strip("${}") if len(words) == 2 else "remote_addr"
    entries, default = _entries(scope)
    for name in _OTHER_MEANINGS:
        if scope.own(name):
            raise Untranslatable(f"{name} is not known here")
    if source != "remote_addr":
        raise Untranslatable(f"networks are of the client's address here, and not of ${source}")
    for key, _ in entries:
        try:
            ipaddress.ip_network(key, strict=False)
        except ValueError:
            raise Untranslatable(f"{key} is no network") from None
    return ValueTable(words[-1].lstrip("$") if words else "", source, entries, default, networks=True)


def _entries(scope: Scope) -> tuple[tuple[tuple[str, str], ...], str]:
    entries, default = [], ""
    for one in scope.directives:
        one.taken = True
        if one.name == "default":
            default = one.first
        elif one.name not in _WORDS:
            entries.append((one.name, one.first))
    return tuple(entries), default
