"""Globs over one text: ``*`` is any run of characters, ``?`` any one, and all else stands for itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from txproxy.matching.regular_expressions import EXPRESSION_MARK, regular_expression

WILD: Final = re.compile(r"[*?]")


@lru_cache(maxsize=4096)
def _any_character(piece: str) -> re.Pattern[str]:
    return re.compile(".".join(map(re.escape, piece.split("?"))), re.S)


class TextGlob:
    """A glob over one text. It never goes back over what it has passed, so no text makes it slow."""

    __slots__ = ("_first", "_middle", "_last", "_single")

    def __init__(self, pattern: str) -> None:
        pieces = pattern.split("*")
        self._single = len(pieces) == 1
        self._first = pieces[0]
        self._last = pieces[-1]
        self._middle = tuple(piece for piece in pieces[1:-1] if piece)

    def matches(self, text: str) -> bool:
        """Whether the whole ``text`` is matched."""
        first, last = self._first, self._last
        if self._single:
            return _at(first, text, 0) and len(first) == len(text)
        at, end = len(first), len(text) - len(last)
        if at > end or not _at(first, text, 0) or not _at(last, text, end):
            return False
        for piece in self._middle:
            if "?" in piece:
                match = _any_character(piece).search(text, at, end)
                if match is None:
                    return False
                at = match.end()
            else:
                at = text.find(piece, at, end)
                if at < 0:
                    return False
                at += len(piece)
        return True


def _at(piece: str, text: str, at: int) -> bool:
    if "?" in piece:
        return _any_character(piece).match(text, at) is not None
    return text.startswith(piece, at)


def text_pattern(text: str) -> Callable[[str], bool]:
    """A test of a text: a glob over the whole of it, or after ``~`` a regular expression that is searched for."""
    if text[:1] == EXPRESSION_MARK:
        search = regular_expression(text).search
        return lambda value: search(value) is not None
    return TextGlob(text).matches
