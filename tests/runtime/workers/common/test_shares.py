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


@pytest.mark.parametrize(
    ("workers", "connections", "bounds"),
    [
        (2, 5, [";weight=3;max=5;backup", ";max=50", "", ";max=1"]),
        (3, 4, [";weight=3;max=3;backup", ";max=34", "", ";max=1"]),
        (16, 1, [";weight=3;max=1;backup", ";max=7", "", ";max=1"]),
    ],
)
def test_connections_and_requests_are_shared_out(workers, connections, bounds):
    config = with_shares(parse(FILE.format(workers=workers), "edge.toml"))
    assert config.listeners[0].limits.max_connections == connections
    assert [text.removeprefix("http://")[8:] for text in config.pool("app").upstreams] == bounds


def test_so_is_the_memory_of_a_cache():
    def memory(text):
        return with_shares(parse(FILE.format(workers=4) + text, "edge.toml")).cache.size

    assert memory(CACHE.format(size="64M")) == 16 << 20
    assert memory("") is None


def test_all_else_is_as_it_was():
    config = parse(FILE.format(workers=2), "edge.toml")
    changed = with_shares(config)
    assert attrs.evolve(changed, listeners=(), pools=()) == attrs.evolve(config, listeners=(), pools=())
    assert with_shares(config) == changed != config
