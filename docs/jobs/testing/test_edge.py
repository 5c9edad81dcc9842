from txproxy import Pool, ReverseProxyFactory
from txproxy.interfaces import Refusal
from txproxy.testing import ProxyInMemory


class NoRobots:
    """A middleware of one's own."""

    def handle(self, request, context, proceed):
        if b"robot" in request.headers.index.get(b"user-agent", b""):
            return Refusal(403, detail="robots are not for here")
        return proceed(request, context)


def proxy():
    pool = Pool(["http://10.0.0.1:80"])
    return ProxyInMemory(lambda reactor: ReverseProxyFactory(pool, middleware=[NoRobots()], reactor=reactor))


def test_people_pass():
    made = proxy()
    client = made.connect()
    client.send(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
    made.upstream.send(b"HTTP/1.1 204 No Content\r\n\r\n")
    assert client.received.startswith(b"HTTP/1.1 204 ")
    made.close()


def test_robots_do_not():
    made = proxy()
    client = made.connect()
    client.send(b"GET / HTTP/1.1\r\nHost: a.example\r\nUser-Agent: a robot\r\n\r\n")
    assert client.received.startswith(b"HTTP/1.1 403 ")
    made.close()


def test_a_server_that_is_silent_is_given_up():
    made = proxy()
    client = made.connect()
    client.send(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
    made.advance(61)
    assert client.received.startswith(b"HTTP/1.1 504 ")
    made.close()
