"""Memory above a disk: what is asked for often is at hand, and all of it is there again after a restart."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from txproxy.cache.disk.disk_store import DiskStore, NeedsThread
from txproxy.cache.disk.disk_writer import DiskWriter
from txproxy.cache.disk.file_body import FileBody, bodies_on_disk, segments_of
from txproxy.cache.disk.record_reader import DiskEntry
from txproxy.cache.disk.segment import NotInMemory
from txproxy.cache.memory.body_writer import BodyWriter
from txproxy.cache.memory.memory_store import MemoryStore
from txproxy.cache.parts.parts_body import is_checked_late, parts_from
from txproxy.cache.stored import Entry, MemoryBody
from txproxy.cache.vary import choose
from txproxy.wire.headers import Headers

# For how long a body that is in memory is taken to be there, in seconds: what is asked for a thousand times a second is
# not looked for each time, and what another process has removed is gone as soon as anybody could tell.
_READY_FOR: Final = 0.02
# What is in memory of each slice of a body on a disk, in bytes, and at least one.
_PER_SLICE: Final = 512
# So many entries are looked at in one step.
_STEP: Final = 64

# What has to be read in a thread, since it would have to be waited for; gives what was found.
Read: TypeAlias = "Callable[[], tuple[Entry, ...]]"


class TieredStore:
    """Keeps entries in ``disk``, and in ``memory`` what was asked for lately: small ones whole, of others the heads,
    whose bodies the kernel sends from the disk's files. Where the disk takes nothing, memory does what fits there.
    ``reads`` is how often something had to be looked for on the disk.
    """

    __slots__ = ("memory", "disk", "reads", "_clock")

    def __init__(self, memory: MemoryStore, disk: DiskStore, clock: Callable[[], float] = time.monotonic) -> None:
        self.memory = memory
        self.disk = disk
        self.reads = 0
        self._clock = clock

    def __len__(self) -> int:
        return len(self.memory)

    @property
    def max_object(self) -> int:
        """How large a response may be that is kept now."""
        disk, most = self.disk, self.memory.max_object
        # Where its slices are is in memory as well.
        return min(disk.max_object, most // _PER_SLICE * disk.slice_size) if disk.health.may_write else most

    # -- what is found

    def variants(self, key: bytes) -> tuple[Entry, ...]:
        """What is at hand of all that stands under ``key``, the newest first."""
        return self.memory.variants(key)

    def look(self, key: bytes, request: Headers) -> Read | None:
        """Have at hand what may answer a ``request``; gives what has to be read first, if that takes time."""
        there = True
        while True:
            variants = self.memory.variants(key)
            entry = choose(variants, request) if variants else None
            if entry is None:
                return self._read(key)
            if self.is_ready(entry):
                # What another process has in the place of one that is gone is to be known beside it.
                return None if there else self._read(key)
            # Its segment has gone, its bytes have left memory, or another process has removed it.
            self.memory.remove(entry)
            there = False

    def _read(self, key: bytes) -> Read | None:
        self.reads += 1
        found = self.disk.variants(key)
        if isinstance(found, NeedsThread):
            return found.read
        self.take(found)
        return None

    def is_ready(self, entry: Entry) -> bool:
        """Whether an entry that is at hand can be sent without waiting for the disk, and no process has removed it."""
        body = entry.body
        if type(body) is not FileBody:
            return self._is_there(entry)
        now = self._clock()
        if now < body.ready_until and (not isinstance(entry, DiskEntry) or self.disk.is_hinted_at(entry)):
            return True
        if not self._is_there(entry):
            return False
        body.ready_until = now + _READY_FOR
        return True

    def _is_there(self, entry: Entry) -> bool:
        bodies = bodies_on_disk(entry.body)
        try:
            if isinstance(entry, DiskEntry):
                disk = self.disk
                if not (disk.is_there(entry) if bodies else disk.is_current(entry)):
                    return False
            if not bodies:
                return True
            # Slices may have gone before the record that leads to them.
            alone = isinstance(entry, DiskEntry) and len(bodies) == 1
            if not alone and any(segment.removed for segment in segments_of(bodies)):
                return False
            return is_checked_late(entry.body) or all(body.check(wait=False) for body in bodies)
        except (NotInMemory, OSError):
            return False

    def take(self, entries: tuple[Entry, ...]) -> None:
        """These were read: have them at hand, if they are still there."""
        there = self.memory.variants(entries[0].key) if entries else ()
        values = {one.head.vary for one in there}
        for entry in reversed(entries):
            if entry.head.vary not in values and isinstance(entry, DiskEntry) and self.disk.is_there(entry, wait=True):
                self.memory.put(entry)

    def let_go(self) -> Iterator[None]:
        """Have nothing at hand of what the disk has let go: as long as it is, its files take room on the disk that
        nobody counts. Each step takes little time.
        """
        for number, entry in enumerate(self.memory.entries()):
            if isinstance(entry, DiskEntry) and not _is_kept(entry):
                self.memory.remove(entry)
            if number % _STEP == _STEP - 1:
                yield

    def used(self, entry: Entry) -> None:
        """Count a use of it."""
        self.memory.used(entry)
        if isinstance(entry, DiskEntry):
            self.disk.used(entry)

    # -- what is kept

    def body(self, length: int | None, key: bytes, most: int | None = None) -> DiskWriter | BodyWriter | None:
        """What takes a body of ``length`` bytes, if that is known, and of so many at ``most``, to be stored under
        ``key``; None where it is known now that it cannot be.
        """
        health = self.disk.health
        # Of what may get too long for memory nobody could say beforehand whether it is kept, if the disk may be full.
        if health.may_write and (length is not None or health.is_sure):
            bound = self.max_object
            writer = self.disk.writer(key, length, bound if most is None else min(most, bound))
            if writer.reserve():
                return writer
        fits = length is None or length <= self.memory.max_object
        return self.memory.body(length, key, most) if fits else None

    def put(self, entry: Entry, replaces: Entry | None = None) -> bool:
        """Keep ``entry``, in the place of another of the same key; and tell whether it is kept."""
        old = replaces if isinstance(replaces, DiskEntry) else None
        # Bodies that memory took for the disk stay there.
        parts = [part.body for part in parts_from(0, entry.body)]
        may_be_there = all(isinstance(one, FileBody | MemoryBody) for one in parts) and self.disk.health.may_write
        kept = self.disk.put(entry, old) if may_be_there else None
        if kept is not None:
            self.memory.put(kept, replaces)
            return True
        if old is not None:
            # What is to be in its place is not there.
            self.disk.remove(old)
        return self.memory.put(entry, replaces)

    def remove(self, entry: Entry) -> None:
        """Keep it no longer."""
        self.memory.remove(entry)
        if isinstance(entry, DiskEntry):
            self.disk.remove(entry)

    def remove_key(self, key: bytes) -> None:
        """Keep nothing of it."""
        self.memory.remove_key(key)
        self.disk.remove_key(key)


def _is_kept(entry: DiskEntry) -> bool:
    """Whether the files that an entry stands in have their names still."""
    return not entry.place.segment.removed and all(body.is_kept for body in bodies_on_disk(entry.body))
