"""Responses on their way to a disk: their bodies first, and a record at the end that makes them be there."""

from __future__ import annotations

import errno
import zlib
from itertools import accumulate
from typing import Final

from txproxy.cache.disk.disk_health import DiskHealth
from txproxy.cache.disk.file_body import FileBody, Piece, ranges
from txproxy.cache.disk.hint_index import Hint, HintIndex
from txproxy.cache.disk.record_format import (
    ALIGNED,
    HEADER_SIZE,
    KEY_SIZE,
    MOST_PACKED,
    PAGE,
    Extent,
    Response,
    StoredPart,
    pack_response,
    response_record,
    room_record,
)
from txproxy.cache.disk.record_reader import DiskEntry, Place
from txproxy.cache.disk.segments import Segments
from txproxy.cache.parts.parts_body import SLICE, Part, PartsBody
from txproxy.cache.stored import BY_KERNEL, FileRange, MemoryBody, StoredBody, StoredHead

# More variants than these of one key evict each other.
MOST_VARIANTS: Final = 64
# A body whose length is not known is kept in memory until it has so many bytes: most end before, and are in one piece.
_HELD_BACK: Final = 128 * 1024
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


class RecordLog:
    """Appends to the segment that this process writes to. ``health`` is told what becomes of it."""

    __slots__ = ("segments", "health", "_index")

    def __init__(self, segments: Segments, index: HintIndex, health: DiskHealth) -> None:
        self.segments = segments
        self.health = health
        self._index = index

    @property
    def slice_size(self) -> int:
        """How much of a body stands in one room at most: several fit into a segment."""
        return min(SLICE, self.segments.segment_size // 4)

    def room(self, key: bytes, size: int) -> Piece | None:
        """Room for so many bytes of a body, which the disk has; None if there is none."""
        try:
            segment = self.segments.with_room(HEADER_SIZE + KEY_SIZE + PAGE + size + ALIGNED)
            if segment is None:
                return None
            record, start, end = room_record(key, size, segment.number, segment.end)
            segment.write(record, segment.end)
            segment.allocate(segment.end, end - segment.end)
            segment.end = end
        except OSError as error:
            self.failed(error)
            return None
        return Piece(segment, start, size)

    def failed(self, error: OSError) -> None:
        """A write has failed. Where there was no room, the oldest segment goes, once for each time that it is tried: a
        cache is to give way on a disk that is full, and goes on with what is new where it has more bytes than that.
        """
        was_tried = self.health.may_write
        self.health.failed(error)
        if was_tried and error.errno in _NO_ROOM:
            try:
                self.segments.give_way()
            except OSError:
                # It is tried again.
                pass

    def add(self, key: bytes, head: StoredHead, body: StoredBody, replaces: DiskEntry | None) -> DiskEntry | None:
        """Add the record of a response whose body is there, in the place of another if there is one; None if that
        cannot be.
        """
        kind, packed, data, body = self._packed(key, head, body)
        if not packed or len(packed) > MOST_PACKED:
            return None
        try:
            segment = self.segments.with_room(HEADER_SIZE + len(packed) + len(data) + ALIGNED)
            if segment is None:
                return None
            offset = segment.end
            segment.append(response_record(packed, data, segment.number, offset, kind))
        except OSError as error:
            self.failed(error)
            return None
        self.health.worked()
        if replaces is None:
            hint = self._hint(key, segment.number, offset)
        else:
            hint = self._index.replace(replaces.hint, key, segment.number, offset)
            try:
                replaces.place.set_gone()
            except OSError:
                # Of two that were chosen by the same, the newer one is found.
                pass
        return DiskEntry(key, head, body, Place(segment, offset), hint)

    def _packed(self, key: bytes, head: StoredHead, body: StoredBody) -> tuple[int, bytes, bytes, StoredBody]:
        """The kind of a record, its packed part, what follows that, and the body as it then is. The packed part is
        empty where there is no room for what is to be in a room.
        """
        data = b""
        if isinstance(body, MemoryBody):
            data = body.data
            response = Response(key, head, len(data), zlib.crc32(data))
        elif isinstance(body, FileBody):
            response = Response(key, head, body.length, body.crc, tuple([_extent(piece) for piece in body.pieces]))
        elif isinstance(body, PartsBody):
            placed = self._placed(key, body)
            if placed is None:
                return 0, b"", b"", body
            parts = [StoredPart(start, one.crc, _extent(one.pieces[0])) for start, one in placed]
            body = PartsBody(body.length, tuple([Part(start, one) for start, one in placed]))
            response = Response(key, head, body.length, 0, (), tuple(parts))
        else:
            raise TypeError(f"{body!r} was taken by no writer of a disk")
        return response.kind, pack_response(response), data, body

    def _placed(self, key: bytes, body: PartsBody) -> list[tuple[int, FileBody]] | None:
        """The parts of a ``body``, each in a room of its own; None if one of them cannot be."""
        placed = []
        for start, part in body.held:
            one = self._in_room(key, part.data) if isinstance(part, MemoryBody) else part
            if one is None:
                return None
            if not isinstance(one, FileBody) or len(one.pieces) != 1:
                raise TypeError(f"{part!r} was taken by no writer of a disk")
            placed.append((start, one))
        return placed

    def _in_room(self, key: bytes, data: bytes) -> FileBody | None:
        room = self.room(key, len(data))
        if room is None:
            return None
        try:
            room.segment.write(data, room.offset)
        except OSError as error:
            self.failed(error)
            return None
        body = FileBody(len(data), zlib.crc32(data), [room])
        body.set_verified()
        return body

    def _hint(self, key: bytes, segment: int, offset: int) -> Hint:
        others = self._index.find(key)
        if len(others) >= MOST_VARIANTS:
            self._index.clear(min(others, key=lambda one: (one.uses, one.word)))
        return self._index.add(key, segment, offset)


def _extent(piece: Piece) -> Extent:
    segment, offset, size = piece
    return Extent(segment.number, offset, size)


class GrowingFileBody:
    """A body of which more may come; what is there can be read. It is in ``pieces``, and in ``held`` before there are
    any; ``length`` is what is there.
    """

    __slots__ = ("held", "pieces", "length")

    def __init__(self) -> None:
        self.held = bytearray()
        self.pieces: list[Piece] = []
        self.length = 0

    def parts(self, start: int, stop: int) -> list[bytes | FileRange]:
        """See :class:`txproxy.cache.stored.StoredBody`."""
        stop = min(stop, self.length)
        if start >= stop:
            return []
        return ranges(self.pieces, start, stop) if self.pieces else [bytes(memoryview(self.held)[start:stop])]


class DiskWriter:
    """Takes a response's body while it comes, for a disk store; of ``length`` bytes at most, if that is known. ``body``
    can be read meanwhile, and stays what it is for those who have it. A body of more than 1 MiB is in slices of that
    size, each with a room and a checksum of its own: what becomes of one leaves the others as they are.
    """

    __slots__ = ("body", "_log", "_key", "_length", "_most", "_crcs", "_place", "_used", "_open")

    def __init__(self, log: RecordLog, key: bytes, length: int | None, most: int) -> None:
        if len(key) != KEY_SIZE:
            raise ValueError(f"a key of {len(key)} bytes; accepted is one of {KEY_SIZE}")
        self.body = GrowingFileBody()
        self._log = log
        self._key = key
        self._length = length
        # Of what is known to be too long nothing is kept.
        self._most = most if length is None else length if length <= most else 0
        # of each piece that was written to; which piece comes next, and how much of it was written
        self._crcs: list[int] = []
        self._place = self._used = 0
        self._open = True

    @property
    def written(self) -> int:
        """How many bytes there are."""
        return self.body.length

    def reserve(self) -> bool:
        """Have the room for a long body whose length is known; whether there is. What is written then fits, up to a
        quarter of a segment: what is longer than that comes for a long time, and most of it finds room later.
        """
        length = self._length
        if length is not None and BY_KERNEL <= length <= self._most and not self.body.pieces and not self.written:
            left = min(length, self._log.segments.segment_size // 4)
            while left > 0 and self._open:
                self._open = self._more_room(left)
                left -= self.body.pieces[-1].size if self._open else 0
        return self._open

    def write(self, data: bytes) -> bool:
        """Add ``data``, and tell whether it could be: it cannot where that makes more than a store has of one, or than
        was said, or where the disk does not work. Nothing can be added after that, and what is there is for its readers
        alone.
        """
        self._open = self._open and self.written + len(data) <= self._most and self._add(data)
        return self._open

    def _add(self, data: bytes) -> bool:
        body = self.body
        try:
            if not body.pieces:
                size = len(body.held) + len(data)
                if size < BY_KERNEL or (self._length is None and size < _HELD_BACK):
                    body.held += data
                    body.length = size
                    return True
                return self._let_go() and self._append(data)
            return self._append(data)
        except OSError as error:
            self._log.failed(error)
            return False

    def _let_go(self) -> bool:
        """Write what was held back."""
        body = self.body
        held, length = bytes(body.held), body.length
        body.length, written = 0, False
        try:
            written = self._append(held)
        finally:
            if written:
                body.held = bytearray()
            else:
                # It is still read from there.
                body.pieces, body.length = [], length
        return written

    def _append(self, data: bytes) -> bool:
        view = memoryview(data)
        body, crcs = self.body, self._crcs
        while view:
            if self._place == len(body.pieces) and not self._more_room(len(view)):
                return False
            segment, offset, size = body.pieces[self._place]
            part = view[: size - self._used]
            segment.write(part, offset + self._used)
            if not self._used:
                crcs.append(0)
            crcs[-1] = zlib.crc32(part, crcs[-1])
            body.length += len(part)
            self._used += len(part)
            if self._used == size:
                self._place += 1
                self._used = 0
            view = view[len(part) :]
        return True

    def _more_room(self, size: int) -> bool:
        """Have a room for ``size`` bytes and what comes after them, as far as that is known."""
        reserved = sum([piece.size for piece in self.body.pieces])
        expected = reserved if self._length is None else self._length - reserved
        room = self._log.room(self._key, min(max(size, expected), self._log.slice_size))
        if room is not None:
            self.body.pieces.append(room)
        return room is not None

    def commit(self, head: StoredHead, replaces: DiskEntry | None = None) -> DiskEntry | None:
        """Have the response be there, with the whole of its body, in the place of another if there is one; None if that
        could not be.
        """
        body = self.finish()
        return self._log.add(self._key, head, body, replaces) if body is not None else None

    def finish(self) -> StoredBody | None:
        """The whole body, of which no more comes, for whoever keeps it with its head later (see
        :meth:`txproxy.cache.disk.disk_store.DiskStore.put`); None if there is not all of it.
        """
        if not self._open:
            return None
        self._open = False
        try:
            return self._whole()
        except OSError as error:
            self._log.failed(error)
            return None

    def _whole(self) -> StoredBody | None:
        body = self.body
        if not body.pieces and (len(body.held) < BY_KERNEL or not self._let_go()):
            return MemoryBody(bytes(body.held))
        pieces = self._pieces()
        slices = [FileBody(piece.size, crc, [piece]) for piece, crc in zip(pieces, self._crcs, strict=True)]
        if not all(one.is_whole for one in slices):
            # What was cut meanwhile is not what has come.
            return None
        for one in slices:
            # It was written here.
            one.set_verified()
        if len(slices) < 2:
            return slices[0] if slices else MemoryBody(b"")
        starts = accumulate([piece.size for piece in pieces[:-1]], initial=0)
        return PartsBody(body.length, tuple(map(Part, starts, slices)))

    def _pieces(self) -> list[Piece]:
        """Those that something was written to; it may have come to an end before that was expected."""
        pieces, place = self.body.pieces, self._place
        return [*pieces[:place], pieces[place]._replace(size=self._used)] if self._used else pieces[:place]

    def abandon(self) -> None:
        """Take no more. What is there is gone with the last of its readers."""
        self._open = False
