"""What a request of the cache's own is to bring, in its own lines."""

import pytest

from txproxy.cache.answering.cache_status import ForwardedFor
from txproxy.cache.parts.parts_body import Part, PartsBody
from txproxy.cache.stored import Entry, Freshness, MemoryBody, StoredHead
from txproxy.proxy.caching.filling.sought import Sought
from txproxy.wire.headers import Headers


def entry(tag, body=None):
    head = StoredHead(200, b"OK", Headers.parsed([b"ETag: " + tag]), 1.0, 2.0, Freshness(60.0, 0.0))
    return Entry(b"k" * 32, head, body or MemoryBody(b"0123456789"))


PARTS = PartsBody(10, (Part(0, MemoryBody(b"012")),))


@pytest.mark.parametrize(
    ("what", "lines", "is_whole"),
    [
        ({}, [], True),
        ({"stale": entry(b'"1"')}, [b'If-None-Match: "1"'], True),
        ({"part": b"bytes=0-4"}, [b"Range: bytes=0-4"], False),
        ({"incomplete": entry(b'"1"', PARTS), "missing": (3, 10)}, [b"Range: bytes=3-", b'If-Range: "1"'], False),
        ({"incomplete": entry(b'"1"', PARTS), "missing": (3, 6)}, [b"Range: bytes=3-5", b'If-Range: "1"'], False),
    ],
)
def test_it_is_asked_for_so(what, lines, is_whole):
    sought = Sought(ForwardedFor.URI_MISS, **what)
    assert (sought.lines(), sought.is_whole) == (lines, is_whole)
