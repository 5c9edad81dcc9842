"""Where in a TOML file a key stands: the parser of the standard library does not say."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import Final, NamedTuple

from txproxy.config.sources.toml_cursor import SPACE, TomlCursor
from txproxy.errors import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_BLANK: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")


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


def texts_of(text: str) -> list[tuple[Path, int, int]]:
    """Each value that is a text: what it is called, and where it begins and ends, with its quotes."""
    return _Reader(text).texts


class _Reader(TomlCursor):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.lines: dict[Path, int] = {(): 1}
        # the keys of each header, and where its line begins
        self.headers: list[tuple[tuple[str, ...], int]] = []
        self.texts: list[tuple[Path, int, int]] = []
        # how many tables a list of tables has had so far
        self._counts: dict[Path, int] = {}
        self._line = 1
        self._counted = 0
        self._read()

    def _note(self, path: Path) -> None:
        # Positions only grow, so that each line end is counted once.
        self._line += self.text.count("\n", self._counted, self.at)
        self._counted = self.at
        for length in range(1, len(path) + 1):
            self.lines.setdefault(path[:length], self._line)

    def _read(self) -> None:
        table: Path = ()
        while True:
            self.skip(_BLANK)
            if self.at >= len(self.text):
                return
            if self.take("["):
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> Path:
        begin = self.text.rfind("\n", 0, self.at) + 1
        several = self.take("[")
        keys = self._names()
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
        self.take("]")
        if several:
            self.take("]")
        return path

    def _names(self) -> list[str]:
        return [next(iter(tomllib.loads(f"{key} = 0"))) if key[0] in "\"'" else key for key in self.keys()]

    def _pair(self, table: Path) -> None:
        begin = self.at
        keys = self._names()
        end, self.at = self.at, begin
        path = (*table, *keys)
        self._note(path)
        self.at = end
        self.take("=")
        self.skip(SPACE)
        self._value(path)

    def _value(self, path: Path) -> None:
        if self.take("["):
            number = 0
            while True:
                self.skip(_BLANK)
                if self.take("]"):
                    return
                self._note((*path, number))
                self._value((*path, number))
                number += 1
                self.skip(_BLANK)
                self.take(",")
        elif self.take("{"):
            while True:
                self.skip(_BLANK)
                if self.take("}"):
                    return
                self._pair(path)
                self.skip(_BLANK)
                self.take(",")
        else:
            begin = self.at
            if self.string() is None:
                self.bare()
            else:
                self.texts.append((path, begin, self.at))
