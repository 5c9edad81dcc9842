"""A proxy with clients and upstreams in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock

from txproxy.testing.memory_connection import MemoryConnection
from txproxy.testing.memory_network import MemoryNetwork


class ProxyInMemory:
    """A proxy between in-memory clients and upstreams. ``make`` builds its factory on the reactor that it is given."""

    def __init__(self, make: Callable[[Any], Any]) -> None:
        self.clock = Clock()
        self.network = MemoryNetwork(self.clock)
        self.factory = make(self.clock)
        self.factory.services.dialer = self.network
        self.factory.doStart()
        self.clients: list[MemoryConnection] = []

    def connect(self, host: str = "127.0.0.1") -> MemoryConnection:
        """A client at ``host`` connects."""
        protocol = self.factory.buildProtocol(IPv4Address("TCP", host, 50000))
        client = MemoryConnection(self.clock, protocol)
        self.clients.append(client)
        return client

    @property
    def upstream(self) -> MemoryConnection:
        """The newest upstream connection."""
        return self.network.connections[-1]

    def exchange(self, request: bytes, response: bytes) -> tuple[MemoryConnection, MemoryConnection]:
        """One request and its response over a new client connection; gives both connections."""
        client = self.connect()
        client.send(request)
        upstream = self.upstream
        upstream.send(response)
        return client, upstream

    def advance(self, seconds: float) -> None:
        """Let time pass, from timer to timer: each finds the time at which it is due."""
        end = self.clock.seconds() + seconds
        while (due := min((call.getTime() for call in self.clock.getDelayedCalls()), default=end)) < end:
            self.clock.advance(max(0, due - self.clock.seconds()))
        self.clock.advance(end - self.clock.seconds())

    def close(self) -> None:
        """Everybody leaves; what is left behind is an ``AssertionError``."""
        for client in self.clients:
            client.drop()
        self.clock.advance(0)
        self.factory.doStop()
        self.factory.stop()
        self.clock.advance(0)
        self.advance(10)
        assert all(connection.closed for connection in self.network.connections), "an upstream connection is open"
        assert not self.clock.getDelayedCalls(), f"a timer is left: {self.clock.getDelayedCalls()}"
