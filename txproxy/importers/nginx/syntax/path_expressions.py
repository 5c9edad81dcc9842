"""Expressions for paths: nginx looks at the decoded path, and ours see what needs an escape as that."""

from __future__ import annotations

import functools
import re
from typing import Final

from txproxy.importers.notes import Untranslatable

_TOKEN: Final = re.compile(
    r"(?P<group>\((?:\?(?:P<\w+>|P=\w+\)|\#[^)]*\)|<?[=!]|:|>|[a-z]+\)|[a-z-]+:))?)"
    r"|(?P<bounds>\{\d*(?:,\d*)?\}|[\^$|)*+?])"
    r"|\[\^?\]?(?:\\.|[^\]\\])*\]|\\(?:x[0-9A-Fa-f]{2}|[0-7]{3}|.)|.",
    re.S,
)
# What stands as an escape in the form that paths are compared in (see matching.paths).
_ESCAPED: Final = frozenset(range(256)) - frozenset(range(0x21, 0x7F)) | frozenset(b"?#%")
_OF_ESCAPES: Final = frozenset(b"%0123456789ABCDEF")


def path_expression(text: str) -> str:
    """``text``, which is Python's and for decoded paths, for those whose escapes are those that they need. Groups stay
    as they are. ``Untranslatable`` if it has no such form.
    """
    if re.match(r"\(\?[a-z]*x", text):
        raise Untranslatable("white space that does not count in an expression is not known here")
    made, end = [], 0
    while end < len(text):
        found = _TOKEN.match(text, end)
        if found is None:
            raise Untranslatable(f"{text} is no expression here")
        end = found.end()
        plain = found["group"] is not None or found["bounds"] is not None
        made.append(found[0] if plain else _atom(found[0], text[end : end + 1]))
    joined = "".join(made)
    try:
        re.compile(joined.encode())
    except (re.error, OverflowError, RecursionError):
        # A width that is not fixed, in what looks behind.
        raise Untranslatable(f"{text} cannot be said of paths with escapes") from None
    return joined


def _atom(atom: str, following: str) -> str:
    octets = _octets(atom)
    escaped = octets & _ESCAPED
    if not escaped:
        return atom
    if following and following in "*+" and escaped == _ESCAPED and octets >= _OF_ESCAPES:
        # Any number of them has escapes among it as they are.
        return atom
    if len(octets) == 1:
        said = f"%{min(octets):02X}"
        return f"(?:{said})" if following and following in "*+?{" else said
    missing = _ESCAPED - escaped
    if not missing:
        escape = "%[0-9A-F]{2}"
    elif len(missing) < len(escaped):
        escape = f"%(?!{_codes(missing)})[0-9A-F]{{2}}"
    else:
        escape = f"%(?:{_codes(escaped)})"
    # An escape is read in one way alone: so no number of them takes long.
    return f"(?:{escape}|{'[^%]' if atom == '.' else f'(?!%){atom}'})"


def _codes(octets: frozenset[int]) -> str:
    return "|".join(f"{code:02X}" for code in sorted(octets))


@functools.lru_cache(maxsize=256)
def _octets(atom: str) -> frozenset[int]:
    """The octets that it is for."""
    try:
        matches = re.compile(atom.encode(), re.S).fullmatch
    except re.error:
        # It refers to a group.
        return frozenset()
    return frozenset(code for code in range(256) if matches(bytes((code,))))
