"""Code that knows the upstreams of a pool."""

import sys

import pytest
from twisted.internet.task import Clock

from txproxy.components.named_code import NamedCode
from txproxy.config.own_code.code_around import DiscoveryConfig
from txproxy.config.own_code.named_discovery import make_ask
from txproxy.config.toml.file import parse
from txproxy.errors import ConfigError
from txproxy.runtime.live.live_pools import live_pool

TEXT = """
[[listeners]]
listen = "tcp:80"
pool = "app"
[pools.app]
upstreams = "http://{}"
discovery = {}
"""


def members(zone: str = "a"):
    return [f"http://{zone}.example"]


async def members_later():
    return members()


HERE = __name__
sys.modules.setdefault(HERE, sys.modules[__name__])


def test_it_is_read():
    config = parse(TEXT.format("10.0.0.9", f'{{ use = "{HERE}:members", zone = "b", interval = "5s" }}'), "p.toml")
    assert config.pools[0].discovery == DiscoveryConfig(code=NamedCode(f"{HERE}:members", {"zone": "b"}), interval=5.0)
    config = parse(TEXT.format("10.0.0.9", f'"{HERE}:members_later"'), "p.toml")
    assert config.pools[0].discovery == DiscoveryConfig(code=NamedCode(f"{HERE}:members_later"))


def test_it_is_asked():
    assert make_ask(NamedCode(f"{HERE}:members", {"zone": "c"}))() == ["http://c.example"]
    assert make_ask(NamedCode(f"{HERE}:members_later"))().result == ["http://a.example"]


@pytest.mark.parametrize(
    ("more", "given", "said"),
    [
        ("10.0.0.9", f'{{ use = "{HERE}:members", zone = 5 }}', "discovery.zone: 5 is none"),
        ("10.0.0.9", f'{{ use = "{HERE}:members", interval = 0 }}', "discovery.interval: "),
        ("10.0.0.9", "{ interval = 5 }", "discovery: use is missing"),
        ("10.0.0.9", f'"{HERE}:HERE"', "is no function"),
        ("z.example;resolve", f'"{HERE}:members"', "it tells of all upstreams, and one is to be looked up"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(more, given, said):
    with pytest.raises(ConfigError, match=r"p.toml:7: pools.app.discovery") as fault:
        parse(TEXT.format(more, given), "p.toml")
    assert said in str(fault.value)


def test_the_pool_of_a_configuration_follows_it_and_the_next_one_begins_with_what_was_known():
    clock = Clock()
    text = TEXT.format("10.0.0.9", f'{{ use = "{HERE}:members", zone = "b" }}')
    first = live_pool(parse(text, "p.toml").pools[0], clock, {})
    first.pool.start(clock, None)
    assert [one.name for one in first.pool.upstreams] == ["http://b.example"]
    assert first.overlay.edits().removed == () == first.overlay.removed
    second = live_pool(parse(text + "retries = 3\n", "p.toml").pools[0], clock, {"app": first})
    assert second is not first and [one.name for one in second.pool.upstreams] == ["http://b.example"]
    first.pool.stop()
