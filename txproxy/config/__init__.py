"""The configuration of a process, as frozen values: from options, or from a file.

Every error says where it is, what is wrong, and what is accepted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from txproxy.lazy_imports import lazily

# Whoever is told all by options does not wait for those who read files.
if TYPE_CHECKING:
    from txproxy.components.values import parse_duration, parse_size
    from txproxy.config.model import (
        Config,
        ForwardListener,
        ListenerConfig,
        PoolConfig,
        ReverseListener,
        RouteConfig,
        TcpListener,
    )
    from txproxy.config.toml.file import load, parse
else:
    __getattr__, __dir__ = lazily(
        __name__,
        {
            "txproxy.components.values": ["parse_duration", "parse_size"],
            "txproxy.config.model": [
                "Config",
                "ForwardListener",
                "ListenerConfig",
                "PoolConfig",
                "ReverseListener",
                "RouteConfig",
                "TcpListener",
            ],
            "txproxy.config.toml.file": ["load", "parse"],
        },
    )

__all__ = [
    "Config",
    "ForwardListener",
    "ListenerConfig",
    "PoolConfig",
    "ReverseListener",
    "RouteConfig",
    "TcpListener",
    "load",
    "parse",
    "parse_duration",
    "parse_size",
]
