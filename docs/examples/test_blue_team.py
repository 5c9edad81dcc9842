"""A middleware of one's own, tested with both sides in memory: pytest test_blue_team.py"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from blue_team import Team, robots

from txproxy import Pool, ReverseProxyFactory
from txproxy.testing import ProxyInMemory


@pytest.fixture
def proxy() -> Iterator[ProxyInMemory]:
    pool = Pool(["http://10.0.0.1"])
    made = ProxyInMemory(lambda reactor: ReverseProxyFactory(pool, middleware=[Team("blue"), robots], reactor=reactor))
    yield made
    made.close()


def test_the_team_is_on_each_response(proxy: ProxyInMemory) -> None:
    client, upstream = proxy.exchange(
        b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    )
    assert b"X-Team: blue\r\n" in client.received and client.received.endswith(b"hi")
    assert upstream.received.startswith(b"GET / HTTP/1.1\r\n")


def test_robots_are_answered_without_an_upstream(proxy: ProxyInMemory) -> None:
    client = proxy.connect()
    client.send(b"GET /robots.txt HTTP/1.1\r\nHost: shop.example\r\n\r\n")
    assert b"Disallow: /" in client.received and not proxy.network.dialed
