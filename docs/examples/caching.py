"""A reverse proxy that keeps what it is told to keep, and pictures for an hour."""

from twisted.internet import endpoints, reactor

from txproxy import CacheMiddleware, CachePolicy, MemoryStore, Pool, ReverseProxyFactory, SharedCache
from txproxy.interfaces import RequestContext, RequestHead

USUAL = CachePolicy(targeted=[b"cdn-cache-control"])
PICTURES = CachePolicy(targeted=[b"cdn-cache-control"], ttl={200: 3600})


def policy_of(request: RequestHead, context: RequestContext) -> CachePolicy | None:
    """What is said of caching a request; None for what is not to be cached."""
    if request.path.startswith(b"/account/"):
        return None
    return PICTURES if request.path.startswith(b"/pictures/") else USUAL


cache = SharedCache(MemoryStore(64 << 20), policy_of)
pool = Pool(["http://127.0.0.1:8001"])
factory = ReverseProxyFactory(pool, middleware=[CacheMiddleware(cache)])
endpoints.serverFromString(reactor, "tcp:8080:interface=127.0.0.1").listen(factory)
reactor.run()
