"""The store in memory: what it finds, keeps and evicts."""

from __future__ import annotations

from typing import Final

from txproxy.cache.memory.body_writer import BodyWriter
from txproxy.cache.memory.footprint import of_entry, of_pages
from txproxy.cache.memory.memfd_arena import MemfdArena
from txproxy.cache.memory.s3_fifo import MOST_USES, SMALL_SHARE, Node, S3Fifo
from txproxy.cache.stored import Entry

# More variants than these of one key evict each other: whoever makes them up displaces nothing else.
MOST_VARIANTS: Final = 64


class MemoryStore:
    """Keeps entries in ``size`` bytes, which are the bytes of everything: of heads, of objects and of pages, of bodies
    that are still coming, and of those that are evicted and still being sent. The latter two together get half of it
    at most. An entry is as large as ``max_object`` at most, a tenth of the size.

    ``hits`` and ``evictions`` are counted. Nothing here takes time or waits. It is for the process that has made it: a
    fork of that would write to the same memory.
    """

    __slots__ = (
        "size",
        "max_object",
        "arena",
        "growing",
        "hits",
        "evictions",
        "_variants",
        "_nodes",
        "_queues",
        "_pages",
    )

    def __init__(self, size: int) -> None:
        self.size = size
        self.max_object = size // SMALL_SHARE
        self.arena = MemfdArena.made()
        self.growing = 0
        self.hits = 0
        self.evictions = 0
        self._variants: dict[bytes, tuple[Entry, ...]] = {}
        self._nodes: dict[Entry, Node] = {}
        self._queues = S3Fifo(size)
        # How many of the arena's bytes belong to what is kept.
        self._pages = 0

    def __len__(self) -> int:
        return len(self._nodes)

    @property
    def bytes_used(self) -> int:
        """All that it takes, once the memory of what nobody has any more was given back."""
        return self._queues.size + self._besides()

    def _besides(self) -> int:
        """What it takes for bodies that belong to nothing that is kept."""
        arena = self.arena
        if arena is None:
            return self.growing
        if arena.left:
            arena.give_back()
        return self.growing + arena.used - self._pages

    def entries(self) -> list[Entry]:
        """All that is kept now."""
        return list(self._nodes)

    def variants(self, key: bytes) -> tuple[Entry, ...]:
        """All that stands under ``key``, the newest first."""
        return self._variants.get(key, ())

    def used(self, entry: Entry) -> None:
        """Count a use of an entry, which makes it more likely to stay."""
        node = self._nodes.get(entry)
        if node is not None:
            self.hits += 1
            if node.uses < MOST_USES:
                node.uses += 1

    def body(self, length: int | None = None, key: bytes = b"", most: int | None = None) -> BodyWriter:
        """What takes a body of ``length`` bytes, if that is known, and of so many at ``most``, whatever ``key`` it is
        stored under.
        """
        return BodyWriter(self, most if length is None else length)

    def put(self, entry: Entry, replaces: Entry | None = None) -> bool:
        """Keep ``entry``, in the place of another of the same key if that is still there; and tell whether it is kept:
        not if it is too large.
        """
        if entry in self._nodes:
            return True
        size = of_entry(entry)
        if size > self.max_object:
            if replaces is not None:
                self.remove(replaces)
            return False
        node = self._nodes.get(replaces) if replaces is not None else None
        if node is not None and replaces is not None:
            self._unlist(replaces)
            node.entry = entry
            self._queues.resize(node, size)
        else:
            node = Node(entry, size, hash((entry.key, entry.head.vary)))
            self._queues.add(node)
        self._list(entry, node)
        del node, replaces
        return self.make_room(0) and entry in self._nodes

    def remove(self, entry: Entry) -> None:
        """Keep an entry no longer, if it is there."""
        node = self._nodes.get(entry)
        if node is not None:
            self._queues.remove(node)
            self._unlist(entry)

    def remove_key(self, key: bytes) -> None:
        """Keep nothing of ``key``."""
        for entry in self._variants.get(key, ()):
            self.remove(entry)

    def resize(self, size: int) -> None:
        """Keep entries in so many bytes from now on: those that there is room for stay."""
        self.size = size
        self.max_object = size // SMALL_SHARE
        self._queues.have_room(size)
        self.make_room(0)

    def close(self) -> None:
        """Keep nothing any more. The memory of bodies that somebody has goes with the last of them."""
        self.resize(0)
        self.arena = None

    def make_room(self, count: int) -> bool:
        """Have room for so many bytes more of a body, and tell whether there is."""
        if count and self._besides() + count > self.size // 2:
            return False
        while self.bytes_used + count > self.size:
            entry = self._queues.evict()
            if entry is None:
                return False
            self.evictions += 1
            self._unlist(entry)
            # Before its pages can be given back, nobody may have it.
            del entry
        return True

    def _list(self, entry: Entry, node: Node) -> None:
        self._nodes[entry] = node
        self._pages += of_pages(entry.body)
        others = self._variants.get(entry.key, ())
        if len(others) >= MOST_VARIANTS:
            # The oldest of those that are used the least.
            self.remove(min(reversed(others), key=lambda one: self._nodes[one].uses))
            self.evictions += 1
            others = self._variants.get(entry.key, ())
        self._variants[entry.key] = (entry, *others)

    def _unlist(self, entry: Entry) -> None:
        del self._nodes[entry]
        self._pages -= of_pages(entry.body)
        others = tuple(one for one in self._variants[entry.key] if one is not entry)
        if others:
            self._variants[entry.key] = others
        else:
            del self._variants[entry.key]
