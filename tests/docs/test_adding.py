"""The examples of the page about adding work, with nothing else touched."""

import importlib.util
import pathlib

import pytest
from twisted.internet.task import Clock

from txproxy.components import registry
from txproxy.config.toml.file import parse
from txproxy.reverse.route_actions.route_action import ROUTE_ACTIONS
from txproxy.runtime.explain import Question, explain
from txproxy.runtime.proxy_service import make_service
from txproxy.tap import Options
from txproxy.upstreams.balancing.strategy import BALANCING

EXAMPLES = pathlib.Path(__file__).parents[2] / "docs" / "internals" / "examples"


@pytest.fixture
def added(monkeypatch):
    """Has one of the examples stand in its folder, as if it always had."""

    def add(kind, name):
        # All that there are come first, as they are there.
        registry.components(kind)
        monkeypatch.setitem(registry._known, kind, dict(registry._known[kind]))
        registry.components.cache_clear()
        spec = importlib.util.spec_from_file_location(
            f"txproxy.{kind.replace('/', '.')}.{name}", EXAMPLES / f"{name}.py"
        )
        spec.loader.exec_module(importlib.util.module_from_spec(spec))

    yield add
    monkeypatch.undo()
    registry.components.cache_clear()


FILE = """
[log]
access = "none"
[[listeners]]
listen = "tcp:80"
[pools.app]
upstreams = ["http://10.0.0.1", "http://10.0.0.2;weight=3"]
strategy = "heaviest"
[[routes]]
name = "pot"
path = "/pot"
{pot}
[[routes]]
name = "rest"
pool = "app"
"""


def said(url, pot="respond = 418"):
    text, _ = explain(parse(FILE.format(pot=pot), "p.toml"), Question.of("GET", url, (), "127.0.0.1", None))
    return text


def test_a_strategy_is_one_more_file(added, capfd):
    added(BALANCING, "heaviest")
    text = said("http://a.example/")
    assert "10.0.0.2 (weight 3): chosen" in text and "10.0.0.1: another is heavier" in text
    options = Options()
    options.parseOptions(["reverse", "--upstream=http://a", "--balance=heaviest", "--access-log=none"])
    assert options.subOptions.service.config.pools[0].strategy == "heaviest"
    with pytest.raises(SystemExit):
        Options().parseOptions(["reverse", "--upstream=http://a", "--balance=heavy"])
    assert "(is heaviest meant?)" in capfd.readouterr().err


def test_an_action_is_one_more_file(added):
    added(BALANCING, "heaviest")
    added(ROUTE_ACTIONS, "teapot")
    pot = 'teapot = "short and stout"'
    assert "answer: 418" in said("http://a.example/pot", pot)
    config = parse(FILE.format(pot=pot), "p.toml")
    assert config == parse(FILE.format(pot=pot), "p.toml")
    make_service(config, Clock())
    with pytest.raises(ValueError, match="exactly one of pool, redirect, respond, files, tunnel, teapot"):
        parse(FILE.format(pot=""), "p.toml")
    with pytest.raises(ValueError, match="host: has no effect with teapot; accepted is it with pool"):
        parse(FILE.format(pot=pot + '\nhost = "a"'), "p.toml")
