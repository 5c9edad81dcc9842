"""Each setting by its key and by its option: they are the same, take the same, and refuse the same."""

import json
import os
import re
from pathlib import Path

import pytest

from tests.cli.options.meant import config
from txproxy.cache.rules.cache_settings import CacheSettings
from txproxy.components.settings import settings_of
from txproxy.components.values import KINDS
from txproxy.config.toml.file import parse
from txproxy.errors import ConfigError
from txproxy.proxy.limits import Limits
from txproxy.upstreams.health.health_check import HealthCheck
from txproxy.upstreams.pool_settings import PoolSettings

DOCS = Path(__file__).parents[2] / "docs"
UPSTREAM = "http://127.0.0.1:8001"
FILE = """
[limits]
{Limits}
{CacheSettings}
[[listeners]]
listen = "tcp:8080:interface=127.0.0.1"
pool = "pool"
[pools.pool]
upstreams = "http://127.0.0.1:8001"
{PoolSettings}
[pools.pool.health]
{HealthCheck}
"""
CLASSES = {
    CacheSettings: lambda made: made.cache,
    Limits: lambda made: made.listeners[0].limits,
    PoolSettings: lambda made: made.pools[0].settings,
    HealthCheck: lambda made: made.pools[0].settings.health,
}
SETTINGS = [(kind, one) for kind in CLASSES for one in settings_of(kind).values()]
OPTIONS = [(kind, one) for kind, one in SETTINGS if one.option]
TEXTS = (
    "0", "1", "2", "3", "99", "100", "101", "127", "128", "129", "255", "256", "257", "1000", "1001", "65536",
    "86400", "86401", "999999999", "1000000000", "1000000001", "10000000000", "-1", "1.5", "0.0", "1e3", "", "x",
    "1k", "64k", "1K", "2M", "1G", "1T", "k", "500ms", "0ms", "30s", "5m", "1h", "24h", "25h", "1d", "10/s",
    "10/s:burst=5", "none", "٣",
)  # fmt: skip


def ids(entries):
    return [f"{kind.__name__}.{one.key}" for kind, one in entries]


def by_option(kind, one, text):
    more = ["--cache-dir=/d"] if one.key == "dir_size" else []
    made = config("reverse", "--upstream", UPSTREAM, "--health-check", "/health", f"--{one.option}={text}", *more)
    return getattr(CLASSES[kind](made), one.key)


def by_key(kind, one, value):
    lines = {entry.__name__: "" for entry in CLASSES}
    lines[kind.__name__] = f"{one.key} = {value}"
    if kind is CacheSettings:
        # Its table is there where there is a cache.
        more = "dir = '/d'\n" if one.key == "dir_size" else ""
        lines[kind.__name__] = "[cache]\n" + more + lines[kind.__name__]
    found = getattr(CLASSES[kind](parse(FILE.format(**lines), "proxy.toml")), one.key)
    # Names in a file begin where that is, and names of options where the program was called.
    return os.path.relpath(found) if one.kind == "directory" and found is not None else found


def taken(take, *words):
    try:
        return take(*words)
    except (ConfigError, SystemExit):
        return "refused"


def as_value(one, text):
    """How a file has it: numbers as such, and texts in quotes where the kind takes a text."""
    number = re.fullmatch(r"[1-9][0-9]*|0|-1|1\.5", text)
    return text if number and one.kind != "directory" else json.dumps(text, ensure_ascii=False)


@pytest.mark.no_cover
@pytest.mark.parametrize(("kind", "one"), OPTIONS, ids=ids(OPTIONS))
def test_an_option_and_its_key_take_the_same(kind, one, capfd):
    for text in TEXTS:
        assert taken(by_option, kind, one, text) == taken(by_key, kind, one, as_value(one, text)), text


@pytest.mark.parametrize(("kind", "one"), OPTIONS, ids=ids(OPTIONS))
def test_an_option_and_its_key_are_the_same_without_being_told(kind, one):
    made = config("reverse", "--upstream", UPSTREAM, "--health-check", "/health")
    read = parse(FILE.format(**{entry.__name__: "" for entry in CLASSES}), "proxy.toml")
    assert getattr(CLASSES[kind](made), one.key) == getattr(CLASSES[kind](read), one.key) == one.default


FORMER = [(kind, one) for kind, one in SETTINGS if one.formerly]


@pytest.mark.parametrize(("kind", "one"), FORMER, ids=ids(FORMER))
def test_a_key_may_still_have_the_name_that_it_had(kind, one):
    lines = {entry.__name__: "" for entry in CLASSES}
    lines[kind.__name__] = f'{one.formerly} = "3s"'
    made = CLASSES[kind](parse(FILE.format(**lines), "proxy.toml"))
    assert getattr(made, one.key) == 3 and not hasattr(made, one.formerly)
    lines[kind.__name__] = f'{one.formerly} = "3s"\n{one.key} = "3s"'
    with pytest.raises(ConfigError, match=f"{one.formerly}: it is called {one.key} now, which is there as well"):
        parse(FILE.format(**lines), "proxy.toml")


@pytest.mark.parametrize(("kind", "one"), SETTINGS, ids=ids(SETTINGS))
def test_what_is_written_as_the_default_means_it(kind, one):
    if one.default is not None:
        assert KINDS[one.kind].parse(one.written) == one.default
        assert by_key(kind, one, as_value(one, one.written)) == one.default
