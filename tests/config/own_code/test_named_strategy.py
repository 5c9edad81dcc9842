"""A strategy of a pool that a file names."""

import sys

import pytest

from txproxy.components.named_code import NamedCode
from txproxy.config.own_code.named_strategy import make_strategy
from txproxy.config.toml.file import parse
from txproxy.config.toml.pool_tables import strategy_name
from txproxy.errors import ConfigError
from txproxy.upstreams import Strategy

TEXT = """
[[listeners]]
listen = "tcp:80"
pool = "app"
[pools.app]
upstreams = "http://10.0.0.1"
strategy = {}
"""


class First(Strategy):
    """The first, after so many."""

    def __init__(self, after: int = 0):
        self.after = after

    def update(self, upstreams):
        self.upstreams = upstreams

    def choose(self, head, context, skip=None):
        return self.upstreams[self.after]


class Half(Strategy):
    """None: it cannot choose."""

    def update(self, upstreams):
        pass


def make_first():
    return First(1)


def make_none():
    return None


HERE = __name__
sys.modules.setdefault(HERE, sys.modules[__name__])


def test_it_is_read_and_made():
    config = parse(TEXT.format(f'{{ use = "{HERE}:First", after = 2 }}'), "p.toml")
    code = config.pools[0].strategy
    assert code == NamedCode(f"{HERE}:First", {"after": 2})
    made = make_strategy(code)
    assert made.name == code.name and made._own.after == 2 and make_strategy(code)._own is not made._own
    assert parse(TEXT.format(f'"{HERE}:make_first"'), "p.toml").pools[0].strategy == NamedCode(f"{HERE}:make_first")
    assert (
        strategy_name(f"{HERE}:First") == NamedCode(f"{HERE}:First")
        and strategy_name("header-hash:a") == "header-hash:a"
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (f'{{ use = "{HERE}:First", aftr = 2 }}', "strategy.aftr: "),
        (f'{{ use = "{HERE}:First", after = "x" }}', "strategy.after: 'x' is none; accepted is a whole number"),
        (f'"{HERE}:Half"', "is no strategy"),
        (f'"{HERE}:HERE"', "makes no strategy; accepted is a class on txproxy.upstreams.Strategy"),
        ('"no_such_module:X"', "strategy: 'no_such_module:X': no_such_module cannot be imported"),
        ('"round-robbin"', "(is round-robin meant?); accepted: round-robin"),
        (f'"{HERE}:First"\nbound = 1.5', "bound: is for the hashes"),
    ],
)
def test_what_is_none_is_told_with_its_place(given, said):
    with pytest.raises(ConfigError, match=r"p.toml:7: pools.app.strategy|p.toml:8: pools.app.bound") as fault:
        parse(TEXT.format(given), "p.toml")
    assert said in str(fault.value) and "\n" not in str(fault.value)


def test_what_gives_none_is_told_of_when_it_is_made():
    with pytest.raises(ConfigError, match="gives no strategy"):
        make_strategy(NamedCode(f"{HERE}:make_none"))
