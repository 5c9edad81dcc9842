"""Squid's configuration file, as directives: lines put together, comments taken out, other files taken in."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Sequence
from typing import Final

import attrs

from txproxy.importers.notes import Note

# Squid itself takes no more files within files.
_DEPTH: Final = 16
_LARGEST: Final = 64 << 20
_EQUAL: Final = re.compile(r"([0-9]{1,9})\s*=\s*([0-9]{1,9})")
_COMMENT: Final = re.compile(r"(?:^|\s)#.*")


@attrs.frozen
class Directive:
    """One directive: its ``name``, the ``words`` after it, and the ``file`` and ``line`` that it stands in."""

    file: str
    line: int
    name: str
    words: tuple[str, ...]

    @property
    def place(self) -> str:
        """Where it stands, as people write it: ``squid.conf:12``."""
        return f"{self.file}:{self.line}"

    def note(self, why: str) -> Note:
        """What could not be taken over of it."""
        return Note(self.file, self.line, self.name, why)


@attrs.frozen
class Unread:
    """What stands in a file and is no directive that could be read."""

    note: Note


def read(text: str, path: str, depth: int = 0) -> Iterator[Directive | Unread]:
    """The directives of ``text``, which is what ``path`` holds, and of the files that it includes."""
    # Of each if that is open, whether what follows holds; None if that is not known here.
    open_ifs: list[bool | None] = []
    for number, line in _lines(text):
        words = _words(line)
        if not words:
            continue
        directive = Directive(path, number, words[0], tuple(words[1:]))
        if directive.name == "if":
            open_ifs.append(_condition(directive.words))
            if open_ifs[-1] is None:
                yield Unread(directive.note("it is not known here; until endif, only what denies access is taken over"))
        elif directive.name == "else" and open_ifs:
            open_ifs[-1] = None if open_ifs[-1] is None else not open_ifs[-1]
        elif directive.name == "endif" and open_ifs:
            open_ifs.pop()
        elif False in open_ifs or (None in open_ifs and not _is_careful(directive)):
            continue
        elif directive.name == "include":
            yield from _included(directive, path, depth)
        else:
            yield directive


def _condition(words: Sequence[str]) -> bool | None:
    """What an ``if`` says: ``true``, ``false``, or two numbers with a sign of equality between."""
    text = " ".join(words).lower()
    if text in ("true", "false"):
        return text == "true"
    match = _EQUAL.fullmatch(text)
    return int(match[1]) == int(match[2]) if match is not None else None


def _is_careful(directive: Directive) -> bool:
    """Whether to take it over can only mean that less is allowed."""
    return directive.name == "acl" or (directive.name == "http_access" and directive.words[:1] == ("deny",))


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with their numbers; one that ends with a backslash goes on in the next."""
    whole, start = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        if not whole:
            start = number
            # A comment has no next line.
            if line.lstrip().startswith("#"):
                continue
        if line.endswith("\\"):
            whole += line[:-1] + " "
            continue
        yield start, whole + line
        whole = ""
    if whole:
        yield start, whole


def _words(line: str) -> list[str]:
    words: list[str] = []
    rest = line.strip()
    while rest and rest[0] != "#":
        if rest[0] == '"' and '"' in rest[1:]:
            # The name of a file, in which there may be spaces.
            end = rest.index('"', 1) + 1
        else:
            end = len(rest.split(maxsplit=1)[0])
        words.append(rest[:end])
        rest = rest[end:].lstrip()
    return words


def _included(directive: Directive, path: str, depth: int) -> Iterator[Directive | Unread]:
    if depth >= _DEPTH:
        yield Unread(directive.note(f"more than {_DEPTH} files within each other"))
        return
    for word in directive.words:
        pattern = os.path.join(os.path.dirname(path), word.strip('"'))
        found = sorted(glob.glob(pattern)) if glob.has_magic(pattern) else [pattern]
        for file in found:
            try:
                text = read_file(file)
            except OSError as fault:
                yield Unread(directive.note(f"{file}: {fault.strerror}"))
            else:
                yield from read(text, file, depth + 1)


def read_file(file: str) -> str:
    """What a file holds. ``OSError`` if it cannot be read."""
    with open(file, "rb") as opened:
        data = opened.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise OSError(27, "File too large")
    return data.decode("utf-8", "replace")


def items(word: str, path: str) -> list[str]:
    """What a word of an ACL stands for: itself, or what is in the file that it names, one a line. ``OSError`` if that
    cannot be read.
    """
    if len(word) < 2 or word[0] != '"' or word[-1] != '"':
        return [word]
    text = read_file(os.path.join(os.path.dirname(path), word.strip('"')))
    lines = (_COMMENT.sub("", line).strip() for line in text.splitlines())
    return [line for line in lines if line]
