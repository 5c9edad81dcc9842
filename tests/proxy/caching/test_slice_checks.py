"""Long bodies on a disk: they are sent while they are checked, and what is not what was written is not sent."""

import os
from array import array

import pytest
from twisted.internet.defer import Deferred, succeed

from tests.proxy.caching.caching_proxy import get, got
from txproxy.cache.disk.disk_store import DiskStore
from txproxy.cache.disk.file_body import bodies_on_disk
from txproxy.cache.memory.memory_store import MemoryStore
from txproxy.cache.parts.parts_body import CHECKED_AT_ONCE
from txproxy.cache.tiered_store import TieredStore

MB = 1 << 20
FRESH = {"cache_control": "max-age=60", "etag": '"1"'}
# Each eight of its letters are others.
LONG = array("I", range((CHECKED_AT_ONCE + 3 * MB) // 8)).tobytes().hex()
SLICES = len(LONG) // MB


class Proxy:
    """One after another, with the same directory."""

    def __init__(self, make, path):
        self.make = make
        self.path = path
        self.disk = None
        self.restart()

    def restart(self):
        self.close()
        self.disk = DiskStore(str(self.path), 256 * MB)
        self.proxy = self.make(store=TieredStore(MemoryStore(16 * MB), self.disk))
        self.reads = []
        self.proxy.cache.in_thread = self.read_now

    def close(self):
        if self.disk is not None:
            self.disk.close()

    def read_now(self, reactor, read):
        self.reads.append(read)
        return succeed(read())

    def read_later(self, reactor, read):
        reading = Deferred()
        self.reads.append((reading, read))
        return reading

    def ask(self, *requests):
        clients = self.proxy.herd(*requests)
        self.turn()
        return clients

    def turn(self):
        for _ in range(4 * SLICES):
            self.proxy.clock.advance(0)

    def hurt(self, number):
        """A byte of a slice is another."""
        (key,) = self.proxy.cache.store.memory._variants
        (entry,) = self.proxy.cache.store.variants(key)
        (segment, offset, _) = bodies_on_disk(entry.body)[number].pieces[0]
        os.pwrite(segment.fd, b"!", offset + 77)


@pytest.fixture
def proxies(make, tmp_path):
    found = Proxy(make, tmp_path / "cache")
    yield found
    found.close()


@pytest.fixture
def stored(proxies):
    (client,) = proxies.proxy.herd(get())
    origin, _ = proxies.proxy.question()
    origin.send(proxies.proxy.response(LONG, **FRESH))
    proxies.turn()
    (answer,) = got([client])
    assert answer.body == LONG.encode() and answer.told.endswith("stored")
    return proxies


def test_what_this_process_has_written_need_not_be_read(stored):
    (answer,) = got(stored.ask(get()))
    assert answer.body == LONG.encode() and answer.told.startswith("txproxy; hit") and not stored.reads


def test_after_a_restart_each_slice_is_read_once(stored):
    stored.restart()
    (answer,) = got(stored.ask(get()))
    assert answer.body == LONG.encode() and answer.told.startswith("txproxy; hit")
    # The record, and then the slices.
    assert SLICES <= len(stored.reads) <= SLICES + 1
    (answer,) = got(stored.ask(get()))
    assert answer.body == LONG.encode() and len(stored.reads) <= SLICES + 1


def test_the_first_bytes_do_not_wait_for_the_last(stored):
    stored.restart()
    got(stored.ask(get(range="bytes=0-0")))
    stored.proxy.cache.in_thread = stored.read_later
    stored.reads = []
    (client,) = stored.ask(get())
    assert client.take().endswith(LONG[:MB].encode()) and len(stored.reads) == 1
    reading, read = stored.reads.pop()
    reading.callback(read())
    stored.turn()
    assert client.take() == LONG[MB : 2 * MB].encode()
    client.drop()
    reading, read = stored.reads.pop()
    reading.callback(read())


def test_a_range_reads_what_it_needs_alone(stored):
    stored.restart()
    at = 5 * MB - 10
    (answer,) = got(stored.ask(get(range=f"bytes={at}-{at + 19}")))
    assert answer.body == LONG[at : at + 20].encode() and len(stored.reads) <= 3
    (answer,) = got(stored.ask(get(range=f"bytes={at}-{at + 9},9-10")))
    assert LONG[at : at + 10].encode() in answer.body and len(stored.reads) <= 4


def test_what_was_damaged_is_not_sent_and_asked_for_again(stored):
    stored.hurt(6)
    stored.restart()
    (client,) = stored.ask(get())
    (answer,) = got([client])
    assert answer.body == LONG[: 6 * MB].encode() and client.closed
    assert answer.fields["content-length"] == b"%d" % len(LONG)
    (client,) = stored.ask(get())
    origin, question = stored.proxy.question()
    assert b"Range: bytes=%d-%d\r\n" % (6 * MB, 7 * MB - 1) in question and b'If-Range: "1"' in question
    rest = {"content_range": f"bytes {6 * MB}-{7 * MB - 1}/{len(LONG)}", **FRESH}
    origin.send(stored.proxy.response(LONG[6 * MB : 7 * MB], "206 Partial Content", **rest))
    stored.turn()
    (answer,) = got([client])
    assert answer.body == LONG.encode() and answer.told == "txproxy; fwd=partial; ttl=60; stored"
    stored.restart()
    (answer,) = got(stored.ask(get()))
    assert answer.body == LONG.encode() and answer.told.startswith("txproxy; hit")


def test_what_is_completed_is_checked_before(proxies):
    (client,) = proxies.proxy.herd(get())
    origin, _ = proxies.proxy.question()
    there = 5 * MB + 1000
    origin.send(proxies.proxy.response(LONG[:there], length=len(LONG), **FRESH))
    origin.drop()
    proxies.turn()
    assert client.closed
    proxies.hurt(3)
    proxies.restart()
    (client,) = proxies.ask(get())
    origin, question = proxies.proxy.question()
    # One of them was damaged: it is asked for with all that follows.
    start = 3 * MB
    assert b"Range: bytes=%d-\r\n" % start in question
    rest = {"content_range": f"bytes {start}-{len(LONG) - 1}/{len(LONG)}", **FRESH}
    origin.send(proxies.proxy.response(LONG[start:], "206 Partial Content", **rest))
    proxies.turn()
    assert got([client])[0].body == LONG.encode()


def test_who_leaves_is_waited_for_by_nobody(stored):
    stored.restart()
    got(stored.ask(get(range="bytes=0-0")))
    stored.proxy.cache.in_thread = stored.read_later
    stored.reads = []
    (client,) = stored.ask(get())
    client.drop()
    ((reading, read),) = stored.reads
    reading.callback(read())
    stored.turn()
    assert not stored.reads[1:] and not stored.proxy.factory.services.errands


def test_what_cannot_be_looked_at_is_not_sent(stored):
    stored.restart()
    got(stored.ask(get(range="bytes=0-0")))
    stored.proxy.cache.in_thread = lambda reactor, read: succeed(())
    (client,) = stored.ask(get())
    (answer,) = got([client])
    assert answer.body == LONG[:MB].encode() and client.closed
