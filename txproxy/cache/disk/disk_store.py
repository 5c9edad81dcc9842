"""The store on a disk: what it finds, keeps and lets go."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

import attrs

from txproxy.cache.disk.cache_directory import PURGES, CacheDirectory
from txproxy.cache.disk.disk_health import DiskHealth
from txproxy.cache.disk.disk_writer import DiskWriter, RecordLog
from txproxy.cache.disk.hint_index import Hint, slots_for
from txproxy.cache.disk.index_rebuild import rebuild
from txproxy.cache.disk.record_reader import DiskEntry, RecordReader
from txproxy.cache.disk.second_chance import SecondChance
from txproxy.cache.disk.segment import NotInMemory
from txproxy.cache.disk.segments import Segments
from txproxy.cache.parts.parts_body import SLICE
from txproxy.cache.stored import Entry
from txproxy.errors import ConfigError

SMALLEST: Final = 1 << 20
_SEGMENT_SIZE: Final = 64 << 20
# So many of the largest objects fit into a segment.
_OBJECTS: Final = 8
# Of one object; where each of them is stands in the record.
_MOST_SLICES: Final = 16384


@attrs.frozen(eq=False)
class NeedsThread:
    """What is asked for has to be waited for: ``read`` does, in a thread, and gives it."""

    read: Callable[[], tuple[DiskEntry, ...]]


def largest_object(size: int) -> int:
    """How large a response may be that is kept in ``size`` bytes, unless segments are others than usual."""
    return min(size // _OBJECTS, _MOST_SLICES * SLICE)


class DiskStore:
    """Keeps entries in a directory at ``path``, in ``size`` bytes of segments, and beside them an index of a 256th of
    that. Several processes may have the same directory. ``health`` tells whether it can be written to, by a ``clock``
    in seconds.

    :meth:`rebuild` and :meth:`tidy` are to be stepped through now and then: the one, best in a thread, if
    :attr:`is_complete` says that the index is not, the other always. Nothing else takes time, but for the disk's own
    when it is written to. All but ``NeedsThread.read`` and :meth:`rebuild` is to be called in one thread, and by the
    process that has made it: another has its own.
    """

    __slots__ = (
        "size",
        "max_object",
        "hits",
        "health",
        "_directory",
        "_segments",
        "_index",
        "_reader",
        "_log",
        "_tidying",
        "_closed",
    )

    def __init__(
        self,
        path: str,
        size: int,
        segment_size: int = _SEGMENT_SIZE,
        most_open: int = 128,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if size < SMALLEST:
            raise ConfigError(f"{path}: {size} bytes are too few", f"accepted are {SMALLEST} and more")
        self.size = size
        self.hits = 0
        self.health = DiskHealth(path, clock)
        self._closed = False
        self._directory = CacheDirectory(path)
        with self._directory.locked(wait=True):
            self._index = self._directory.index(slots_for(size))
        self._segments = Segments(self._directory, size, segment_size, most_open)
        if not self._segments.numbers:
            self._index.set_complete()
        self.max_object = largest_object(size)
        self._reader = RecordReader(self._segments, self._index)
        self._log = RecordLog(self._segments, self._index, self.health)
        self._tidying = SecondChance(self._directory, self._segments, self._index, self._reader, self._log)

    @property
    def bytes_used(self) -> int:
        """What all segments take, as far as this process has heard."""
        return self._segments.bytes_used

    @property
    def slice_size(self) -> int:
        """How much of a body is in one piece, in bytes."""
        return self._log.slice_size

    @property
    def removals(self) -> int:
        """How many segments have gone, as far as this process has heard: whoever has an entry of one keeps its file."""
        return self._segments.removals

    @property
    def purges(self) -> str:
        """Where the journal of purges is, which is that of all who have the directory."""
        return self._directory.path_of(PURGES)

    def is_there(self, entry: DiskEntry, wait: bool = False) -> bool:
        """Whether an entry, which somebody has kept, is still in the store, as far as this process knows: a body of one
        that is not takes room on the disk that nobody counts. NotInMemory is raised where that would have to be waited
        for, and must not.
        """
        segment = entry.place.segment
        try:
            return not segment.removed and not entry.place.is_gone(wait)
        except OSError:
            return False

    def is_hinted_at(self, entry: DiskEntry) -> bool:
        """Whether the index still leads to an entry, which somebody has kept. Then no process has removed it, or has
        put another in its place. It costs little, and nothing is read.
        """
        return self._index.has(entry.hint)

    def is_current(self, entry: DiskEntry) -> bool:
        """Whether no process has removed an entry, or has put another in its place, also where the index has lost it.
        NotInMemory is raised as by :meth:`is_there`.
        """
        return self.is_hinted_at(entry) or self.is_there(entry)

    @property
    def is_complete(self) -> bool:
        """Whether the index has all that there is."""
        return self._index.complete

    def variants(self, key: bytes) -> tuple[DiskEntry, ...] | NeedsThread:
        """All that stands under ``key``, the newest first, if that is in memory."""
        hints = self._index.find(key)
        if not hints:
            return ()
        try:
            return self._reader.read(key, hints, wait=False)
        except NotInMemory:
            return NeedsThread(partial(self._wait, key, hints))

    def _wait(self, key: bytes, hints: list[Hint]) -> tuple[DiskEntry, ...]:
        """The same, in a thread."""
        try:
            return self._reader.read(key, hints, wait=True)
        except ValueError:
            if self._closed:
                # Its index is gone, in the middle of this.
                return ()
            raise

    def entries(self) -> Iterator[DiskEntry]:
        """All that the index hints at, in no order; of one key the same variant may be there more than once. It is to
        be gone through in a thread, as all of it is waited for.
        """
        try:
            for hint in self._index.hints():
                entry = self._reader.at(hint)
                if entry is not None:
                    yield entry
        except ValueError:
            if not self._closed:
                raise

    def used(self, entry: DiskEntry) -> None:
        """Count a use of an entry, which makes it stay when its segment goes."""
        self.hits += 1
        self._index.use(entry.hint)

    def writer(self, key: bytes, length: int | None = None, most: int | None = None) -> DiskWriter:
        """What takes a response to be stored under ``key``, with a body of ``length`` bytes if that is known, and of so
        many at ``most``.
        """
        return DiskWriter(self._log, key, length, self.max_object if most is None else min(most, self.max_object))

    def put(self, entry: Entry, replaces: DiskEntry | None = None) -> DiskEntry | None:
        """Keep ``entry``, whose body is in memory, or was taken by one of this store's writers, in the place of another
        if there is one; None if that could not be.
        """
        return self._log.add(entry.key, entry.head, entry.body, replaces)

    def remove(self, entry: DiskEntry) -> None:
        """Keep an entry no longer."""
        self._reader.remove(entry)

    def changes(self, key: bytes) -> int:
        """A number that is another one when any process has had ``key`` removed since: what was asked for before that
        is not to be kept.
        """
        return self._index.changes(key)

    def remove_key(self, key: bytes) -> None:
        """Keep nothing of ``key`` that can be found."""
        self._index.count_change(key)
        seen: list[Hint] = []
        # Another process may add one meanwhile that is a copy of what goes.
        while new := [hint for hint in self._index.find(key) if not any(hint.is_of(other) for other in seen)]:
            seen += new
            self._reader.remove_key(key, new)

    def rebuild(self) -> Iterator[None]:
        """Have the index get all that there is; each step takes little time."""
        return rebuild(self._segments, self._index)

    def tidy(self) -> Iterator[None]:
        """Make room for what comes; each step takes little time."""
        if not self._directory.has_index(self._index):
            # Somebody has emptied the directory. Those that come have another one, and what is removed here is to be
            # removed for them as well.
            with self._directory.locked() as alone:
                if alone:
                    self._index.become(self._directory.index(slots_for(self.size)))
        return self._tidying.make_room(self.size - 2 * self._segments.segment_size)

    def close(self) -> None:
        """Be done with it. Bodies that somebody has can be read on."""
        if self._closed:
            return
        self._closed = True
        self._segments.close()
        self._index.close()
        self._directory.close()
