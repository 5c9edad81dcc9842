"""The configuration of a process, as frozen values: from options, or from a file.

Every error says where it is, what is wrong, and what is accepted.
"""

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
