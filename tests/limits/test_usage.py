"""What was used in the running day and month, on a clock and a calendar."""

import datetime

import pytest
from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock

from txproxy.limits.usage import DAY, MONTH, Usage


class Calendar:
    def __init__(self, text="2026-03-30 12:00"):
        self.set(text)

    def set(self, text):
        self.moment = datetime.datetime.fromisoformat(text)

    def __call__(self):
        return self.moment


class Store:
    """A store in memory; it can be broken."""

    def __init__(self, rows=()):
        self.rows = dict(rows)
        self.broken = self.closed = False
        self.calls = 0

    def load(self, period):
        return {key: size for (other, key), size in self.rows.items() if other == period}

    def add(self, added):
        self.calls += 1
        if self.broken:
            raise OSError("the disk is full")
        for period, key, size in added:
            self.rows[period, key] = self.rows.get((period, key), 0) + size
        return {(period, key): self.rows[period, key] for period, key, _ in added}

    def forget(self, places):
        for place in places:
            self.rows.pop(place, None)

    def close(self):
        self.closed = True


class Threads:
    """Calls are made at once, or when a test says so."""

    def __init__(self):
        self.waiting = None

    def __call__(self, function, *words):
        if self.waiting is None:
            return execute(function, *words)
        done = Deferred()
        self.waiting.append((done, function, words))
        return done

    def hold(self):
        self.waiting = []

    def let_go(self):
        waiting, self.waiting = self.waiting, None
        for done, function, words in waiting:
            execute(function, *words).chainDeferred(done)


@pytest.fixture
def clock():
    made = Clock()
    yield made
    assert not made.getDelayedCalls()


@pytest.fixture
def now():
    return Calendar()


@pytest.fixture
def threads():
    return Threads()


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def usage(clock, store, now, threads):
    return Usage(clock, store, now=now, in_thread=threads)


def used(usage, key="client 10.0.0.1"):
    return usage.used(key, DAY), usage.used(key, MONTH)


def test_bytes_add_up_by_key(usage, clock):
    usage.add("client 10.0.0.1", 10)
    usage.add("client 10.0.0.1", 5)
    usage.add("user alice", 1)
    assert used(usage) == (15, 15)
    assert used(usage, "user alice") == (1, 1)
    assert used(usage, "user bob") == (0, 0)
    usage.stop()


def test_a_day_ends_at_midnight_and_a_month_with_its_last_day(usage, now):
    usage.add("client 10.0.0.1", 10)
    now.set("2026-03-30 23:59:59.999")
    assert used(usage) == (10, 10)
    now.set("2026-03-31 00:00:00")
    assert used(usage) == (0, 10)
    usage.add("client 10.0.0.1", 1)
    assert used(usage) == (1, 11)
    now.set("2026-04-01 00:00:00")
    assert used(usage) == (0, 0)
    usage.stop()


def test_it_is_written_together_and_in_a_while(usage, store, clock):
    for _ in range(100):
        usage.add("client 10.0.0.1", 10)
    clock.advance(4.9)
    assert store.calls == 0
    clock.advance(0.1)
    assert store.calls == 1
    assert store.rows == {("2026-03-30", "client 10.0.0.1"): 1000, ("2026-03", "client 10.0.0.1"): 1000}
    clock.advance(100)
    assert store.calls == 1


def test_bytes_before_midnight_are_written_for_the_day_before(usage, store, now, clock):
    usage.add("user alice", 10)
    now.set("2026-03-31 00:00:01")
    usage.add("user alice", 1)
    clock.advance(5)
    assert store.rows == {
        ("2026-03-30", "user alice"): 10, ("2026-03-31", "user alice"): 1, ("2026-03", "user alice"): 11
    }  # fmt: skip


def test_a_restart_goes_on_where_it_was(clock, store, now, threads):
    first = Usage(clock, store, now=now, in_thread=threads)
    first.add("user alice", 10)
    assert first.stop().called and store.closed
    second = Usage(clock, store, now=now, in_thread=threads)
    assert used(second, "user alice") == (10, 10)
    second.add("user alice", 1)
    assert used(second, "user alice") == (11, 11)
    second.stop()
    now.set("2026-03-31 08:00")
    assert used(Usage(clock, store, now=now, in_thread=threads), "user alice") == (0, 11)


def test_what_other_processes_have_written_is_learnt(clock, store, now, threads):
    here, there = (Usage(clock, store, now=now, in_thread=threads) for _ in range(2))
    here.add("user alice", 10)
    clock.advance(5)
    there.add("user alice", 1)
    assert used(there, "user alice") == (1, 1)
    clock.advance(5)
    assert used(there, "user alice") == (11, 11)
    assert used(here, "user alice") == (10, 10)


def test_what_comes_during_a_write_is_counted_and_written_next(usage, store, threads, clock):
    usage.add("user alice", 10)
    threads.hold()
    clock.advance(5)
    usage.add("user alice", 1)
    clock.advance(50)
    threads.let_go()
    assert used(usage, "user alice") == (11, 11)
    assert store.rows["2026-03", "user alice"] == 10
    clock.advance(5)
    assert used(usage, "user alice") == (11, 11)
    assert store.rows["2026-03", "user alice"] == 11


def test_a_write_that_fails_is_tried_again_and_said_once(usage, store, clock, logged):
    store.broken = True
    usage.add("user alice", 10)
    clock.advance(5)
    usage.add("user alice", 1)
    for _ in range(5):
        clock.advance(5)
    assert used(usage, "user alice") == (11, 11) and store.rows == {}
    assert len(logged) == 1 and "the disk is full" in logged[0]
    store.broken = False
    clock.advance(5)
    assert store.rows["2026-03", "user alice"] == 11
    store.broken = True
    usage.add("user alice", 1)
    clock.advance(5)
    assert len(logged) == 2
    usage.stop()


def test_the_end_waits_for_a_write_and_writes_the_rest(usage, store, threads, clock):
    usage.add("user alice", 10)
    threads.hold()
    clock.advance(5)
    usage.add("user alice", 1)
    stopped = usage.stop()
    assert not stopped.called and not store.closed
    threads.let_go()
    assert stopped.called and store.closed
    assert store.rows["2026-03", "user alice"] == 11


def test_an_end_that_cannot_write_says_so_and_is_an_end(usage, store, logged):
    usage.add("user alice", 10)
    store.broken = True
    assert usage.stop().called and store.closed
    assert len(logged) == 1 and "is lost" in logged[0]


def test_the_end_comes_once(usage, store):
    assert usage.stop().called and usage.stop().called
    assert store.calls == 0
    usage.add("user alice", 1)
    assert used(usage, "user alice") == (1, 1)


def test_without_a_store_it_is_only_known_here(clock, now):
    usage = Usage(clock, now=now)
    usage.add("user alice", 1)
    assert used(usage, "user alice") == (1, 1)
    assert usage.stop().called


def test_the_clients_who_have_used_least_are_forgotten_where_there_are_too_many(monkeypatch):
    monkeypatch.setattr("txproxy.limits.usage.MOST_KEYS", 100)
    usage = Usage(Clock(), now=Calendar())
    usage.add("user alice", 1)
    for number in range(1000):
        usage.add("client big", 50)
        usage.add(f"client {number}", 10)
    assert (usage.used("user alice", MONTH), usage.used("client big", MONTH)) == (1, 50_000)
    assert usage.used("client 999", DAY) == 10 and usage.used("client 0", DAY) == 0
    assert len(usage._used["2026-03"]) <= 100 and len(usage._used["2026-03-30"]) <= 100


def test_what_cannot_be_written_is_not_kept_without_end(monkeypatch):
    monkeypatch.setattr("txproxy.limits.usage.MOST_KEYS", 100)
    clock, store = Clock(), Store()
    usage = Usage(clock, store, now=Calendar(), in_thread=Threads())
    store.broken = True
    for number in range(1000):
        usage.add(f"client {number}", 10)
        clock.advance(5)
    assert len(usage._unwritten) <= 200
    assert usage.stop().called


A_DAY, A_MONTH = ("2026-03-30", "client 10.0.0.1"), ("2026-03", "client 10.0.0.1")


@pytest.mark.parametrize(("periods", "left"), [((DAY, MONTH), (0, 0)), ((DAY,), (0, 15)), ((MONTH,), (15, 0))])
def test_what_is_forgotten_was_not_used_in_the_file_either(usage, store, clock, periods, left):
    usage.add("client 10.0.0.1", 10)
    usage.add("client 10.0.0.2", 1)
    clock.advance(5)
    usage.add("client 10.0.0.1", 5)
    done = usage.forget(["client 10.0.0.1"], periods)
    assert done.called and used(usage) == left and used(usage, "client 10.0.0.2") == (1, 1)
    usage.add("client 10.0.0.1", 3)
    clock.advance(5)
    assert (store.rows[A_DAY], store.rows[A_MONTH]) == tuple(3 + one for one in left) == used(usage)


def test_what_is_just_being_written_is_forgotten_when_it_is(usage, store, clock, threads):
    usage.add("client 10.0.0.1", 10)
    threads.hold()
    clock.advance(5)
    done = usage.forget(["client 10.0.0.1"], (DAY, MONTH))
    usage.add("client 10.0.0.1", 2)
    assert not done.called and used(usage) == (2, 2)
    threads.let_go()
    assert done.called and used(usage) == (2, 2) and A_DAY not in store.rows
    clock.advance(5)
    assert used(usage) == (2, 2) and store.rows[A_DAY] == 2


def test_nothing_else_is_written_while_something_is_forgotten(usage, store, clock, threads):
    usage.add("client 10.0.0.1", 10)
    threads.hold()
    done = usage.forget(["client 10.0.0.1"], (DAY, MONTH))
    usage.add("client 10.0.0.1", 1)
    clock.advance(5)
    assert len(threads.waiting) == 1 and store.calls == 0
    threads.let_go()
    clock.advance(5)
    assert done.called and store.rows[A_DAY] == 1


def test_the_end_waits_for_what_is_forgotten(usage, store, clock, threads):
    usage.add("client 10.0.0.1", 10)
    threads.hold()
    clock.advance(5)
    done, stopped = usage.forget(["client 10.0.0.1"], (DAY, MONTH)), usage.stop()
    assert not store.closed and not stopped.called
    threads.let_go()
    assert done.called and stopped.called and store.closed and A_DAY not in store.rows


def test_who_wants_to_forget_is_told_if_that_cannot_be(usage, store, clock):
    def forget(places):
        raise OSError("the disk is full")

    store.forget = forget
    failed = []
    usage.forget(["client 10.0.0.1"], (DAY,)).addErrback(failed.append)
    assert failed[0].check(OSError)
    usage.add("client 10.0.0.1", 1)
    clock.advance(5)
    assert store.rows[A_DAY] == 1


@pytest.mark.parametrize(
    ("now_is", "day", "month"),
    [
        ("2026-03-30 12:00", "2026-03-31 00:00", "2026-04-01 00:00"),
        ("2026-12-31 23:59", "2027-01-01 00:00", "2027-01-01 00:00"),
        ("2028-02-01 00:00", "2028-02-02 00:00", "2028-03-01 00:00"),
    ],
)
def test_when_all_begin_anew(usage, now, now_is, day, month):
    now.set(now_is)
    assert usage.ends(DAY) == datetime.datetime.fromisoformat(day)
    assert usage.ends(MONTH) == datetime.datetime.fromisoformat(month)
