"""Memory above a disk: what is found where, and what becomes of it."""

import os

import pytest

from txproxy.cache.disk.disk_store import DiskStore, NeedsThread
from txproxy.cache.disk.disk_writer import DiskWriter
from txproxy.cache.disk.record_reader import DiskEntry
from txproxy.cache.memory.memory_store import MemoryStore
from txproxy.cache.stored import Entry, Freshness, MemoryBody, StoredHead
from txproxy.cache.tiered_store import TieredStore
from txproxy.wire.headers import Headers

KEY = b"k" * 32
PLAIN = Headers([])
LARGE = b"x" * 100_000


@pytest.fixture
def now():
    return [0.0]


@pytest.fixture
def make(tmp_path, now):
    made = []

    def make(memory=1 << 20):
        disk = DiskStore(str(tmp_path / "cache"), 1 << 24, segment_size=1 << 21, clock=lambda: now[0])
        made.append(disk)
        return TieredStore(MemoryStore(memory), disk, lambda: now[0])

    yield make
    for disk in made:
        disk.close()


@pytest.fixture
def store(make):
    return make()


def head(vary=(), response_time=1000.0):
    return StoredHead(200, b"OK", Headers([(b"X", b"y")]), 999.0, response_time, Freshness(60.0, 0.0), vary)


def written(store, data, key=KEY, vary=()):
    writer = store.body(len(data), key)
    assert writer.write(data)
    return Entry(key, head(vary), writer.finish())


def content(entry):
    found = b""
    for part in entry.body.parts(0, entry.body.length):
        found += part if isinstance(part, bytes) else os.pread(part.fd, part.size, part.offset)
    return found


def looked(store, key=KEY, request=PLAIN):
    read = store.look(key, request)
    if read is not None:
        store.take(read())
    return store.variants(key)


@pytest.mark.parametrize("data", [b"", b"hello", LARGE], ids=["empty", "small", "large"])
def test_what_is_kept_is_at_hand(store, data):
    assert store.put(written(store, data))
    assert store.look(KEY, PLAIN) is None
    (entry,) = store.variants(KEY)
    assert content(entry) == data and store.is_ready(entry)


@pytest.mark.parametrize("data", [b"hello", LARGE], ids=["small", "large"])
def test_it_is_there_after_a_restart(make, data):
    before = make()
    before.put(written(before, data))
    before.disk.close()
    store = make()
    assert store.variants(KEY) == ()
    (entry,) = looked(store)
    assert content(entry) == data and entry.head.headers == Headers([(b"X", b"y")])


@pytest.mark.parametrize("data", [b"hello", LARGE], ids=["small", "large"])
def test_what_memory_has_not_is_found_on_the_disk(make, data):
    store = make(memory=20_000)
    for number in range(50):
        store.put(written(store, data, b"%032d" % number))
    assert store.variants(b"%032d" % 0) == ()
    (entry,) = looked(store, b"%032d" % 0)
    assert content(entry) == data


def test_a_variant_that_memory_has_not_is_looked_for(store):
    for language in (b"en", b"de"):
        store.put(written(store, language, vary=((b"accept-language", language),)))
    (other,) = [one for one in store.variants(KEY) if one.head.vary[0][1] == b"de"]
    store.memory.remove(other)
    request = Headers([(b"Accept-Language", b"de")])
    assert b"de" in [content(one) for one in looked(store, KEY, request)]
    assert len(store.variants(KEY)) == 2


@pytest.mark.parametrize("data", [b"", b"hello", LARGE], ids=["empty", "small", "large"])
def test_what_another_process_has_removed_is_not_at_hand(make, data):
    one, two = make(), make()
    one.put(written(one, data))
    (kept,) = looked(two)
    assert two.look(KEY, PLAIN) is None and two.is_ready(kept)
    one.remove_key(KEY)
    assert not two.is_ready(kept)
    assert looked(two) == ()


def test_what_another_process_has_put_in_its_place_is_found(make):
    one, two = make(), make()
    one.put(written(one, b"old"))
    looked(two)
    one.put(written(one, b"new"), one.variants(KEY)[0])
    (entry,) = looked(two)
    assert content(entry) == b"new"


def test_of_what_another_process_has_removed_no_variant_stands_in(make):
    # The one without Vary is for requests without these fields, and was chosen where there is no other.
    one, two = make(), make()
    for vary in ((), ((b"accept", b"text/css"),)):
        one.put(written(one, b"old", vary=vary))
    request = Headers([(b"Accept", b"text/css")])
    assert len(looked(two, request=request)) == 2
    one.remove_key(KEY)
    looked(two, request=request)
    assert looked(two) == ()


def test_what_the_index_has_lost_is_at_hand_as_long_as_nobody_has_removed_it(make):
    store = make()
    store.put(written(store, b"hello"))
    (entry,) = store.variants(KEY)
    for number in range(100):
        # More than there is room for where its hint stands.
        store.disk.put(Entry(KEY[:10] + b"%022d" % number, head(), MemoryBody(b"x")))
    assert store.disk.variants(KEY) == ()
    assert store.is_ready(entry)


@pytest.mark.parametrize("data", [b"hello", LARGE], ids=["small", "large"])
def test_another_takes_its_place_in_both(make, data):
    store = make()
    store.put(written(store, data))
    (entry,) = store.variants(KEY)
    store.put(written(store, b"other"), entry)
    assert [content(one) for one in store.variants(KEY)] == [b"other"]
    store.disk.close()
    assert [content(one) for one in looked(make())] == [b"other"]


@pytest.mark.parametrize("data", [b"hello", LARGE], ids=["small", "large"])
def test_another_head_has_the_same_body(make, data):
    store = make()
    store.put(written(store, data))
    (entry,) = store.variants(KEY)
    store.put(Entry(KEY, head(response_time=2000.0), entry.body), entry)
    store.disk.close()
    (found,) = looked(make())
    assert content(found) == data and found.head.response_time == 2000.0


@pytest.mark.parametrize("how", ["entry", "key"])
def test_what_is_removed_is_gone_from_both(make, how):
    store = make()
    store.put(written(store, b"hello"))
    (entry,) = store.variants(KEY)
    if how == "entry":
        store.remove(entry)
    else:
        store.remove_key(KEY)
    assert looked(store) == ()
    store.disk.close()
    assert looked(make()) == ()


def test_a_use_counts_in_both(store):
    store.put(written(store, b"hello"))
    (entry,) = store.variants(KEY)
    store.used(entry)
    assert (store.memory.hits, store.disk.hits) == (1, 1)


def test_what_the_disk_has_let_go_is_not_at_hand(store):
    store.put(written(store, LARGE))
    (entry,) = store.variants(KEY)
    store.disk.remove(entry)
    assert not store.is_ready(entry)
    assert looked(store) == ()


def test_what_was_ready_is_not_looked_at_again_for_a_moment(store, now):
    now[0] = 100.0
    store.put(written(store, LARGE))
    (entry,) = store.variants(KEY)
    assert store.is_ready(entry)
    entry.place.set_gone()
    # Another process has done that.
    now[0] = 100.019
    assert store.is_ready(entry)
    now[0] = 100.02
    assert not store.is_ready(entry)
    # Whoever could not read it knows at once.
    entry.body.ready_until = 200.0
    assert store.is_ready(entry)
    entry.body.set_unverified()
    assert not store.is_ready(entry)


def test_what_has_gone_while_it_was_read_is_not_taken(store):
    store.put(written(store, LARGE))
    (entry,) = store.variants(KEY)
    store.memory.remove(entry)
    store.disk.remove(entry)
    store.take((entry,))
    assert store.variants(KEY) == ()


def test_what_has_to_be_waited_for_is_said(store, monkeypatch):
    monkeypatch.setattr(type(store.disk), "variants", lambda *_: NeedsThread(lambda: ()))
    assert store.look(KEY, PLAIN)() == ()


@pytest.fixture
def break_disk(tmp_path):
    """Nothing can be written to the disk from now on; gives what makes an end of that."""

    def break_disk(store):
        real, device = os.pwrite, os.stat(tmp_path).st_dev

        def full(fd, *args):
            if os.fstat(fd).st_dev == device:
                raise OSError(28, "No space left on device")
            return real(fd, *args)

        patch = pytest.MonkeyPatch()
        patches.append(patch)
        patch.setattr("txproxy.cache.disk.segment.os.pwrite", full)
        patch.setattr("txproxy.cache.disk.segment._allocate", full)
        return patch.undo

    patches = []
    yield break_disk
    for patch in patches:
        patch.undo()


@pytest.mark.parametrize("size", [0, 5, 40_000])
@pytest.mark.parametrize("known", [True, False])
def test_where_the_disk_is_full_memory_keeps_what_fits(store, break_disk, now, size, known):
    end = break_disk(store)
    data = b"x" * size
    for number in range(3):
        key = b"%032d" % number
        writer = store.body(size if known else None, key)
        assert writer.write(data)
        assert store.put(Entry(key, head(), writer.finish()))
        assert store.look(key, PLAIN) is None
        (entry,) = store.variants(key)
        assert content(entry) == data and store.is_ready(entry) and not isinstance(entry, DiskEntry)
    assert store.disk.health.failures == 1
    assert store.max_object == store.memory.max_object
    end()
    now[0] += 10.0
    assert store.max_object == store.disk.max_object
    assert store.put(written(store, data)) and isinstance(store.variants(KEY)[0], DiskEntry)


def test_what_memory_does_not_take_is_known_beforehand_not_to_be_kept(store, break_disk, now):
    end = break_disk(store)
    most = store.memory.max_object
    assert store.body(most + 1, KEY) is None
    assert store.disk.health.failures == 1
    assert store.body(most + 1, KEY) is None and store.disk.health.failures == 1
    now[0] += 10.0
    end()
    # It is tried with what is known to fit first.
    assert not isinstance(store.body(None, KEY), DiskWriter)
    assert store.put(written(store, b"x" * (most + 1)))
    assert isinstance(store.body(None, KEY), DiskWriter)


@pytest.mark.parametrize("data", [b"old", LARGE], ids=["small", "large"])
def test_where_the_disk_is_full_another_takes_its_place(store, break_disk, data):
    store.put(written(store, data))
    (old,) = store.variants(KEY)
    break_disk(store)
    assert store.put(Entry(KEY, head(), MemoryBody(b"new")), old)
    assert [content(one) for one in store.variants(KEY)] == [b"new"]
    # Nor does the old one come back from the disk.
    store.memory.remove_key(KEY)
    assert looked(store) == ()


@pytest.mark.parametrize("data", [b"old", LARGE], ids=["small", "large"])
def test_where_the_disk_is_full_another_head_has_the_same_body(store, break_disk, data):
    store.put(written(store, data))
    (old,) = store.variants(KEY)
    break_disk(store)
    assert store.put(Entry(KEY, head(response_time=2000.0), old.body), old)
    (entry,) = store.variants(KEY)
    assert content(entry) == data and entry.head.response_time == 2000.0 and store.is_ready(entry)


def test_what_stands_in_a_file_that_has_gone_is_not_at_hand(store, break_disk, tmp_path):
    store.put(written(store, LARGE))
    (old,) = store.variants(KEY)
    break_disk(store)
    assert store.put(Entry(KEY, head(response_time=2000.0), old.body), old)
    for path in (tmp_path / "cache").glob("*.segment"):
        path.unlink()
    assert not store.is_ready(store.variants(KEY)[0])
    assert looked(store) == ()


def test_a_body_that_memory_took_stays_there(store, break_disk, now):
    end = break_disk(store)
    data = b"x" * 40_000
    assert store.put(written(store, data))
    (entry,) = store.variants(KEY)
    end()
    now[0] += 10.0
    assert store.put(Entry(KEY, head(response_time=2000.0), entry.body), entry)
    (entry,) = store.variants(KEY)
    assert content(entry) == data and entry.head.response_time == 2000.0


def test_what_neither_takes_is_not_kept(store, break_disk):
    break_disk(store)
    store.memory.put(Entry(KEY, head(), MemoryBody(b"old")))
    (old,) = store.variants(KEY)
    assert not store.put(Entry(KEY, head(), MemoryBody(b"x" * store.memory.max_object)), old)
    # What it was to replace is not true any more.
    assert store.variants(KEY) == ()
