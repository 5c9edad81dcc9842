"""nginx's regular expressions, which are PCRE's, in Python's syntax, and so that they match a whole text: ours have to,
and nginx searches.
"""

from __future__ import annotations

import re
from typing import Final

from txproxy.importers.notes import Untranslatable
from txproxy.matching.regular_expressions import EXPRESSION_MARK

_CLASSES: Final = {
    "alpha": "A-Za-z", "digit": "0-9", "alnum": "A-Za-z0-9", "upper": "A-Z", "lower": "a-z", "xdigit": "0-9A-Fa-f",
    "space": r" \t\n\r\f\v", "blank": r" \t", "punct": r"!-/:-@\[-`{-~", "word": r"\w",
}  # fmt: skip
_NAMED: Final = re.compile(r"\(\?<(?=[A-Za-z_])")
_CLASS: Final = re.compile(r"\[:(\w+):\]")
# What Python has not, or means something else by.
_UNKNOWN: Final = re.compile(r"(?<!\\)(?:\\\\)*(\\[hHRKQEGCXpPNoZ]|\(\?[R0-9&+|]|\(\*|\(\?P>)")
_FLAGS: Final = re.compile(r"\(\?([imsx]+)\)")


def python_expression(text: str) -> str:
    """``text`` in Python's syntax, to be searched for; ``Untranslatable`` if it has no such form."""
    if not text.isascii():
        raise Untranslatable("the expression has more than ASCII in it")
    unknown = _UNKNOWN.search(text)
    if unknown is not None:
        raise Untranslatable(f"{unknown[1]} of the expression is unknown here")
    made = _NAMED.sub("(?P<", text)
    made = _CLASS.sub(lambda found: _CLASSES.get(found[1], found[0]), made)
    made = re.sub(r"(?<!\\)((?:\\\\)*)\\z", r"\1\\Z", made)
    try:
        re.compile(made.encode())
    except (re.error, OverflowError, RecursionError) as fault:
        raise Untranslatable(f"{text} is no expression here: {fault}") from None
    return made


def whole_expression(text: str, ignore_case: bool = False) -> str:
    """What matches all of a text in which ``text`` would be found, groups included; without a mark before it."""
    made = python_expression(text)
    flags = _FLAGS.match(made)
    letters = flags[1] if flags is not None else ""
    made = made[len(flags[0]) :] if flags is not None else made
    if ignore_case and "i" not in letters:
        letters = "i" + letters
    before = f"(?{letters})" if letters else ""
    if _has_alternatives(made):
        return f"{before}.*?(?:{made}).*"
    begins = made.startswith("^")
    made = made.removeprefix("^")
    ends = made.endswith("$") and not _is_escaped(made, len(made) - 1)
    made = made[:-1] if ends else made
    front = "" if begins or made.startswith(".*") else ".*?"
    back = "" if ends or made.endswith((".*", "(.*)")) else ".*"
    return f"{before}{front}{made}{back}" if made else f"{before}{'' if begins and ends else '.*'}"


def marked(expression: str) -> str:
    """As our files have an expression where something else may stand as well."""
    return EXPRESSION_MARK + expression


def group_count(text: str) -> int:
    """How many groups an expression has."""
    return re.compile(python_expression(text)).groups


def _is_escaped(text: str, at: int) -> bool:
    before = text[:at]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 1


def _has_alternatives(text: str) -> bool:
    """Whether a ``|`` stands outside of all groups."""
    depth, at, within = 0, 0, False
    while at < len(text):
        character = text[at]
        if character == "\\":
            at += 1
        elif within:
            within = character != "]"
        elif character == "[":
            within = True
            # The first bracket after it is one of those meant.
            at += text[at + 1 : at + 2] == "^"
            at += text[at + 1 : at + 2] == "]"
        elif character in "()":
            depth += 1 if character == "(" else -1
        elif character == "|" and not depth:
            return True
        at += 1
    return False
