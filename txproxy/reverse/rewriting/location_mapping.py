"""URLs in responses that a route puts others in the place of."""

from __future__ import annotations

import re
from collections.abc import Iterable

from txproxy.errors import ConfigError
from txproxy.frozen_values import frozen
from txproxy.interfaces.context import RequestContext
from txproxy.matching.octets import as_bytes
from txproxy.matching.regular_expressions import EXPRESSION_MARK, bytes_expression
from txproxy.reverse.rewriting.templates import REQUEST_VARIABLES, VARIABLES, parse
from txproxy.wire import grammar
from txproxy.wire.message import RequestHead


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
        sample = b"x".join(literal for literal, _ in pieces)
        if not sample or not grammar.FIELD_VALUE.fullmatch(sample) or b" " in sample:
            raise ConfigError(f"{target!r} can be no URL", "accepted is one, or a path, such as /new/$1")
        return cls(as_bytes(wanted), expression, tuple(pieces))

    def of(self, url: bytes, head: RequestHead, context: RequestContext) -> bytes | None:
        """What becomes of a ``url`` in a response to ``head``; None if it is another."""
        if self.expression is None:
            if not url.startswith(self.prefix):
                return None
            return self._filled(None, head, context) + url[len(self.prefix) :]
        found = self.expression.fullmatch(url)
        return self._filled(found, head, context) if found is not None else None

    def _filled(self, found: re.Match[bytes] | None, head: RequestHead, context: RequestContext) -> bytes:
        parts = []
        for literal, name in self.pieces:
            parts.append(literal)
            if name in VARIABLES:
                parts.append(VARIABLES[name](head, context, b""))
            elif name and found is not None:
                parts.append(found[int(name) if name.isdigit() else name] or b"")
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
