"""Requests to a pool that is served in memory (see ``serve``), and what its upstreams answer."""

from txproxy.testing import context_of
from txproxy.upstreams.ejection import Breaker

GET = b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


# Each request makes a connection of its own, so that it can be told where it went.
OK = b"HTTP/1.1 200 OK\r\nDate: D\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"


BAD = b"HTTP/1.1 503 No\r\nDate: D\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


BODY = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"


CLIENT = context_of("192.0.2.1")


def ask(proxy, answers):
    """One request; ``answers`` maps the last digit of the upstream to what it says. Gives the upstream's digit."""
    client = proxy.connect()
    before = len(proxy.network.connections)
    client.send(GET)
    digit = None
    if len(proxy.network.connections) > before or not client.received:
        upstream = proxy.upstream
        digit = upstream.address.host[-1]
        upstream.send(answers.get(digit, OK))
        upstream.drop(clean=True)
    return digit


def answer_checks(proxy, seconds, answer=OK):
    """Let time pass in which checks are answered."""
    for _ in range(round(seconds * 5)):
        proxy.advance(0.2)
        for connection in proxy.network.connections:
            if not connection.closed and b"GET /hz " in connection.take():
                connection.send(answer)


def states(proxy):
    return [upstream.state for upstream in proxy.pool.upstreams]


def at(proxy, digit):
    """The connections to an upstream."""
    return [one for one in proxy.network.connections if one.address.host[-1] == digit]


def eject_first(proxy):
    """The first upstream fails as often as it may."""
    bad = proxy.pool.upstreams[0]
    while bad.breaker is Breaker.CLOSED:
        ask(proxy, {"1": BAD})
    return bad
