"""Proxies of the tcp mode, in memory."""

import pytest

from txproxy import Limits, Pool
from txproxy.stream.stream_factory import StreamFactory
from txproxy.testing import ProxyInMemory
from txproxy.upstreams.pool_settings import PoolSettings


@pytest.fixture
def ended():
    return []


@pytest.fixture
def make_proxy(ended):
    """Serves a pool; keyword arguments are the factory's."""
    made = []

    def make_proxy(pool, **words):
        made.append(
            ProxyInMemory(lambda reactor: StreamFactory(pool, observers=(ended.append,), reactor=reactor, **words))
        )
        return made[-1]

    yield make_proxy
    for proxy in made:
        proxy.close()
        assert not proxy.factory.streams


@pytest.fixture
def proxy(make_proxy):
    return make_proxy(Pool(["http://10.0.0.1:5432", "http://10.0.0.2:5432"]), limits=Limits(max_connections=2))


@pytest.fixture
def serve(make_proxy):
    """Serves two upstreams; keyword arguments are the pool's settings."""

    def serve(*more, **settings):
        pool = Pool(["http://10.0.0.1:5432" + "".join(more), "http://10.0.0.2:5432"], settings=PoolSettings(**settings))
        proxy = make_proxy(pool)
        proxy.pool = pool
        return proxy

    return serve
