"""Memory above a disk: what is asked for often is at hand, and all of it is there again after a restart."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from txproxy.cache.disk.disk_store import DiskStore, NeedsThread
from txproxy.cache.disk.disk_writer import DiskWriter
from txproxy.cache.disk.file_body import FileBody
from txproxy.cache.disk.record_reader import DiskEntry
from txproxy.cache.disk.segment import NotInMemory
from txproxy.cache.memory.memory_store import MemoryStore
from txproxy.cache.stored import Entry
from txproxy.cache.vary import choose
from txproxy.wire.headers import Headers

# What has to be read in a thread, since it would have to be waited for; gives what was found.
Read: TypeAlias = "Callable[[], tuple[Entry, ...]]"


class TieredStore:
    """Keeps entries in ``disk``, and in ``memory`` what was asked for lately: small ones whole, of others the heads,
    whose bodies the kernel sends from the disk's files.
    """

    __slots__ = ("memory", "disk", "max_object")

    def __init__(self, memory: MemoryStore, disk: DiskStore) -> None:
        self.memory = memory
        self.disk = disk
        self.max_object = disk.max_object

    def __len__(self) -> int:
        return len(self.memory)

    # -- what is found

    def variants(self, key: bytes) -> tuple[Entry, ...]:
        """What is at hand of all that stands under ``key``, the newest first."""
        return self.memory.variants(key)

    def look(self, key: bytes, request: Headers) -> Read | None:
        """Have at hand what may answer a ``request``; gives what has to be read first, if that takes time."""
        variants = self.memory.variants(key)
        entry = choose(variants, request) if variants else None
        if entry is not None:
            return self._ready(entry)
        found = self.disk.variants(key)
        if isinstance(found, NeedsThread):
            return found.read
        self.take(found)
        return None

    def is_ready(self, entry: Entry) -> bool:
        """Whether an entry that is at hand can be sent without waiting for the disk."""
        if not isinstance(entry, DiskEntry) or not isinstance(entry.body, FileBody):
            return True
        if not self.disk.is_there(entry):
            return False
        try:
            return entry.body.check(wait=False)
        except NotInMemory:
            return False

    def _ready(self, entry: Entry) -> Read | None:
        if self.is_ready(entry):
            return None
        # Its segment has gone, or its bytes have left memory.
        self.memory.remove(entry)
        found = self.disk.variants(entry.key)
        if isinstance(found, NeedsThread):
            return found.read
        self.take(found)
        return None

    def take(self, entries: tuple[Entry, ...]) -> None:
        """These were read: have them at hand, if they are still there."""
        there = self.memory.variants(entries[0].key) if entries else ()
        values = {one.head.vary for one in there}
        for entry in reversed(entries):
            if entry.head.vary not in values and isinstance(entry, DiskEntry) and self.disk.is_there(entry):
                self.memory.put(entry)

    def used(self, entry: Entry) -> None:
        """Count a use of it."""
        self.memory.used(entry)
        if isinstance(entry, DiskEntry):
            self.disk.used(entry)

    # -- what is kept

    def body(self, length: int | None, key: bytes, most: int | None = None) -> DiskWriter:
        """What takes a body of ``length`` bytes, if that is known, and of so many at ``most``, to be stored under
        ``key``.
        """
        return self.disk.writer(key, length, most)

    def put(self, entry: Entry, replaces: Entry | None = None) -> bool:
        """Keep ``entry``, in the place of another of the same key; and tell whether it is kept."""
        kept = self.disk.put(entry, replaces if isinstance(replaces, DiskEntry) else None)
        if kept is None:
            if replaces is not None:
                self.remove(replaces)
            return False
        self.memory.put(kept, replaces)
        return True

    def remove(self, entry: Entry) -> None:
        """Keep it no longer."""
        self.memory.remove(entry)
        if isinstance(entry, DiskEntry):
            self.disk.remove(entry)

    def remove_key(self, key: bytes) -> None:
        """Keep nothing of it."""
        self.memory.remove_key(key)
        self.disk.remove_key(key)
