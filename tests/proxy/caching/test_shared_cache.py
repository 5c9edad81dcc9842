"""What all share that have one cache."""

import pytest
from twisted.internet.task import Clock

from txproxy.cache.disk.disk_store import DiskStore
from txproxy.cache.memory.memory_store import MemoryStore
from txproxy.cache.stored import Entry, Freshness, MemoryBody, StoredHead
from txproxy.cache.tiered_store import TieredStore
from txproxy.proxy.caching.shared_cache import SharedCache
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead

KEY = b"k" * 32
NOTHING = Headers.parsed([])


def entry(body=b"x", vary=(), key=KEY, time=0.0):
    head = StoredHead(200, b"OK", NOTHING, time, time, Freshness(60.0, 0.0), vary=vary)
    return Entry(key, head, MemoryBody(body))


def asks(*languages):
    return Asking(Headers.parsed([b"Accept-Language: " + language for language in languages]))


class Asking:
    key, scheme = KEY, b"http"

    def __init__(self, headers):
        self.request = RequestHead(b"GET", b"/", headers, b"a")


def keep(cache, entry, asking):
    return cache.keep(entry, asking, asking.request.headers)


@pytest.fixture
def cache():
    return SharedCache(MemoryStore(1 << 20), now=lambda: 0.0)


def test_what_is_kept_is_found(cache):
    one = entry()
    assert cache.find(asks()) == ((), None)
    assert keep(cache, one, asks())
    assert cache.find(asks()) == ((one,), one)


def test_a_new_one_takes_the_place_of_the_old_one(cache):
    keep(cache, entry(), asks())
    other = entry(b"y")
    keep(cache, other, asks())
    assert cache.find(asks()) == ((other,), other)


def test_variants_stand_side_by_side(cache):
    both = [entry(vary=((b"accept-language", language),)) for language in (b"en", b"de")]
    for one, language in zip(both, (b"en", b"de"), strict=True):
        keep(cache, one, asks(language))
    assert [cache.find(asks(language))[1] for language in (b"en", b"de", b"fr")] == [*both, None]


def test_one_that_is_for_all_takes_the_place_of_variants(cache):
    for language in (b"en", b"de"):
        keep(cache, entry(vary=((b"accept-language", language),)), asks(language))
    one = entry()
    keep(cache, one, asks(b"en"))
    assert cache.find(asks(b"de")) == ((one,), one)


def test_what_is_learned_is_forgotten(cache):
    cache.learn(KEY, "why", 0.0)
    assert cache.learned(KEY, 119.0).why == "why" and cache.learned(KEY, 121.0) is None
    cache.unlearn(KEY)
    assert cache.learned(KEY, 0.0) is None


def test_what_is_kept_was_no_longer_learned(cache):
    cache.learn(KEY, "why", 0.0)
    keep(cache, entry(), asks())
    assert cache.learned(KEY, 0.0) is None


def test_uses_are_counted(cache):
    assert [cache.count_use(KEY) for _ in range(3)] == [1, 2, 3] and cache.count_use(b"other") == 1


def test_of_what_is_asked_for_seldom_the_latest_is_known():
    cache = SharedCache(MemoryStore(1 << 20))
    cache.count_use(KEY)
    for number in range(65_535):
        cache.count_use(b"%d" % number)
    assert cache.count_use(KEY) == 2
    for number in range(65_536):
        cache.count_use(b"n%d" % number)
    assert cache.count_use(KEY) == 1


class OnItsWay:
    outdated = False


def test_a_change_makes_wrong_what_is_stored_and_what_is_on_its_way(cache):
    keep(cache, entry(), asks())
    mine, others = OnItsWay(), OnItsWay()
    cache.fills = {KEY: [mine], b"other": [others]}
    cache.invalidate(KEY)
    assert cache.find(asks())[1] is None and mine.outdated and not others.outdated


class Reactor(Clock):
    """One with what is called at its end."""

    def __init__(self):
        super().__init__()
        self.at_end = []

    def addSystemEventTrigger(self, phase, event, call):
        self.at_end.append(call)
        return call

    def removeSystemEventTrigger(self, there):
        self.at_end.remove(there)


@pytest.fixture
def begun(tmp_path):
    """A cache on a disk, and the reactor that it has begun with."""
    reactor = Reactor()
    cache = SharedCache(TieredStore(MemoryStore(1 << 20), DiskStore(str(tmp_path / "cache"), 1 << 20)))
    cache.begin(reactor)
    return cache, reactor


def test_the_reactor_has_it_closed_at_its_end(begun):
    cache, reactor = begun
    reactor.at_end.pop()()
    assert cache.tiers is None and not reactor.getDelayedCalls()


def test_the_reactor_has_nothing_of_one_that_is_closed(begun):
    cache, reactor = begun
    cache.close()
    assert cache.tiers is None and not reactor.at_end
