"""Squid's access lists, by their names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from txproxy.importers.notes import Untranslatable
from txproxy.importers.squid.acl_types import TYPES
from txproxy.importers.squid.formulas import TRUE, Formula, both, either, opposite
from txproxy.importers.squid.reader import Directive, items

# Those whose values are expressions have their own use for -i.
_CASE: Final = frozenset({"-i", "+i"})
_OPTIONS: Final = frozenset({"-n", "-m"})
_WITH_CASE: Final = frozenset({"dstdom_regex", "url_regex", "urlpath_regex", "browser", "referer_regex", "req_header"})
# Those that Squid has without being told, in the words of its own file.
_BUILT_IN: Final = (
    ("all", "src", ("all",)),
    ("localhost", "src", ("127.0.0.1/32", "::1")),
    ("to_localhost", "dst", ("127.0.0.0/8", "0.0.0.0/32", "::1/128", "::/128")),
    ("to_linklocal", "dst", ("169.254.0.0/16", "fe80::/10")),
    ("CONNECT", "method", ("CONNECT",)),
    ("manager", "url_regex", ("-i", "^cache_object://", "+i", "^[^:]+://[^/]+/squid-internal-mgr/")),
)


class Acls:
    """The lists of a configuration. Names are not told apart by case."""

    def __init__(self) -> None:
        # whether anybody is asked who he is, and can be known
        self.knows_users = False
        self._types: dict[str, str] = {}
        self._lines: dict[str, list[tuple[Directive | None, tuple[str, ...]]]] = {}
        self._formulas: dict[str, Formula] = {}
        self._faults: dict[str, str] = {}
        for name, kind, words in _BUILT_IN:
            self._types[name.lower()] = kind
            self._lines[name.lower()] = [(None, words)]

    def define(self, directive: Directive) -> None:
        """Take in a line. ``Untranslatable`` if it is none that could be used."""
        if len(directive.words) < 2:
            raise Untranslatable("a name and a type are wanted")
        name, kind, *words = directive.words
        key = name.lower()
        if key == "all":
            # Files that are older than IPv6 say what it is, and mean all.
            return
        if self._types.get(key, kind) != kind and self._lines[key][0][0] is None:
            # So do files that are older than one of Squid's own.
            self._lines[key] = []
        elif self._types.get(key, kind) != kind:
            self._faults[key] = f"it is of the types {self._types[key]} and {kind}"
            raise Untranslatable(self._faults[key])
        self._types[key] = kind
        self._lines.setdefault(key, []).append((directive, tuple(words)))
        self._formulas.clear()

    def kind(self, name: str) -> str:
        """The type of a list; empty if there is none of that name."""
        return self._types.get(name.lower(), "")

    def words(self, name: str) -> tuple[str, ...]:
        """All values of a list, as they were written."""
        return tuple(word for _, words in self._lines.get(name.lower(), ()) for word in words)

    def defined(self) -> list[tuple[str, Directive]]:
        """Those that the file defines, and where."""
        places = ((name, directive) for name, lines in self._lines.items() for directive, _ in lines[-1:])
        return [(name, directive) for name, directive in places if directive is not None]

    def formula(self, reference: str) -> Formula:
        """What ``name`` or ``!name`` says. ``Untranslatable`` if a rule cannot."""
        name = reference.removeprefix("!").lower()
        found = self._formulas.get(name)
        if found is None:
            if name in self._faults:
                raise Untranslatable(self._faults[name])
            # Until it is worked out, one that stands for itself is none.
            self._faults[name] = "it stands for itself"
            try:
                found = self._formulas[name] = self._work_out(name)
            except Untranslatable as fault:
                self._faults[name] = str(fault)
                raise
            del self._faults[name]
        return opposite(found) if reference.startswith("!") else found

    def all_of(self, references: Iterable[str]) -> Formula:
        """What several say together."""
        result = TRUE
        for reference in references:
            result = both(result, self.formula(reference))
        return result

    def _work_out(self, name: str) -> Formula:
        kind = self.kind(name)
        if not kind:
            raise Untranslatable(f"there is no acl {name}")
        lines = self._lines[name]
        if kind == "any-of":
            return either(*(self.formula(word) for _, words in lines for word in words))
        if kind == "all-of":
            return either(*(self.all_of(words) for _, words in lines))
        if kind == "proxy_auth" and not self.knows_users:
            raise Untranslatable("there is no auth_param that says who the users are")
        translate = TYPES.get(kind)
        if translate is None:
            raise Untranslatable(f"there is nothing like the type {kind} here")
        found = either(*(translate(_values(directive, kind, words)) for directive, words in lines))
        return tuple(conjunction for conjunction in found if all(one.values or one.negated for one in conjunction))


def _values(directive: Directive | None, kind: str, words: Sequence[str]) -> list[str]:
    """The values of one line: those of the files that it names in their place, and options taken out."""
    path = directive.file if directive is not None else ""
    found = []
    options = True
    for word in words:
        if word == "--" and options:
            options = False
        elif options and (word in _OPTIONS or word.startswith("-m=") or (word in _CASE and kind not in _WITH_CASE)):
            continue
        else:
            options = options and word in _CASE
            try:
                found += items(word, path)
            except OSError as fault:
                raise Untranslatable(f"{word}: {fault.strerror}") from None
    return found
