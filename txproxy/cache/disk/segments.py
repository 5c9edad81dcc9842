"""The segments of a directory: which of them are open, which one is written to, and that there are not too many."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from typing import Final

from txproxy.cache.disk.cache_directory import CacheDirectory
from txproxy.cache.disk.hint_index import LARGEST_SEGMENT, SEGMENTS
from txproxy.cache.disk.segment import SEGMENT_START, Segment

# A directory has so many segments at least, so that the oldest is a small part of what there is.
FEWEST: Final = 8
_SMALLEST: Final = 64 * 1024


def segment_size_of(size: int, wanted: int) -> int:
    """How large segments are that take ``size`` bytes in all, and are to have as many as are ``wanted``."""
    return min(max(min(wanted, size // FEWEST), _SMALLEST), LARGEST_SEGMENT)


class Segments:
    """The segments, which take ``size`` bytes in all, of all processes, and ``segment_size`` each. ``most_open`` of
    them are kept open for reading.
    """

    __slots__ = (
        "segment_size",
        "current",
        "removals",
        "_directory",
        "_size",
        "_most_open",
        "_open",
        "_sizes",
        "_finished",
        "_lock",
        "_closed",
    )

    def __init__(self, directory: CacheDirectory, size: int, segment_size: int, most_open: int) -> None:
        self.segment_size = segment_size_of(size, segment_size)
        self.current: Segment | None = None
        self._directory = directory
        self._size = size
        self._most_open = most_open
        self._open: OrderedDict[int, Segment] = OrderedDict()
        self._sizes = directory.segments()
        # Those that nobody writes to, and nobody ever will: they need not be looked at.
        self._finished: set[int] = set()
        # How many have gone since this was made, as far as this process has heard.
        self.removals = 0
        # Threads look for segments as well.
        self._lock = threading.Lock()
        self._closed = False

    @property
    def numbers(self) -> list[int]:
        """Those that were there when that was looked for last, the oldest first."""
        return list(self._sizes)

    @property
    def bytes_used(self) -> int:
        """What they take, as far as this process knows: others have added to theirs since it has looked."""
        if self.current is not None:
            self._sizes[self.current.number] = self.current.end
        return sum(self._sizes.values())

    def look(self) -> None:
        """See what there is now, and close what is gone."""
        before = self._sizes
        self._sizes = self._directory.segments({number: before[number] for number in self._finished})
        self.removals += len(before.keys() - self._sizes.keys())
        self._finished &= self._sizes.keys()
        with self._lock:
            for number in [number for number in self._open if number not in self._sizes]:
                del self._open[number]
        if self.current is not None and not self.current.is_whole:
            self.current = None

    def close(self) -> None:
        """Close all but those that somebody still reads from, and write no more."""
        self.current = None
        with self._lock:
            self._closed = True
            self._open.clear()

    def hinted(self, low: int) -> Segment | None:
        """The segment whose number has these low bits, if there is one."""
        newest = next(reversed(self._sizes), 0)
        half = SEGMENTS // 2
        return self.get(newest + (low - newest + half) % SEGMENTS - half)

    def get(self, number: int) -> Segment | None:
        """The segment of that number, if there is one."""
        with self._lock:
            segment = self._open.get(number)
            if segment is not None and not segment.removed:
                self._open.move_to_end(number)
                return segment
            segment = self._directory.open_segment(number)
            if segment is None:
                self._open.pop(number, None)
                return None
            if self._closed:
                # It is for who has just asked.
                return segment
            self._open[number] = segment
            while len(self._open) > self._most_open:
                self._open.popitem(last=False)
            return segment

    def with_room(self, size: int) -> Segment | None:
        """The segment to write to, with room for so many bytes; None if there cannot be one."""
        current = self.current
        if current is not None and current.end + size <= self.segment_size and current.is_whole:
            return current
        if self._closed or size > self.segment_size - SEGMENT_START:
            return None
        with self._directory.locked() as alone:
            return self._begin() if alone else None

    def _begin(self) -> Segment | None:
        """Begin another segment, for which the oldest ones go."""
        if self.current is not None:
            self.current.unlock()
            self.current = None
        self.look()
        if not self._fit(self._size - self.segment_size):
            return None
        number = next(reversed(self._sizes), 0) + 1
        self.current = segment = self._directory.new_segment(number)
        self._sizes[number] = segment.end
        with self._lock:
            self._open[number] = segment
        return segment

    def excess(self, room: int) -> list[int]:
        """The oldest segments, without which all take no more than so many bytes. Those that are written to are not
        among them, and count as if they were full. To be called by who has the lock.
        """
        written = {number for number in self._sizes if self._is_written(number)}
        over = sum(self.segment_size if number in written else size for number, size in self._sizes.items()) - room
        found: list[int] = []
        for number, size in self._sizes.items():
            if over <= 0:
                return found
            if number not in written:
                found.append(number)
                over -= size
        return found

    def give_way(self) -> None:
        """Remove the oldest segment of those that nobody writes to."""
        with self._directory.locked() as alone:
            if alone:
                self.look()
                written = sum(
                    self.segment_size - self._sizes[number] for number in self._sizes if self._is_written(number)
                )
                for number in self.excess(self.bytes_used + written - 1)[:1]:
                    self.remove(number)

    def _is_written(self, number: int) -> bool:
        if number in self._finished:
            return False
        segment = self._directory.open_segment(number)
        if segment is not None and not segment.lock():
            return True
        # Each process writes to those alone that it has made. What it has written since that was looked at counts.
        self._finished.add(number)
        self._sizes[number] = 0 if segment is None else os.fstat(segment.fd).st_size
        return False

    def remove(self, number: int) -> None:
        """Remove a segment. Those who read from it still can."""
        self._directory.remove_segment(number)
        self._sizes.pop(number, None)
        self._finished.discard(number)
        self.removals += 1
        with self._lock:
            self._open.pop(number, None)

    def _fit(self, room: int) -> bool:
        """Have all take no more than so many bytes; whether they do."""
        for number in self.excess(room):
            self.remove(number)
        written = sum(self._is_written(number) for number in self._sizes)
        return written * self.segment_size <= room
