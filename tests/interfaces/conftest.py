"""A reverse proxy with middleware around it."""

import pytest

from txproxy import Pool, PoolSettings, ReverseProxyFactory
from txproxy.testing import ProxyInMemory


@pytest.fixture
def serve():
    made = []

    def serve(*middleware, upstreams=1, **settings):
        urls = [f"http://10.0.0.{number}" for number in range(1, upstreams + 1)]
        pool = Pool(urls, settings=PoolSettings(**settings))
        made.append(ProxyInMemory(lambda reactor: ReverseProxyFactory(pool, middleware=middleware, reactor=reactor)))
        return made[-1]

    yield serve
    for proxy in made:
        proxy.close()
