"""Bytes held back, and their source with them."""

import pytest

from tests.proxy.shaped_tunnel import Allowed
from txproxy.proxy.throttle import Valve


class World:
    def __init__(self):
        self.delivered, self.source = b"", []
        self.valve = Valve(
            self._lane, self._deliver, lambda: self.source.append("hold"), lambda: self.source.append("release")
        )
        self.on_delivery = lambda: None

    def _lane(self, more):
        self.allowed = Allowed(more)
        return self.allowed

    def _deliver(self, data):
        assert data
        self.delivered += data
        self.on_delivery()


@pytest.fixture
def world():
    return World()


def test_what_is_allowed_passes_at_once(world):
    world.allowed.left = 10
    world.valve.pass_on(b"hello")
    world.valve.pass_on(b"world")
    assert world.delivered == b"helloworld"
    assert world.source == [] and not world.valve.holding


def test_what_is_not_is_held_and_its_source_with_it(world):
    world.allowed.left = 2
    world.valve.pass_on(b"hello")
    assert world.delivered == b"he"
    assert world.source == ["hold"] and world.valve.holding and world.valve.waiting
    world.allowed.grant(1)
    assert world.delivered == b"hel" and world.source == ["hold"]
    world.allowed.grant(5)
    assert world.delivered == b"hello" and world.source == ["hold", "release"]


def test_what_a_held_source_still_brings_keeps_its_order(world):
    world.valve.pass_on(b"one")
    world.valve.pass_on(b"two")
    assert world.allowed.asked == [3]
    world.allowed.grant(4)
    assert world.delivered == b"onet"
    world.allowed.grant(10)
    assert world.delivered == b"onetwo"
    assert world.source == ["hold", "release"]


def test_a_slow_sink_gets_nothing_and_uses_nothing_up(world):
    world.valve.pass_on(b"hello")
    world.valve.pause()
    world.allowed.grant(5)
    assert world.delivered == b"" and world.allowed.left == 5
    assert world.valve.holding and not world.valve.waiting
    world.valve.resume()
    assert world.delivered == b"hello" and world.source == ["hold", "release"]


def test_a_slow_sink_alone_holds_the_source(world):
    world.valve.pause()
    world.valve.pause()
    assert world.source == ["hold"]
    world.valve.pass_on(b"x")
    assert world.delivered == b""
    world.allowed.left = 1
    world.valve.resume()
    assert world.delivered == b"x" and world.source == ["hold", "release"]


def test_a_sink_that_becomes_slow_by_a_delivery_leaves_the_source_held(world):
    world.on_delivery = world.valve.pause
    world.valve.pass_on(b"hello")
    world.allowed.grant(5)
    assert world.source == ["hold"]
    world.valve.resume()
    assert world.source == ["hold", "release"]


def test_the_end_of_the_source_comes_after_what_it_sent(world):
    ended = []
    world.valve.pass_on(b"hello")
    world.valve.after(lambda: ended.append(world.delivered))
    world.allowed.grant(4)
    assert ended == []
    world.allowed.grant(4)
    assert ended == [b"hello"]
    assert world.source == ["hold"]


def test_with_nothing_held_the_end_comes_at_once(world):
    ended = []
    world.valve.after(lambda: ended.append(True))
    assert ended == [True]


def test_a_closed_valve_lets_nothing_pass_and_calls_nobody(world):
    ended = []
    world.valve.pass_on(b"hello")
    world.valve.after(lambda: ended.append(True))
    world.valve.close()
    assert world.allowed.closed
    world.allowed.grant(100)
    world.valve.resume()
    world.valve.pass_on(b"more")
    assert world.delivered == b"" and ended == [] and world.source == ["hold"]


def test_closing_within_a_delivery_is_the_end(world):
    world.on_delivery = world.valve.close
    world.valve.pass_on(b"hello")
    world.allowed.grant(2)
    world.allowed.grant(2)
    assert world.delivered == b"he" and world.source == ["hold"]
