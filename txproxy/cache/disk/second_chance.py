"""Room for what comes: the oldest segments go, and what was used of them is written once more before."""

from __future__ import annotations

import zlib
from collections.abc import Generator, Iterator

from txproxy.cache.disk.cache_directory import CacheDirectory
from txproxy.cache.disk.disk_writer import DiskWriter, RecordLog
from txproxy.cache.disk.file_body import FileBody, bodies_on_disk
from txproxy.cache.disk.hint_index import HintIndex
from txproxy.cache.disk.record_format import KEY_SIZE
from txproxy.cache.disk.record_reader import DiskEntry, RecordReader
from txproxy.cache.disk.segment import Segment
from txproxy.cache.disk.segment_walk import walk
from txproxy.cache.disk.segments import Segments
from txproxy.cache.parts.parts_body import Part, PartsBody
from txproxy.cache.stored import StoredBody


class SecondChance:
    """Makes room in a directory."""

    __slots__ = ("_directory", "_segments", "_index", "_reader", "_log")

    def __init__(
        self, directory: CacheDirectory, segments: Segments, index: HintIndex, reader: RecordReader, log: RecordLog
    ) -> None:
        self._directory = directory
        self._segments = segments
        self._index = index
        self._reader = reader
        self._log = log

    def make_room(self, room: int) -> Iterator[None]:
        """Have all take no more than so many bytes; each step takes little time."""
        with self._directory.tidying() as alone:
            if alone:
                for number in self._excess(room):
                    segment = self._segments.get(number)
                    if segment is not None:
                        yield from self._keep_used(segment)
                        self._segments.remove(number)
                        yield

    def _excess(self, room: int) -> list[int]:
        with self._directory.locked() as alone:
            if not alone:
                return []
            self._segments.look()
            return self._segments.excess(room)

    def _keep_used(self, segment: Segment) -> Iterator[None]:
        """Write once more what of a segment was used, up to half of it: all could have been."""
        left = self._segments.segment_size // 2
        seen = b""
        for record in walk(segment):
            if record is None:
                yield
                continue
            # A response often stands behind the room for its body.
            if record.key == seen or len(record.key) < KEY_SIZE:
                continue
            seen = record.key
            for entry in self._used(record.key, segment):
                left -= entry.body.length if not isinstance(entry.body, PartsBody) else _size_in(entry.body, segment)
                if left < 0:
                    return
                yield from self._copy(entry, segment)

    def _used(self, key: bytes, segment: Segment) -> list[DiskEntry]:
        """Those of ``key`` that were used and stand in the segment, be it with their heads or their bodies."""
        hints = self._index.find(key)
        if not any(hint.uses for hint in hints):
            return []
        return [
            entry
            # To copy a long body checks it.
            for entry in self._reader.read(key, hints, wait=True, checked=False)
            if entry.hint.uses and _stands_in(entry, segment.number)
        ]

    def _copy(self, entry: DiskEntry, segment: Segment) -> Iterator[None]:
        body = entry.body
        copied: StoredBody | None = body
        if isinstance(body, FileBody):
            copied = yield from self._copied(entry.key, body)
        elif isinstance(body, PartsBody):
            copied = yield from self._parts_copied(entry.key, body, segment)
        copy = self._added(entry, copied) if copied is not None else None
        if copy is None:
            return
        if entry.place.is_gone():
            # Somebody has removed it meanwhile, and knew nothing of the copy.
            self._reader.remove(copy)
        else:
            self._reader.remove(entry)

    def _copied(self, key: bytes, body: FileBody) -> Generator[None, None, StoredBody | None]:
        """The same body in another place; None if that cannot be, or it is not what was written."""
        writer = DiskWriter(self._log, key, body.length, body.length)
        crc = 0
        for data in body.chunks():
            crc = zlib.crc32(data, crc)
            if not writer.write(data):
                return None
            yield
        return writer.finish() if crc == body.crc else None

    def _parts_copied(self, key: bytes, body: PartsBody, segment: Segment) -> Generator[None, None, StoredBody | None]:
        """The same with what of it stands in ``segment`` in another place; what cannot be copied is missing."""
        held = []
        for start, part in body.held:
            stays = not isinstance(part, FileBody) or not _is_in(part, segment.number)
            copied: StoredBody | None = part
            if isinstance(part, FileBody) and not stays:
                copied = yield from self._copied(key, part)
            if copied is not None:
                held.append(Part(start, copied))
        return PartsBody(body.length, tuple(held)) if held else None

    def _added(self, entry: DiskEntry, body: StoredBody) -> DiskEntry | None:
        try:
            return self._log.add(entry.key, entry.head, body, None)
        except OSError:
            return None


def _stands_in(entry: DiskEntry, number: int) -> bool:
    return entry.place.segment.number == number or any(_is_in(body, number) for body in bodies_on_disk(entry.body))


def _is_in(body: FileBody, number: int) -> bool:
    return any(segment.number == number for segment, _, _ in body.pieces)


def _size_in(body: PartsBody, segment: Segment) -> int:
    """How much of a ``body`` stands in ``segment``, in bytes."""
    return sum(one.length for one in bodies_on_disk(body) if _is_in(one, segment.number))
