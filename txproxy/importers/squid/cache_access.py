"""What Squid's ``cache`` lines, and those like them, say is cached at all, as rules of our cache."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from txproxy.errors import ConfigError
from txproxy.importers.notes import Note, Untranslatable
from txproxy.importers.squid.access_lists import Acls
from txproxy.importers.squid.formulas import TRUE, Conjunction, Formula, Literal
from txproxy.importers.squid.reader import Directive
from txproxy.matching.hosts import host_pattern

_CACHE: Final = "cache"
_NO_TUNNEL: Final = Literal("schemes", ("connect",), negated=True)
_ALL: Final = ["all"]

_Fresh: TypeAlias = "Sequence[Mapping[str, Any]]"


def list_of(directive: Directive) -> str:
    """The name of the list that a line is one of; that of ``cache`` has an older name."""
    return _CACHE if directive.name == "no_cache" else directive.name


def keeps_nothing(rules: Sequence[Mapping[str, Any]]) -> bool:
    """Whether nothing is cached by these rules."""
    for rule in rules:
        if rule.get("cache", True):
            return False
        if _is_for_all(rule):
            return True
    return False


class CacheAccess:
    """Makes rules of lines that allow and deny. ``place`` says where one stands; ``notes`` gets what could not be said.

    Where something cannot, less is cached than Squid would.
    """

    def __init__(self, acls: Acls, place: Callable[[Directive], str], notes: list[Note]) -> None:
        self._acls = acls
        self._place = place
        self._notes = notes

    def rules(
        self, lists: Mapping[str, Sequence[Directive]], fresh: Sequence[Mapping[str, Any]]
    ) -> list[Mapping[str, Any]]:
        """The rules, in order, with those that say for how long something is ``fresh``."""
        # Whatever another list allows, this one may deny.
        found = [rule for name, lines in lists.items() if name != _CACHE for rule in self._lines(lines, None)]
        return found + list(self._lines(lists.get(_CACHE, ()), fresh))

    def _lines(self, lines: Sequence[Directive], fresh: _Fresh | None) -> Iterator[Mapping[str, Any]]:
        """Those of one list, up to a line that is for all. What no line is about, Squid does the opposite of the last
        one with.
        """
        for number, directive in enumerate(lines):
            action, *references = directive.words or ("",)
            if action not in ("allow", "deny") or not references:
                self._note(directive, "allow or deny, and lists, are wanted")
            elif action == "allow" and references == _ALL:
                break
            elif action == "allow":
                yield from self._allowed(directive, references, fresh)
            elif (
                fresh is not None
                and not any(map(_denies, lines[number + 1 :]))
                and (hosts := self._all_but(references))
            ):
                yield from self._of_hosts(directive, hosts, fresh)
                yield {"name": self._name(directive), "cache": False}
                return
            else:
                denied = list(self._denied(directive, references))
                yield from denied
                if any(map(_is_for_all, denied)):
                    return
        else:
            if lines and lines[-1].words[:1] == ("allow",):
                yield {"name": "all else", "cache": False}
                return
        yield from fresh or ()

    def _allowed(
        self, directive: Directive, references: Sequence[str], fresh: _Fresh | None
    ) -> Iterator[Mapping[str, Any]]:
        hosts = self._hosts(references)
        if hosts and fresh is not None:
            yield from self._of_hosts(directive, hosts, fresh)
        else:
            self._note(directive, "it is left out: what lines after it deny, or do not name, is not cached")

    def _of_hosts(self, directive: Directive, hosts: list[str], fresh: _Fresh) -> Iterator[Mapping[str, Any]]:
        """All that is said of what is fresh, of these hosts."""
        name = self._name(directive)
        for rule in fresh:
            yield {**rule, "name": f"{name}, {rule['name']}", "hosts": hosts}
        if not any("url" not in rule for rule in fresh):
            yield {"name": name, "hosts": hosts}

    def _denied(self, directive: Directive, references: Sequence[str]) -> Iterator[Mapping[str, Any]]:
        formula, lost = self._without_lost(references)
        if lost:
            self._note(directive, f"less is cached than it says, without {', '.join(lost)}")
        for number, conjunction in enumerate(formula):
            more = f" ({number + 1})" if len(formula) > 1 else ""
            conditions = {literal.key: list(literal.values) for literal in conjunction}
            yield {"name": self._name(directive) + more, **conditions, "cache": False}

    def _without_lost(self, references: Iterable[str]) -> tuple[Formula, list[str]]:
        """What the lists say together, as far as a cache rule can, and which could not be said."""
        found: Formula = TRUE
        lost = []
        for reference in references:
            try:
                formula = tuple(map(_of_requests, self._acls.formula(reference)))
            except Untranslatable:
                lost.append(reference)
                continue
            if not all(map(_can_be_said, formula)) or (found != TRUE and formula != TRUE):
                # Of two that have to hold together, the first is enough.
                lost.append(reference)
            elif formula != TRUE:
                found = formula
        return found, lost

    def _all_but(self, references: Sequence[str]) -> list[str]:
        """The hosts, if what is denied is all but them."""
        only = references[0] if len(references) == 1 else ""
        return self._hosts([only[1:]]) if only.startswith("!") else []

    def _hosts(self, references: Sequence[str]) -> list[str]:
        """The hosts, if the lists are about names of hosts alone."""
        try:
            formula = tuple(map(_of_requests, self._acls.all_of(references)))
        except Untranslatable:
            return []
        hosts: list[str] = []
        for conjunction in formula:
            if len(conjunction) != 1 or conjunction[0].key != "hosts" or not _can_be_said(conjunction):
                return []
            hosts += conjunction[0].values
        return hosts

    def _name(self, directive: Directive) -> str:
        return f"{self._place(directive)}: {list_of(directive)} {' '.join(directive.words)}"

    def _note(self, directive: Directive, why: str) -> None:
        self._notes.append(directive.note(why))


def _is_for_all(rule: Mapping[str, Any]) -> bool:
    return set(rule) == {"name", "cache"}


def _denies(directive: Directive) -> bool:
    return tuple(directive.words) != ("allow", "all")


def _of_requests(conjunction: Conjunction) -> Conjunction:
    """What is said, of what may be cached at all: tunnels are not."""
    return tuple(one for one in conjunction if one != _NO_TUNNEL)


def _can_be_said(conjunction: Conjunction) -> bool:
    return all(not one.negated and _is_condition(one.key, one.values) for one in conjunction)


def _is_condition(key: str, values: Iterable[Any]) -> bool:
    return key == "url" or (key == "hosts" and all(map(_is_host, values)))


def _is_host(value: Any) -> bool:
    try:
        return bool(host_pattern(value))
    except ConfigError:
        return False
