"""A tunnel whose speed is bounded, between two connections in memory."""

from txproxy import Limits
from txproxy.interfaces import Bounds
from txproxy.proxy.tunnel import Tunnel
from txproxy.testing import MemoryConnection

LIMITS = Limits(tunnel_age=100.0, tunnel_timeout=10.0, idle_timeout=4.0)


class Allowed:
    """An allowance of as many bytes as a test says."""

    def __init__(self, more):
        self.more, self.left, self.closed = more, 0, False
        self.asked = []

    def take(self, size):
        self.asked.append(size)
        taken = min(size, self.left)
        self.left -= taken
        return taken

    def close(self):
        self.closed = True

    def grant(self, size):
        self.left += size
        self.more()


class Shaper:
    def up(self, more):
        self.of_client = Allowed(more)
        return self.of_client

    def down(self, more):
        self.of_upstream = Allowed(more)
        return self.of_upstream


class Peer:
    """A protocol that hands all on to an end of a tunnel."""

    def makeConnection(self, transport):
        self.transport = transport

    def __getattr__(self, name):
        return getattr(self.end, name)


class Shaped:
    """A tunnel between two connections, with a shaper."""

    def __init__(self, proxy, bounds=None):
        self.shaper, self.closed = Shaper(), []
        peers = Peer(), Peer()
        self.client, self.upstream = (MemoryConnection(proxy.clock, peer) for peer in peers)
        self.tunnel = Tunnel(
            proxy.factory.services, self.client, self.upstream, self.closed.append, bounds or Bounds(shaper=self.shaper)
        )
        peers[0].end, peers[1].end = self.tunnel.client, self.tunnel.upstream
        for connection, peer in zip((self.client, self.upstream), peers, strict=True):
            connection.registerProducer(peer, True)
