"""Proxies whose clients are seen."""

import attrs
import pytest

from txproxy.admin.connections.connection_verbs import ConnectionVerbs
from txproxy.admin.connections.exchange_verbs import ExchangeVerbs
from txproxy.admin.connections.failed_exchanges import FailedExchanges
from txproxy.observe.log_formats.connection_facts import Connections
from txproxy.observe.request_counts import RequestCounts
from txproxy.reverse.mode import ReverseProxyFactory
from txproxy.testing import ProxyInMemory
from txproxy.upstreams.pool import Pool


@attrs.define
class View:
    proxies: dict = attrs.field(factory=dict)
    numbers: Connections = attrs.field(factory=Connections)
    failed: FailedExchanges = attrs.field(factory=FailedExchanges)

    @property
    def clients(self):
        return [(name, one) for name, proxy in self.proxies.items() for one in proxy.factory.admission.everyone()]


@pytest.fixture
def view():
    return View()


@pytest.fixture
def make(view):
    """A proxy of this factory, as a listener of a name."""

    def make(name, factory):
        view.proxies[name] = proxy = ProxyInMemory(factory)
        return proxy

    yield make
    for proxy in view.proxies.values():
        proxy.close()


@pytest.fixture
def proxy(make):
    """A reverse proxy; somebody is told of its requests, as it has to be for them to have an age."""
    pool = Pool(["http://10.0.0.1:80"], name="app")
    observers = (lambda record: None,)
    return make("edge", lambda clock: ReverseProxyFactory(pool, observers=observers, reactor=clock))


@pytest.fixture
def client(serve, view, clock):
    return serve([*ConnectionVerbs(view, clock).verbs(), *ExchangeVerbs(view, clock).verbs()])


@pytest.fixture
def balanced(make, view):
    """Three upstreams, and somebody who remembers what has failed."""
    pool = Pool([f"http://10.0.0.{number}:80" for number in (1, 2, 3)], "first", name="app")
    counts = RequestCounts(view.failed.of("edge"))
    return make("edge", lambda clock: ReverseProxyFactory(pool, observers=(counts.exchange,), reactor=clock)), pool
