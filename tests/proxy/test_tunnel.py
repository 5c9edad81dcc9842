"""Tunnels: how long they last, and what holds their bytes back."""

import pytest
from twisted.internet import tcp

from tests.net.sockets import World
from tests.proxy.shaped_tunnel import LIMITS, Peer, Shaped
from txproxy import Limits, Pool
from txproxy.interfaces import Bounds
from txproxy.net import splice
from txproxy.proxy.tunnel import Tunnel
from txproxy.stream.stream_factory import StreamFactory
from txproxy.testing import MemoryConnection, ProxyInMemory


@pytest.fixture
def make(closing):
    def run(limits):
        return closing(
            ProxyInMemory(lambda reactor: StreamFactory(Pool(["http://10.0.0.1:1"]), limits=limits, reactor=reactor))
        )

    return run


@pytest.fixture
def proxy(make):
    return make(LIMITS)


@pytest.mark.no_cover
def test_without_limits_a_tunnel_may_be_silent_for_ever(make):
    proxy = make(Limits(tunnel_timeout=None))
    client = proxy.connect()
    proxy.advance(100_000)
    assert not client.closed and not client.disconnecting


@pytest.mark.no_cover
@pytest.mark.parametrize("speaks", ["client", "upstream"])
def test_by_default_it_may_be_silent_for_an_hour(make, speaks):
    proxy = make(Limits())
    client = proxy.connect()
    for _ in range(3):
        proxy.advance(3500)
        (client if speaks == "client" else proxy.upstream).send(b"x")
    assert not client.disconnecting
    proxy.advance(3599)
    assert not client.disconnecting
    proxy.advance(2)
    assert client.reset and proxy.upstream.reset


def test_a_tunnel_that_is_silent_for_too_long_is_ended(make):
    proxy = make(LIMITS)
    client = proxy.connect()
    proxy.advance(9.5)
    proxy.upstream.send(b"x")
    proxy.advance(9.5)
    client.send(b"x")
    proxy.advance(9.5)
    assert not client.disconnecting
    proxy.advance(2)
    assert client.reset and proxy.upstream.reset


def test_a_tunnel_that_is_open_for_too_long_is_ended_however_busy_it_is(make):
    proxy = make(LIMITS)
    client = proxy.connect()
    for _ in range(99):
        proxy.advance(1)
        client.send(b"x")
    assert not client.disconnecting
    proxy.advance(2)
    assert client.reset and proxy.upstream.reset


def test_an_age_alone_does_not_limit_silence(make):
    proxy = make(Limits(tunnel_age=100.0, tunnel_timeout=None))
    client = proxy.connect()
    proxy.advance(99)
    assert not client.disconnecting
    proxy.advance(2)
    assert client.reset


def test_half_closed_the_shorter_of_the_limits_holds(make):
    proxy = make(LIMITS)
    client = proxy.connect()
    client.end()
    proxy.advance(3.5)
    proxy.upstream.send(b"x")
    proxy.advance(3.5)
    assert not client.disconnecting
    proxy.advance(2)
    assert client.reset


def test_what_is_held_back_is_no_silence(proxy):
    shaped = Shaped(proxy)
    shaped.tunnel.start(b"x", b"")
    proxy.advance(30)
    assert not shaped.closed
    shaped.shaper.of_client.grant(1)
    proxy.advance(12)
    assert shaped.tunnel.why == "nothing passed for 10 s" and shaped.client.reset


def test_bounds_of_its_own_come_before_those_of_the_proxy(proxy):
    tunnel = Shaped(proxy, Bounds(tunnel_age=20.0, tunnel_timeout=50.0)).tunnel
    tunnel.start(b"", b"")
    proxy.advance(19)
    assert not tunnel.why
    proxy.advance(2)
    assert tunnel.why == "it was open for 20 s, which is as long as may be"


@pytest.mark.parametrize(("own", "bounds", "seconds"), [(30.0, None, 30), (None, None, 10), (30.0, 50.0, 50)])
def test_a_time_of_its_own_comes_before_that_of_the_proxy(proxy, own, bounds, seconds):
    peers = Peer(), Peer()
    ends = [MemoryConnection(proxy.clock, peer) for peer in peers]
    tunnel = Tunnel(proxy.factory.services, *ends, lambda _: None, Bounds(tunnel_timeout=bounds), own)
    peers[0].end, peers[1].end = tunnel.client, tunnel.upstream
    tunnel.start(b"", b"")
    proxy.advance(seconds - 1)
    assert not tunnel.why
    proxy.advance(2)
    assert tunnel.why == f"nothing passed for {seconds} s"


@pytest.mark.skipif(not splice.AVAILABLE, reason="there is no splice(2) here")
def test_what_the_kernel_moves_is_no_silence_and_its_silence_is():
    world = World(LIMITS)
    world.request(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n")
    upstream = world.upstreams[0]
    upstream.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n")
    assert world.hear(world.client).startswith(b"HTTP/1.1 101 ")
    assert not any(isinstance(one, tcp.Server) for one in world.reactor.readers), "bytes do not pass by the kernel"
    for one, other in [(world.client, upstream), (upstream, world.client)] * 2:
        one.send(b"x")
        assert world.hear(other) == b"x"
        world.reactor.pump([0.5] * 18)
    assert world.reactor.readers
    world.reactor.pump([0.5] * 5)
    world.turns()
    assert not world.reactor.readers
    world.close()
