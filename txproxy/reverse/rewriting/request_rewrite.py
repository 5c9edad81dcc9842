"""What a route changes in requests on their way.

Everything is read and checked when the configuration is; what is not asked for is not looked at when a request comes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

import attrs

from txproxy.errors import ConfigError, Finding
from txproxy.frozen_values import frozen
from txproxy.interfaces.context import RequestContext
from txproxy.matching.paths import (
    check_within,
    configured_path,
    has_prefix,
    in_one_place,
    normal,
    prefix_of,
    readings,
    split_path,
)
from txproxy.matching.regular_expressions import bytes_expression
from txproxy.plain_values import PlainValue
from txproxy.reverse.rewriting.header_fields import FieldChanges, Fields, changed, fields_of, names_of
from txproxy.reverse.rewriting.templates import VARIABLES, parse
from txproxy.wire.forwarding import replaced
from txproxy.wire.message import RequestHead

_Step: TypeAlias = "Callable[[bytes, RequestHead, RequestContext], bytes]"


@frozen(kw_only=True)
class RequestRewrite(PlainValue):
    """Changes in a request, before reverse mode makes of it the one that goes upstream.

    The path changes in this order: ``strip_prefix`` is taken away, where the path is it or below it; where ``pattern``
    matches all of it, it becomes ``replacement``, which may have groups (``$1``, ``${name}``), ``$host`` and
    ``$scheme``; ``add_prefix`` is put before it. The query stays. With any of them the path is sent as RFC 3986 section
    6.2.2 has it, even where nothing applies. A path that only some servers would find below ``strip_prefix``, or that
    some would find outside of ``add_prefix`` or of the segments with which ``replacement`` begins, is refused (see
    :mod:`txproxy.matching.paths`).

    ``remove_headers`` go; ``set_headers`` replace all of their name; ``add_headers`` come in addition, one or several
    for a name. Values may have variables (see :mod:`txproxy.reverse.rewriting.templates`) that tell of the request as
    the client sent it. A field that CGI would take for one that is set or removed (``X_Team``) goes as well, and no
    ``Connection`` field of the client takes away what the route has put there.

    It is false if it changes nothing. A wrong value is a ``ConfigError``, with one line for each fault.
    """

    strip_prefix: str = ""
    add_prefix: str = ""
    pattern: str = ""
    replacement: str = ""
    set_headers: Fields = attrs.field(default=(), converter=fields_of)
    add_headers: Fields = attrs.field(default=(), converter=fields_of)
    remove_headers: tuple[str, ...] = attrs.field(default=(), converter=names_of)
    kept: frozenset[bytes] = attrs.field(init=False, eq=False, repr=False)
    strip: bytes = attrs.field(init=False, eq=False, repr=False)
    add: bytes = attrs.field(init=False, eq=False, repr=False)
    _steps: tuple[_Step, ...] = attrs.field(init=False, eq=False, repr=False)
    _changes: FieldChanges = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        faults: list[Finding] = []
        steps: list[_Step] = []
        prefixes = {"strip_prefix": b"", "add_prefix": b""}
        for key, text in (("strip_prefix", self.strip_prefix), ("add_prefix", self.add_prefix)):
            try:
                prefixes[key] = configured_path(text).rstrip(b"/") if text else b""
            except ConfigError as fault:
                faults += fault.at(key).findings
        strip, add = prefixes["strip_prefix"], prefixes["add_prefix"]
        try:
            replace = _replacing(self.pattern, self.replacement)
        except ConfigError as fault:
            replace = None
            faults += fault.findings
        try:
            changes = FieldChanges(self.set_headers, self.add_headers, self.remove_headers)
        except ConfigError as fault:
            faults += fault.findings
        if faults:
            raise ConfigError(faults)
        if strip:
            steps.append(_stripping(strip))
        if replace is not None:
            steps.append(replace)
        if add:
            steps.append(_adding(add))
        for name, value in (
            ("strip", strip),
            ("add", add),
            ("kept", changes.names),
            ("_steps", tuple(steps)),
            ("_changes", changes),
        ):
            object.__setattr__(self, name, value)

    @property
    def own_fields(self) -> frozenset[bytes]:
        """The names of the fields that change, in lower case and with ``-`` for ``_``."""
        return self._changes.own

    def __bool__(self) -> bool:
        return bool(self._steps or self._changes)

    def apply(self, head: RequestHead, context: RequestContext) -> RequestHead:
        """A new head with the changes in it; ``head`` stays as it is."""
        path, headers = head.path, head.headers
        if self._steps:
            path = self._path(path, head, context)
        changes = self._changes
        if changes:
            headers = replaced(headers, changes.drop, changes.names, changes.added(head, context))
        return changed(head, path, headers, self.kept)

    def _path(self, target: bytes, head: RequestHead, context: RequestContext) -> bytes:
        path, query = split_path(target)
        if path[:1] != b"/":
            # OPTIONS * is for the upstream as a whole.
            return target
        path = normal(path)
        for step in self._steps:
            path = step(path, head, context)
        return path + query


def _stripping(strip: bytes) -> _Step:
    cut = prefix_of(strip)

    def is_below(path: bytes) -> bool:
        return has_prefix(path, strip)

    def step(path: bytes, head: RequestHead, context: RequestContext) -> bytes:
        if not in_one_place(path, is_below):
            return path
        found = cut.match(path)
        assert found is not None, "what is sent is one of the readings"
        return path[found.end() :] or b"/"

    return step


def _adding(add: bytes) -> _Step:
    def step(path: bytes, head: RequestHead, context: RequestContext) -> bytes:
        check_within(add + path, add)
        return add + path

    return step


def _replacing(pattern: str, replacement: str) -> _Step | None:
    """The step that makes ``replacement`` of paths that ``pattern`` matches; None if there is no pattern."""
    if not pattern:
        if replacement:
            raise ConfigError("there is no pattern to replace", "accepted is one with a pattern", ("replacement",))
        return None
    try:
        expression = bytes_expression(pattern, mark="")
    except ConfigError as fault:
        raise fault.at("pattern") from None
    groups = {**{str(number): number for number in range(expression.groups + 1)}, **expression.groupindex}
    try:
        parsed = parse(replacement, dict.fromkeys([*groups, "host", "scheme"]))
    except ConfigError as fault:
        raise fault.about(f"{replacement!r}: ").at("replacement") from None
    _check_made(replacement, parsed)
    pieces = [(literal, groups.get(name), VARIABLES.get(name)) for literal, name in parsed]
    fullmatch = expression.fullmatch
    # whole segments that nothing from the request can be part of
    base = (parsed[0][0] if parsed else b"").rpartition(b"/")[0]
    if not all(has_prefix(reading, base) for reading in readings(base + b"/x")):
        base = b""

    def replace(path: bytes, head: RequestHead, context: RequestContext) -> bytes:
        found = fullmatch(path)
        if found is None:
            return path
        parts = []
        for literal, group, variable in pieces:
            parts.append(literal)
            if group is not None:
                parts.append(found[group] or b"")
            elif variable is not None:
                parts.append(variable(head, context, b""))
        made = b"".join(parts)
        # What was no dot segment may have become one.
        made = normal(made if made[:1] == b"/" else b"/" + made)
        if base:
            check_within(made, base)
        return made

    return replace


def _check_made(replacement: str, parsed: Iterable[tuple[bytes, str | None]]) -> None:
    """``ConfigError`` if the ``parsed`` replacement makes no path."""
    # as it may become, with the question mark that belongs to a group of that name
    sample = "x".join(literal.decode("latin-1") + "?" * (name == "?query") for literal, name in parsed)
    try:
        if not sample.isascii():
            raise ConfigError("not in ASCII")
        configured_path("/" * replacement.startswith("$") + sample, alike=False)
    except ConfigError:
        raise ConfigError(
            f"{replacement!r} makes no path",
            "accepted is one such as /new/$1, in ASCII, escaped, and without a query or dot segments",
            ("replacement",),
        ) from None
