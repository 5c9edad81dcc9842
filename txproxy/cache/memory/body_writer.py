"""Bodies in memory, while they come and when they are whole."""

from __future__ import annotations

from typing import Protocol

from txproxy.cache.memory.memfd_arena import ArenaRange, MemfdArena
from txproxy.cache.stored import BY_KERNEL, FileRange, MemoryBody, StoredBody


class Room(Protocol):
    """What a writer asks of its store. ``growing`` counts the bytes of what comes and stands in no arena yet."""

    arena: MemfdArena | None
    max_object: int
    growing: int

    def make_room(self, count: int) -> bool:
        """Have room for so many bytes more, and tell whether there is."""


class PagedBody:
    """A body in the arena, which the kernel can send."""

    __slots__ = ("_range", "length")

    def __init__(self, place: ArenaRange) -> None:
        self._range = place
        self.length = place.written

    @property
    def taken(self) -> int:
        """The bytes of its pages."""
        return self._range.taken

    def parts(self, start: int, stop: int) -> list[bytes | FileRange]:
        """See :class:`txproxy.cache.stored.StoredBody`."""
        place = self._range
        return [FileRange(place.fd, place.offset + start, stop - start)] if start < stop else []


class GrowingBody:
    """A body of which more may come; what is there can be read. It stands in ``place``, if that is not None."""

    __slots__ = ("_small", "place")

    def __init__(self) -> None:
        self._small = bytearray()
        self.place: ArenaRange | None = None

    @property
    def length(self) -> int:
        """How many bytes there are."""
        return len(self._small) if self.place is None else self.place.written

    def parts(self, start: int, stop: int) -> list[bytes | FileRange]:
        """See :class:`txproxy.cache.stored.StoredBody`."""
        stop = min(stop, self.length)
        if start >= stop:
            return []
        if self.place is None:
            return [bytes(memoryview(self._small)[start:stop])]
        return [FileRange(self.place.fd, self.place.offset + start, stop - start)]

    def append(self, data: bytes) -> None:
        """Add what has come."""
        if self.place is None:
            self._small += data
        else:
            self.place.append(data)

    def move(self, place: ArenaRange) -> None:
        """Stand in the arena from now on."""
        place.append(bytes(self._small))
        self.place = place
        self._small = bytearray()

    def whole(self) -> StoredBody:
        """The same when no more comes."""
        return MemoryBody(bytes(self._small)) if self.place is None else PagedBody(self.place)


class BodyWriter:
    """Takes a body while it comes, for a store. ``body`` can be read meanwhile, and stays what it is for those who have
    it, whatever becomes of the writer. ``length`` is how long it will be at most, if that is known.
    """

    __slots__ = ("body", "_room", "_length", "_counted", "_open")

    def __init__(self, room: Room, length: int | None) -> None:
        self.body = GrowingBody()
        self._room = room
        most = room.max_object
        # Of what is known to be too long nothing is kept.
        self._length = most if length is None else length if length <= most else 0
        self._counted = 0
        self._open = True

    @property
    def written(self) -> int:
        """How many bytes there are."""
        return self.body.length

    def write(self, data: bytes) -> bool:
        """Add ``data``, and tell whether it could be: it cannot where that makes more than a store has of one, or than
        was said. Nothing can be added after that, and what is there is for its readers alone.
        """
        if not self._open or self.written + len(data) > self._length:
            self.abandon()
            return False
        try:
            kept = self._add(data)
        except OSError:
            kept = False
        if not kept:
            self.abandon()
        return kept

    def _add(self, data: bytes) -> bool:
        room, place = self._room, self.body.place
        if place is not None:
            if not room.make_room(place.more_taken(len(data))):
                return False
        elif room.arena is not None and self.written + len(data) >= BY_KERNEL:
            if not room.make_room(self.written + len(data)):
                return False
            self.body.move(room.arena.reserve(self._length))
            self._uncount()
        elif room.make_room(len(data)):
            room.growing += len(data)
            self._counted += len(data)
        else:
            return False
        self.body.append(data)
        return True

    def finish(self) -> StoredBody:
        """The whole body, of which no more comes."""
        body = self.body.whole()
        self.abandon()
        return body

    def abandon(self) -> None:
        """Take no more. What is there is gone with the last of its readers."""
        self._open = False
        self._uncount()

    def _uncount(self) -> None:
        self._room.growing -= self._counted
        self._counted = 0
