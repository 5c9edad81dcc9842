"""The body of a response that is on its way into the cache, with all who read it meanwhile."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from txproxy.cache.stored import FileRange, StoredBody
from txproxy.proxy.caching.stored_reader import Reader

# How far the fastest reader may be behind, where all are slow, before the upstream has to wait; how much is held of
# what will not be kept; and how much may be left to come of a body that nobody reads any more.
AHEAD: Final = 1 << 20


class Writer(Protocol):
    """What a store gives for a body that comes (see :class:`txproxy.cache.memory.body_writer.BodyWriter`)."""

    @property
    def body(self) -> StoredBody:
        """What is there of it."""

    def write(self, data: bytes) -> bool:
        """Keep ``data`` as well, and tell whether that could be."""

    def finish(self) -> StoredBody:
        """All of it is there."""

    def abandon(self) -> None:
        """It is not to be kept."""


class FillBody:
    """A body that comes, of ``expected`` bytes if that is known. Part of it is with the ``writer`` of a store; where
    that takes no more, the rest is held here for who reads it, and no longer. ``pause`` and ``resume`` are for who
    brings it, and ``deserted`` is called when its last reader has left before its end.
    """

    __slots__ = (
        "expected", "_writer", "_kept", "_over", "_held_from", "_readers", "_waiting", "_pause", "_resume", "_paused",
        "_deserted",
    )  # fmt: skip

    def __init__(
        self,
        writer: Writer,
        expected: int | None,
        pause: Callable[[], None],
        resume: Callable[[], None],
        deserted: Callable[[], None],
    ) -> None:
        self.expected = expected
        self._writer: Writer | None = writer
        self._kept = writer.body
        # what the store does not keep, and where in the body that begins
        self._over: deque[bytes] = deque()
        self._held_from = 0
        self._readers: set[Reader] = set()
        self._waiting: set[Reader] = set()
        self._pause = pause
        self._resume = resume
        self._paused = False
        self._deserted = deserted

    # -- for readers

    @property
    def available(self) -> int:
        """See :class:`txproxy.proxy.caching.stored_reader.Growth`."""
        return self._kept.length if self._writer is not None else self._held_from + sum(map(len, self._over))

    @property
    def length(self) -> int:
        """See :class:`txproxy.cache.stored.StoredBody`."""
        return self.available

    def parts(self, start: int, stop: int) -> list[bytes | FileRange]:
        """See :class:`txproxy.cache.stored.StoredBody`."""
        there = self._kept.length
        found = self._kept.parts(start, min(stop, there)) if start < there else []
        at = self._held_from
        for piece in self._over:
            low, high = max(start, at), min(stop, at + len(piece))
            if low < high:
                found.append(piece[low - at : high - at])
            at += len(piece)
        return found

    def attach(self, reader: Reader) -> None:
        """There is one more reader."""
        self._readers.add(reader)

    def reader_waits(self, reader: Reader) -> None:
        """See :class:`txproxy.proxy.caching.stored_reader.Growth`."""
        self._waiting.add(reader)
        self._trim()
        self._go_on()

    def reader_gone(self, reader: Reader) -> None:
        """See :class:`txproxy.proxy.caching.stored_reader.Growth`."""
        self._readers.discard(reader)
        self._waiting.discard(reader)
        if self._readers:
            self._trim()
            self._go_on()
        else:
            self._deserted()

    # -- for who brings it

    @property
    def is_kept(self) -> bool:
        """Whether all that has come is with the store."""
        return self._writer is not None

    @property
    def is_worth_it(self) -> bool:
        """Whether the rest is to be fetched though nobody reads it: that is little, or the half of it is there."""
        if self._writer is None:
            return False
        there = self.available
        return self.expected is None or self.expected - there <= AHEAD or 2 * there >= self.expected

    def write(self, data: bytes) -> None:
        """Part of it has come."""
        if self._writer is not None and not self._writer.write(data):
            self._held_from = self._kept.length
            self._writer = None
        if self._writer is None:
            self._over.append(data)
            if not self._readers:
                self._deserted()
                return
        self._tell()
        self._hold_back()

    def finish(self) -> StoredBody | None:
        """All of it is there; gives what the store has, None if that is not all."""
        writer, self._writer = self._writer, None
        if writer is None:
            # Who has not had all of it reads on here.
            self._complete(self)
            return None
        kept = writer.finish()
        # It is the same bytes, and stays whatever becomes of the entry.
        self._kept = kept
        self._held_from = kept.length
        self._complete(kept)
        return kept

    def fail(self) -> None:
        """No more comes."""
        if self._writer is not None:
            self._held_from = self._kept.length
            self._writer.abandon()
            self._writer = None
        readers, self._readers = self._readers, set()
        self._waiting.clear()
        for reader in readers:
            reader.fail()

    def _complete(self, body: StoredBody) -> None:
        readers, self._readers = self._readers, set()
        self._waiting.clear()
        for reader in readers:
            reader.complete(body)

    def _tell(self) -> None:
        waiting, self._waiting = self._waiting, set()
        for reader in waiting:
            reader.go_on()

    def _trim(self) -> None:
        """Let go of what all have had."""
        over = self._over
        if over and self._writer is None:
            least = min(reader.position for reader in self._readers)
            while over and self._held_from + len(over[0]) <= least:
                self._held_from += len(over.popleft())

    def _hold_back(self) -> None:
        if self._paused or not self._readers:
            return
        there = self.available
        if self._writer is None:
            # It is in memory for the slowest of them.
            too_far = there - min(reader.position for reader in self._readers) > AHEAD
        else:
            fastest = max(reader.position for reader in self._readers)
            too_far = there - fastest > AHEAD and all(reader.held for reader in self._readers)
        if too_far:
            self._paused = True
            self._pause()

    def _go_on(self) -> None:
        if self._paused:
            self._paused = False
            self._hold_back()
            if not self._paused:
                self._resume()
