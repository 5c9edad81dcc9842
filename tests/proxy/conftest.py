"""A reverse proxy in memory, which leaves nothing behind."""

import pytest

from txproxy import Limits, Pool, ReverseProxyFactory
from txproxy.testing import ProxyInMemory

LIMITS = Limits(max_body_size=1000, max_connections=2, keep_per_address=2)


@pytest.fixture
def proxy():
    made = ProxyInMemory(
        lambda reactor: ReverseProxyFactory(Pool(["http://10.0.0.1:80"]), limits=LIMITS, reactor=reactor, via=None)
    )
    yield made
    made.close()
