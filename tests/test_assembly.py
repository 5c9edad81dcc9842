"""What a pool takes over from the one before it."""

from twisted.internet.task import Clock

from txproxy.assembly import LivePool
from txproxy.config.tree import PoolConfig
from txproxy.reverse.upstream import State


def test_a_drain_ends_when_it_was_to_end_though_the_configuration_was_read_again():
    clock = Clock()
    config = PoolConfig(name="p", upstreams=("http://10.0.0.1", "http://10.0.0.2", "http://10.0.0.3"))
    before = LivePool(config, b"k" * 32)
    before.pool.use_clock(clock)
    before.pool.drain("http://10.0.0.1", 60)
    before.pool.drain("http://10.0.0.2")
    clock.advance(20)
    after = LivePool(config, b"k" * 32)
    after.follow(before, clock)
    assert [upstream.state for upstream in after.pool.upstreams] == [State.DRAINING, State.DRAINING, State.HEALTHY]
    clock.advance(41)
    assert [upstream.state for upstream in after.pool.upstreams] == [State.DISABLED, State.DRAINING, State.HEALTHY]
