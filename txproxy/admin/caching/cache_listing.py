"""What is stored, looked through a little at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Container
from typing import Any, Final

import attrs
from twisted.internet.task import deferLater

from txproxy.cache.disk.disk_store import DiskStore
from txproxy.cache.disk.record_reader import DiskEntry
from txproxy.cache.memory.memory_store import MemoryStore
from txproxy.cache.purging.marks import Marks, Verdict
from txproxy.cache.stored import Entry
from txproxy.proxy.caching.shared_cache import SharedCache

# So many entries of the memory are looked at before others have a turn.
_BATCH: Final = 1000
# For so many seconds a disk is looked through at most.
_PATIENCE: Final = 5.0
_DEFAULT_PORTS: Final = ((b"http://", b":80/"), (b"https://", b":443/"))


@attrs.frozen
class Listing:
    """What was found: a table for each response, and whether that is all of it."""

    entries: tuple[dict[str, object], ...]
    complete: bool


@attrs.define
class _Found:
    """Those whose URLs begin with ``prefix``, ``limit`` of them at most."""

    prefix: bytes
    limit: int
    marks: Marks
    entries: dict[tuple[bytes, object], Entry] = attrs.field(factory=dict)
    complete: bool = True

    def take(self, entry: Entry) -> bool:
        """Take an entry, if it is one of them; gives whether there is room for more."""
        head = entry.head
        if not head.url.startswith(self.prefix) or _verdict(self.marks, entry) is Verdict.GONE:
            return True
        key = (entry.key, head.vary)
        there = self.entries.get(key)
        if there is None and len(self.entries) == self.limit:
            self.complete = False
            return False
        if there is None or there.head.response_time < head.response_time:
            self.entries[key] = entry
        return True


async def listed(cache: SharedCache, reactor: Any, prefix: bytes, limit: int) -> Listing:
    """What is stored of URLs that begin with ``prefix``, as :func:`txproxy.cache.purging.mark.canonical` has it, and
    was not purged: ``limit`` responses at most.
    """
    found = _Found(prefix, limit, cache.marks)
    tiers = cache.tiers
    memory = tiers.memory if tiers is not None else cache.store
    at_hand = memory.entries() if isinstance(memory, MemoryStore) else []
    if tiers is not None:
        disk = tiers.disk
        await cache.in_thread(reactor, lambda: _read(disk, found))
    for number, entry in enumerate(at_hand, 1):
        # What is on the disk as well was seen there.
        if not isinstance(entry, DiskEntry) and not found.take(entry):
            break
        if not number % _BATCH:
            await deferLater(reactor, 0)
    there = {(entry.key, entry.head.vary) for entry in at_hand}
    now = cache.now()
    entries = sorted(found.entries.values(), key=lambda one: one.head.url)
    return Listing(tuple(_told(entry, found.marks, now, _places(entry, there)) for entry in entries), found.complete)


def _read(disk: DiskStore, found: _Found, clock: Callable[[], float] = time.monotonic) -> tuple[Entry, ...]:
    """In a thread."""
    ends = clock() + _PATIENCE
    for entry in disk.entries():
        if not found.take(entry):
            break
        if clock() > ends:
            found.complete = False
            break
    return ()


def _places(entry: Entry, at_hand: Container[object]) -> list[str]:
    in_memory = (entry.key, entry.head.vary) in at_hand
    return [place for place, there in (("memory", in_memory), ("disk", isinstance(entry, DiskEntry))) if there]


def _verdict(marks: Marks, entry: Entry) -> Verdict:
    scheme, _, rest = entry.head.url.partition(b"://")
    authority, slash, path = rest.partition(b"/")
    return marks.verdict(entry.head, entry.key, scheme, authority, slash + path)


def _told(entry: Entry, marks: Marks, now: float, places: list[str]) -> dict[str, object]:
    head = entry.head
    purged = _verdict(marks, entry) is Verdict.STALE
    return {
        "url": shown_url(head.url),
        "status": head.status,
        "bytes": entry.body.length,
        "age": round(head.age(now)),
        # What was purged softly is validated before it is used.
        "ttl": min(0, round(head.expiry() - now)) if purged else round(head.expiry() - now),
        "vary": {
            name.decode("latin-1"): None if value is None else value.decode("latin-1") for name, value in head.vary
        },
        "tags": sorted(tag.decode("latin-1") for tag in head.tags),
        "in": places,
    }


def shown_url(url: bytes) -> str:
    """A URL as people write it, without a port that goes without saying."""
    for scheme, port in _DEFAULT_PORTS:
        if url.startswith(scheme):
            host, found, path = url.partition(port)
            if found and b"/" not in host[len(scheme) :]:
                url = host + b"/" + path
    return url.decode("latin-1")
