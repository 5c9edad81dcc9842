"""Reads field blocks (RFC 7541): one reader for what a peer sends in the life of a connection."""

from __future__ import annotations

import re
from typing import Final

from txproxy.wire.http2.faults import COMPRESSION_ERROR, ConnectionFault
from txproxy.wire.http2.field_blocks import huffman
from txproxy.wire.http2.field_blocks.field_entries import Entry, entry_of, never_indexed, size_of
from txproxy.wire.http2.field_blocks.static_table import FIRST_DYNAMIC, STATIC

DEFAULT_TABLE_SIZE: Final = 4096
# Of a block with more fields, no more are kept, and whoever reads one with so many refuses it, whatever else bounds
# their number. A field that is in the table takes a byte of the block, so that its size bounds nothing.
MOST_FIELDS: Final = 4096
# Indexed fields with numbers of one byte, as many as there are.
_INDEXED: Final = re.compile(rb"[\x81-\xfe]+")
# The number of :path in the static table.
_PATH: Final = 4
# A number takes so many bytes more at most; none that is of use is larger.
_MOST_CONTINUED: Final = 4


class BlockReader:
    """Reads blocks, and keeps the dynamic table of at most ``table_size`` bytes that they use and change.

    ``changes`` counts how often that has changed: the same bytes mean the same until then. ``path_at`` is where, in the
    block that was read last, the value of a ``:path`` is that is there in full and in no table; 0 if there is none.
    ``inserted`` is what that has added to the table, oldest first, and None where it means something else once the
    table has changed, or has changed its size.
    """

    __slots__ = (
        "changes",
        "path_at",
        "inserted",
        "_entries",
        "_size",
        "_bound",
        "_table_size",
        "_last",
        "_times",
        "_steady",
    )

    def __init__(self, table_size: int = DEFAULT_TABLE_SIZE) -> None:
        self.changes = 0
        self.path_at = 0
        self.inserted: list[Entry] | None = None
        # what was inserted last as a whole, how often since, and the same once that changes nothing any more
        self._last: list[Entry] | None = None
        self._times = 0
        self._steady: list[Entry] | None = None
        # by their numbers: that of the static table is from 1, and after it the dynamic one has the newest first
        self._entries: list[Entry] = [STATIC[0], *STATIC]
        self._size = 0
        self._table_size = table_size
        # what the peer uses of that
        self._bound = table_size

    def read(self, block: bytes) -> list[Entry]:
        """The fields of a ``block``; a ``ConnectionFault`` if it is none. Of more than ``MOST_FIELDS``, not all."""
        entries = self._entries
        found: list[Entry] = []
        at, end = 0, len(block)
        self.path_at = 0
        self.inserted = inserted = []
        try:
            while at < end:
                byte = block[at]
                if byte >= 0x80:
                    run = _INDEXED.match(block, at)
                    if run is not None:
                        at = run.end()
                        numbers = run[0]
                        found += [entries[number & 0x7F] for number in numbers]
                        if max(numbers) & 0x7F >= FIRST_DYNAMIC:
                            self.inserted = None
                    else:
                        number, at = _number(block, at, 0x7F)
                        self.inserted = None
                        found.append(entries[number or self._no_number()])
                elif byte >= 0x40:
                    entry, at = self._literal(block, at, 0x3F)
                    found.append(entry)
                    inserted.append(entry)
                    self._insert(entry)
                elif byte < 0x20:
                    value_at = at + 1
                    entry, at = self._literal(block, at, 0x0F)
                    if byte >= 0x10:
                        entry = never_indexed(entry)
                    found.append(entry)
                    if byte & 0x0F == _PATH:
                        self.path_at = value_at
                else:
                    at = self._resize(block, at, found)
                if len(found) > MOST_FIELDS:
                    # The rest is read for what it does to the table.
                    del found[MOST_FIELDS:]
        except IndexError:
            raise ConnectionFault("a field block ends within a field, or names none", COMPRESSION_ERROR) from None
        return found

    def _no_number(self) -> int:
        raise ConnectionFault("a field block names the field 0", COMPRESSION_ERROR)

    def _literal(self, block: bytes, at: int, mask: int) -> tuple[Entry, int]:
        number, at = _number(block, at, mask)
        if number:
            name = self._entries[number][2]
            if number >= FIRST_DYNAMIC:
                self.inserted = None
        else:
            name, at = read_string(block, at)
        value, at = read_string(block, at)
        return entry_of(name, value), at

    def _insert(self, entry: Entry) -> None:
        """RFC 7541 section 4.4. One that is larger than the table empties it, which is no error."""
        self.changes += 1
        self._last = self._steady = None
        size = entry[4]
        self._evict(self._bound - size)
        if size <= self._bound:
            self._entries.insert(FIRST_DYNAMIC, entry)
            self._size += size

    def insert_all(self, inserted: list[Entry]) -> None:
        """What a block has ``inserted`` that has come again, and means the same."""
        if self.is_steady(inserted):
            return
        size = sum(map(size_of, inserted))
        if size > self._bound:
            for entry in inserted:
                self._insert(entry)
            return
        entries = self._entries
        before = len(entries)
        self.changes += 1
        self._evict(self._bound - size)
        entries[FIRST_DYNAMIC:FIRST_DYNAMIC] = reversed(inserted)
        self._size += size
        if inserted is not self._last or len(entries) != before:
            self._last, self._times, self._steady = inserted, 1, None
            return
        self._times += 1
        if self._times * len(inserted) >= before - FIRST_DYNAMIC:
            # Nothing else is in the table, and as much leaves it as comes: the next time it is the same afterwards.
            self._steady = inserted

    def is_steady(self, inserted: list[Entry]) -> bool:
        """Whether the table is the same after :meth:`insert_all` of these."""
        return inserted is self._steady or not inserted

    def _evict(self, bound: int) -> None:
        entries = self._entries
        while self._size > bound and len(entries) > FIRST_DYNAMIC:
            self._size -= entries.pop()[4]

    def _resize(self, block: bytes, at: int, found: list[Entry]) -> int:
        # RFC 7541 4.2: at the beginning of a block.
        if found:
            raise ConnectionFault("a change of the table's size within a field block", COMPRESSION_ERROR)
        size, at = _number(block, at, 0x1F)
        if size > self._table_size:
            raise ConnectionFault("a table that is larger than was allowed", COMPRESSION_ERROR)
        self.changes += 1
        self.inserted = self._last = self._steady = None
        self._bound = size
        self._evict(size)
        return at


def _number(block: bytes, at: int, mask: int) -> tuple[int, int]:
    """RFC 7541 section 5.1: the number at a place of a ``block``, and the place after it."""
    number = block[at] & mask
    at += 1
    if number < mask:
        return number, at
    for shift in range(0, 7 * _MOST_CONTINUED, 7):
        byte = block[at]
        at += 1
        number += (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
    raise ConnectionFault("a number in a field block that is too large", COMPRESSION_ERROR)


def read_string(block: bytes, at: int) -> tuple[bytes, int]:
    """RFC 7541 section 5.2: the string at a place of a ``block``, and the place after it."""
    first = block[at]
    length = first & 0x7F
    if length < 0x7F:
        at += 1
    else:
        length, at = _number(block, at, 0x7F)
    end = at + length
    if end > len(block):
        raise ConnectionFault("a field block ends within a string", COMPRESSION_ERROR)
    data = block[at:end]
    return (huffman.decode(data) if first >= 0x80 else data), end
