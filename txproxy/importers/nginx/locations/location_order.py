"""Which location nginx would take for a path, as paths of routes that are tried in the same order.

nginx takes an exact location, else the longest prefix; if that is ``^~``, it, else the first expression that is found
in the path, else the prefix. Prefixes of nginx do not end with a segment: ``/api`` is for ``/apix`` too. Ours go by
segments, and come before expressions. So most locations become expressions, in nginx's order, where a server has some;
where it has none, what ends with a slash stays a prefix.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import attrs

from txproxy.errors import ConfigError
from txproxy.importers.nginx.syntax.nginx_expressions import marked, whole_expression
from txproxy.importers.nginx.syntax.nginx_scopes import Scope, all_taken
from txproxy.importers.nginx.syntax.path_expressions import path_expression
from txproxy.importers.notes import Untranslatable
from txproxy.matching.paths import configured_path

EVERYTHING = ".*"


@attrs.define(eq=False)
class Location:
    """A location: its ``scope``, the ``modifier`` (``=``, ``^~``, ``~``, ``~*``, ``@`` or none) and the ``text`` of
    what it is for; ``prefix`` is the literal beginning of its paths. An implied one, for all that no other is for, has
    the scope of its server. One within another that is an expression, or a prefix that is, is for paths of that alone.
    """

    scope: Scope
    modifier: str = ""
    text: str = "/"
    expression: str = ""
    around: Location | None = None
    implied: bool = False

    def of(self, scope: Scope | None) -> Location:
        """The same with the block of an ``if`` in it, if there is one."""
        return self if scope is None else attrs.evolve(self, scope=scope)

    @property
    def is_expression(self) -> bool:
        """Whether it is searched for."""
        return self.modifier in ("~", "~*")


@attrs.frozen
class Place:
    """A location with the ``path`` of its routes; ``expression`` says the same for others to add to."""

    location: Location
    path: str
    expression: str


def locations_of(server: Scope) -> tuple[list[Location], dict[str, Scope]]:
    """All locations of a server, those within others too, and the named ones; of each that cannot be said there is a
    line.
    """
    found: list[Location] = []
    named: dict[str, Scope] = {}
    _collect(server, None, found, named)
    if not any(one.text == "/" and not one.is_expression and one.modifier != "=" for one in found):
        found.append(Location(server, implied=True))
    return found, named


def _collect(scope: Scope, around: Location | None, found: list[Location], named: dict[str, Scope]) -> None:
    for directive in scope.own("location"):
        inner = scope.within(directive)
        try:
            location = _read(inner, directive.words, around)
        except Untranslatable as fault:
            scope.notes.say(directive, f"it is left out, and its requests go where others go: {fault}")
            all_taken(inner.directives)
            continue
        if location is None:
            named[directive.first] = inner
            continue
        found.append(location)
        _collect(inner, location, found, named)


def _read(scope: Scope, words: Sequence[str], around: Location | None) -> Location | None:
    if not words or len(words) > 2:
        raise Untranslatable("a path is wanted")
    modifier, text = words if len(words) == 2 else ("", words[0])
    if len(words) == 1:
        # nginx takes a modifier that stands at the path itself.
        for sign in ("^~", "~*", "=", "~"):
            if text.startswith(sign):
                modifier, text = sign, text.removeprefix(sign)
                break
    if text.startswith("@"):
        return None
    if modifier in ("~", "~*"):
        if around is not None and around.is_expression:
            raise Untranslatable("an expression within an expression")
        expression = path_expression(whole_expression(text, modifier == "~*"))
        return Location(scope, modifier, text, expression, around)
    if modifier not in ("", "=", "^~") or not text.startswith("/"):
        raise Untranslatable(f"{' '.join(words)} is no path")
    if around is not None and around.is_expression:
        raise Untranslatable("a path within an expression")
    return Location(scope, modifier, literal(text), around=around)


def location_for(replacement: str, locations: Sequence[Location]) -> Location:
    """The location of a path that is made of a ``replacement`` with variables; ``Untranslatable`` if it depends on
    these.
    """
    head, variable, _ = replacement.partition("$")
    if not variable and (found := [one for one in locations if one.modifier == "=" and one.text == head]):
        return found[0]
    prefixes = [one for one in locations if not one.is_expression and one.modifier != "="]
    if variable and any(one.text.startswith(head) and one.text != head for one in locations if not one.is_expression):
        raise Untranslatable(f"several begin with {head}")
    longest = max((one for one in prefixes if head.startswith(one.text)), key=lambda one: len(one.text))
    expressions = [one for one in locations if one.is_expression]
    if longest.modifier == "^~" or not expressions:
        return longest
    if variable:
        raise Untranslatable("an expression may be for it")
    inner = [one for one in expressions if one.around is not None and _is_for(one.around, longest)]
    for one in [*inner, *(one for one in expressions if one.around is None)]:
        if re.fullmatch(one.expression, head):
            return one
    return longest


def literal(text: str) -> str:
    """A path as requests are compared with it; ``Untranslatable`` if it is none."""
    try:
        return configured_path(text.replace(" ", "%20")).decode("ascii")
    except ConfigError as fault:
        raise Untranslatable(fault.said) from None


def in_order(locations: Iterable[Location], all_expressions: bool) -> list[Place]:
    """The locations as they are to be tried. With ``all_expressions`` there is nothing else among them, so that others
    can be put before them.
    """
    exact = [one for one in locations if one.modifier == "="]
    prefixes = sorted(
        (one for one in locations if not one.is_expression and one.modifier != "="), key=lambda one: -len(one.text)
    )
    expressions = [one for one in locations if one.is_expression]
    places = [Place(one, f"={one.text}", re.escape(one.text)) for one in exact]
    if not expressions and not all_expressions:
        return places + _without_expressions(prefixes)
    # Those that end the search, and those that stand within a prefix, come before the others.
    for one in prefixes:
        within = [inner for inner in expressions if inner.around is not None and _is_for(inner.around, one)]
        guard = _guard(one, prefixes)
        for inner in within:
            places.append(_place(inner, f"(?={guard}){_without_flags(inner.expression)}", _flags(inner.expression)))
        if one.modifier == "^~":
            places.append(_place(one, guard))
    places += [_place(one, one.expression) for one in expressions if one.around is None]
    places += [_place(one, _prefix(one)) for one in prefixes if one.modifier != "^~"]
    if all_expressions:
        return [attrs.evolve(one, path=marked(one.expression)) for one in places]
    return places


def _is_for(around: Location, prefix: Location) -> bool:
    """Whether what stands within ``around`` is asked for where ``prefix`` is the longest: it is that, or within it."""
    one: Location | None = prefix
    while one is not None:
        if one is around:
            return True
        one = one.around
    return False


def _place(location: Location, expression: str, flags: str = "") -> Place:
    return Place(location, marked(flags + expression), flags + expression)


def _flags(expression: str) -> str:
    found = re.match(r"\(\?[a-z]+\)", expression)
    return found[0] if found is not None else ""


def _without_flags(expression: str) -> str:
    return expression[len(_flags(expression)) :]


def _prefix(location: Location) -> str:
    return EVERYTHING if location.text == "/" else re.escape(location.text) + EVERYTHING


def _guard(location: Location, prefixes: Iterable[Location]) -> str:
    """What has this prefix, and no longer one."""
    longer = [
        re.escape(one.text[len(location.text) :])
        for one in prefixes
        if one is not location and one.text.startswith(location.text) and len(one.text) > len(location.text)
    ]
    but = f"(?!{'|'.join(longer)})" if longer else ""
    return ("" if location.text == "/" and not but else re.escape(location.text)) + but + EVERYTHING


def _without_expressions(prefixes: Sequence[Location]) -> list[Place]:
    by_segment = {one.text for one in prefixes if one.text.endswith("/")}
    loose = [one.text for one in prefixes if not one.text.endswith("/")]
    # Prefixes by segments come first, which is right unless one that is none is longer.
    if any(text.startswith(other) for text in loose for other in by_segment - {"/"}):
        return [_place(one, _prefix(one)) for one in prefixes]
    return [
        Place(one, "" if one.text == "/" else one.text, _prefix(one))
        if one.text in by_segment
        else _place(one, _prefix(one))
        for one in prefixes
    ]
