"""A text of TOML taken apart so that it can be written anew: with its comments, and as it was written."""

from __future__ import annotations

import re
from typing import Final, TypeAlias

import attrs

from txproxy.config.sources.toml_cursor import SPACE, TomlCursor
from txproxy.config.sources.toml_text import tables_of

_BLANK: Final = re.compile(r"[ \t\n]*")
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_COMMENT: Final = re.compile(r"#[^\n]*")
_PLAIN: Final = re.compile(r"'[^'\"\\\x00-\x1f\x7f]*'")


@attrs.frozen
class Comment:
    """A comment, and the ``column`` at which it stood."""

    text: str
    column: int


@attrs.frozen
class Array:
    """``parts`` are elements, each with the comment that follows it, and comments between them; ``several`` is whether
    they stood in several lines.
    """

    parts: tuple[tuple[Value | None, Comment | None], ...]
    several: bool


@attrs.frozen
class InlineTable:
    """Its pairs of a key and a value."""

    pairs: tuple[tuple[str, Value], ...]


# What is neither is written as it was, but for quotes.
Value: TypeAlias = "str | Array | InlineTable"


@attrs.frozen
class Pair:
    """A key with its value, and the comment after it."""

    key: str
    value: Value
    comment: Comment | None = None


@attrs.frozen
class Header:
    """The name of a table, with its brackets, and the comment after it."""

    text: str
    comment: Comment | None = None


@attrs.frozen
class Blank:
    """One or more lines with nothing in them."""


Item: TypeAlias = "Pair | Header | Comment | Blank"


def items_of(text: str) -> list[Item]:
    """What stands in a text whose lines end in newlines, in its order."""
    return _Tokens(text).items()


class _Tokens(TomlCursor):
    def items(self) -> list[Item]:
        found: list[Item] = []
        while self.at < len(self.text):
            self.skip(SPACE)
            if self.take("\n"):
                if not found or not isinstance(found[-1], Blank):
                    found.append(Blank())
                continue
            if self.at == len(self.text):
                break
            comment = self._comment()
            found.append(comment if comment is not None else self._header() if self.take("[") else self._pair())
            self.skip(SPACE)
            self.take("\n")
        return found

    def _header(self) -> Header:
        several = self.take("[")
        name = self._name()
        self.take("]")
        if several:
            self.take("]")
        self.skip(SPACE)
        return Header(f"[[{name}]]" if several else f"[{name}]", self._comment())

    def _pair(self) -> Pair:
        key, value = self._key_and_value()
        self.skip(SPACE)
        return Pair(key, value, self._comment())

    def _key_and_value(self) -> tuple[str, Value]:
        key = self._name()
        self.take("=")
        self.skip(SPACE)
        return key, self._value()

    def _value(self) -> Value:
        if self.take("["):
            return self._array()
        if self.take("{"):
            return self._inline_table()
        string = self.string()
        if string is None:
            return self.bare()
        # Of the ways to write a text, the one that most have.
        return f'"{string[1:-1]}"' if _PLAIN.fullmatch(string) else string

    def _array(self) -> Array:
        begin = self.at
        parts: list[tuple[Value | None, Comment | None]] = []
        # An element is over with its comma, and a comment in its line is about it.
        line_of_element = False
        while not self.take("]"):
            skipped = self.skip(_BLANK)
            line_of_element = line_of_element and "\n" not in skipped
            comment = self._comment()
            if comment is not None:
                if line_of_element and parts[-1][1] is None:
                    parts[-1] = (parts[-1][0], comment)
                else:
                    parts.append((None, comment))
            elif not self.take(",") and not self.text.startswith("]", self.at):
                parts.append((self._value(), None))
                line_of_element = True
        return Array(tuple(parts), "\n" in self.text[begin : self.at])

    def _inline_table(self) -> InlineTable:
        pairs: list[tuple[str, Value]] = []
        while True:
            self.skip(_BLANK)
            if self.take("}"):
                return InlineTable(tuple(pairs))
            pairs.append(self._key_and_value())
            self.skip(_BLANK)
            self.take(",")

    def _name(self) -> str:
        return ".".join(map(_written_key, self.keys()))

    def _comment(self) -> Comment | None:
        found = _COMMENT.match(self.text, self.at)
        if found is None:
            return None
        self.at = found.end()
        return Comment(found[0].rstrip(), found.start() - self.text.rfind("\n", 0, found.start()) - 1)


def _written_key(key: str) -> str:
    if key[0] not in "\"'":
        return key
    name = next(iter(tables_of(f"{key} = 0", "")))
    if _BARE_KEY.fullmatch(name):
        return name
    return f'"{key[1:-1]}"' if _PLAIN.fullmatch(key) else key
