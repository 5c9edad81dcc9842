"""txproxy: a dual-mode HTTP proxy toolkit on Twisted. These are the public names."""

from txproxy.forward.mode import ForwardPolicy, ForwardProxyFactory
from txproxy.proxy.limits import Limits
from txproxy.reverse.mode import ReverseProxyFactory
from txproxy.reverse.pool import Pool, PoolSettings
from txproxy.reverse.resource import ReverseProxyResource

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
