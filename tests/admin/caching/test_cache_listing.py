"""What is stored, looked through."""

import attrs
import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from txproxy.admin.caching.cache_listing import listed, shown_url
from txproxy.cache.memory.memory_store import MemoryStore
from txproxy.cache.purging.mark import Kind
from txproxy.cache.stored import Entry, Freshness, MemoryBody, StoredHead
from txproxy.proxy.caching.shared_cache import SharedCache
from txproxy.wire.headers import Headers

HEAD = StoredHead(200, b"OK", Headers.parsed([]), 0.0, 0.0, Freshness(60.0, 5.0))


@pytest.fixture
def cache():
    return SharedCache(MemoryStore(1 << 24), now=lambda: 10.0)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def find(cache, clock):
    def find(prefix=b"", limit=100):
        found = []
        Deferred.fromCoroutine(listed(cache, clock, prefix, limit)).addCallback(found.append)
        turns = 0
        while not found:
            clock.advance(0)
            turns += 1
        return found[0], turns

    return find


def put(cache, url, key=None, **more):
    entry = Entry(key or url.ljust(32), attrs.evolve(HEAD, url=url, **more), MemoryBody(b"12345"))
    assert cache.store.put(entry)
    return entry


def test_all_that_is_known_of_one_is_told(cache, find):
    vary = ((b"accept-language", b"en"), (b"accept", None))
    put(cache, b"http://a:80/x", vary=vary, tags=frozenset({b"t", b"s"}))
    found, _ = find()
    assert found.complete and found.entries == (
        {
            "url": "http://a/x", "status": 200, "bytes": 5, "age": 15, "ttl": 45,
            "vary": {"accept-language": "en", "accept": None}, "tags": ["s", "t"], "in": ["memory"],
        },
    )  # fmt: skip


def test_those_of_a_prefix_are_in_order(cache, find):
    for url in (b"http://a:80/b", b"http://a:80/a", b"http://a:80/c", b"http://b:80/a"):
        put(cache, url)
    found, turns = find(b"http://a:80/")
    assert turns == 0
    assert [one["url"] for one in found.entries] == ["http://a/a", "http://a/b", "http://a/c"]


def test_more_than_are_wanted_are_not_told_and_that_is(cache, find):
    for number in range(5):
        put(cache, b"http://a:80/%d" % number)
    assert find(limit=5)[0].complete
    found, _ = find(limit=4)
    assert len(found.entries) == 4 and not found.complete


def test_what_was_purged_is_not_told_and_what_was_softly_is_stale(cache, find):
    for url in (b"http://a:80/1", b"http://a:80/2", b"http://b:80/"):
        put(cache, url)
    cache.purge(Kind.URL, b"http://a/1")
    cache.purge(Kind.HOST, b"b", soft=True)
    found, _ = find()
    assert [(one["url"], one["ttl"]) for one in found.entries] == [("http://a/2", 45), ("http://b/", 0)]


def test_many_are_gone_through_in_several_turns(cache, find):
    for number in range(2500):
        put(cache, b"http://a:80/%d" % number)
    found, turns = find(b"http://a:80/249", limit=100)
    assert len(found.entries) == 11 and turns == 1, "others had their turn"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (b"http://a:80/x", "http://a/x"),
        (b"https://a:443/", "https://a/"),
        (b"http://a:443/", "http://a:443/"),
        (b"http://[::1]:80/", "http://[::1]/"),
        (b"http://a:8080/x:80/", "http://a:8080/x:80/"),
        (b"", ""),
    ],
)
def test_urls_are_shown_as_people_write_them(url, shown):
    assert shown_url(url) == shown
