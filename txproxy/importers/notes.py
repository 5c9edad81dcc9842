"""What an importer says of what it could not take over."""

from __future__ import annotations

import attrs


class Untranslatable(Exception):
    """What cannot be said in our configuration, and why."""


@attrs.frozen
class Note:
    """What could not be taken over: the ``name`` of a directive and why, of a ``line`` of a ``file``, or, with 0, of
    what is nowhere in it.
    """

    file: str
    line: int
    name: str
    why: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.name}: {self.why}"

    @property
    def order(self) -> tuple[bool, str, int]:
        """Where it stands among others: as in the files, and what is not in them is last."""
        return not self.line, self.file if self.line else "", self.line


@attrs.frozen
class Translation:
    """``toml`` is a configuration of ours; ``notes`` are what it could not take over, a line for each
    (``FILE:LINE: DIRECTIVE: why``).
    """

    toml: str
    notes: tuple[str, ...]
