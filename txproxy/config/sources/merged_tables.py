"""What a file says, and those that it includes: one set of tables, with the place of each key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from txproxy.config.sources.lines import Place
from txproxy.config.sources.outside_values import Outside
from txproxy.errors import Finding, Path, written


@attrs.define
class Piece:
    """What a file says: its tables (``data``), the ``places`` of their keys, and what of it stands ``outside``."""

    data: dict[str, Any]
    places: dict[Path, Place]
    outside: Outside = attrs.field(factory=Outside)

    def add(self, other: Piece) -> list[Finding]:
        """Have all that the ``other`` says as well: tables are one with those of the same name, and lists of tables
        go on. Gives what cannot be, as both say it: each with its place.
        """
        merge = _Merge(self.places, other.places)
        merge.tables(self.data, other.data, ())
        for path, place in other.places.items():
            self.places.setdefault(merge.moved(path), place)
        other.outside.move(merge.moved)
        self.outside.take(other.outside)
        return merge.twice


class _Merge:
    """One file into another, by the places of the keys of both."""

    def __init__(self, here: Mapping[Path, Place], there: Mapping[Path, Place]) -> None:
        self.twice: list[Finding] = []
        self._here = here
        self._there = there
        # by how many elements a list of tables begins later
        self._later: dict[Path, int] = {}

    def tables(self, mine: dict[str, Any], theirs: Mapping[str, Any], path: Path) -> None:
        """The keys of one table into those of the same one."""
        for key, value in theirs.items():
            at = (*path, key)
            if key not in mine:
                mine[key] = value
            elif isinstance(mine[key], dict) and isinstance(value, dict):
                self.tables(mine[key], value, at)
            elif _are_tables(mine[key]) and _are_tables(value):
                self._later[at] = len(mine[key])
                mine[key] = mine[key] + value
            else:
                said = f"it is said twice: {self._here[at]} has it as well"
                place = f"{self._there[at]}: {written(at)}"
                self.twice.append(Finding(at, said, "accepted is one of them", place))

    def moved(self, path: Path) -> Path:
        """The path of what is at ``path`` there, in both together."""
        found: Path = ()
        for step in path:
            found = (*found, step + self._later.get(found, 0) if isinstance(step, int) else step)
        return found


def _are_tables(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)
