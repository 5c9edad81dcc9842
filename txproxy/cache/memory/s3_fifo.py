"""What is evicted next: S3-FIFO (Yang et al., SOSP 2023), with queues that are bounded by bytes.

What is new waits in a small queue, which gets a tenth of the room, and leaves it soon: what was used meanwhile goes to
the main queue, and the rest is evicted. A crawler that asks for everything once so displaces no more than that tenth.
What was evicted from the small queue is remembered by a hash for a while, the ghost: when it comes again, it goes to
the main queue at once. There, what was used since it came last to the front gets another turn.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from txproxy.cache.stored import Entry

# More uses than these make no difference: what was used a lot, but long ago, goes within so many turns.
MOST_USES: Final = 3
# What the small queue gets of the room: one in so many bytes.
SMALL_SHARE: Final = 10
# After so many turns for what was used, the next goes, used or not: an eviction must not take long, though all were.
_MOST_TURNS: Final = 64
# What a remembered hash takes, in a set and a deque, in bytes.
_GHOST_BYTES: Final = 100
_FEWEST_GHOSTS: Final = 64


class Node:
    """An ``entry`` in the queues, None when it is in none any more; how many bytes it takes, the hash by which it is
    known again, and how often it was used since it was last looked at, or :data:`MOST_USES` if that is less.
    """

    __slots__ = ("entry", "size", "name", "uses", "queue")

    def __init__(self, entry: Entry, size: int, name: int) -> None:
        self.entry: Entry | None = entry
        self.size = size
        self.name = name
        self.uses = 0
        self.queue: _Queue | None = None


class _Queue:
    """Nodes in order, and their bytes. One that was taken out of the middle stays as an empty place until it comes to
    the front, or there are too many of these.
    """

    __slots__ = ("_nodes", "_empty", "size")

    def __init__(self) -> None:
        self._nodes: deque[Node] = deque()
        self._empty = 0
        self.size = 0

    def __len__(self) -> int:
        return len(self._nodes) - self._empty

    def append(self, node: Node) -> None:
        self._nodes.append(node)
        node.queue = self
        self.size += node.size

    def popleft(self) -> Node | None:
        """The first one; None if there is none."""
        while self._nodes:
            node = self._nodes.popleft()
            if node.entry is not None:
                self.size -= node.size
                node.queue = None
                return node
            self._empty -= 1
        return None

    def remove(self, node: Node) -> None:
        """Take it out, for good."""
        self.size -= node.size
        node.queue = node.entry = None
        self._empty += 1
        if self._empty > 32 + len(self._nodes) // 2:
            self._nodes = deque(one for one in self._nodes if one.entry is not None)
            self._empty = 0


class S3Fifo:
    """The queues, for ``room`` bytes. They do not bound themselves: whoever knows that there is too much calls
    :meth:`evict` until there is not.
    """

    __slots__ = ("_small_room", "_small", "_main", "_ghosts", "_oldest_ghosts")

    def __init__(self, room: int) -> None:
        self._small_room = room // SMALL_SHARE
        self._small = _Queue()
        self._main = _Queue()
        self._ghosts: set[int] = set()
        self._oldest_ghosts: deque[int] = deque()

    def __len__(self) -> int:
        return len(self._small) + len(self._main)

    @property
    def size(self) -> int:
        """The bytes of all nodes, and of what is remembered."""
        return self._small.size + self._main.size + _GHOST_BYTES * len(self._oldest_ghosts)

    def have_room(self, room: int) -> None:
        """Be for another number of bytes."""
        self._small_room = room // SMALL_SHARE

    def add(self, node: Node) -> None:
        """Let a new node in."""
        if node.name in self._ghosts:
            self._ghosts.discard(node.name)
            self._main.append(node)
        else:
            self._small.append(node)

    def remove(self, node: Node) -> None:
        """Take a node out that is not there any more."""
        if node.queue is not None:
            node.queue.remove(node)

    def resize(self, node: Node, size: int) -> None:
        """Count another size for a node, which keeps its place."""
        if node.queue is not None:
            node.queue.size += size - node.size
        node.size = size

    def evict(self) -> Entry | None:
        """Take out what is the least worth keeping; None if there is nothing."""
        turn = 0
        while True:
            from_small = self._small.size > self._small_room or not self._main
            node = (self._small if from_small else self._main).popleft()
            if node is None:
                return None
            if not node.uses or turn == _MOST_TURNS:
                break
            turn += 1
            node.uses = 0 if from_small else node.uses - 1
            self._main.append(node)
        if from_small:
            self._remember(node.name)
        entry, node.entry = node.entry, None
        return entry

    def _remember(self, name: int) -> None:
        self._ghosts.add(name)
        self._oldest_ghosts.append(name)
        # As many as there are entries: longer ago than that, nobody knows whether it would have been kept.
        while len(self._oldest_ghosts) > max(len(self), _FEWEST_GHOSTS):
            self._ghosts.discard(self._oldest_ghosts.popleft())
