"""What is wrong with a configuration, at its place in a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from txproxy.config.sources.lines import Place
from txproxy.errors import Finding, Path, written


def in_file(findings: Iterable[Finding], places: Mapping[Path, Place]) -> tuple[Finding, ...]:
    """The same with the ``places`` of their keys in files, and in the order of these."""
    files = {place.file: None for place in places.values()}
    order = {file: number for number, file in enumerate(files)}

    placed = []
    for one in findings:
        place = place_of(one.path, places)
        told = one._replace(place=f"{place}: {written(one.path)}" if one.path else place.file)
        placed.append((order[place.file], place.line, str(told), told))
    return tuple(one for *_, one in sorted(placed, key=lambda entry: entry[:3]))


def place_of(path: Path, places: Mapping[Path, Place]) -> Place:
    """That of a key, or of what would have it where it is missing."""
    return next(places[path[:length]] for length in range(len(path), -1, -1) if path[:length] in places)
