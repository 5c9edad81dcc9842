"""A reverse proxy in memory, which leaves nothing behind."""

import pytest

from txproxy import Limits, Pool, ReverseProxyFactory
from txproxy.testing import ProxyInMemory

LIMITS = Limits(max_body_size=1000, max_connections=2, keep_per_address=2)


@pytest.fixture
def make(closing):
    """Makes reverse proxies before one upstream, with these limits."""

    def make(limits=LIMITS, upstreams=("http://10.0.0.1:80",), **settings):
        def build(reactor):
            return ReverseProxyFactory(Pool(upstreams), limits=limits, reactor=reactor, via=None, **settings)

        return closing(ProxyInMemory(build))

    return make


@pytest.fixture
def make_seen(make):
    """The same, with the list of what they record."""

    def make_seen(limits=LIMITS):
        records = []
        return make(limits, observers=(records.append,)), records

    return make_seen


@pytest.fixture
def proxy(make):
    return make()
