"""The ends of tunnels: what holds their bytes back, and in which order they pass."""

import pytest

from tests.proxy.shaped_tunnel import LIMITS, Shaped


@pytest.fixture
def shaped(make):
    return Shaped(make(LIMITS))


def test_each_direction_passes_what_its_allowance_has(shaped):
    shaped.tunnel.start(b"early", b"")
    assert shaped.client.paused and shaped.upstream.received == b""
    shaped.shaper.of_client.grant(2)
    assert shaped.upstream.received == b"ea"
    shaped.shaper.of_upstream.left = 100
    shaped.upstream.send(b"answer")
    assert shaped.client.received == b"answer" and not shaped.upstream.paused
    shaped.shaper.of_client.grant(100)
    assert shaped.upstream.received == b"early" and not shaped.client.paused
    assert (shaped.tunnel.received, shaped.tunnel.sent) == (5, 6)
    shaped.client.drop()
    assert shaped.closed == [shaped.tunnel]


def test_an_end_comes_after_what_was_sent_before_it(shaped):
    shaped.tunnel.start(b"", b"")
    shaped.client.send(b"last words")
    shaped.client.end()
    assert not shaped.upstream.ended
    shaped.shaper.of_client.grant(100)
    assert shaped.upstream.received == b"last words" and shaped.upstream.ended
    assert not shaped.client.closed
    shaped.upstream.end()
    assert shaped.closed


def test_a_connection_that_is_gone_in_good_order_has_its_bytes_delivered(shaped):
    shaped.tunnel.start(b"", b"")
    shaped.upstream.send(b"last words")
    shaped.upstream.drop(clean=True)
    assert not shaped.closed
    shaped.shaper.of_upstream.grant(100)
    assert shaped.client.received == b"last words"
    assert shaped.closed and shaped.client.disconnecting and not shaped.client.reset


def test_a_reset_is_passed_on_at_once_and_nothing_is_asked_for_any_more(shaped):
    shaped.tunnel.start(b"", b"")
    shaped.upstream.send(b"last words")
    shaped.upstream.drop()
    assert shaped.closed and shaped.client.reset
    assert shaped.shaper.of_client.closed and shaped.shaper.of_upstream.closed


def test_a_slow_peer_holds_the_other_end_beside_the_allowance(shaped):
    shaped.tunnel.start(b"", b"")
    shaped.shaper.of_upstream.left = 1_000_000
    shaped.client.stop_reading()
    shaped.upstream.send(bytes(100_000))
    assert shaped.upstream.paused
    shaped.upstream.send(b"more")
    shaped.client.read_on()
    assert len(shaped.client.received) == 100_004 and not shaped.upstream.paused
    shaped.client.drop()
