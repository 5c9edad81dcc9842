"""Texts with variables of nginx's, as texts, or as ours with ours."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import attrs

from txproxy.importers.notes import Untranslatable

_VARIABLE: Final = re.compile(r"\$(?:\{(\w+)\}|(\w+))", re.ASCII)
# What ours are called. What nginx calls $uri is decoded, which makes no difference to what is sent.
_OURS: Final = {
    "remote_addr": "client_ip", "host": "host", "http_host": "host", "scheme": "scheme", "request_method": "method",
    "uri": "path", "document_uri": "path", "args": "query", "query_string": "query",
}  # fmt: skip
_SEVERAL: Final = {"request_uri": "$path?$query"}
# $is_args is the question mark, which ours put where it has to be.
_WITH_MARK: Final = re.compile(r"\$(?:\{is_args\}|is_args)\$(?:\{(?:args|query_string)\}|(?:args|query_string)\b)")


@attrs.frozen
class Piece:
    """A part of a text: a literal, or the name of a ``variable``."""

    text: str
    variable: bool = False


def pieces(text: str, known: Mapping[str, str]) -> tuple[Piece, ...]:
    """``text`` with the ``known`` variables filled in, in its parts."""
    found: list[Piece] = []
    end = 0
    for match in _VARIABLE.finditer(text):
        found.append(Piece(text[end : match.start()]))
        name = match[1] or match[2]
        found.append(Piece(known[name]) if name in known else Piece(name, True))
        end = match.end()
    found.append(Piece(text[end:]))
    joined: list[Piece] = []
    for piece in found:
        if joined and not piece.variable and not joined[-1].variable:
            joined[-1] = Piece(joined[-1].text + piece.text)
        elif piece.text:
            joined.append(piece)
    return tuple(joined)


def constant(text: str, known: Mapping[str, str]) -> str:
    """``text`` with all variables filled in; ``Untranslatable`` if one is not ``known``."""
    found = pieces(text, known)
    for piece in found:
        if piece.variable:
            raise Untranslatable(f"${piece.text} is not known before a request comes")
    return "".join(piece.text for piece in found)


def template(text: str, known: Mapping[str, str], groups: Mapping[str, str] | None = None) -> str:
    """``text`` with our variables for nginx's, and ``groups`` for those of an expression; ``Untranslatable`` if one
    has none.
    """
    made = []
    for piece in pieces(_WITH_MARK.sub("${with_mark}", text), known):
        if not piece.variable:
            made.append(piece.text.replace("$", "$$"))
        elif piece.text == "with_mark":
            made.append("?$query")
        elif piece.text in _SEVERAL:
            made.append(_SEVERAL[piece.text])
        elif groups is not None and piece.text in groups:
            made.append(groups[piece.text])
        elif piece.text in _OURS:
            made.append(f"${{{_OURS[piece.text]}}}")
        else:
            raise Untranslatable(f"${piece.text} is not known here")
    return _plainer("".join(made))


def _plainer(text: str) -> str:
    """Without braces where nothing follows that a name could go on with."""
    return re.sub(r"(\$\$)|\$\{(\w+)\}(?!\w)", lambda found: found[1] or f"${found[2]}", text)
