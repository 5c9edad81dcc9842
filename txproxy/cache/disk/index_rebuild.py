"""The index anew, where it was lost: from all records that there are."""

from __future__ import annotations

from collections.abc import Iterator

from txproxy.cache.disk.hint_index import HintIndex
from txproxy.cache.disk.record_format import KEY_SIZE, RESPONSES
from txproxy.cache.disk.segment_walk import walk
from txproxy.cache.disk.segments import Segments


def rebuild(segments: Segments, index: HintIndex) -> Iterator[None]:
    """Enter what there is, the newest segments first; each step takes little time. What is found meanwhile is right,
    but not all is found.
    """
    for number in reversed(segments.numbers):
        segment = segments.get(number)
        if segment is None:
            continue
        for record in walk(segment):
            if record is None:
                yield
            elif record.alive and record.kind in RESPONSES and len(record.key) == KEY_SIZE:
                index.add_missing(record.key, number, record.offset)
        yield
    index.set_complete()
