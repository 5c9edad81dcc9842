"""A cache with a disk below its memory: restarts, look-ups that take time, and what is done now and then."""

import os
import threading
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent

from tests.cache.disk.responses import found, put
from tests.proxy.caching.caching_proxy import Got, get
from txproxy.cache.disk.disk_health import DiskHealth
from txproxy.cache.disk.disk_store import DiskStore, NeedsThread
from txproxy.cache.memory.memory_store import MemoryStore
from txproxy.cache.purging.mark import Kind
from txproxy.cache.tiered_store import TieredStore
from txproxy.proxy.caching.disk_upkeep import DiskUpkeep

FRESH = {"cache_control": "max-age=60"}
LARGE = "x" * 100_000


@pytest.fixture
def on_disk(make, tmp_path):
    disks = []

    def on_disk(**policy):
        for disk in disks:
            disk.close()
        disks.append(DiskStore(str(tmp_path / "cache"), 1 << 24, segment_size=1 << 21))
        return make(store=TieredStore(MemoryStore(1 << 20), disks[-1]), **policy)

    yield on_disk
    for disk in disks:
        disk.close()


@pytest.fixture(params=["hello", LARGE], ids=["small", "large"])
def body(request):
    return request.param


def test_what_was_stored_is_there_after_a_restart(on_disk, body):
    proxy = on_disk()
    proxy.ask(get(), proxy.response(body, etag='"1"', x="y", **FRESH))
    for _ in range(2):
        got, asked = proxy.ask(get())
        assert asked is None and got.body == body.encode()
    proxy = on_disk()
    proxy.cache.in_thread = lambda reactor, read: succeed(read())
    proxy.pass_time(7)
    for _ in range(3):
        got, asked = proxy.ask(get())
        assert asked is None and got.body == body.encode()
        assert (got.fields["age"], got.fields["x"], got.told) == (b"7", b"y", "txproxy; hit; ttl=53")
    got, _ = proxy.ask(get(range="bytes=1-2"))
    assert got.status == 206 and got.body == body[1:3].encode()


def test_what_was_validated_is_as_well(on_disk, body):
    proxy = on_disk()
    proxy.ask(get(), proxy.response(body, etag='"1"', **FRESH))
    proxy.pass_time(61)
    proxy.ask(get(), proxy.response("", "304 Not Modified", x="2"))
    now = proxy.now
    proxy = on_disk()
    proxy.cache.in_thread = lambda reactor, read: succeed(read())
    proxy.now = now
    got, asked = proxy.ask(get())
    assert asked is None and got.body == body.encode() and got.fields["x"] == b"2"


def test_what_was_changed_is_not(on_disk, body):
    proxy = on_disk()
    proxy.ask(get(), proxy.response(body, **FRESH))
    proxy.ask(get(method="DELETE"), proxy.response(""))
    assert proxy.ask(get(), proxy.response("anew"))[0].body == b"anew"
    proxy = on_disk()
    proxy.cache.in_thread = lambda reactor, read: succeed(read())
    assert proxy.ask(get(), proxy.response("anew"))[0].body == b"anew"


def waits(proxy, monkeypatch):
    found = proxy.store.disk.variants
    waiting = []

    def in_thread(reactor, read):
        waiting.append((Deferred(), read))
        return waiting[-1][0]

    monkeypatch.setattr(DiskStore, "variants", lambda self, key: NeedsThread(lambda: found(key)))
    proxy.cache.in_thread = in_thread
    return waiting


def test_only_who_has_asked_waits_for_the_disk(on_disk, monkeypatch):
    proxy = on_disk()
    proxy.ask(get(), proxy.response(**FRESH))
    for entry in proxy.store.variants(next(iter(proxy.store.memory._variants))):
        proxy.store.memory.remove(entry)
    waiting = waits(proxy, monkeypatch)
    client, leaving = proxy.connect(), proxy.connect()
    client.send(get())
    leaving.send(get())
    leaving.drop()
    assert client.received == b"" and len(waiting) == 2
    monkeypatch.undo()
    (deferred, _) = waiting[0]
    deferred.callback(proxy.store.disk.variants(entry.key))
    assert client.received.endswith(b"hello")


def test_what_cannot_be_read_is_asked_for(on_disk, monkeypatch):
    proxy = on_disk()
    waiting = waits(proxy, monkeypatch)
    client = proxy.connect()
    client.send(get())
    waiting[0][0].callback(())
    proxy.upstream.send(proxy.response("anew", **FRESH))
    assert client.received.endswith(b"anew")


def squid_words(proxy):
    return [record.context.cache.squid_word.decode() for record in proxy.finished]


def test_whether_a_hit_came_from_memory_is_told(on_disk, body):
    proxy = on_disk()
    for _ in range(3):
        proxy.ask(get(), proxy.response(body, **FRESH))
    in_memory = "TCP_MEM_HIT" if body == "hello" else "TCP_HIT"
    assert squid_words(proxy) == ["TCP_MISS", in_memory, in_memory]
    proxy = on_disk()
    proxy.cache.in_thread = lambda reactor, read: succeed(read())
    for _ in range(4):
        assert proxy.ask(get())[1] is None
    # The first one has had it read.
    assert squid_words(proxy) == ["TCP_HIT"] + [in_memory] * 3


@pytest.mark.parametrize("threads", [True, False])
def test_what_is_on_a_disk_for_other_values_is_told(on_disk, monkeypatch, threads):
    proxy = on_disk()
    for language in ("de", "en"):
        proxy.ask(get(accept_language=language), proxy.response(language, vary="Accept-Language", **FRESH))
    proxy = on_disk()
    if threads:
        monkeypatch.setattr("txproxy.cache.disk.segment._NOWAIT", 0)
    proxy.cache.in_thread = lambda reactor, read: succeed(read())
    got, asked = proxy.ask(get(accept_language="fr"), proxy.response("fr", vary="Accept-Language", **FRESH))
    assert asked is not None and got.told == "txproxy; fwd=vary-miss; ttl=60; stored"
    for language in ("de", "en", "fr"):
        got, asked = proxy.ask(get(accept_language=language))
        assert asked is None and got.body == language.encode()


@pytest.mark.parametrize("works", [True, False])
def test_a_purge_is_answered_when_it_is_on_the_disk(on_disk, body, works):
    proxy = on_disk(purge=True)
    proxy.ask(get(), proxy.response(body, **FRESH))
    calls = []

    def call_in_thread(reactor, call):
        calls.append((Deferred(), call))
        return calls[-1][0]

    proxy.cache._call_in_thread = call_in_thread
    clients = proxy.herd(*[get(method="PURGE")] * 3)
    # It counts at once.
    got, asked = proxy.ask(get(), proxy.response("anew", **FRESH))
    assert asked is not None and got.body == b"anew"
    assert [client.take() for client in clients] == [b""] * 3 and len(calls) == 1
    for number in range(2):
        deferred, call = calls[number]
        if works:
            call()
            deferred.callback(None)
        else:
            deferred.errback(OSError(5, "Input/output error"))
        # The first was alone, the others had theirs at once.
        told = [Got(client.take()).status for client in clients if client.received]
        assert told == [200 if works else 500] * (1 if number == 0 else 2)
    assert len(calls) == 2
    proxy.cache.close()


@pytest.fixture
def fill_disk(monkeypatch, tmp_path):
    """Have no room on the disk from now on."""

    def fill_disk():
        real, device = os.pwrite, os.stat(tmp_path).st_dev

        def full(fd, *args):
            if os.fstat(fd).st_dev == device:
                raise OSError(28, "No space left on device")
            return real(fd, *args)

        monkeypatch.setattr("txproxy.cache.disk.segment.os.pwrite", full)
        monkeypatch.setattr("txproxy.cache.disk.segment._allocate", full)

    return fill_disk


@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("size", [5, 50_000, 300_000])
def test_what_a_full_disk_does_not_keep_is_not_said_to_be_stored(on_disk, fill_disk, size, parts):
    proxy = on_disk()
    fill_disk()
    fits = size <= proxy.store.memory.max_object
    body = "x" * size
    for turn in range(2):
        response = proxy.response(body, **FRESH)
        client = proxy.connect()
        client.send(get())
        if turn == 0 or not fits:
            cut = len(response) - (size // 2 if parts == 2 else 0)
            (asked,) = [one for one, _ in proxy.questions()]
            asked.send(response[:cut])
            asked.send(response[cut:])
        got = Got(client.take())
        assert got.body == body.encode()
        hit = "txproxy; hit; ttl=60"
        assert got.told == (
            'txproxy; fwd=uri-miss; detail="too large"'
            if not fits
            else "txproxy; fwd=uri-miss; ttl=60; stored"
            if turn == 0
            else hit
        )
    assert proxy.store.disk.health.failures == 1


def test_a_post_says_it_as_well(on_disk, fill_disk):
    proxy = on_disk()
    fill_disk()
    response = proxy.response("x" * 300_000, content_location="/x", **FRESH)
    got, _ = proxy.ask(get(method="POST", content_length="0"), response)
    assert got.told == "txproxy; fwd=method"


class Disk:
    def __init__(self, complete=False):
        self.health = DiskHealth("/kept", lambda: self.now)
        self.now = 0.0
        self.is_complete = complete
        self.removals = 0
        self.calls = []
        self.log = []
        self.failing = False

    def in_thread(self, call):
        self.calls.append(call)
        return Deferred()

    def let_go(self):
        self.log.append("let go")
        yield

    def rebuild(self):
        for number in range(3):
            self.log.append(("rebuild", number))
            yield

    def tidy(self):
        self.log.append("tidy")
        if self.failing:
            raise OSError("the disk is gone")
        yield


@pytest.mark.parametrize("stops", [True, False])
def test_an_index_that_is_lost_is_made_anew_in_a_thread_until_it_stops(stops):
    clock, disk = Clock(), Disk()
    upkeep = DiskUpkeep(disk, clock, lambda: None, disk.let_go, disk.in_thread)
    upkeep.start()
    clock.advance(0)
    (call,) = disk.calls
    assert disk.log == []
    if stops:
        upkeep.stop()
    call()
    assert disk.log == [("rebuild", number) for number in range(1 if stops else 3)]
    if not stops:
        upkeep.stop()
    assert not clock.getDelayedCalls()


def test_an_index_that_is_lost_later_is_made_anew_once():
    clock, disk = Clock(), Disk(complete=True)
    upkeep = DiskUpkeep(disk, clock, lambda: None, disk.let_go, disk.in_thread)
    upkeep.start()
    clock.pump([0.5] * 4)
    assert disk.calls == []
    disk.is_complete = False
    clock.pump([0.5] * 8)
    assert len(disk.calls) == 1
    upkeep.stop()


@pytest.mark.parametrize("body", ["hello", LARGE], ids=["small", "large"])
def test_what_is_stored_is_found_again_with_a_thread_while_it_is_used(tmp_path, body):
    disk = DiskStore(str(tmp_path), 1 << 24, segment_size=1 << 20)
    for number in range(60):
        put(disk, number, len(body))
    disk.close()
    (tmp_path / "index.v1").unlink()
    disk = DiskStore(str(tmp_path), 1 << 24, segment_size=1 << 20)
    assert not disk.is_complete
    clock = Clock()

    def in_thread(call):
        thread = threading.Thread(target=call)
        thread.start()
        threads.append(thread)
        return Deferred()

    threads = []
    upkeep = DiskUpkeep(disk, clock, lambda: None, lambda: iter(()), in_thread)
    upkeep.start()
    for number in range(60, 90):
        put(disk, number, len(body))
    (thread,) = threads
    thread.join()
    assert disk.is_complete
    assert [len(found(disk, number)) for number in range(90)] == [1] * 90
    upkeep.stop()
    disk.close()


def test_room_is_made_now_and_then():
    clock, disk = Clock(), Disk(complete=True)
    upkeep = DiskUpkeep(disk, clock, lambda: None, disk.let_go, disk.in_thread)
    upkeep.start()
    clock.pump([0.5] * 7)
    assert disk.log == ["tidy"] * 3
    upkeep.stop()


def test_what_stands_in_segments_that_have_gone_is_let_go_once():
    clock, disk = Clock(), Disk(complete=True)
    upkeep = DiskUpkeep(disk, clock, lambda: None, disk.let_go, disk.in_thread)
    upkeep.start()
    clock.pump([0.5] * 5)
    disk.removals = 3
    clock.pump([0.5] * 6)
    assert disk.log == ["tidy"] * 3 + ["let go"] + ["tidy"] * 2
    upkeep.stop()


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="the system does not tell")
def test_what_the_disk_has_let_go_takes_no_room_there(on_disk, tmp_path, body):
    proxy = on_disk()
    proxy.cache.begin(proxy.clock)
    for number in range(300):
        for _ in range(3 if number < 3 else 1):
            # Some are hot.
            proxy.ask(get(f"/{number}"), proxy.response("x" * 120_000 if number % 2 else body, **FRESH))
    deleted = []
    for _ in range(2):
        links = [os.readlink(one) for one in Path("/proc/self/fd").iterdir() if one.is_symlink()]
        deleted.append([link for link in links if link.startswith(str(tmp_path)) and link.endswith(" (deleted)")])
        proxy.clock.pump([1.0] + [0.0] * 20)
    assert deleted[0] and deleted[1] == []
    proxy.cache.close()


def test_a_disk_that_fails_is_tried_again_and_each_failure_is_said_once():
    clock, disk = Clock(), Disk(complete=True)
    disk.failing = True
    upkeep = DiskUpkeep(disk, clock, lambda: None, disk.let_go, disk.in_thread)
    upkeep.start()
    with capturedLogs() as events:
        clock.pump([0.5] * 6)
        assert len(disk.log) >= 2
        disk.failing = False
        clock.pump([0.5] * 4)
        disk.failing = True
        clock.pump([0.5] * 6)
    said = "the cache on the disk could not be looked after: the disk is gone"
    assert [formatEvent(event) for event in events] == [said] * 2
    upkeep.stop()
    assert not clock.getDelayedCalls()


def test_a_disk_that_takes_nothing_is_said_once_and_that_it_does_again_as_well():
    clock, disk = Clock(), Disk(complete=True)
    upkeep = DiskUpkeep(disk, clock, lambda: None, disk.let_go, disk.in_thread)
    upkeep.start()
    with capturedLogs() as events:
        for number in range(300):
            disk.now = float(number)
            if number < 100 and number % 10 == 0:
                disk.health.failed(OSError(28, "No space left on device"))
            elif number > 50 and number % 10 == 1:
                disk.health.worked()
            clock.advance(1.0)
    told = "/kept: No space left on device"
    assert [(event["log_level"].name, formatEvent(event)) for event in events] == [
        ("error", f"the disk keeps no responses, memory does what fits there ({told})"),
        ("info", f"the disk keeps responses again ({told})"),
    ]
    upkeep.stop()


def test_what_others_have_purged_is_heard_of():
    clock, disk = Clock(), Disk(complete=True)
    heard = []

    def hear():
        heard.append(clock.seconds())
        if len(heard) == 1:
            raise OSError("the disk is gone")

    upkeep = DiskUpkeep(disk, clock, hear, disk.let_go, disk.in_thread)
    upkeep.start()
    with capturedLogs() as events:
        clock.pump([0.5] * 7)
    assert heard == [1.0, 2.0, 3.0]
    assert [formatEvent(event) for event in events] == ["what others have purged could not be read: the disk is gone"]
    upkeep.stop()


def test_a_purge_holds_after_a_restart(on_disk, body):
    proxy = on_disk()
    for path in ("/a/1", "/a/2", "/b"):
        proxy.ask(get(path), proxy.response(body, **FRESH))
    proxy.cache.purge(Kind.PREFIX, b"http://a/a/")
    proxy = on_disk()
    proxy.cache.in_thread = lambda reactor, read: succeed(read())
    asked = [proxy.ask(get(path), proxy.response("anew"))[1] is not None for path in ("/a/1", "/a/2", "/b")]
    assert asked == [True, True, False]
