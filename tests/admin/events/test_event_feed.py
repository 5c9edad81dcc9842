"""Looks each second, while somebody looks on."""

import pytest
from twisted.internet.defer import Deferred, succeed

from txproxy.admin.api_call import ApiFault
from txproxy.admin.events.event_feed import EventFeed, event

CALM = {"stage": "serving", "revision": 1, "upstreams": {}, "questions": [], "failed": []}


class Reader:
    def __init__(self):
        self.told = []
        self.ended = False

    def end(self):
        self.ended = True

    def tell(self, events, status):
        self.told.append((events, status))


class Looks:
    """What is seen: each time the ``next`` of it, or what ``answers`` later."""

    def __init__(self):
        self.next = CALM
        self.count = 0
        self.later = None

    def __call__(self):
        self.count += 1
        if isinstance(self.next, Exception):
            raise self.next
        return self.later if self.later is not None else succeed(self.next)


@pytest.fixture
def looks():
    return Looks()


@pytest.fixture
def feed(looks, clock):
    async def look():
        return await looks()

    feed = EventFeed(look, clock)
    yield feed
    assert len(feed) == 0 and clock.getDelayedCalls() == []


def test_nobody_is_looked_at_for_nobody(feed, looks, clock):
    reader = Reader()
    assert looks.count == 0 and clock.getDelayedCalls() == []
    feed.join(reader)
    clock.advance(1)
    clock.advance(1)
    assert looks.count == 3 == len(reader.told)
    feed.leave(reader)
    assert clock.getDelayedCalls() == []
    clock.advance(5)
    feed.leave(reader)
    assert looks.count == 3


def test_all_are_told_what_changes(feed, looks, clock):
    one, other = Reader(), Reader()
    feed.join(one)
    feed.join(other)
    assert one.told == other.told == [([], event("status", CALM))]
    looks.next = {**CALM, "revision": 2}
    clock.advance(1)
    assert one.told[1:] == other.told[1:] == [([event("reload", {"revision": 2})], event("status", looks.next))]
    feed.leave(one)
    clock.advance(1)
    assert len(one.told) == 2 and other.told[2] == ([], event("status", looks.next))
    feed.leave(other)
    # Who comes after all have left hears nothing of what was before.
    feed.join(other)
    assert other.told[3] == ([], event("status", looks.next))
    feed.leave(other)


def test_one_look_is_over_before_the_next(feed, looks, clock):
    reader = Reader()
    looks.later = slow = Deferred()
    feed.join(reader)
    clock.advance(3)
    assert looks.count == 1 and reader.told == []
    slow.callback(CALM)
    assert len(reader.told) == 1
    looks.later = None
    clock.advance(0.5)
    assert looks.count == 2
    feed.leave(reader)


def test_who_leaves_meanwhile_ends_the_look(feed, looks, clock):
    reader, cancelled = Reader(), []
    looks.later = Deferred(cancelled.append)
    feed.join(reader)
    feed.leave(reader)
    assert len(cancelled) == 1 and reader.told == []
    looks.later = None
    feed.join(reader)
    assert len(reader.told) == 1 and len(clock.getDelayedCalls()) == 1
    feed.leave(reader)


def test_a_fault_is_told_and_looked_past(feed, looks, clock):
    reader = Reader()
    looks.next = ApiFault(503, "no worker serves")
    feed.join(reader)
    assert reader.told == [([event("fault", {"error": "no worker serves"})], b"")]
    looks.next = CALM
    clock.advance(1)
    assert reader.told[1] == ([], event("status", CALM))
    feed.leave(reader)


def test_a_fault_of_ours_stands_in_the_log_alone(feed, looks, clock, monkeypatch):
    logged = []
    monkeypatch.setattr("txproxy.admin.events.event_feed._log.failure", lambda *said: logged.append(said))
    reader = Reader()
    looks.next = ValueError("secret")
    feed.join(reader)
    (((told,), _),) = reader.told
    assert b"the log says why" in told and b"secret" not in told and len(logged) == 1
    feed.leave(reader)


def test_an_event_is_on_one_line_whatever_is_in_it():
    assert event("question", {"url": "a\nb\r\u2028"}) == b'event: question\ndata: {"url": "a\\nb\\r\\u2028"}\n\n'


def test_the_beginning_of_a_drain_ends_what_goes_on_and_nothing_that_comes_later(feed, looks, clock):
    reader, later = Reader(), Reader()
    feed.join(reader)
    looks.next = {**CALM, "stage": "draining"}
    clock.advance(1)
    assert reader.ended and reader.told[1][0] == [event("stage", {"stage": "draining"})]
    feed.leave(reader)
    feed.join(later)
    clock.advance(1)
    assert not later.ended and len(later.told) == 2
    feed.leave(later)
