"""A reverse proxy with a cache, in memory, and a clock by which responses grow old."""

from email.utils import formatdate

import attrs

from txproxy import Pool, ReverseProxyFactory
from txproxy.cache.memory.memory_store import MemoryStore
from txproxy.cache.policy import FOR_REVERSE
from txproxy.proxy.caching.cache_middleware import CacheMiddleware
from txproxy.proxy.caching.shared_cache import SharedCache
from txproxy.testing import ProxyInMemory

START = 1_000_000_000.0
SIZE = 1 << 22


def get(path="/x", method="GET", **fields):
    """A request; ``if_none_match`` stands for If-None-Match."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return f"{method} {path} HTTP/1.1\r\nHost: a\r\n{lines}\r\n".encode()


def date(after=0):
    """A date so many seconds after the beginning."""
    return formatdate(START + after, usegmt=True)


class CachingProxy(ProxyInMemory):
    """Asks ``upstream``; ``now`` is what its cache has for the time."""

    def __init__(self, *middleware, upstreams=("http://10.0.0.1:80",), build=None, size=SIZE, store=None, **policy):
        self.now = START
        self.finished = []
        self.policy = attrs.evolve(FOR_REVERSE, **policy)
        self.store = MemoryStore(size) if store is None else store
        self.cache = SharedCache(self.store, lambda request, context: self.policy, now=lambda: self.now)
        inner = CacheMiddleware(self.cache)

        def make(reactor):
            if build is not None:
                return build(reactor, [*middleware, inner], (self.finished.append,))
            pool = Pool(list(upstreams))
            return ReverseProxyFactory(
                pool, observers=(self.finished.append,), middleware=[*middleware, inner], reactor=reactor
            )

        super().__init__(make)

    def response(self, body="hello", status="200 OK", date_=None, length=None, **fields):
        """A response of the origin's."""
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
        when = formatdate(self.now, usegmt=True) if date_ is None else date_
        size = len(body) if length is None else length
        framed = f"Content-Length: {size}\r\n" if status[:3] not in ("304", "204") else ""
        return f"HTTP/1.1 {status}\r\nDate: {when}\r\n{lines}{framed}\r\n{body}".encode()

    def ask(self, request, response=None):
        """What a client gets, and what the origin was asked, or None; it answers with ``response``."""
        client = self.connect()
        asked = len(self.network.connections)
        for connection in self.network.connections:
            connection.take()
        client.send(request)
        sent = [one for one in self.network.connections if one.received]
        if not sent:
            assert asked == len(self.network.connections)
            return Got(client.take()), None
        question = sent[-1].take()
        if response is not None:
            sent[-1].send(response)
        return Got(client.take()), question

    def herd(self, *requests):
        """A client for each of these, all at once."""
        clients = [self.connect() for _ in requests]
        for client, request in zip(clients, requests, strict=True):
            client.send(request)
        return clients

    def questions(self):
        """What the origin was asked since the last time: each connection and its request."""
        return [(one, one.take()) for one in self.network.connections if one.received]

    def question(self):
        """The one question that there is: its connection, and what was asked."""
        (found,) = self.questions()
        return found

    def pass_time(self, seconds):
        """So many seconds later."""
        self.now += seconds


def got(clients):
    """What each of the clients got."""
    return [Got(client.take()) for client in clients]


class Got:
    """What a client got."""

    def __init__(self, data):
        self.data = data
        head, _, self.body = data.partition(b"\r\n\r\n")
        first, *lines = head.split(b"\r\n")
        self.status = int(first.split()[1]) if first else 0
        self.fields = {}
        for line in lines:
            name, _, value = line.partition(b": ")
            name = name.lower().decode()
            self.fields[name] = self.fields[name] + b", " + value if name in self.fields else value

    @property
    def told(self):
        """What Cache-Status says."""
        return self.fields.get("cache-status", b"").decode()
