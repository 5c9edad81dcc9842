"""What is gone from the caches of several processes, each of which has a memory of its own."""

import pytest

from tests.cluster.played import Cluster
from txproxy.cache.memory.memory_store import MemoryStore
from txproxy.cache.purging.mark import Kind
from txproxy.cache.tiered_store import TieredStore
from txproxy.proxy.caching.shared_cache import SharedCache
from txproxy.proxy.caching.shared_purges import SharedPurges

KEY = b"k" * 32
URL = b"http://a.example:80/x"


class Store(MemoryStore):
    def __init__(self):
        super().__init__(100_000)
        self.gone = []

    def remove_key(self, key):
        self.gone.append(key)
        super().remove_key(key)


class Process:
    def __init__(self, cluster, number):
        self.store = Store()
        self.cache = SharedCache(self.store)
        self.purges = SharedPurges(self.cache)
        cluster.come(number, {"cache": self.purges})


@pytest.fixture
def cluster():
    cluster = Cluster()
    yield cluster
    for member in cluster.members.values():
        member.end()
    assert not cluster.clock.getDelayedCalls()


@pytest.fixture
def processes(cluster):
    made = [Process(cluster, number) for number in range(3)]
    cluster.go_on(0.06)
    return made


def test_what_is_purged_at_one_is_so_at_all(cluster, processes):
    first, *others = processes
    first.cache.purge(Kind.URL, URL)
    first.cache.purge(Kind.TAG, b"news", soft=True)
    assert [len(one.cache.marks) for one in processes] == [2, 0, 0]
    cluster.go_on(0.06)
    assert [len(one.cache.marks) for one in processes] == [2, 2, 2]
    assert [one.cache.marks.seq for one in others] == [2, 2]


def test_what_is_changed_through_one_is_so_at_all(cluster, processes):
    processes[1].cache.invalidate(KEY)
    cluster.go_on(0.06)
    assert [one.store.gone for one in processes] == [[KEY]] * 3


def test_what_was_heard_is_told_nobody(cluster, processes):
    processes[0].cache.purge(Kind.URL, URL)
    cluster.go_on(0.06)
    told = len(cluster.messages)
    cluster.go_on(0.5)
    assert len(cluster.messages) == told


def covers_all(process):
    """Whether it has purged all there is."""
    return process.cache.marks._all[0] > 0


def test_who_has_missed_some_of_it_forgets_all(cluster, processes):
    first, _, third = processes
    first.cache.purge(Kind.URL, URL)
    cluster.go_on(0.06)
    cluster.deaf.add(2)
    first.cache.purge(Kind.TAG, b"news")
    cluster.go_on(0.06)
    cluster.deaf.clear()
    assert [len(one.cache.marks) for one in processes] == [2, 2, 1]
    # It reads again, and has something to say.
    third.cache.invalidate(KEY)
    cluster.go_on(0.12)
    assert [covers_all(one) for one in processes] == [False, False, True]
    first.cache.purge(Kind.TAG, b"sports")
    cluster.go_on(0.06)
    assert [covers_all(one) for one in processes] == [False, False, True]


def test_who_has_missed_some_of_it_forgets_all_before_it_says_anything(cluster, processes):
    first, *_ = processes
    cluster.deaf.add(2)
    first.cache.purge(Kind.URL, URL)
    cluster.go_on(0.06)
    cluster.deaf.clear()
    cluster.hub.reads(2)
    cluster.go_on(0.01)
    assert [covers_all(one) for one in processes] == [False, False, True]


def test_who_is_asked_again_for_all_of_it_has_nobody_forget_more(cluster, processes):
    processes[0].cache.purge(Kind.URL, URL)
    cluster.go_on(0.06)
    cluster.hub.heard(1, "again", None)
    cluster.go_on(0.06)
    assert not any(map(covers_all, processes))


def test_more_than_can_be_told_has_others_forget_all(cluster, processes, monkeypatch):
    monkeypatch.setattr("txproxy.interfaces.processes.sharing._MOST_WAITING", 8)
    monkeypatch.setattr("txproxy.interfaces.processes.sharing.MOST_TOLD", 4)
    for number in range(9):
        processes[0].cache.invalidate(b"%032d" % number)
    cluster.go_on(0.3)
    assert [covers_all(one) for one in processes] == [False, True, True]


def test_nothing_is_told_where_there_are_no_others():
    cache = SharedCache(MemoryStore(100_000))
    purges = SharedPurges(cache)
    cache.purge(Kind.URL, URL)
    purges.join(lambda: None)
    purges.part()
    cache.purge(Kind.URL, URL)
    assert purges.news() == (None, False)


def test_a_directory_that_all_have_tells_of_it_itself(tmp_path):
    from txproxy.cache.disk.disk_store import DiskStore

    cache = SharedCache(MemoryStore(100_000))
    purges = SharedPurges(cache)
    purges.join(lambda: None)
    cache.use_store(TieredStore(cache.store, DiskStore(str(tmp_path / "cache"), 10_000_000)))
    cache.purge(Kind.URL, URL)
    assert purges.news() == (None, False)
    before = len(cache.marks)
    purges.heard(1, (1, {(Kind.TAG, b"news", False): None}), 0.0)
    purges.heard_whole(2, 7, 0.0)
    assert len(cache.marks) == before
    cache.close()
