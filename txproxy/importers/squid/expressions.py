"""POSIX's extended regular expressions, in which Squid's are written, in Python's syntax.

The two mean the same by most characters. These are what they differ in: classes (``[[:alpha:]]``) and backslashes
within brackets, GNU's ``\\\\<`` and ``\\\\>``, braces that are no bounds, and quantifiers of quantifiers.
"""

from __future__ import annotations

import re
from typing import Final

_CLASSES: Final = {
    "alpha": "A-Za-z", "digit": "0-9", "alnum": "A-Za-z0-9", "upper": "A-Z", "lower": "a-z", "xdigit": "0-9A-Fa-f",
    "space": r" \t\n\r\f\v", "blank": r" \t", "cntrl": r"\x00-\x1f\x7f", "print": r"\x20-\x7e", "graph": r"\x21-\x7e",
    "punct": r"!-/:-@\[-`{-~",
}  # fmt: skip
_GNU: Final = {"<": r"\b", ">": r"\b", "`": r"\A", "'": r"\Z", **{letter: "\\" + letter for letter in "wWsSbB"}}
_BOUNDS: Final = re.compile(r"\{(?:[0-9]+|[0-9]*,[0-9]*)\}")
_QUANTIFIERS: Final = "*+?{"
_SPECIAL: Final = "\\.^$*+?{}[]|()"


def python_expression(text: str) -> str:
    """``text`` in Python's syntax; ``ValueError`` if that cannot be."""
    pieces: list[str] = []
    opened: list[int] = []  # where groups begin
    atom: int | None = None  # where what a quantifier is of begins
    quantified = False
    at = 0
    while at < len(text):
        character = text[at]
        bounds = _BOUNDS.match(text, at) if character == "{" else None
        if character in _QUANTIFIERS and atom is not None and (character != "{" or bounds is not None):
            if quantified:
                pieces[atom:] = ["(?:", *pieces[atom:], ")"]
            quantifier = bounds[0] if bounds is not None else character
            pieces.append(quantifier.replace("{,", "{0,"))
            quantified = True
            at += len(quantifier)
            continue
        if character in _QUANTIFIERS[:3] and pieces and pieces[-1] == "^" and pieces[-2:-1] not in ([], ["("], ["|"]):
            raise ValueError("a quantifier of a beginning has no meaning")
        start = len(pieces)
        length, piece = _piece(text, at)
        at += length
        quantified = False
        pieces.append(piece)
        if piece == "(":
            opened.append(start)
            atom = None
        elif piece == ")":
            if not opened:
                raise ValueError("a parenthesis was not opened")
            atom = opened.pop()
        else:
            # What stands before a first atom is no quantifier but itself, as GNU has it.
            atom = None if piece in ("|", "^") else start
    expression = "".join(pieces)
    try:
        re.compile(expression)
    except (re.error, OverflowError, RecursionError) as fault:
        raise ValueError(str(fault)) from None
    return expression


def _piece(text: str, at: int) -> tuple[int, str]:
    """The length of what stands at a place, and what it is for Python."""
    character = text[at]
    if character == "[":
        return _brackets(text, at)
    if character == "\\":
        if at + 1 == len(text):
            raise ValueError("it ends with a backslash")
        following = text[at + 1]
        return 2, _GNU.get(following) or ("\\" + following if following in "123456789" else _itself(following))
    if character == "(" and text[at + 1 : at + 2] == "?":
        raise ValueError("a question mark after a parenthesis has no meaning")
    return 1, character if character in "().|^$" else _itself(character)


def _itself(character: str) -> str:
    return "\\" + character if character in _SPECIAL else character


def _brackets(text: str, at: int) -> tuple[int, str]:
    start = at
    at += 1
    content = "["
    if text[at : at + 1] == "^":
        content += "^"
        at += 1
    first = True
    while at < len(text):
        character = text[at]
        if character == "]" and not first:
            return at + 1 - start, content + "]"
        first = False
        if character == "[" and text[at + 1 : at + 2] in (":", ".", "="):
            end = text.find(text[at + 1] + "]", at + 2)
            name = text[at + 2 : end]
            if end < 0 or text[at + 1] != ":" or name not in _CLASSES:
                raise ValueError(f"{text[at : end + 2] if end > 0 else text[at:]} is no class of characters")
            content += _CLASSES[name]
            at = end + 2
            continue
        if text[at : at + 2] == "--":
            raise ValueError("two minus signs in brackets: what they mean is not clear")
        # A minus is a range where it stands between two, as in Python; all else is itself.
        content += "\\" + character if character in "\\[]^&|~" else character
        at += 1
    raise ValueError("a bracket is not closed")
