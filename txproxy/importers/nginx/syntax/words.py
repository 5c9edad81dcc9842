"""The words of nginx's files: quotes, escapes and comments, as nginx itself reads them (``ngx_conf_read_token``)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import attrs

_SPACE: Final = " \t\r\n"
# What follows a quoted word.
_AFTER_QUOTE: Final = " \t\r\n;{)"
_ESCAPES: Final = {'"': '"', "'": "'", "\\": "\\", "t": "\t", "r": "\r", "n": "\n"}


class WordFault(Exception):
    """What is wrong with a file, and in which ``line``."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(why)
        self.line = line


@attrs.frozen
class Word:
    """A word with its ``line``; ``sign`` is ``;``, ``{`` or ``}`` where it is one of these, and its text is that."""

    line: int
    text: str
    sign: bool = False


def words(text: str) -> Iterator[Word]:
    """All words of a file; ``WordFault`` for a quote that is not closed, or with something at its end."""
    at, line, size = 0, 1, len(text)
    while at < size:
        character = text[at]
        if character in _SPACE:
            line += character == "\n"
            at += 1
        elif character == "#":
            end = text.find("\n", at)
            at = size if end < 0 else end
        elif character in ";{}":
            yield Word(line, character, True)
            at += 1
        else:
            raw, end = _quoted(text, at, line) if character in "\"'" else _plain(text, at)
            yield Word(line, _unescaped(raw))
            line += text.count("\n", at, end)
            at = end


def _quoted(text: str, at: int, line: int) -> tuple[str, int]:
    quote, end = text[at], at + 1
    while end < len(text) and text[end] != quote:
        end += 2 if text[end] == "\\" else 1
    if end >= len(text):
        raise WordFault(line, f"a {quote} is not closed")
    after = text[end + 1 : end + 2]
    if after and after not in _AFTER_QUOTE:
        raise WordFault(line + text.count("\n", at, end), f'unexpected "{after}" after a closing {quote}')
    return text[at + 1 : end], end + 1


def _plain(text: str, at: int) -> tuple[str, int]:
    """A word without quotes: it ends at white space, ``;`` or ``{``, but for that of ``${name}``."""
    end = at
    while end < len(text):
        character = text[end]
        if character == "\\":
            end += 2
            continue
        if character in _SPACE or character == ";" or (character == "{" and text[end - 1 : end] != "$"):
            break
        end += 1
    return text[at:end], min(end, len(text))


def _unescaped(raw: str) -> str:
    if "\\" not in raw:
        return raw
    made, at = [], 0
    while at < len(raw):
        following = raw[at + 1 : at + 2]
        if raw[at] == "\\" and following in _ESCAPES:
            made.append(_ESCAPES[following])
            at += 2
        else:
            # Another backslash stays: it is for whoever reads an expression.
            made.append(raw[at])
            at += 1
    return "".join(made)
