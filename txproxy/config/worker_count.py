"""How many processes serve a configuration."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Final

from txproxy.components.values import shown
from txproxy.config.model import BoundsConfig, ListenerConfig
from txproxy.errors import ConfigError

AUTO: Final = "auto"
_MOST: Final = 256
_ACCEPTED: Final = f"accepted are 1 to {_MOST}, and {AUTO} for one a core"


def parse_workers(text: str) -> int:
    """The number that ``text`` says."""
    if text == AUTO:
        return min(_MOST, cores())
    if not (text.isascii() and text.isdigit() and len(text) < 4):
        raise ConfigError(f"{shown(text)} is no number of workers", _ACCEPTED)
    return workers(int(text))


def workers(value: object) -> int:
    """The number that a value of a file says."""
    if value == AUTO:
        return min(_MOST, cores())
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _MOST:
        raise ConfigError(f"{shown(value)} is no number of workers", _ACCEPTED)
    return value


def cores() -> int:
    """How many cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def check_workers(count: int, bounds: BoundsConfig, listeners: Iterable[ListenerConfig]) -> None:
    """A ``ConfigError`` where ``count`` workers would not do what one process does, as each would let clients use what
    they may use in all.
    """
    if count == 1:
        return
    quotas = bounds.quotas or any(listener.bounds.quotas for listener in listeners)
    if quotas and bounds.usage_file is None:
        raise ConfigError(f"{count} workers count quotas in a file", "accepted is usage_file = FILE with them")
