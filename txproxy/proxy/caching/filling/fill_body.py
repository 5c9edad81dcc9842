"""The body of a response that is on its way into the cache, with all who read it meanwhile."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from twisted.logger import Logger

from txproxy.cache.stored import FileRange, StoredBody
from txproxy.proxy.caching.stored_reader import Reader

_log = Logger()

# How far the fastest reader may be behind, where all are slow, before the upstream has to wait; how much is held of
# what will not be kept; and how much may be left to come of a body that nobody reads any more.
AHEAD: Final = 1 << 20
_PIECE: Final = 65536


class Writer(Protocol):
    """What a store gives for a body that comes (see :class:`txproxy.cache.memory.body_writer.BodyWriter`)."""

    @property
    def body(self) -> StoredBody:
        """What is there of it."""

    def write(self, data: bytes) -> bool:
        """Keep ``data`` as well, and tell whether that could be."""

    def finish(self) -> StoredBody | None:
        """All of it is there."""

    def abandon(self) -> None:
        """It is not to be kept."""


class FillBody:
    """A body that comes, of ``expected`` bytes if that is known. Part of it is with the ``writer`` of a store; where
    that takes no more, the rest is held here for who reads it, and no longer. ``pause`` and ``resume`` are for who
    brings it, and ``deserted`` is called when its last reader has left before its end.
    """

    __slots__ = (
        "expected", "_writer", "_kept", "_kept_size", "_over", "_held_from", "_held_to", "_readers", "_waiting",
        "_pause", "_resume", "_paused", "_deserted", "_read_to",
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
        # how much of the body the store has
        self._kept_size = 0
        # what it does not keep, and where in the body that begins and ends
        self._over: deque[bytes] = deque()
        self._held_from = self._held_to = 0
        self._readers: set[Reader] = set()
        self._waiting: set[Reader] = set()
        self._pause = pause
        self._resume = resume
        self._paused = False
        self._deserted = deserted
        # how much there was when the last reader left
        self._read_to = 0

    # -- for readers

    @property
    def available(self) -> int:
        """See :class:`txproxy.proxy.caching.stored_reader.Growth`."""
        return self._held_to

    @property
    def length(self) -> int:
        """See :class:`txproxy.cache.stored.StoredBody`."""
        return self.available

    def parts(self, start: int, stop: int) -> list[bytes | FileRange]:
        """See :class:`txproxy.cache.stored.StoredBody`."""
        there = self._kept_size
        found = self._kept.parts(start, min(stop, there)) if start < there else []
        at = self._held_from
        for piece in self._over:
            if at >= stop:
                break
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
            self._desert()

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
        there = self._held_to
        if self.expected is None:
            # It may never end.
            return there - self._read_to <= AHEAD
        return self.expected - there <= AHEAD or 2 * there >= self.expected

    @property
    def is_read(self) -> bool:
        """Whether anybody reads it."""
        return bool(self._readers)

    def write(self, data: bytes) -> None:
        """Part of it has come."""
        if self._writer is not None and not self._keeps(self._writer, data):
            self._held_from = self._kept_size
            self._writer = None
        if self._writer is None:
            self._hold(data)
        self._held_to += len(data)
        if not self._readers:
            if not self.is_worth_it:
                self._deserted()
            return
        self._tell()
        self._hold_back()

    def _hold(self, data: bytes) -> None:
        over = self._over
        if over and len(over[-1]) + len(data) <= _PIECE:
            # What comes in very small parts is not to be searched for long.
            over[-1] += data
        else:
            over.append(data)

    def _keeps(self, writer: Writer, data: bytes) -> bool:
        try:
            kept = writer.write(data)
        except Exception:
            # Those who read it get it all the same.
            _log.failure("a store failed")
            kept = False
        if kept:
            self._kept_size += len(data)
        return kept

    def finish(self) -> StoredBody | None:
        """All of it is there; gives what the store has, None if that is not all."""
        writer, self._writer = self._writer, None
        if writer is None:
            return None
        self._held_from = self._kept_size
        if self.expected is not None and self._held_to != self.expected:
            # Whoever brings it has not kept his word.
            writer.abandon()
            return None
        # It is the same bytes, and stays whatever becomes of the entry.
        kept = writer.finish()
        if kept is not None:
            self._kept = kept
        return kept

    def complete(self) -> None:
        """Let those that read it have the rest, and be done."""
        readers, self._readers = self._readers, set()
        self._waiting.clear()
        for reader in readers:
            reader.complete(self)

    def fail(self) -> None:
        """No more comes."""
        if self._writer is not None:
            self._held_from = self._kept_size
            self._writer.abandon()
            self._writer = None
        readers, self._readers = self._readers, set()
        self._waiting.clear()
        for reader in readers:
            reader.fail()

    def _tell(self) -> None:
        waiting, self._waiting = self._waiting, set()
        for reader in waiting:
            reader.go_on()

    def _trim(self) -> None:
        """Let go of what all have had."""
        over = self._over
        if over and self._writer is None:
            least = min(reader.needed for reader in self._readers)
            while over and self._held_from + len(over[0]) <= least:
                self._held_from += len(over.popleft())

    def _desert(self) -> None:
        """The last reader has left. What waited for it is not to wait any longer, if the rest is wanted."""
        self._read_to = self._held_to
        self._deserted()
        if self._paused:
            self._paused = False
            self._resume()

    def _hold_back(self) -> None:
        if self._paused or not self._readers:
            return
        there = self._held_to
        if self._writer is None:
            # It is in memory for the slowest of them.
            too_far = there - min(reader.needed for reader in self._readers) > AHEAD
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
