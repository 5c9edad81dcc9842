"""txproxy: a dual-mode HTTP proxy toolkit on Twisted. These are the public names."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from txproxy.forward.mode import ForwardPolicy, ForwardProxyFactory
    from txproxy.proxy.limits import Limits
    from txproxy.reverse.mode import ReverseProxyFactory
    from txproxy.reverse.web_resource import ReverseProxyResource
    from txproxy.upstreams.pool import Pool
    from txproxy.upstreams.pool_settings import PoolSettings

__version__ = "0.1.0"

__all__ = [
    "ForwardPolicy",
    "ForwardProxyFactory",
    "Limits",
    "Pool",
    "PoolSettings",
    "ReverseProxyFactory",
    "ReverseProxyResource",
    "__version__",
]

_HOMES = {
    "ForwardPolicy": "txproxy.forward.mode",
    "ForwardProxyFactory": "txproxy.forward.mode",
    "Limits": "txproxy.proxy.limits",
    "Pool": "txproxy.upstreams.pool",
    "PoolSettings": "txproxy.upstreams.pool_settings",
    "ReverseProxyFactory": "txproxy.reverse.mode",
    "ReverseProxyResource": "txproxy.reverse.web_resource",
}


def __getattr__(name: str) -> object:
    # When one is asked for: the command says what it has to say at once, and takes Ctrl-C while the rest is loaded.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
