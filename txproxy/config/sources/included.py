"""Reading a configuration with the files that it includes: ``include = ["conf.d/*.toml"]``."""

from __future__ import annotations

import glob
import os
from collections.abc import Container, Iterator, Mapping
from typing import Any, Final

import attrs

from txproxy.components.values import brief, texts
from txproxy.config.sources.lines import Place, lines_of
from txproxy.config.sources.merged_tables import Piece
from txproxy.config.sources.outside_values import Expansion
from txproxy.config.sources.placed_findings import in_file
from txproxy.config.sources.toml_text import tables_of, text_of
from txproxy.errors import ConfigError, Finding, Path
from txproxy.frozen_values import frozen

_KEY: Final = "include"
_ACCEPTED: Final = "accepted is the name of a TOML file, or a pattern such as conf.d/*.toml"


@frozen
class Included:
    """Files that a configuration includes: their ``texts`` by whole names, and which of them each pattern that is in
    the configuration stands for (``matches``).
    """

    texts: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    matches: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict, repr=False)


def read_sources(
    content: str,
    file: str,
    environ: Mapping[str, str],
    known: Included | None = None,
    only: Container[str] | None = None,
    seen: dict[str, None] | None = None,
) -> tuple[Piece, Included]:
    """What a text says, which is that of ``file``, with values of ``environ`` and what it includes; and what that is.
    Where it is ``known``, no other file is read. ``only`` has the keys that matter, if not all do. What is
    included, or could be, is ``seen``, whatever is wrong. ``ConfigError`` for all that cannot be found, or is there
    twice.
    """
    reading = _Reading(environ, known, only, {} if seen is None else seen)
    found = reading.piece(content, file, {os.path.abspath(file): Place(file, 1)})
    if reading.faults:
        raise ConfigError(reading.faults)
    return found, Included(reading.texts, reading.matches)


class _Reading:
    def __init__(
        self,
        environ: Mapping[str, str],
        known: Included | None,
        only: Container[str] | None,
        seen: dict[str, None],
    ) -> None:
        self.texts: dict[str, str] = {}
        self.matches: dict[str, tuple[str, ...]] = {}
        self.faults: list[Finding] = []
        self._environ = environ
        self._known = known
        self._only = only
        self._seen = seen

    def piece(self, content: str, file: str, chain: Mapping[str, Place]) -> Piece:
        """What ``file`` says, with all that it includes. The ``chain`` has it and those that have included it."""
        content = content.replace("\r\n", "\n")
        data = tables_of(content, file)
        if self._only is not None:
            data = {key: value for key, value in data.items() if key in self._only}
        found = Piece(data, {path: Place(file, line) for path, line in lines_of(content).items()})
        expansion = Expansion(self._environ, found.outside)
        found.data = expansion.expanded(data)
        self.faults += in_file(expansion.faults, found.places)
        folder = os.path.dirname(file)
        for path, pattern in self._patterns(found):
            for name in self._names(pattern, folder, file):
                try:
                    self._include(found, name, {**chain, os.path.abspath(name): found.places[path]})
                except ConfigError as fault:
                    self.faults += self._told(fault, path, found)
        return found

    def _told(self, fault: ConfigError, path: Path, piece: Piece) -> list[Finding]:
        """What is wrong with a file that is included: some of it has a place there."""
        own = (one._replace(path=path, said=brief(one.said)) for one in fault.findings if not one.place)
        others = (one for one in fault.findings if one.place)
        return [*in_file(map(piece.outside.hidden, own), piece.places), *others]

    def _patterns(self, piece: Piece) -> Iterator[tuple[Path, str]]:
        given: Any = piece.data.pop(_KEY, ())
        for number, value in enumerate(given if isinstance(given, list | tuple) else (given,)):
            path: Path = (_KEY, number) if isinstance(given, list) else (_KEY,)
            try:
                yield path, texts(str)(value)
            except ConfigError as fault:
                told = (piece.outside.hidden(one) for one in fault.accepting(_ACCEPTED).at(*path).findings)
                self.faults += in_file(told, piece.places)

    def _names(self, pattern: str, folder: str, file: str) -> tuple[str, ...]:
        """The files that a pattern stands for, as they are called, in order; not the one that has it."""
        whole = os.path.join(folder, pattern)
        if not glob.has_magic(pattern):
            self._seen[whole] = None
            return (whole,)
        self._seen[_folder_of(whole)] = None
        key = os.path.abspath(whole)
        if self._known is not None:
            found = self._known.matches.get(key, ())
        else:
            own = os.path.abspath(file)
            names = (os.path.abspath(name) for name in glob.glob(whole) if os.path.isfile(name))
            found = tuple(sorted(name for name in names if name != own))
        self.matches[key] = found
        self._seen.update(dict.fromkeys(found))
        # They are called as the pattern is: by a whole name, or from where the program stands.
        return found if os.path.isabs(whole) else tuple(os.path.relpath(name) for name in found)

    def _include(self, into: Piece, file: str, chain: Mapping[str, Place]) -> None:
        name = os.path.abspath(file)
        if list(chain).index(name) < len(chain) - 1:
            raise ConfigError(f"{file} includes this one", "accepted are files that do not include each other")
        if name in self.texts:
            raise ConfigError(f"{file} is included already", "accepted is it in one place")
        if self._known is None:
            content = text_of(file)
        elif name in self._known.texts:
            content = self._known.texts[name]
        else:
            raise ConfigError(f"{file}: what was in it is not known", _ACCEPTED)
        self.texts[name] = content = content.replace("\r\n", "\n")
        self.faults += into.add(self.piece(content, file, chain))


def _folder_of(pattern: str) -> str:
    """The folder that changes where another file comes to be one of a pattern; the last above it that is no pattern."""
    folder = os.path.dirname(pattern)
    while glob.has_magic(folder):
        folder = os.path.dirname(folder)
    return folder or "."
