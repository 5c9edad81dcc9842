"""What a request of the cache's own gets: told once, and nobody waits because of a fault."""

import pytest

from tests.proxy.caching.caching_proxy import get, got
from txproxy.proxy.caching.filling.fill import Fill

FRESH = {"cache_control": "max-age=60"}


@pytest.mark.parametrize("place", ["head_came", "body_came", "ended", "whole_came", "refused"])
def test_a_fault_is_told_to_all_that_wait(proxy, monkeypatch, place):
    def fails(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(Fill, place, fails)
    clients = proxy.herd(get(), get())
    origin, _ = proxy.question()
    if place == "refused":
        for _ in range(2):
            for one, _ in [(origin, b""), *proxy.questions()]:
                one.drop()
    elif place == "whole_came":
        origin.send(proxy.response(**FRESH))
    else:
        origin.send(proxy.response("hel", length=5, **FRESH))
        origin.send(b"lo")
    proxy.clock.advance(0)
    for client, one in zip(clients, got(clients), strict=True):
        # Of a body of known length all may have come before it is said to be over.
        all_there = place == "ended" and one.body == b"hello"
        assert one.status == 502 or client.closed or client.disconnecting or all_there
    assert not proxy.cache.fills and not proxy.factory.services.errands


def test_it_is_no_record_and_no_client_of_its_own(proxy):
    clients = proxy.herd(get(), get())
    origin, _ = proxy.question()
    origin.send(proxy.response(**FRESH))
    assert len(proxy.finished) == 2 and all(record.status == 200 for record in proxy.finished)
    assert [one.status for one in got(clients)] == [200, 200]


def test_it_is_known_to_the_proxy_until_it_is_over(proxy):
    proxy.herd(get())
    assert len(proxy.factory.services.errands) == 1
    origin, _ = proxy.question()
    origin.send(proxy.response(**FRESH))
    assert not proxy.factory.services.errands


def test_a_connection_is_kept_for_the_next(proxy):
    for path in ("/1", "/2", "/3"):
        proxy.ask(get(path), proxy.response(**FRESH))
    assert len(proxy.network.connections) == 1


def test_it_goes_to_another_upstream_where_one_fails(make):
    proxy = make(upstreams=("http://10.0.0.1:80", "http://10.0.0.2:80"))
    clients = proxy.herd(get(), get())
    proxy.question()[0].drop()
    proxy.question()[0].send(proxy.response(**FRESH))
    assert [one.body for one in got(clients)] == [b"hello"] * 2
