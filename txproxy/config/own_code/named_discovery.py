"""Code that knows the upstreams of a pool, and that a configuration names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from txproxy.components.named_code import NamedCode, check_call, find_code
from txproxy.components.values import duration
from txproxy.config.own_code.code_around import INTERVAL, DiscoveryConfig
from txproxy.config.own_code.code_tables import read_code
from txproxy.config.toml.tables import Table
from txproxy.errors import ConfigError
from txproxy.interfaces.hooks.awaiting import coming

_ACCEPTED: Final = "accepted is a function that gives a list of upstreams, as texts"
_KEY: Final = "discovery"


def find_source(code: NamedCode) -> Any:
    """The function; ``ConfigError`` if there is none."""
    found = find_code(code, "function")
    if isinstance(found, type) or not callable(found):
        raise ConfigError(f"{code.name!r} is no function", _ACCEPTED)
    check_call(code, found, 0, _ACCEPTED)
    return found


def read_discovery(table: Table) -> DiscoveryConfig | None:
    """What a pool says of it."""
    value = table.read(_KEY, lambda value: value, None)
    if value is None:
        return None
    interval = INTERVAL
    if isinstance(value, dict):
        interval = table.inner(value, _KEY, kind=_KEY).read("interval", duration, INTERVAL)
        value = {key: one for key, one in value.items() if key != "interval"}
    code = read_code(table, (_KEY,), value, _KEY, "function", find_source)
    return DiscoveryConfig(code=code, interval=interval) if code is not None else None


def make_ask(code: NamedCode) -> Callable[[], Any]:
    """What asks it: gives the texts, or a Deferred of them."""
    found, settings = find_source(code), code.settings

    def ask() -> Any:
        given = found(**settings)
        return coming(given) or given

    return ask
