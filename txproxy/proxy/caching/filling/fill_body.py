"""The body of a response that is on its way into the cache, with all who read it meanwhile."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from twisted.logger import Logger

from txproxy.cache.parts.partial_content import Span
from txproxy.cache.parts.parts_body import PartsBody
from txproxy.cache.stored import FileRange, StoredBody
from txproxy.proxy.caching.stored_reader import Reader

_log = Logger()

# How far the fastest reader may be behind, where all are slow, before the upstream has to wait; how much is held of
# what will not be kept; and how much may be left to come of a body that nobody reads any more.
AHEAD: Final = 1 << 20
_PIECE: Final = 65536


def _nothing() -> None:
    """Nobody is to be told."""


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

    Only a ``span`` of it may come; then ``around`` has what is stored of the rest, if anything is. Readers count from
    where the whole begins, and what is private here from where the span does.
    """

    __slots__ = (
        "expected", "start", "stop", "around", "_writer", "_kept", "_kept_size", "_over", "_held_from", "_held_to",
        "_readers", "_waiting", "_pause", "_resume", "_paused", "_deserted", "_read_to",
    )  # fmt: skip

    def __init__(
        self,
        writer: Writer,
        expected: int | None,
        pause: Callable[[], None],
        resume: Callable[[], None],
        deserted: Callable[[], None],
        span: Span | None = None,
        around: PartsBody | None = None,
    ) -> None:
        self.expected = expected
        # where in the body that begins and ends which comes
        self.start = 0 if span is None else span.start
        self.stop = expected if span is None else span.stop
        self.around = around
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
        return self.start + self._held_to

    @property
    def length(self) -> int:
        """See :class:`txproxy.cache.stored.StoredBody`."""
        return self.available

    def parts(self, start: int, stop: int) -> list[bytes | FileRange]:
        """See :class:`txproxy.cache.stored.StoredBody`."""
        around, first = self.around, self.start
        if around is None or (start >= first and stop <= first + self._held_to):
            return self._parts(start - first, stop - first)
        if start < first:
            return around.parts(start, min(stop, first))
        if start < first + self._held_to:
            return self._parts(start - first, self._held_to)
        return around.parts(start, stop)

    def _parts(self, start: int, stop: int) -> list[bytes | FileRange]:
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

    def will_have(self, start: int, stop: int) -> bool:
        """Whether all bytes from ``start`` up to ``stop`` are there once no more comes."""
        if self.stop is None or (self.start <= start and stop <= self.stop):
            return True
        around = self.around
        if around is None:
            return False
        return around.has(start, min(stop, self.start)) and around.has(max(start, self.stop), stop)

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
    def is_part(self) -> bool:
        """Whether not all of it comes."""
        return self.start > 0 or self.stop != self.expected

    @property
    def is_worth_it(self) -> bool:
        """Whether the rest is to be fetched though nobody reads it: that is little, or the half of it is there."""
        if self._writer is None:
            return False
        there = self._held_to
        if self.stop is None:
            # It may never end.
            return there - self._read_to <= AHEAD
        size = self.stop - self.start
        return size - there <= AHEAD or 2 * there >= size

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
        if self.stop is not None and self.start + self._held_to != self.stop:
            # Whoever brings it has not kept his word.
            self._abandon()
            return None
        return self._finish()

    def cut(self) -> StoredBody | None:
        """No more comes; gives what the store has of it, None if that is nothing."""
        return self._finish() if self._kept_size else None

    def _finish(self) -> StoredBody | None:
        writer, self._writer = self._writer, None
        if writer is None:
            return None
        self._held_from = self._kept_size
        # It is the same bytes, and stays whatever becomes of the entry.
        kept = writer.finish()
        if kept is not None:
            self._kept = kept
        return kept

    def complete(self) -> None:
        """Let those that read it have the rest, and be done."""
        self._part()
        readers, self._readers = self._readers, set()
        self._waiting.clear()
        for reader in readers:
            reader.complete(self)

    def fail(self) -> None:
        """No more comes."""
        self._part()
        self._abandon()
        readers, self._readers = self._readers, set()
        self._waiting.clear()
        for reader in readers:
            reader.fail()

    def _part(self) -> None:
        """Who has brought it is told nothing any more, and is free though some may read it for long."""
        self._paused = False
        self._pause = self._resume = self._deserted = _nothing

    def _abandon(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            self._held_from = self._kept_size
            writer.abandon()

    def _tell(self) -> None:
        waiting, self._waiting = self._waiting, set()
        for reader in waiting:
            reader.go_on()

    def _trim(self) -> None:
        """Let go of what all have had."""
        over = self._over
        if over and self._writer is None:
            least = self._least()
            while over and self._held_from + len(over[0]) <= least:
                self._held_from += len(over.popleft())

    def _least(self) -> int:
        """From where on any of its readers needs it."""
        return max(0, min(reader.needed for reader in self._readers) - self.start)

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
            too_far = there - self._least() > AHEAD
        else:
            fastest = max(0, max(reader.position for reader in self._readers) - self.start)
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
