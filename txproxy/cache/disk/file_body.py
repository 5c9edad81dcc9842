"""Bodies in segments, from where the kernel can send them."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from txproxy.cache.disk.segment import NotInMemory, Segment
from txproxy.cache.parts.parts_body import Part, PartsBody
from txproxy.cache.stored import FileRange, StoredBody

_CHUNK: Final = 1 << 20
# A body is taken to be in memory if one byte in so many is, and its last.
_PROBED: Final = 256 * 1024


class Piece(NamedTuple):
    """A piece of a body: ``size`` bytes from ``offset`` of a segment, which stays open as long as somebody has this."""

    segment: Segment
    offset: int
    size: int


def ranges(pieces: list[Piece], start: int, stop: int) -> list[bytes | FileRange]:
    """What stands from ``start`` to ``stop`` of a body in ``pieces``."""
    found: list[bytes | FileRange] = []
    for segment, offset, size in pieces:
        first, last = max(start, 0), min(stop, size)
        if first < last:
            found.append(FileRange(segment.fd, offset + first, last - first))
        start -= size
        stop -= size
    return found


class FileBody:
    """A body of ``length`` bytes whose checksum is ``crc``, in ``pieces``. ``ready_until`` is for who looks whether it
    is in memory: until when that need not be done again.
    """

    __slots__ = ("length", "crc", "pieces", "ready_until")

    def __init__(self, length: int, crc: int, pieces: list[Piece]) -> None:
        self.length = length
        self.crc = crc
        self.pieces = pieces
        self.ready_until = 0.0

    def parts(self, start: int, stop: int) -> list[bytes | FileRange]:
        """See :class:`txproxy.cache.stored.StoredBody`."""
        return ranges(self.pieces, start, stop)

    def check(self, wait: bool) -> bool:
        """Whether it is what was written. It is read for that once in a process, and then believed, as it is the kernel
        that sends it; after that it is only seen to that it is in memory, and that nobody has cut the file. If that
        must not be waited for, NotInMemory is raised where it would have to be.
        """
        first = self.pieces[0]
        if not wait:
            if not first.segment.is_verified(first.offset):
                raise NotInMemory
            return self._is_there()
        if self._crc() != self.crc:
            return False
        self.set_verified()
        return True

    @property
    def is_verified(self) -> bool:
        """Whether it was found to be what was written."""
        first = self.pieces[0]
        return first.segment.is_verified(first.offset)

    def set_verified(self) -> None:
        """Say that it is what was written."""
        first = self.pieces[0]
        first.segment.set_verified(first.offset)

    def set_unverified(self) -> None:
        """Say that it may be something else, so that it is read before it is sent again."""
        first = self.pieces[0]
        first.segment.set_unverified(first.offset)
        self.ready_until = 0.0

    @property
    def is_kept(self) -> bool:
        """Whether the files that it stands in are still there under their names, and as long as they were."""
        return not any(segment.removed for segment, _, _ in self.pieces)

    @property
    def is_whole(self) -> bool:
        """Whether all that was written of it is there, for who has just done so."""
        return all(segment.is_whole for segment, _, _ in self.pieces)

    def _is_there(self) -> bool:
        return all(
            segment.read(place, 1, wait=False)
            for segment, offset, size in self.pieces
            for place in (*range(offset, offset + size, _PROBED), offset + size - 1)
        )

    def _crc(self) -> int:
        crc = 0
        for data in self.chunks():
            crc = zlib.crc32(data, crc)
        return crc

    def chunks(self) -> Iterator[bytes]:
        """All of it, as it is read, however long that takes."""
        for segment, offset, size in self.pieces:
            for place in range(0, size, _CHUNK):
                yield segment.read(offset + place, min(_CHUNK, size - place), wait=True)


def bodies_on_disk(body: StoredBody) -> list[FileBody]:
    """All that a ``body`` consists of that stands in segments."""
    if isinstance(body, PartsBody):
        return [part.body for part in body.held if isinstance(part.body, FileBody)]
    return [body] if isinstance(body, FileBody) else []


def segments_of(bodies: Sequence[FileBody]) -> set[Segment]:
    """The segments that these stand in."""
    return {piece.segment for body in bodies for piece in body.pieces}


def as_written(parts: list[Part]) -> tuple[Part, ...]:
    """Those of a body's ``parts`` that are what was written, however long it takes to read them."""
    return tuple([part for part in parts if _is_as_written(part.body)])


def _is_as_written(body: StoredBody) -> bool:
    try:
        return all(one.check(wait=True) for one in bodies_on_disk(body))
    except OSError:
        return False
