"""Responses on their way to a disk: their bodies first, and a record at the end that makes them be there."""

from __future__ import annotations

import zlib
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
    pack_response,
    response_record,
    room_record,
)
from txproxy.cache.disk.record_reader import DiskEntry, Place
from txproxy.cache.disk.segments import Segments
from txproxy.cache.stored import BY_KERNEL, FileRange, MemoryBody, StoredBody, StoredHead

# More variants than these of one key evict each other.
MOST_VARIANTS: Final = 64
# A body whose length is not known is kept in memory until it has so many bytes: most end before, and are in one piece.
_HELD_BACK: Final = 128 * 1024
_LARGEST_ROOM: Final = 1 << 20


class RecordLog:
    """Appends to the segment that this process writes to. ``health`` is told what becomes of it."""

    __slots__ = ("segments", "health", "_index")

    def __init__(self, segments: Segments, index: HintIndex, health: DiskHealth) -> None:
        self.segments = segments
        self.health = health
        self._index = index

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
            self.health.failed(error)
            return None
        return Piece(segment, start, size)

    def add(self, key: bytes, head: StoredHead, body: StoredBody, replaces: DiskEntry | None) -> DiskEntry | None:
        """Add the record of a response whose body is there, in the place of another if there is one; None if that
        cannot be.
        """
        data = b""
        if isinstance(body, FileBody):
            extents = tuple(Extent(segment.number, offset, size) for segment, offset, size in body.pieces)
            packed = pack_response(Response(key, head, body.length, body.crc, extents))
        elif isinstance(body, MemoryBody):
            data = body.data
            packed = pack_response(Response(key, head, len(data), zlib.crc32(data)))
        else:
            raise TypeError(f"{body!r} was taken by no writer of a disk")
        if len(packed) > MOST_PACKED:
            return None
        try:
            segment = self.segments.with_room(HEADER_SIZE + len(packed) + len(data) + ALIGNED)
            if segment is None:
                return None
            offset = segment.end
            segment.append(response_record(packed, data, segment.number, offset))
        except OSError as error:
            self.health.failed(error)
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

    def _hint(self, key: bytes, segment: int, offset: int) -> Hint:
        others = self._index.find(key)
        if len(others) >= MOST_VARIANTS:
            self._index.clear(min(others, key=lambda one: (one.uses, one.word)))
        return self._index.add(key, segment, offset)


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
    can be read meanwhile, and stays what it is for those who have it; ``crc`` is the checksum of what is there.
    """

    __slots__ = ("body", "_log", "_key", "_length", "_most", "crc", "_open")

    def __init__(self, log: RecordLog, key: bytes, length: int | None, most: int) -> None:
        if len(key) != KEY_SIZE:
            raise ValueError(f"a key of {len(key)} bytes; accepted is one of {KEY_SIZE}")
        self.body = GrowingFileBody()
        self._log = log
        self._key = key
        self._length = length
        # Of what is known to be too long nothing is kept.
        self._most = most if length is None else length if length <= most else 0
        self.crc = 0
        self._open = True

    @property
    def written(self) -> int:
        """How many bytes there are."""
        return self.body.length

    def reserve(self) -> bool:
        """Have the room for a long body whose length is known; whether there is. What is written then fits."""
        if self._length is not None and BY_KERNEL <= self._length <= self._most and not self.written:
            room = self._room(self._length)
            if room is None:
                self._open = False
            else:
                self.body.pieces.append(room)
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
        self.crc = zlib.crc32(data, self.crc)
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
            self._log.health.failed(error)
            return False

    def _let_go(self) -> bool:
        """Write what was held back."""
        held = bytes(self.body.held)
        room = self._room(max(self._length or 0, len(held)))
        if room is None:
            return False
        room.segment.write(held, room.offset)
        self.body.pieces.append(room)
        self.body.held = bytearray()
        return True

    def _append(self, data: bytes) -> bool:
        view = memoryview(data)
        body = self.body
        while view:
            segment, offset, size = body.pieces[-1]
            used = body.length - sum(piece.size for piece in body.pieces[:-1])
            if used == size:
                room = self._room(min(max(len(view), body.length), _LARGEST_ROOM))
                if room is None:
                    return False
                body.pieces.append(room)
                continue
            part = view[: size - used]
            segment.write(part, offset + used)
            body.length += len(part)
            view = view[len(part) :]
        return True

    def _room(self, size: int) -> Piece | None:
        return self._log.room(self._key, size)

    def commit(self, head: StoredHead, replaces: DiskEntry | None = None) -> DiskEntry | None:
        """Have the response be there, with the whole of its body, in the place of another if there is one; None if that
        could not be.
        """
        body = self.finish()
        entry = self._log.add(self._key, head, body, replaces) if body is not None else None
        if entry is not None and isinstance(body, FileBody):
            body.set_verified()
        return entry

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
            self._log.health.failed(error)
            return None

    def _whole(self) -> StoredBody | None:
        body = self.body
        if not body.pieces and (len(body.held) < BY_KERNEL or not self._let_go()):
            return MemoryBody(bytes(body.held))
        before = sum(piece.size for piece in body.pieces[:-1])
        last = body.pieces[-1]._replace(size=body.length - before)
        whole = FileBody(body.length, self.crc, [*body.pieces[:-1], last])
        # What was cut meanwhile is not what has come.
        return whole if whole.is_whole else None

    def abandon(self) -> None:
        """Take no more. What is there is gone with the last of its readers."""
        self._open = False
