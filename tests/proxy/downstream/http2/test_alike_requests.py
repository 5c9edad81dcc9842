"""Requests that come one after the other in the same bytes: they go on together, and are what each is alone."""

from copy import copy

import pytest
from hpack import Encoder

from tests.proxy.both_ways import noting
from tests.wire.http2.taken_apart import taken_apart
from txproxy import Pool, ReverseProxyFactory
from txproxy.components.rates import parse_rate
from txproxy.limits.requests.limiter import Limiter
from txproxy.limits.requests.limits_middleware import LimitsMiddleware
from txproxy.limits.requests.request_limit import RequestLimit
from txproxy.proxy.downstream.http2 import alike_requests
from txproxy.proxy.downstream.http2.alike_requests import AlikeExchange
from txproxy.testing import ProxyInMemory
from txproxy.wire.http2 import frames

HELLO = frames.PREFACE + frames.settings([]) + frames.SETTINGS_ACK
GET = [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/x")]
OK = [(":status", "200"), ("date", "D"), ("content-length", "2")]
TWO = ("h2c://10.0.0.1", "h2c://10.0.0.2")


class World:
    """A client whose requests are all the same, and a proxy that knows them by now."""

    def __init__(self, upstreams=TWO[:1], takes=100, limits=()):
        self.told = []
        self.kinds = []
        self.pool = Pool(upstreams)
        self.proxy = ProxyInMemory(
            lambda reactor: ReverseProxyFactory(
                self.pool,
                via=None,
                h2c=True,
                observers=(noting(self.kinds, self.told),),
                middleware=(LimitsMiddleware(limits, reactor),) if limits else (),
                reactor=reactor,
            )
        )
        self.takes = takes
        self.client = self.proxy.connect()
        self.client.send(HELLO)
        self.encoder = Encoder()
        self.number = 1
        self.peers = {}
        for _ in range(6):
            self.ask(1)
            self.answer()
        self.forget()

    def another(self):
        """The same with another client of the proxy's."""
        other = copy(self)
        other.client, other.encoder, other.number = self.proxy.connect(), Encoder(), 1
        other.client.send(HELLO)
        for _ in range(6):
            other.ask(1)
            other.answer()
        other.forget()
        return other

    def forget(self):
        self.client.take()
        self.told.clear()
        self.kinds.clear()

    def ask(self, count, after=b""):
        """So many in one read."""
        data = b""
        for _ in range(count):
            data += frames.headers(self.number, self.encoder.encode(GET), True, 16384)
            self.number += 2
        self.client.send(data + after)
        self.listen()

    def listen(self):
        for one in self.proxy.network.connections:
            _, asked = self.peers.setdefault(one, (Encoder(), []))
            if not asked and one.received.startswith(frames.PREFACE):
                one.send(frames.settings([(frames.MAX_CONCURRENT_STREAMS, self.takes)]) + frames.SETTINGS_ACK)
            for name, _, number, _ in taken_apart(one.take().removeprefix(frames.PREFACE)):
                if name == "HEADERS":
                    asked.append(number)

    def answer(self, fields=OK, body=b"ok"):
        """All that was asked."""
        for one, (encoder, asked) in self.peers.items():
            data = b""
            for number in asked:
                data += frames.headers(number, encoder.encode(fields), False, 16384)
                data += frames.header(len(body), frames.DATA, frames.END_STREAM, number) + body
            asked.clear()
            one.send(data)
        self.listen()

    def close(self):
        self.proxy.close()

    @property
    def asked(self):
        return [len(asked) for _, asked in self.peers.values()]

    def heard(self):
        return [(name, number) for name, _, number, _ in taken_apart(self.client.take())]


@pytest.fixture
def make_world(closing):
    return lambda **settings: closing(World(**settings))


def counted(world, count):
    """So many have ended well, and are counted once each."""
    assert [facts[0] for facts in world.told] == ["ok"] * count
    assert not any(one.active for one in world.pool.upstreams)
    assert sum(one.served for one in world.pool.upstreams) == count + 6


def test_they_go_on_together(make_world, monkeypatch):
    world = make_world()
    together = []
    send = alike_requests._send
    monkeypatch.setattr(alike_requests, "_send", lambda some, *more: together.append(len(some)) or send(some, *more))
    world.ask(9)
    # The first begins on a connection without others.
    assert together == [8] and world.asked == [9]
    world.answer()
    assert world.kinds == [AlikeExchange] * 9
    assert world.heard() == [one for at in range(13, 31, 2) for one in (("HEADERS", at), ("DATA", at))]
    counted(world, 9)


def test_one_that_was_reset_by_what_came_with_it_is_not_asked_for(make_world):
    world = make_world()
    world.ask(5, frames.rst_stream(15, 8))
    assert world.asked == [4]
    world.answer()
    assert [number for name, number in world.heard() if name == "HEADERS"] == [13, 17, 19, 21]
    counted(world, 4)


def test_there_are_as_many_on_a_connection_as_it_takes(make_world):
    world = make_world(takes=4)
    world.ask(11)
    while any(world.asked):
        assert max(world.asked) <= 4
        world.answer()
    counted(world, 11)


def test_each_goes_to_the_upstream_whose_turn_it_is(make_world):
    world = make_world(upstreams=TWO)
    world.ask(8)
    assert world.asked == [4, 4]
    world.answer()
    counted(world, 8)


def test_no_more_of_them_pass_than_a_limit_lets(make_world):
    limit = Limiter(RequestLimit(name="a", rate=parse_rate("10/h:burst=10"), by=("client",)), 5)
    world = make_world(limits=[limit])
    world.ask(7)
    assert sum(world.asked) == 4
    world.answer()
    assert sorted(facts[2] for facts in world.told) == [200] * 4 + [429] * 3


def test_what_upstreams_answer_otherwise_is_what_it_is_for_each(make_world):
    world = make_world()
    world.ask(3)
    world.answer([(":status", "302"), ("location", "/y"), ("content-length", "2")], b"to")
    assert [facts[2] for facts in world.told] == [302] * 3
    counted(world, 3)


def test_those_of_a_client_that_leaves_are_over(make_world):
    world = make_world()
    world.ask(4)
    world.client.drop()
    world.proxy.clock.advance(0)
    assert [facts[0] for facts in world.told] == ["client-gone"] * 4
    assert not any(one.active for one in world.pool.upstreams)


def test_those_that_a_client_gave_up_meanwhile_are_not_asked_for(make_world, monkeypatch):
    world = make_world()
    take, taken = world.pool.take_unasked, []

    def leaves():
        taken.append(take())
        if len(taken) == 4:
            world.client.drop()
        return taken[-1]

    monkeypatch.setattr(world.pool, "take_unasked", leaves)
    monkeypatch.setattr(world.pool, "take_all_unasked", lambda count: None)
    world.ask(4)
    # By then the first was asked for, and the last is not known to be of somebody who is gone.
    assert world.asked == [2]
    world.answer()
    assert not any(one.active for one in world.pool.upstreams)


@pytest.fixture
def runs(monkeypatch):
    """How many responses were given together, each time."""
    runs = []
    run_shared = AlikeExchange.run_shared

    def noted(exchange, head, alike):
        runs.append(run_shared(exchange, head, alike))
        return runs[-1]

    monkeypatch.setattr(AlikeExchange, "run_shared", noted)
    return runs


def test_what_they_are_answered_goes_on_together(make_world, runs):
    world = make_world()
    world.ask(9)
    world.answer()
    assert runs == [9]
    assert world.heard() == [one for at in range(13, 31, 2) for one in (("HEADERS", at), ("DATA", at))]
    counted(world, 9)


def test_answers_of_several_clients_are_each_those_of_its_own(make_world, runs):
    world = make_world()
    other = world.another()
    other.forget()
    served = sum(one.served for one in world.pool.upstreams)
    for asking, count in ((world, 3), (other, 4), (world, 2)):
        asking.ask(count)
    assert world.asked == [9]
    world.answer()
    assert runs == [3, 4, 2]
    assert [number for name, number in world.heard() if name == "DATA"] == [13, 15, 17, 19, 21]
    assert [number for name, number in other.heard() if name == "DATA"] == [13, 15, 17, 19]
    assert sum(one.served for one in world.pool.upstreams) == served + 9
    assert not any(one.active for one in world.pool.upstreams)
    assert [facts[0] for facts in world.told] == ["ok"] * 9


class Looked(list):
    """Responses, and how many of them were looked at."""

    looked = 0

    def __iter__(self):
        for one in super().__iter__():
            Looked.looked += 1
            yield one

    def __getitem__(self, place):
        found = super().__getitem__(place)
        return Looked(found) if isinstance(place, slice) else found


# What is too long to be written in one, more than the connection's window has room for, and than a stream's has.
ALONE = [(3000, None, (), [1] * 15), (1900, None, (16, 5), [10, *[1] * 5]), (100, 99, (), [1] * 15)]


@pytest.mark.parametrize(("size", "window", "before", "together"), ALONE)
def test_those_that_go_alone_are_looked_at_once(make_world, runs, monkeypatch, size, window, before, together):
    world = make_world()
    if window is not None:
        world.client.send(frames.settings([(frames.INITIAL_WINDOW_SIZE, window)]))
    fields = [*OK[:2], ("content-length", str(size))]
    for count in (1, 1, 1, *before):
        world.ask(count)
        world.answer(fields, b"x" * size)
    world.forget()
    runs.clear()
    monkeypatch.setattr(Looked, "looked", 0)
    run = AlikeExchange.run_shared
    monkeypatch.setattr(AlikeExchange, "run_shared", lambda one, head, alike: run(one, head, Looked(alike)))
    world.ask(16)
    world.answer(fields, b"x" * size)
    assert runs == together
    assert Looked.looked <= 16
    assert [name for name, _ in world.heard()].count("HEADERS") == 16


def test_those_whose_windows_are_too_small_are_answered_one_by_one(make_world, runs):
    world = make_world()
    world.client.send(frames.settings([(frames.INITIAL_WINDOW_SIZE, 1)]))
    world.client.take()
    world.ask(4)
    world.client.send(frames.window_update(13, 1) + frames.window_update(15, 1))
    world.answer()
    assert runs == [2, 1]
    assert [number for name, number in world.heard() if name == "HEADERS"] == [13, 15, 17, 19]
    world.client.send(b"".join(frames.window_update(number, 1) for number in (17, 19)))
    assert [number for name, number in world.heard() if name == "DATA"] == [17, 19]
    counted(world, 4)


def test_where_the_connections_window_is_too_small_each_gets_what_there_is(make_world):
    world = make_world()
    body = b"x" * 1000
    for _ in range(2):
        world.ask(1)
        world.answer([(":status", "200"), ("content-length", "1000")], body)
    world.client.send(frames.settings([(frames.INITIAL_WINDOW_SIZE, 1000)]))
    world.forget()
    window = frames.DEFAULT_WINDOW - 6 * 2 - 2 * 1000
    sent = 0
    while sent < 80_000:
        world.ask(8)
        world.answer([(":status", "200"), ("content-length", "1000")], body)
        sent += 8000
    got = sum(len(what) for name, _, _, what in taken_apart(world.client.take()) if name == "DATA")
    assert got == window
    world.client.send(frames.window_update(0, 100_000))
    assert sum(len(what) for name, _, _, what in taken_apart(world.client.take()) if name == "DATA") == sent - window


def test_one_that_was_given_up_meanwhile_gets_no_answer(make_world):
    world = make_world()
    world.ask(5)
    world.client.send(frames.rst_stream(17, 8))
    # The upstream had answered by then.
    world.answer()
    assert [number for name, number in world.heard() if name == "DATA"] == [13, 15, 19, 21]
    assert sorted(facts[0] for facts in world.told) == ["client-gone", *["ok"] * 4]
    assert not any(one.active for one in world.pool.upstreams)


def test_one_of_which_something_was_asked_meanwhile_is_answered_as_all_others_are(make_world, runs):
    world = make_world()
    world.ask(4)
    (client,) = world.proxy.factory.admission._open
    third = client.exchanges()[2]
    assert third.context is not None and third.standing is None
    world.answer()
    assert runs == [2, 1]
    assert [number for name, number in world.heard() if name == "DATA"] == [13, 15, 17, 19]
    counted(world, 4)


def test_places_of_those_that_have_ended_together_are_free_for_who_waits(make_world):
    world = make_world(upstreams=("h2c://10.0.0.1;max=4",))
    world.ask(10)
    while any(world.asked):
        assert sum(world.asked) <= 4
        world.answer()
    counted(world, 10)


@pytest.mark.parametrize("how", ["drop", "reset"])
@pytest.mark.parametrize("place", range(1, 6))
def test_what_one_of_them_leads_to_may_end_others(make_world, monkeypatch, place, how):
    """No plan stands for them, and what decides of one ends the others."""
    world = make_world()
    factory, asked = world.proxy.factory, []
    (protocol,) = factory.admission.everyone()
    session = protocol.session

    def handle(request, context):
        asked.append(request)
        if len(asked) == place and how == "drop":
            world.client.drop()
        elif len(asked) == place:
            for stream in [*session.streams.values()][place:4]:
                session.reset(stream, 8)
        return factory.mode.plan(request, context)

    monkeypatch.setattr(factory, "handle", handle)
    world.ask(6)
    assert len(asked) == (place if how == "drop" else 6 - max(0, 4 - place))
    world.answer()
    assert not any(one.active for one in world.pool.upstreams)


@pytest.mark.parametrize("takes", [3, 100])
@pytest.mark.parametrize("place", range(1, 8))
def test_one_that_was_begun_when_its_client_had_gone_ends_in_vain(make_world, monkeypatch, takes, place):
    world = make_world(takes=takes)
    take, taken = world.pool.take_unasked, []

    def leaves():
        taken.append(take())
        if len(taken) == place:
            world.client.drop()
        return taken[-1]

    monkeypatch.setattr(world.pool, "take_unasked", leaves)
    monkeypatch.setattr(world.pool, "take_all_unasked", lambda count: None)
    world.ask(8)
    while any(world.asked):
        world.answer()
    assert not any(one.active for one in world.pool.upstreams)
