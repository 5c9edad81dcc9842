"""``[cache]`` of a configuration file."""

from __future__ import annotations

from typing import Final

from txproxy.cache.rules.cache_settings import CacheSettings
from txproxy.config.setting_readers import read_settings
from txproxy.config.toml.tables import Table

_NONE: Final = CacheSettings()


def read_cache(table: Table) -> CacheSettings:
    """The cache that a file names. The file closes the ``table``."""
    inner = table.table("cache")
    if inner is None:
        return _NONE
    inner.need("size", lambda value: value, None, "how much memory it may take, such as '64M'")
    settings = CacheSettings(**read_settings(inner, CacheSettings, _NONE))
    inner.close()
    return settings
