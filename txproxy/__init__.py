"""txproxy: a dual-mode HTTP proxy toolkit on Twisted. These names are public, and those of its rooms
``forward``, ``reverse``, ``upstreams``, ``interfaces`` and ``testing``.
"""

from __future__ import annotations

from txproxy.lazy_imports import lazily

__version__ = "0.2.0"

# As in typing, which takes longer to load than all that stands here: the command is to be told of Ctrl-C by then.
TYPE_CHECKING = False

# A name is imported when it is asked for: the command says what it has to say at once, and takes Ctrl-C while the rest
# is loaded.
if TYPE_CHECKING:
    from txproxy.cache.memory.memory_store import MemoryStore
    from txproxy.cache.policy import CachePolicy
    from txproxy.components.rates import Rate
    from txproxy.forward.policy import ForwardPolicy
    from txproxy.forward.proxy_factory import ForwardProxyFactory
    from txproxy.limits.allotments import Allotments
    from txproxy.limits.quotas import Quota
    from txproxy.limits.requests.concurrency import ConcurrencyLimiter
    from txproxy.limits.requests.limiter import Limiter
    from txproxy.limits.requests.limits_middleware import LimitsMiddleware
    from txproxy.limits.requests.request_limit import RequestLimit
    from txproxy.limits.shaping import Bandwidth
    from txproxy.limits.usage import IUsage
    from txproxy.net.dns.resolver import Places, Resolver, ResolverLimits
    from txproxy.observe.audit import AuditLog
    from txproxy.proxy.bounds_middleware import BoundsMiddleware
    from txproxy.proxy.caching.cache_middleware import CacheMiddleware
    from txproxy.proxy.caching.shared_cache import SharedCache
    from txproxy.proxy.factory import ProxyFactory
    from txproxy.proxy.limits import Limits
    from txproxy.reverse.mode import ReverseProxyFactory
    from txproxy.reverse.web_resource import ReverseProxyResource
    from txproxy.stream.stream_factory import StreamFactory
    from txproxy.upstreams.pool import Pool
    from txproxy.upstreams.pool_settings import PoolSettings
else:
    __getattr__, __dir__ = lazily(
        __name__,
        {
            "txproxy.forward.proxy_factory": ["ForwardProxyFactory"],
            "txproxy.forward.policy": ["ForwardPolicy"],
            "txproxy.cache.memory.memory_store": ["MemoryStore"],
            "txproxy.cache.policy": ["CachePolicy"],
            "txproxy.components.rates": ["Rate"],
            "txproxy.limits.allotments": ["Allotments"],
            "txproxy.limits.quotas": ["Quota"],
            "txproxy.limits.requests.concurrency": ["ConcurrencyLimiter"],
            "txproxy.limits.requests.limiter": ["Limiter"],
            "txproxy.limits.requests.limits_middleware": ["LimitsMiddleware"],
            "txproxy.limits.requests.request_limit": ["RequestLimit"],
            "txproxy.limits.shaping": ["Bandwidth"],
            "txproxy.limits.usage": ["IUsage"],
            "txproxy.net.dns.resolver": ["Places", "Resolver", "ResolverLimits"],
            "txproxy.observe.audit": ["AuditLog"],
            "txproxy.proxy.bounds_middleware": ["BoundsMiddleware"],
            "txproxy.proxy.caching.cache_middleware": ["CacheMiddleware"],
            "txproxy.proxy.caching.shared_cache": ["SharedCache"],
            "txproxy.proxy.factory": ["ProxyFactory"],
            "txproxy.proxy.limits": ["Limits"],
            "txproxy.reverse.mode": ["ReverseProxyFactory"],
            "txproxy.reverse.web_resource": ["ReverseProxyResource"],
            "txproxy.stream.stream_factory": ["StreamFactory"],
            "txproxy.upstreams.pool": ["Pool"],
            "txproxy.upstreams.pool_settings": ["PoolSettings"],
        },
    )

__all__ = [
    "ForwardPolicy",
    "ForwardProxyFactory",
    "Pool",
    "PoolSettings",
    "ReverseProxyFactory",
    "ReverseProxyResource",
    "StreamFactory",
    "ProxyFactory",
    "Limits",
    "Resolver",
    "ResolverLimits",
    "Places",
    "Allotments",
    "BoundsMiddleware",
    "Bandwidth",
    "Quota",
    "IUsage",
    "RequestLimit",
    "Rate",
    "Limiter",
    "ConcurrencyLimiter",
    "LimitsMiddleware",
    "AuditLog",
    "CacheMiddleware",
    "SharedCache",
    "MemoryStore",
    "CachePolicy",
    "__version__",
]
