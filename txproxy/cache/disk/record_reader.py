"""Entries from hints: what is read, what is believed, and what becomes of hints that were wrong."""

from __future__ import annotations

import errno
import zlib
from typing import Final, NamedTuple

import attrs

from txproxy.cache.disk.file_body import FileBody, Piece
from txproxy.cache.disk.hint_index import Hint, HintIndex
from txproxy.cache.disk.record_format import (
    GONE,
    HEADER_SIZE,
    RESPONSES,
    STATE_OFFSET,
    Response,
    StoredPart,
    read_header,
    read_packed,
    unpack_response,
)
from txproxy.cache.disk.segment import Segment
from txproxy.cache.disk.segments import Segments
from txproxy.cache.parts.parts_body import CHECKED_AT_ONCE, Part, PartsBody
from txproxy.cache.stored import Entry, MemoryBody, StoredBody, VaryValues

# What is read at once of a record: most are shorter, but for their bodies.
_AT_ONCE: Final = 4096


class Place(NamedTuple):
    """Where a record stands."""

    segment: Segment
    offset: int

    def is_gone(self, wait: bool = True) -> bool:
        """Whether somebody has said that it is gone. If that must not be waited for, NotInMemory is raised where it
        would have to be.
        """
        return self.segment.read(self.offset + STATE_OFFSET, 4, wait) != bytes(4)

    def set_gone(self) -> None:
        """Say that it is gone. To be called only for what was found to be a record."""
        self.segment.write(GONE, self.offset + STATE_OFFSET)


@attrs.frozen(eq=False)
class DiskEntry(Entry):
    """An entry of a disk store, whose record is at ``place``, as a ``hint`` says."""

    place: Place
    hint: Hint


def read_response(segment: Segment, offset: int, wait: bool) -> tuple[Response, bytes] | None:
    """The response whose record stands there, and the body that follows, which is not checked yet; None if there is
    none. NotInMemory is raised if that would have to be waited for, and must not.
    """
    data = segment.read(offset, _AT_ONCE, wait)
    header = read_header(data, segment.number, offset)
    if header is None or header.kind not in RESPONSES or not header.alive:
        return None
    if header.packed + HEADER_SIZE > len(data):
        data += segment.read(offset + len(data), header.packed + HEADER_SIZE - len(data), wait)
    packed = read_packed(header, data)
    response = unpack_response(packed, header.kind) if packed is not None else None
    if response is None:
        return None
    if response.extents or response.parts:
        return response, b""
    start = HEADER_SIZE + header.packed
    stop = start + response.length
    if stop > header.total:
        return None
    if stop > len(data):
        data += segment.read(offset + len(data), stop - len(data), wait)
    return response, data[start:stop]


class RecordReader:
    """Makes entries of hints."""

    __slots__ = ("_segments", "_index")

    def __init__(self, segments: Segments, index: HintIndex) -> None:
        self._segments = segments
        self._index = index

    def read(self, key: bytes, hints: list[Hint], wait: bool, checked: bool = True) -> tuple[DiskEntry, ...]:
        """The variants of ``key``, the newest first. Of hints that were wrong the table is rid. NotInMemory is raised
        if that would have to be waited for, and must not. Long bodies are only ``checked`` if that is asked for.
        """
        found = []
        for hint in hints:
            try:
                entry = self._entry(hint, wait, checked)
            except OSError as error:
                # There may only be no descriptor left for it, and then it is there another time.
                if error.errno == errno.EIO:
                    self._index.clear(hint)
                continue
            if entry is None:
                self._index.clear(hint)
            elif entry.key == key:
                found.append(entry)
        if len(found) < 2:
            return tuple(found)
        found.sort(key=lambda one: (one.head.response_time, one.hint.word), reverse=True)
        newest: dict[VaryValues, DiskEntry] = {}
        for entry in found:
            if newest.setdefault(entry.head.vary, entry) is not entry:
                # Another has taken its place.
                self.remove(entry)
        return tuple(newest.values())

    def at(self, hint: Hint) -> DiskEntry | None:
        """What stands where a hint leads, if anything does. It is waited for, and a long body is not checked."""
        return self._entry(hint, wait=True, checked=False)

    def remove(self, entry: DiskEntry) -> None:
        """Have an entry be gone, for good."""
        try:
            entry.place.set_gone()
        except OSError:
            # The disk does not work. What cannot be said there is at least not found.
            pass
        self._index.clear(entry.hint)

    def remove_key(self, key: bytes, hints: list[Hint]) -> None:
        """Have all be gone that is of ``key`` and stands where ``hints`` say, for good. It is waited for: these are few
        and small.
        """
        for hint in hints:
            try:
                segment = self._segments.hinted(hint.segment)
                read = read_response(segment, hint.offset, wait=True) if segment is not None else None
                if segment is None or read is None:
                    self._index.clear(hint)
                elif read[0].key == key:
                    self._index.clear(hint)
                    Place(segment, hint.offset).set_gone()
            except OSError:
                self._index.clear(hint)

    def _entry(self, hint: Hint, wait: bool, checked: bool) -> DiskEntry | None:
        segment = self._segments.hinted(hint.segment)
        read = read_response(segment, hint.offset, wait) if segment is not None else None
        body = self._body(*read, wait, checked) if read is not None else None
        if segment is None or read is None or body is None:
            return None
        return DiskEntry(read[0].key, read[0].head, body, Place(segment, hint.offset), hint)

    def _body(self, response: Response, data: bytes, wait: bool, checked: bool) -> StoredBody | None:
        if response.parts:
            # What is long is checked while it is sent.
            checked = checked and response.length <= CHECKED_AT_ONCE
            held = [part for part in (self._part(one, wait, checked) for one in response.parts) if part is not None]
            # What is missing of it may be asked for.
            return PartsBody(response.length, tuple(held)) if held else None
        if not response.extents:
            whole = len(data) == response.length and zlib.crc32(data) == response.crc
            return MemoryBody(data) if whole else None
        pieces = []
        for number, offset, size in response.extents:
            segment = self._segments.get(number)
            if segment is None:
                return None
            pieces.append(Piece(segment, offset, size))
        body = FileBody(response.length, response.crc, pieces)
        return body if not checked or body.check(wait) else None

    def _part(self, part: StoredPart, wait: bool, checked: bool) -> Part | None:
        """A part of a body; None if it has gone with its segment, or is not what was written."""
        number, offset, size = part.extent
        segment = self._segments.get(number)
        if segment is None:
            return None
        body = FileBody(size, part.crc, [Piece(segment, offset, size)])
        return Part(part.start, body) if not checked or body.check(wait) else None
