"""Via of what a forward proxy has kept."""

import pytest

from tests.proxy.caching.caching_proxy import CachingProxy, get
from txproxy.forward import ForwardPolicy, ForwardProxyFactory


@pytest.fixture
def proxy():
    def build(reactor, middleware, observers):
        policy = ForwardPolicy(allow_destinations=("10.0.0.0/8",), via="edge")
        return ForwardProxyFactory(policy, middleware=middleware, observers=observers, reactor=reactor)

    made = CachingProxy(build=build)
    yield made
    made.close()


def request(path="/x"):
    return get(path).replace(path.encode(), b"http://10.0.0.1" + path.encode(), 1)


def vias(got):
    return got.fields.get("via", b"").count(b"edge")


def test_each_response_has_it_once(proxy):
    for _ in range(3):
        got, asked = proxy.ask(request(), proxy.response(cache_control="max-age=60"))
        assert (vias(got), got.body) == (1, b"hello")
    assert asked is None


def test_so_has_what_is_not_kept(proxy):
    for _ in range(3):
        got, asked = proxy.ask(request(), proxy.response(cache_control="no-store"))
        assert asked is not None and vias(got) == 1


def test_so_has_what_came_in_an_old_version(proxy):
    response = proxy.response(cache_control="no-store").replace(b"HTTP/1.1", b"HTTP/1.0", 1)
    got, _ = proxy.ask(request(), response)
    assert got.fields["via"].startswith(b"1.0 edge")


def test_that_of_others_stays(proxy):
    for _ in range(2):
        got, _ = proxy.ask(request(), proxy.response(cache_control="max-age=60", via="1.1 other"))
        assert got.fields["via"].startswith(b"1.1 other, 1.1 edge")
