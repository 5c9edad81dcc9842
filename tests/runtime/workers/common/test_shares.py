"""What each of several workers has of what they may have together."""

import attrs
import pytest

from txproxy.config import parse
from txproxy.runtime.workers.common.shares import with_shares

FILE = """
workers = {workers}
[limits]
max_connections = 10
[[listeners]]
listen = "8080"
pool = "app"
[pools.app]
upstreams = ["http://10.0.0.1;weight=3;max=9;backup", "http://10.0.0.2;max=100", "http://10.0.0.3", "http://10.0.0.4;max=1"]
"""
CACHE = '[cache]\nsize = "{size}"\n'


@pytest.mark.parametrize(("workers", "connections"), [(2, 5), (3, 4), (16, 1)])
def test_connections_are_shared_out(workers, connections):
    config = with_shares(parse(FILE.format(workers=workers), "edge.toml"))
    assert config.listeners[0].limits.max_connections == connections


def test_so_is_the_memory_of_a_cache():
    def memory(text):
        return with_shares(parse(FILE.format(workers=4) + text, "edge.toml")).cache.size

    assert memory(CACHE.format(size="64M")) == 16 << 20
    assert memory("") is None


def test_all_else_is_as_it_was():
    config = parse(FILE.format(workers=2), "edge.toml")
    changed = with_shares(config)
    assert attrs.evolve(changed, listeners=()) == attrs.evolve(config, listeners=())
    assert with_shares(config) == changed != config
