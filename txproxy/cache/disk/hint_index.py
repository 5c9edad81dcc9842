"""Where a response may stand: a table of hints, in a file that all processes of a directory have mapped.

A hint is one word of 8 bytes, which is written at once: 16 bits of the key's hash, the low bits of the segment's
number, the offset in units of 16 bytes, and how often it was used, up to 3. Nothing in here is believed: a hint that is
torn, stale or made up leads to a record that is none, or has another key. What cannot be hinted at is a miss.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

_MAGIC: Final = b"TxIndex2"
# Magic, number of slots, whether all that there is was entered.
_HEADER: Final = struct.Struct("=8sQQ")
_COMPLETE_AT: Final = 16
# Counts of what was changed, by the first bits of its key: words of 4 bytes. If there were 256, a hundred changes of
# other things while something comes would keep a third of all from being stored; with so many it is 1 in 160.
_CHANGES_BITS: Final = 14
_CHANGES_AT: Final = 4096
_HEADER_SIZE: Final = _CHANGES_AT + (4 << _CHANGES_BITS)
_BUCKET: Final = 8
# So many buckets are looked into, one after another as long as they are full.
_PROBES: Final = 12
_UNIT: Final = 16
_CHANGES: Final = (1 << 32) - 1
# So many slots are looked at in one go by who wants all.
_PART: Final = 1024

_USES_BITS: Final = 2
_OFFSET_BITS: Final = 26
_SEGMENT_BITS: Final = 20
MOST_USES: Final = (1 << _USES_BITS) - 1
# What stands where something was, in a bucket that is full otherwise: what was put into the next ones is still found.
_CLEARED: Final = 1
LARGEST_SEGMENT: Final = _UNIT << _OFFSET_BITS
SEGMENTS: Final = 1 << _SEGMENT_BITS
_OFFSET_MASK: Final = (1 << _OFFSET_BITS) - 1
_SEGMENT_AT: Final = _USES_BITS + _OFFSET_BITS
_NAME_AT: Final = _SEGMENT_AT + _SEGMENT_BITS


class Hint(NamedTuple):
    """A slot, and what is in it: the low bits of the number of a ``segment``, an ``offset``, and ``uses``."""

    slot: int
    word: int

    def is_of(self, other: Hint) -> bool:
        """Whether it leads to where another does."""
        return _same_place(self.word, other.word)

    @property
    def segment(self) -> int:
        """The segment's number modulo :data:`SEGMENTS`."""
        return self.word >> _SEGMENT_AT & SEGMENTS - 1

    @property
    def offset(self) -> int:
        """Where the record begins."""
        return (self.word >> _USES_BITS & _OFFSET_MASK) * _UNIT

    @property
    def uses(self) -> int:
        """How often it was used."""
        return self.word & MOST_USES


def _change_of(key: bytes) -> int:
    """Which count of changes is that of ``key``."""
    return (key[0] << 8 | key[1]) >> 16 - _CHANGES_BITS


def slots_for(size: int) -> int:
    """How many slots there are for a directory of ``size`` bytes: one for each 2 kB."""
    return max(4096, size // 2048 // _BUCKET * _BUCKET)


class HintIndex:
    """The table, of the open file ``fd``, which it has for itself. A ValueError says that this is none."""

    __slots__ = ("_fd", "_map", "_words", "_changes", "_buckets")

    def __init__(self, fd: int) -> None:
        size = os.fstat(fd).st_size
        header = os.pread(fd, _HEADER.size, 0)
        if len(header) < _HEADER.size:
            raise ValueError("short")
        magic, slots, _ = _HEADER.unpack(header)
        if magic != _MAGIC or not slots or slots % _BUCKET or size != _HEADER_SIZE + 8 * slots:
            raise ValueError("foreign")
        self._map = mmap.mmap(fd, size)
        self._words: memoryview[int] = memoryview(self._map)[_HEADER_SIZE:].cast("Q")
        self._changes: memoryview[int] = memoryview(self._map)[_CHANGES_AT:_HEADER_SIZE].cast("I")
        self._buckets: int = slots // _BUCKET
        self._fd = fd

    @staticmethod
    def lay_out(fd: int, slots: int) -> None:
        """Make an empty table of a new file. Its blocks are all taken now: when the disk is full, a write to what is
        mapped would end the process.
        """
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(fd, 0, _HEADER_SIZE + 8 * slots)
        else:
            size = _HEADER_SIZE + 8 * slots
            for offset in range(0, size, _HEADER_SIZE):
                os.pwrite(fd, bytes(min(_HEADER_SIZE, size - offset)), offset)
        os.pwrite(fd, _HEADER.pack(_MAGIC, slots, 0), 0)

    def close(self) -> None:
        """Unmap it."""
        os.close(self._fd)
        try:
            self._changes.release()
            self._words.release()
            self._map.close()
        except BufferError:
            # A thread is just looking at it; it goes when nobody has it any more.
            pass

    def is_at(self, path: str) -> bool:
        """Whether it is the file that is there under that name."""
        try:
            return os.path.samestat(os.stat(path), os.fstat(self._fd))
        except FileNotFoundError:
            return False

    def become(self, other: HintIndex) -> None:
        """Be another table from now on, which nobody else has. A thread that is just looking at this one may go on."""
        os.close(self._fd)
        self._fd, self._map, self._words, self._buckets = other._fd, other._map, other._words, other._buckets
        self._changes = other._changes

    @property
    def slots(self) -> int:
        """How many there are."""
        return self._buckets * _BUCKET

    @property
    def complete(self) -> bool:
        """Whether all that there is was entered."""
        return self._map[_COMPLETE_AT : _COMPLETE_AT + 8] == b"complete"

    def set_complete(self) -> None:
        """Say that all that there is was entered."""
        self._map[_COMPLETE_AT : _COMPLETE_AT + 8] = b"complete"

    def changes(self, key: bytes) -> int:
        """A number that is another one when any process has called :meth:`count_change` for ``key``, and now and then
        when it has for another.
        """
        return self._changes[_change_of(key)]

    def count_change(self, key: bytes) -> None:
        """What the origin has for ``key`` is another from now on."""
        # Two processes at once may count as one: both numbers differ from the one before.
        place = _change_of(key)
        self._changes[place] = self._changes[place] + 1 & _CHANGES

    def find(self, key: bytes) -> list[Hint]:
        """What is hinted at for ``key``, most of which will be true."""
        name = key[0] << 8 | key[1]
        found = []
        for start in self._probed(key):
            words = self._words[start : start + _BUCKET].tolist()
            for place, word in enumerate(words, start):
                if word and word >> _NAME_AT == name:
                    found.append(Hint(place, word))
            if 0 in words:
                break
        if len(found) < 2:
            return found
        return [hint for place, hint in enumerate(found) if not any(hint.is_of(other) for other in found[:place])]

    def hints(self) -> Iterator[Hint]:
        """All that there are, a part of the table at a time."""
        for start in range(0, len(self._words), _PART):
            for slot, word in enumerate(self._words[start : start + _PART].tolist(), start):
                if word > _CLEARED:
                    yield Hint(slot, word)

    def _probed(self, key: bytes) -> Iterator[int]:
        """Where the buckets begin that a key's hints may be in, one after another."""
        bucket = int.from_bytes(key[2:10], "little")
        for probe in range(_PROBES):
            yield (bucket + probe) % self._buckets * _BUCKET

    def add(self, key: bytes, segment: int, offset: int, uses: int = 0) -> Hint:
        """Hint at a record. Where there is no room, that of the oldest segment nearby makes it."""
        word = _word(key, segment, offset, uses)
        oldest, oldest_age = 0, -1
        for start in self._probed(key):
            for place, other in enumerate(self._words[start : start + _BUCKET].tolist(), start):
                if other <= _CLEARED or _same_place(other, word):
                    self._words[place] = word
                    return Hint(place, word)
                age = (segment - Hint(place, other).segment) % SEGMENTS
                if age > oldest_age:
                    oldest, oldest_age = place, age
        self._words[oldest] = word
        return Hint(oldest, word)

    def add_missing(self, key: bytes, segment: int, offset: int) -> None:
        """Hint at a record, if nothing does."""
        word = _word(key, segment, offset, 0)
        if not any(_same_place(hint.word, word) for hint in self.find(key)):
            self.add(key, segment, offset)

    def replace(self, hint: Hint, key: bytes, segment: int, offset: int) -> Hint:
        """Hint at another record of the same key, if nobody has changed the slot."""
        word = self._words[hint.slot]
        if not _same_place(word, hint.word):
            return self.add(key, segment, offset)
        self._words[hint.slot] = word = _word(key, segment, offset, word & MOST_USES)
        return Hint(hint.slot, word)

    def has(self, hint: Hint) -> bool:
        """Whether it is still as it was, but for how often it was used."""
        return _same_place(self._words[hint.slot], hint.word)

    def clear(self, hint: Hint) -> None:
        """Hint no more at what is not there."""
        if _same_place(self._words[hint.slot], hint.word):
            start = hint.slot // _BUCKET * _BUCKET
            self._words[hint.slot] = 0 if 0 in self._words[start : start + _BUCKET].tolist() else _CLEARED

    def use(self, hint: Hint) -> None:
        """Count a use."""
        word = self._words[hint.slot]
        if word & MOST_USES < MOST_USES and _same_place(word, hint.word):
            self._words[hint.slot] = word + 1


def _word(key: bytes, segment: int, offset: int, uses: int) -> int:
    name = key[0] << 8 | key[1]
    return name << _NAME_AT | segment % SEGMENTS << _SEGMENT_AT | offset // _UNIT << _USES_BITS | uses


def _same_place(one: int, other: int) -> bool:
    return one >> _USES_BITS == other >> _USES_BITS
