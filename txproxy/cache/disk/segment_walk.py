"""All records of a segment, one after another, in slices that take little time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from txproxy.cache.disk.record_format import HEADER_SIZE, KEY_SIZE, read_header
from txproxy.cache.disk.segment import SEGMENT_START, Segment

# After so many seconds whoever walks lets others have a turn.
SLICE: Final = 0.01


class Walked(NamedTuple):
    """A record at ``offset``: whether it is ``alive``, its ``kind``, and the ``key`` that it is of. Only its form was
    looked at.
    """

    offset: int
    alive: bool
    kind: int
    key: bytes


def walk(segment: Segment, clock: Callable[[], float] = time.monotonic) -> Iterator[Walked | None]:
    """The records of ``segment``, up to where there is none, and None whenever a slice is over. What cannot be read
    ends it.
    """
    offset = SEGMENT_START
    ends = clock() + SLICE
    while True:
        try:
            data = segment.read(offset, HEADER_SIZE + KEY_SIZE, wait=True)
        except OSError:
            return
        header = read_header(data, segment.number, offset)
        if header is None:
            return
        yield Walked(offset, header.alive, header.kind, data[HEADER_SIZE:])
        offset += header.total
        if clock() > ends:
            yield None
            ends = clock() + SLICE
