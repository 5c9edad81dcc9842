"""What holds in a block of nginx's: its own directives, and those that it inherits."""

from __future__ import annotations

import os
from collections.abc import Iterable

from txproxy.importers.nginx.syntax.blocks import Directive
from txproxy.importers.notes import Note


class Notes:
    """What could not be taken over, each once."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.folder = os.path.dirname(os.path.abspath(path))
        self.found: list[Note] = []

    def of_file(self, name: str, why: str) -> None:
        """What is so with all of the file, though nothing in it says it."""
        self.found.append(Note(self.path, 0, name, why))

    def say(self, directive: Directive, why: object) -> None:
        """``why`` something of a directive could not be taken over."""
        directive.taken = True
        self.found.append(directive.note(str(why)))

    def lines(self) -> tuple[str, ...]:
        """In the order of the files."""
        return tuple(dict.fromkeys(str(note) for note in sorted(self.found, key=lambda note: note.order)))


class Scope:
    """A block, within another one: of all that is asked for, it is noted that something was made of it."""

    def __init__(self, directive: Directive, outer: Scope | None, notes: Notes) -> None:
        directive.taken = True
        self.directive = directive
        self.outer = outer
        self.notes = notes
        self.directives = directive.block or ()

    def within(self, directive: Directive) -> Scope:
        """A block in this one."""
        return Scope(directive, self, self.notes)

    def own(self, *names: str) -> list[Directive]:
        """The directives of these names in this very block."""
        return [_taken(one) for one in self.directives if one.name in names]

    def all(self, *names: str) -> list[Directive]:
        """The directives of these names here, or, if there is none, where it is nearest. So nginx has it with all that
        may be there several times.
        """
        scope: Scope | None = self
        while scope is not None:
            found = scope.own(*names)
            if found:
                return found
            scope = scope.outer
        return []

    def last(self, name: str) -> Directive | None:
        """The one of this name that holds here, if any does."""
        found = self.all(name)
        return found[-1] if found else None

    def file(self, name: str) -> str:
        """The file that a directive names: nginx takes it to be beside the file that it was started with."""
        word = self.word(name)
        return os.path.join(self.notes.folder, word) if word else ""

    def word(self, name: str, default: str = "") -> str:
        """The first word of the one that holds here."""
        found = self.last(name)
        return found.first if found is not None else default


def _taken(directive: Directive) -> Directive:
    directive.taken = True
    return directive


def not_taken(directives: Iterable[Directive]) -> Iterable[Directive]:
    """Those of which nothing was made, at any depth; a block of which nothing was made stands for all in it."""
    for directive in directives:
        if not directive.taken:
            yield directive
        elif directive.block:
            yield from not_taken(directive.block)


def all_taken(directives: Iterable[Directive]) -> None:
    """Nothing is to be said of these: no request comes to them, or what is around them is told of."""
    for directive in directives:
        directive.taken = True
        all_taken(directive.block or ())
