"""``[cache]`` and ``[[cache_rules]]`` of a configuration file, and what routes and access rules say of caching."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from txproxy.cache.policy import QUERIES, Ttls
from txproxy.cache.rules.cache_choice import CacheChoice, Changes, policy_changes
from txproxy.cache.rules.cache_rule import CacheRule
from txproxy.cache.rules.cache_settings import CacheSettings
from txproxy.components.values import MOST, flag, one_of, pause, shown, size, text, whole
from txproxy.config.setting_readers import read_settings
from txproxy.config.toml.tables import Table
from txproxy.errors import ConfigError

T = TypeVar("T")

_NONE: Final = CacheSettings()
# What a lone time is about: what is there, and what is elsewhere, for good (301) or until it is back (302).
USUAL_STATUSES: Final = ("200", "301", "302")


def read_cache(table: Table) -> CacheSettings:
    """The cache that a file names, and its rules. The file closes the ``table``."""
    rules = _rules(table)
    inner = table.table("cache")
    if inner is None:
        return CacheSettings(rules=rules)
    if not inner.value("dir", ""):
        inner.need("size", _raw, None, "how much memory it may take, such as '64M'")
    values = read_settings(inner, CacheSettings, _NONE)
    if values["dir"] is not None:
        values["dir"] = inner.written_name(values["dir"], "dir")
    elif values["dir_size"] != _NONE.dir_size:
        inner.fault("is of no use without dir", "dir_size", accepted="accepted is it with dir")
        values["dir_size"] = _NONE.dir_size
    defaults = _changes(inner)
    inner.close()
    return CacheSettings(rules=rules, defaults=defaults, **values)


def read_choice(table: Table) -> CacheChoice | None:
    """What a route or an access rule says of caching, if it does. Its own reader closes the ``table``."""
    value = table.read("cache", _raw, None)
    if isinstance(value, dict):
        # It takes the keys of [cache], wherever it stands.
        inner = Table(value, (*table.path, "cache"), "cache", table.findings, table.base)
        choice = CacheChoice(changes=_changes(inner))
        inner.close()
        return choice
    return table.read("cache", _cached, None)


def read_rule_choices(table: Table) -> tuple[tuple[str, CacheChoice], ...]:
    """What the access rules of a listener say of caching, by their names. What else is in them, others read."""
    found = []
    for number, (keys, value) in enumerate(table.elements("rules") or (), 1):
        if isinstance(value, dict) and "cache" in value:
            inner = table.inner(value, *keys, kind="rules[]")
            choice = read_choice(inner)
            if inner.value("action", "") == "deny":
                inner.fault("has no effect with deny", "cache", accepted="accepted is it with allow")
            elif choice is not None:
                found.append((inner.value("name", "") or f"rule {number}", choice))
    return tuple(found)


def _cached(value: object) -> CacheChoice:
    if not isinstance(value, bool):
        raise ConfigError(f"{shown(value)} says nothing of caching", "accepted: true, false, { KEY = VALUE }")
    return CacheChoice(value)


def _rules(table: Table) -> tuple[CacheRule, ...]:
    rules = []
    for number, inner in enumerate(table.tables("cache_rules"), 1):
        before = len(inner.findings.faults)
        values: dict[str, Any] = {
            "name": inner.read("name", text, f"cache rule {number}"),
            "hosts": inner.some("hosts", text) or (),
            "paths": inner.some("paths", text) or (),
            "url": inner.some("url", text) or (),
            "ignore_case": inner.read("ignore_case", flag, False),
        }
        cached, changes = inner.read("cache", flag, True), _changes(inner)
        if not cached:
            for key, _ in changes:
                inner.fault("has no effect with cache = false", key, accepted="accepted is one of them")
        inner.close()
        if len(inner.findings.faults) == before:
            try:
                rules.append(CacheRule(cache=CacheChoice(cached, changes), **values))
            except ConfigError as fault:
                inner.faults_of(fault)
    return tuple(rules)


# -- policies


def _raw(value: Any) -> Any:
    return value


def _value(parse: Callable[[Any], T]) -> Callable[[Table, str], T | None]:
    return lambda table, key: table.read(key, parse, None)


def _list(table: Table, key: str) -> tuple[str, ...] | None:
    return table.all(key, text)


def _ttls(table: Table, key: str) -> Ttls | None:
    """Times by status; one that stands alone is for those that are usual."""
    if isinstance(table.read(key, _raw, None), dict):
        return table.pairs(key, pause, "{ 200 = '1h', 404 = '1m' }")
    seconds = table.read(key, pause, None)
    return None if seconds is None else tuple((status, seconds) for status in USUAL_STATUSES)


def _device(table: Table, key: str) -> bool | str | None:
    given = table.given(key)
    return given if isinstance(given, bool) else table.read(key, _device_field, None)


def _device_field(value: object) -> str:
    if isinstance(value, str):
        return value
    raise ConfigError(f"{shown(value)} is neither", "accepted: true, false, the name of a field such as 'X-UA-Device'")


_READERS: Final[Mapping[str, Callable[[Table, str], object]]] = {
    "targeted": _list,
    "ttl": _ttls,
    **dict.fromkeys(("min_ttl", "max_ttl", "heuristic_max", "error_ttl"), _value(pause)),
    **dict.fromkeys(("stale_while_revalidate", "stale_if_error"), _value(pause)),
    **dict.fromkeys(("override_expire", "override_lastmod", "ignore_set_cookie", "ignore_private"), _value(flag)),
    **dict.fromkeys(("request_directives", "ignore_reload", "reload_into_ims", "offline", "purge"), _value(flag)),
    "heuristic_fraction": lambda table, key: table.given(key),
    "max_object_size": _value(size),
    "min_uses": _value(whole(1, MOST)),
    "query": _value(one_of(QUERIES)),
    "query_keep": _list,
    "query_drop": _list,
    "query_sort": _value(flag),
    "key_headers": _list,
    "key_cookies": _list,
    "key_device": _device,
}


def _changes(table: Table) -> Changes:
    """What a table says of a policy. Whoever has the table closes it."""
    before = len(table.findings.faults)
    found = {key: read(table, key) for key, read in _READERS.items()}
    if len(table.findings.faults) > before:
        return ()
    try:
        return policy_changes({key: value for key, value in found.items() if value is not None})
    except ConfigError as fault:
        table.faults_of(fault)
        return ()
