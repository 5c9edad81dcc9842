"""nginx's directives, of which some have a block of others; those of included files stand where these are included."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from typing import Final

import attrs

from txproxy.errors import ConfigError
from txproxy.importers.nginx.syntax.words import Word, WordFault, words
from txproxy.importers.notes import Note

_LARGEST: Final = 16 << 20
_DEEPEST: Final = 32
_ACCEPTED: Final = "accepted is a file that nginx -t takes"


@attrs.define(eq=False)
class Directive:
    """A directive: its ``name``, the ``words`` after it, where it stands, and the ``block`` that it may have. It is
    ``taken`` when something has been made of it, or said of it.
    """

    file: str
    line: int
    name: str
    words: tuple[str, ...] = ()
    block: tuple[Directive, ...] | None = None
    taken: bool = False

    @property
    def place(self) -> str:
        """Where it stands, as people write it: ``nginx.conf:12``."""
        return f"{self.file}:{self.line}"

    @property
    def first(self) -> str:
        """The word after its name; empty if there is none."""
        return self.words[0] if self.words else ""

    def note(self, why: str) -> Note:
        """What could not be taken over of it."""
        return Note(self.file, self.line, self.name, why)


class Reader:
    """Reads a file and those that it includes. What these do not give is in ``notes``."""

    def __init__(self, path: str) -> None:
        self.notes: list[Note] = []
        # nginx takes names to be relative to the file that it was started with.
        self._folder = os.path.dirname(path)

    def read(self, text: str, file: str, depth: int = 0) -> tuple[Directive, ...]:
        """The directives of ``text``, which is what ``file`` holds; ``ConfigError`` says in which line it is none of
        nginx's.
        """
        try:
            return tuple(self._block(words(text), file, depth, None))
        except WordFault as fault:
            raise ConfigError(f"{file}:{fault.line}: {fault}", _ACCEPTED) from None

    def _block(self, stream: Iterator[Word], file: str, depth: int, opened: Word | None) -> Iterator[Directive]:
        found: list[Word] = []
        last = opened
        for word in stream:
            last = word
            if not word.sign:
                found.append(word)
                continue
            if word.text == "}":
                if found:
                    raise WordFault(found[0].line, f'directive "{found[0].text}" is not terminated by ";"')
                if opened is None:
                    raise WordFault(word.line, 'unexpected "}"')
                return
            if not found:
                raise WordFault(word.line, f'unexpected "{word.text}"')
            directive = Directive(file, found[0].line, found[0].text, tuple(one.text for one in found[1:]))
            found = []
            if word.text == "{":
                inside = list(self._block(stream, file, depth, word))
                directive.block = tuple(inside)
                yield directive
            elif directive.name == "include" and (opened is None or directive.words):
                yield from self._included(directive, depth)
            else:
                yield directive
        if opened is not None:
            raise WordFault(last.line if last is not None else 1, 'unexpected end of file, expecting "}"')
        if found:
            raise WordFault(found[0].line, f'directive "{found[0].text}" is not terminated by ";"')

    def _included(self, directive: Directive, depth: int) -> Iterator[Directive]:
        directive.taken = True
        if depth >= _DEEPEST:
            raise WordFault(directive.line, f"more than {_DEEPEST} files within each other")
        pattern = os.path.join(self._folder, directive.first)
        found = sorted(glob.glob(pattern)) if glob.has_magic(pattern) else [pattern]
        for file in found:
            try:
                text = read_file(file)
            except OSError as fault:
                self.notes.append(directive.note(f"{file}: {fault.strerror}"))
            else:
                yield from self.read(text, file, depth + 1)


def read_file(file: str) -> str:
    """What a file holds. ``OSError`` if it cannot be read."""
    with open(file, "rb") as opened:
        data = opened.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise OSError(27, "File too large")
    return data.decode("utf-8", "replace").removeprefix("\ufeff")
