"""A reverse proxy in memory whose clients speak HTTP/2."""

import pytest

from tests.proxy.downstream.http2.http2_peer import Http2Peer
from txproxy import Limits, Pool, ReverseProxyFactory
from txproxy.testing import ProxyInMemory

LIMITS = Limits(max_body_size=200_000, max_connections=2)


class World:
    """A proxy, and what it has recorded."""

    def __init__(self, upstreams=("http://10.0.0.1:80",), **settings):
        self.records = []
        settings = {"limits": LIMITS, "via": None, "observers": (self.records.append,), **settings}
        self.proxy = ProxyInMemory(
            lambda reactor: ReverseProxyFactory(Pool(upstreams), h2c=True, reactor=reactor, **settings)
        )

    def client(self, **more):
        return Http2Peer(self.proxy.connect(), **more)

    def close(self):
        self.proxy.close()

    @property
    def upstreams(self):
        return self.proxy.network.connections

    @property
    def outcomes(self):
        return [record.outcome for record in self.records]


@pytest.fixture
def make_world(closing):
    return lambda **settings: closing(World(**settings))


@pytest.fixture
def world(make_world):
    return make_world()
