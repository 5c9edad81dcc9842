"""A reverse proxy in memory whose routes have actions."""

import pytest

from txproxy import ReverseProxyFactory
from txproxy.reverse.mode import ReverseMode
from txproxy.reverse.routing.matches import Match
from txproxy.reverse.routing.route import Route
from txproxy.testing import ProxyInMemory


@pytest.fixture
def serve():
    """Serves actions, each at its path, in memory."""
    made = []

    def serve(actions, observers=(), trust=None):
        routes = [Route(path, Match(path=path), action) for path, action in actions.items()]
        mode = ReverseMode(routes=routes, trust=trust)
        proxy = ProxyInMemory(lambda reactor: ReverseProxyFactory(mode, observers=observers, reactor=reactor))
        made.append(proxy)
        return proxy

    yield serve
    for proxy in made:
        proxy.close()
