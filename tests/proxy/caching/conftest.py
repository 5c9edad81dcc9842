"""Proxies with a cache."""

import pytest

from tests.proxy.caching.caching_proxy import CachingProxy


@pytest.fixture
def make():
    made = []

    def make(*middleware, **words):
        made.append(CachingProxy(*middleware, **words))
        return made[-1]

    yield make
    for proxy in made:
        assert not proxy.cache.fills, "something is still being fetched"
        proxy.close()
        assert not proxy.factory.services.errands


@pytest.fixture
def proxy(make):
    return make()
