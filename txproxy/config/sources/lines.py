"""Where in a TOML file a key stands: the parser of the standard library does not say.

The text is known to be valid, so that reading it takes no more than finding where each key and value begins and ends.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import Final, NamedTuple

from txproxy.errors import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_SPACE: Final = re.compile(r"[ \t]*")
_BLANK: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY: Final = re.compile(r"[A-Za-z0-9_-]+|\"(?:[^\"\\]|\\.)*\"|'[^']*'")
_STRING: Final = re.compile(
    r"\"\"\"(?:[^\\]|\\.)*?\"{3,5}(?!\")|'''.*?'{3,5}(?!')|\"(?:[^\"\\]|\\.)*\"|'[^']*'", re.DOTALL
)
_BARE: Final = re.compile(r"[^,\]}\n#]*")


class Place(NamedTuple):
    """Where a key stands: in which ``file``, as it is called, and in which line of that, counted from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def lines_of(text: str) -> Mapping[Path, int]:
    """The line of each table, key and element of a list, counted from 1."""
    return _Reader(text).lines


def sections_of(text: str) -> list[tuple[tuple[str, ...], str]]:
    """``text`` in pieces, each from the line of a header on, with the keys of that; the first is what has none."""
    begins: list[tuple[tuple[str, ...], int]] = [((), 0), *_Reader(text).headers]
    ends = [begin for _, begin in begins[1:]] + [len(text)]
    return [(keys, text[begin:end]) for (keys, begin), end in zip(begins, ends, strict=True)]


class _Reader:
    def __init__(self, text: str) -> None:
        self.lines: dict[Path, int] = {(): 1}
        # the keys of each header, and where its line begins
        self.headers: list[tuple[tuple[str, ...], int]] = []
        self._text = text
        self._at = 0
        # how many tables a list of tables has had so far
        self._counts: dict[Path, int] = {}
        self._line = 1
        self._counted = 0
        self._read()

    def _note(self, path: Path) -> None:
        # Positions only grow, so that each line end is counted once.
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        for length in range(1, len(path) + 1):
            self.lines.setdefault(path[:length], self._line)

    def _skip(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        assert found is not None, "the text is valid TOML"
        self._at = found.end()
        return found[0]

    def _take(self, mark: str) -> bool:
        taken = self._text.startswith(mark, self._at)
        if taken:
            self._at += len(mark)
        return taken

    def _read(self) -> None:
        table: Path = ()
        while True:
            self._skip(_BLANK)
            if self._at >= len(self._text):
                return
            if self._take("["):
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> Path:
        begin = self._text.rfind("\n", 0, self._at) + 1
        several = self._take("[")
        keys = self._keys()
        self.headers.append((tuple(keys), begin))
        path: Path = ()
        for key in keys[:-1]:
            path = (*path, key)
            if path in self._counts:
                path = (*path, self._counts[path] - 1)
        path = (*path, keys[-1])
        if several:
            number = self._counts.get(path, 0)
            self._counts[path] = number + 1
            path = (*path, number)
        self._note(path)
        self._take("]")
        if several:
            self._take("]")
        return path

    def _keys(self) -> list[str]:
        keys = []
        while True:
            self._skip(_SPACE)
            key = self._skip(_KEY)
            if key[0] in "\"'":
                key = next(iter(tomllib.loads(f"{key} = 0")))
            keys.append(key)
            self._skip(_SPACE)
            if not self._take("."):
                return keys

    def _pair(self, table: Path) -> None:
        begin = self._at
        keys = self._keys()
        end, self._at = self._at, begin
        path = (*table, *keys)
        self._note(path)
        self._at = end
        self._take("=")
        self._skip(_SPACE)
        self._value(path)

    def _value(self, path: Path) -> None:
        if self._take("["):
            number = 0
            while True:
                self._skip(_BLANK)
                if self._take("]"):
                    return
                self._note((*path, number))
                self._value((*path, number))
                number += 1
                self._skip(_BLANK)
                self._take(",")
        elif self._take("{"):
            while True:
                self._skip(_BLANK)
                if self._take("}"):
                    return
                self._pair(path)
                self._skip(_BLANK)
                self._take(",")
        else:
            string = _STRING.match(self._text, self._at)
            if string is not None:
                self._at = string.end()
            else:
                self._skip(_BARE)
