"""What each of several workers has of what they may have together."""

import attrs

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


def test_the_memory_of_a_cache_is_shared_out():
    def memory(text):
        return with_shares(parse(FILE.format(workers=4) + text, "edge.toml")).cache.size

    assert memory(CACHE.format(size="64M")) == 16 << 20
    assert memory("") is None


def test_all_else_is_as_it_was():
    config = parse(FILE.format(workers=2), "edge.toml")
    assert with_shares(config) == config
    config = parse(FILE.format(workers=2) + CACHE.format(size="64M"), "edge.toml")
    assert attrs.evolve(with_shares(config), cache=config.cache) == config != with_shares(config)
