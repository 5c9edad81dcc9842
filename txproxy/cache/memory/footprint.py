"""How many bytes an entry takes in memory: an estimate that measurements have shown to be near the truth."""

from __future__ import annotations

from typing import Final

from txproxy.cache.memory.body_writer import PagedBody
from txproxy.cache.parts.parts_body import PartsBody
from txproxy.cache.stored import Entry, MemoryBody, StoredBody, StoredHead

# What a bytes object takes beside its bytes, with what the allocator rounds it up by on average.
_OBJECT: Final = 33 + 7
# The objects of an entry without a field, and its places in the store's dictionaries and queues.
_ENTRY: Final = 1700
# A line's place in a list, and in an index, which has a name and a value of its own for each.
_LINE: Final = 8 + _OBJECT
_INDEXED: Final = 80 + 2 * _OBJECT
_NAMES: Final = 250
# A part of a body: its place in a list, and the objects that it consists of.
_PART: Final = 320


def of_head(head: StoredHead) -> int:
    """The bytes of a head and all around it but the body. Its fields count with their lines, their index, and their
    block, which are made when they are asked for.
    """
    lines = head.headers.lines
    text = sum(map(len, lines))
    size = _ENTRY + len(lines) * (_LINE + _INDEXED) + 3 * text
    if head.url:
        size += _OBJECT + len(head.url)
    for name, value in head.vary:
        size += 2 * _OBJECT + 56 + len(name) + len(value or b"")
    for names in (head.tags, head.groups):
        if names:
            size += _NAMES + sum(map(len, names)) + len(names) * (_OBJECT + 64)
    return size


def of_pages(body: StoredBody) -> int:
    """The bytes of a body's pages in the arena, if it stands there."""
    if isinstance(body, PartsBody):
        return sum(of_pages(part.body) for part in body.held)
    return body.taken if isinstance(body, PagedBody) else 0


def _of_objects(body: StoredBody) -> int:
    """The bytes of what a body takes beside pages. One that stands in a file of a disk is not in memory."""
    if isinstance(body, PartsBody):
        return sum(_PART + _of_objects(part.body) for part in body.held)
    return _OBJECT + body.length if isinstance(body, MemoryBody) else 0


def of_entry(entry: Entry) -> int:
    """The bytes of all of it."""
    body = entry.body
    return of_head(entry.head) + _of_objects(body) + of_pages(body)
