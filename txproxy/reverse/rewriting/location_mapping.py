"""URLs in responses that a route puts others in the place of."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from txproxy.errors import ConfigError
from txproxy.frozen_values import frozen
from txproxy.interfaces.context import RequestContext
from txproxy.matching.octets import as_bytes
from txproxy.matching.paths import as_local
from txproxy.matching.regular_expressions import EXPRESSION_MARK, bytes_expression
from txproxy.reverse.rewriting.templates import REQUEST_VARIABLES, VARIABLES, parse
from txproxy.wire import grammar
from txproxy.wire.message import RequestHead

# What names a server without a scheme, also where a browser reads it.
_SERVERS: Final = (b"//", b"/\\")


@frozen
class LocationMapping:
    """A URL that begins with ``prefix`` has ``pieces`` in its place; one that ``expression`` matches whole becomes
    these. A piece is a literal with the name of a group or variable after it.
    """

    prefix: bytes
    expression: re.Pattern[bytes] | None
    pieces: tuple[tuple[bytes, str], ...]

    @classmethod
    def parse(cls, wanted: str, target: str) -> LocationMapping:
        """From the beginning of a URL, or ``~regex`` for the whole of it, and what it becomes: a URL or a path, with
        groups (``$1``, ``${name}``) and the variables of requests. ``ConfigError`` if they are none.
        """
        expression, groups = None, []
        if wanted.startswith(EXPRESSION_MARK):
            expression = bytes_expression(wanted)
            groups = [*map(str, range(expression.groups + 1)), *expression.groupindex]
        elif not wanted:
            raise ConfigError("nothing begins with nothing", "accepted is the beginning of a URL, or ~regex")
        try:
            pieces = parse(target, [*groups, *REQUEST_VARIABLES])
        except ConfigError as fault:
            raise fault.about(f"{target!r}: ") from None
        if "query" in groups:
            pieces = [(literal + b"?", "query") if name == "?query" else (literal, name) for literal, name in pieces]
        sample = b"x".join(literal for literal, _ in pieces)
        if not sample or not grammar.FIELD_VALUE.fullmatch(sample) or b" " in sample:
            raise ConfigError(f"{target!r} can be no URL", "accepted is one, or a path, such as /new/$1")
        return cls(as_bytes(wanted), expression, tuple(pieces))

    def of(self, url: bytes, head: RequestHead, context: RequestContext) -> bytes | None:
        """What becomes of a ``url`` in a response to ``head``; None if it is another. What is put together to a path is
        one of the same server: ``http://b//c.example`` with ``/`` for ``http://b/`` does not lead to ``c.example``.
        """
        if self.expression is None:
            if not url.startswith(self.prefix):
                return None
            made = self._filled(None, head, context) + url[len(self.prefix) :]
        else:
            found = self.expression.fullmatch(url)
            if found is None:
                return None
            made = self._filled(found, head, context)
        named = self.pieces[0][0].startswith(_SERVERS) or url.startswith(_SERVERS)
        return made if named else as_local(made)

    def _filled(self, found: re.Match[bytes] | None, head: RequestHead, context: RequestContext) -> bytes:
        parts = []
        for literal, name in self.pieces:
            parts.append(literal)
            if found is not None and (name.isdigit() or name in found.re.groupindex):
                # A group of the expression's own comes before a variable of that name.
                parts.append(found[int(name) if name.isdigit() else name] or b"")
            elif name:
                parts.append(VARIABLES[name](head, context, b""))
        return b"".join(parts)


def mapped_location(
    url: bytes, mappings: Iterable[LocationMapping], head: RequestHead, context: RequestContext
) -> bytes | None:
    """What the first of the ``mappings`` makes of it that knows it; None if none does."""
    for one in mappings:
        made = one.of(url, head, context)
        if made is not None:
            return made
    return None
