"""What tests of the disk store have to store, and how they look at what is stored."""

from __future__ import annotations

import os
from hashlib import blake2b

from txproxy.cache.disk.disk_store import DiskStore, NeedsThread
from txproxy.cache.disk.record_reader import DiskEntry
from txproxy.cache.stored import Entry, FileRange, Freshness, StoredBody, StoredHead, VaryValues
from txproxy.wire.headers import Headers

MB = 1 << 20


def key_of(name: object) -> bytes:
    """A key as it would be of a request."""
    return blake2b(str(name).encode(), digest_size=32).digest()


def head_of(name: object, vary: VaryValues = (), time: float = 1000.0) -> StoredHead:
    """A head in which the name stands."""
    headers = Headers.from_lines([b"Content-Type: text/plain", b"X-Name: " + str(name).encode()])
    return StoredHead(200, b"OK", headers, time, time + 1.0, Freshness(60.0, 0.5), vary)


def body_of(name: object, size: int) -> bytes:
    """A body of which each part tells where it is from."""
    part = b"%s|" % str(name).encode()
    return (part * (size // len(part) + 1))[:size]


def read(body: StoredBody, start: int = 0, stop: int | None = None) -> bytes:
    """The bytes of a body."""
    parts = body.parts(start, body.length if stop is None else stop)
    return b"".join(
        os.pread(part.fd, part.size, part.offset) if isinstance(part, FileRange) else part for part in parts
    )


def put(store: DiskStore, name: object, size: int, head: StoredHead | None = None) -> DiskEntry:
    """Store a response under the name's key."""
    writer = store.writer(key_of(name), size)
    assert writer.write(body_of(name, size))
    entry = writer.commit(head or head_of(name))
    assert entry is not None
    return entry


def refresh(store: DiskStore, entry: DiskEntry, head: StoredHead) -> DiskEntry | None:
    """Store another head for the body of an entry."""
    return store.put(Entry(entry.key, head, entry.body), entry)


def found(store: DiskStore, name: object) -> tuple[DiskEntry, ...]:
    """What is stored under the name's key, however long it takes to read it."""
    variants = store.variants(key_of(name))
    return variants.read() if isinstance(variants, NeedsThread) else variants
