"""A body in parts, of which some may be missing."""

from __future__ import annotations

import os
from bisect import bisect_right
from typing import Final, NamedTuple

import attrs

from txproxy.cache.stored import BY_KERNEL, FileRange, MemoryBody, StoredBody

# Beyond one for each slice of a body, it is kept in so many parts at most: who asks for every other byte does not make
# the cache keep a list of them.
MOST_PARTS: Final = 256
SLICE: Final = 1 << 20
# What is longer, in bytes, is not looked at as a whole before the first byte of it is sent: each part is in its turn.
CHECKED_AT_ONCE: Final = 16 << 20


class Part(NamedTuple):
    """Part of a body: all of ``body``, which begins at ``start``."""

    start: int
    body: StoredBody

    @property
    def stop(self) -> int:
        """The first byte that is not part of it."""
        return self.start + self.body.length


@attrs.frozen(eq=False)
class PartsBody:
    """A body of ``length`` bytes of which these parts are ``held``: in order, none empty, and none over another (see
    :class:`txproxy.cache.stored.StoredBody`).
    """

    length: int
    held: tuple[Part, ...]
    # whether nothing is missing
    is_whole: bool = attrs.field(init=False)
    _starts: list[int] = attrs.field(init=False, repr=False)

    @is_whole.default
    def _has_all(self) -> bool:
        return sum(part.body.length for part in self.held) == self.length

    @_starts.default
    def _begin_at(self) -> list[int]:
        return [part.start for part in self.held]

    @property
    def size(self) -> int:
        """How many bytes of it are held."""
        return sum(part.body.length for part in self.held)

    def parts(self, start: int, stop: int) -> list[bytes | FileRange]:
        """The bytes from ``start`` up to ``stop``, or to where some are missing."""
        found: list[bytes | FileRange] = []
        at = max(0, bisect_right(self._starts, start) - 1)
        for part in self.held[at:]:
            if start >= stop or part.start > start:
                break
            if part.stop > start:
                end = min(stop, part.stop)
                found += part.body.parts(start - part.start, end - part.start)
                start = end
        return found

    def part_at(self, place: int) -> Part | None:
        """The part that has the byte at that ``place``; None if that is missing."""
        at = bisect_right(self._starts, place) - 1
        return self.held[at] if at >= 0 and place < self.held[at].stop else None

    def within(self, start: int, stop: int) -> list[Part]:
        """The parts that have any of the bytes from ``start`` up to ``stop``."""
        return [part for part in self.held if part.start < stop and start < part.stop]

    def without(self, parts: list[Part]) -> PartsBody | None:
        """The same without these ``parts``; None if nothing is left."""
        held = tuple([one for one in self.held if one not in parts])
        return PartsBody(self.length, held) if held else None

    def has(self, start: int, stop: int) -> bool:
        """Whether all bytes from ``start`` up to ``stop`` are held."""
        return self.missing(start, stop) is None

    def missing(self, start: int, stop: int) -> tuple[int, int] | None:
        """From where and up to where bytes are missing between ``start`` and ``stop``; there may be others in between
        that are not. None if all are held.
        """
        first = last = -1
        at = max(0, bisect_right(self._starts, start) - 1)
        for part in self.held[at:]:
            if part.start >= stop:
                break
            if part.start > start:
                first = start if first < 0 else first
                last = part.start
            start = max(start, part.stop)
        if start < stop:
            first = start if first < 0 else first
            last = stop
        return None if first < 0 else (first, last)

    def with_parts(self, new: tuple[Part, ...]) -> PartsBody:
        """The same with more parts, which are in order and follow each other, in the place of those that they cover any
        of. Short ones that follow each other are joined, and where there are too many, the new ones are alone.
        """
        start, stop = new[0].start, new[-1].stop
        before = [part for part in self.held if part.stop <= start]
        joined = _joined([*before, *new, *(part for part in self.held if part.start >= stop)])
        return PartsBody(self.length, new if len(joined) > MOST_PARTS + self.length // SLICE else tuple(joined))

    def simplest(self) -> StoredBody:
        """The same as a body that has no parts, where it is whole and is short or has only one."""
        if not self.is_whole:
            return self
        if len(self.held) == 1:
            return self.held[0].body
        if self.length >= BY_KERNEL:
            return self
        try:
            return MemoryBody(_read(self))
        except OSError:
            return self


def parts_from(start: int, body: StoredBody) -> tuple[Part, ...]:
    """The parts of a ``body`` that is itself part of another one, from ``start`` on."""
    if isinstance(body, PartsBody):
        return tuple(Part(start + part.start, part.body) for part in body.held)
    return (Part(start, body),)


def is_incomplete(body: StoredBody) -> bool:
    """Whether some of a ``body`` is missing."""
    return type(body) is PartsBody and not body.is_whole


def is_checked_late(body: StoredBody) -> bool:
    """Whether each part of a ``body`` is looked at when its turn comes, and not before."""
    return type(body) is PartsBody and body.length > CHECKED_AT_ONCE


def _joined(held: list[Part]) -> list[Part]:
    joined: list[Part] = []
    for part in held:
        before = joined[-1] if joined else None
        if (
            before is not None
            and before.stop == part.start
            and isinstance(before.body, MemoryBody)
            and isinstance(part.body, MemoryBody)
            and before.body.length + part.body.length < BY_KERNEL
        ):
            joined[-1] = Part(before.start, MemoryBody(before.body.data + part.body.data))
        else:
            joined.append(part)
    return joined


def _read(body: PartsBody) -> bytes:
    """All of it; an OSError says that it cannot be read."""
    found = []
    for piece in body.parts(0, body.length):
        data = piece if isinstance(piece, bytes) else os.pread(piece.fd, piece.size, piece.offset)
        if not isinstance(piece, bytes) and len(data) != piece.size:
            raise OSError("a file is shorter than it was")
        found.append(data)
    return b"".join(found)
