"""Room for what comes: the oldest segments go, and what was used of them is written once more before."""

from __future__ import annotations

from collections.abc import Iterator

from txproxy.cache.disk.cache_directory import CacheDirectory
from txproxy.cache.disk.disk_writer import DiskWriter, RecordLog
from txproxy.cache.disk.file_body import FileBody
from txproxy.cache.disk.hint_index import HintIndex
from txproxy.cache.disk.record_format import KEY_SIZE
from txproxy.cache.disk.record_reader import DiskEntry, RecordReader
from txproxy.cache.disk.segment import Segment
from txproxy.cache.disk.segment_walk import walk
from txproxy.cache.disk.segments import Segments
from txproxy.cache.stored import MemoryBody


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
                left -= entry.body.length
                if left < 0:
                    return
                yield from self._copy(entry)

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

    def _copy(self, entry: DiskEntry) -> Iterator[None]:
        body = entry.body
        writer = DiskWriter(self._log, entry.key, body.length, body.length)
        if isinstance(body, MemoryBody):
            if not writer.write(body.data):
                return
        elif isinstance(body, FileBody):
            for data in body.chunks():
                if not writer.write(data):
                    return
                yield
            if writer.crc != body.crc:
                return
        copy = writer.commit(entry.head)
        if copy is None:
            return
        if entry.place.is_gone():
            # Somebody has removed it meanwhile, and knew nothing of the copy.
            self._reader.remove(copy)
        else:
            self._reader.remove(entry)


def _stands_in(entry: DiskEntry, number: int) -> bool:
    body = entry.body
    if entry.place.segment.number == number:
        return True
    return isinstance(body, FileBody) and any(segment.number == number for segment, _, _ in body.pieces)
