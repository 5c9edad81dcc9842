"""What is kept of a response that was asked for, and what cannot be."""

import pytest

from tests.proxy.caching.caching_proxy import Got, get
from txproxy.cache.disk.disk_store import DiskStore
from txproxy.cache.memory.memory_store import MemoryStore
from txproxy.cache.stored import MemoryBody
from txproxy.cache.tiered_store import TieredStore

FRESH = {"cache_control": "max-age=60"}
MB = 1 << 20


@pytest.fixture
def processes(make, tmp_path):
    """Two proxies that have the same directory."""
    disks = [DiskStore(str(tmp_path / "cache"), 32 * MB) for _ in range(2)]
    yield [make(store=TieredStore(MemoryStore(MB), disk)) for disk in disks]
    for disk in disks:
        disk.close()


def test_one_without_a_length_is_not_kept(proxy):
    client = proxy.connect()
    client.send(get())
    proxy.upstream.send(proxy.response("", **FRESH).replace(b"Content-Length: 0\r\n", b"") + b"hel")
    proxy.upstream.send(b"lo")
    proxy.upstream.drop(clean=True)
    proxy.advance(0)
    assert b"hel" in client.received and b'detail="no length"' in client.received
    assert len(proxy.store) == 0


def test_one_that_is_too_large_is_not(make):
    proxy = make(size=100_000)
    got, _ = proxy.ask(get(), proxy.response("x" * 20_000, **FRESH))
    assert got.body == b"x" * 20_000 and len(proxy.store) == 0
    assert 'detail="too large"' in got.told


@pytest.mark.parametrize("vary", ["*", "Accept, *", "no name"])
def test_one_that_matches_no_request_is_not(proxy, vary):
    got, _ = proxy.ask(get(), proxy.response(vary=vary, **FRESH))
    assert "stored" not in got.told and len(proxy.store) == 0


def test_one_that_a_store_cannot_take_is_for_those_who_wait(proxy, failures, monkeypatch):
    def fails(*_):
        raise MemoryError("there is no room")

    monkeypatch.setattr(type(proxy.store), "put", fails)
    got, _ = proxy.ask(get(), proxy.response(**FRESH))
    assert got.body == b"hello" and failures == [MemoryError]
    assert proxy.ask(get(), proxy.response("anew", **FRESH))[0].body == b"anew"


@pytest.mark.parametrize("login", [True, False])
def test_what_is_not_kept_for_one_login_is_asked_for_by_others(proxy, login):
    fields = {"authorization": "Basic YTpi"} if login else {}
    proxy.ask(get(**fields), proxy.response(cache_control="no-store"))
    got, _ = proxy.ask(get(), proxy.response(**FRESH))
    assert ("stored" in got.told) is login


def test_a_small_body_is_kept_as_it_is(proxy):
    proxy.ask(get(), proxy.response(**FRESH))
    (entry,) = proxy.store.variants(next(iter(proxy.store._variants)))
    assert isinstance(entry.body, MemoryBody) and entry.body.data == b"hello"


def test_what_another_process_has_changed_meanwhile_is_not_kept(processes):
    here, there = processes
    client, *_ = here.herd(get())
    connection, _ = here.question()
    there.ask(get(method="POST"), there.response("done"))
    # What comes may be from before, and is for who has asked before.
    got, asked = here.ask(get(), here.response("new", **FRESH))
    assert got.body == b"new" and asked is not None
    connection.send(here.response("old", **FRESH))
    assert Got(client.take()).body == b"old"
    assert here.ask(get())[0].body == b"new"


def test_what_another_process_has_changed_meanwhile_is_not_validated_for_long(processes):
    here, there = processes
    here.ask(get(), here.response("old", cache_control="max-age=1", etag='"1"'))
    here.pass_time(5)
    client, *_ = here.herd(get())
    connection, asked = here.question()
    assert b'If-None-Match: "1"' in asked
    there.ask(get(method="POST"), there.response("done"))
    connection.send(here.response("", "304 Not Modified", etag='"1"', **FRESH))
    assert Got(client.take()).body == b"old"
    assert here.ask(get(), here.response("new", **FRESH))[0].body == b"new"


def test_what_another_process_has_changed_before_makes_no_difference(processes):
    here, there = processes
    there.ask(get(method="POST"), there.response("done"))
    here.ask(get(), here.response(**FRESH))
    assert here.ask(get())[0].body == there.ask(get())[0].body == b"hello"
