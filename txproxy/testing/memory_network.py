"""A network in memory: the upstreams of a proxy, each of which a test plays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IProtocol
from twisted.internet.task import Clock
from zope.interface import implementer

from txproxy.interfaces.address import Address
from txproxy.interfaces.dialers import IDialer
from txproxy.testing.memory_connection import MemoryConnection


@implementer(IDialer)
class MemoryNetwork:
    """A dialer whose connections are in memory.

    ``dialed`` are the addresses in order, ``connections`` the connections made. By default dialing succeeds at
    once; ``script`` may hold, for the next dials, errors to fail with, or ``"hang"``: those wait in ``hanging`` for
    ``answer``. ``greeting`` is what upstreams say as soon as they are connected to.
    """

    def __init__(self, clock: Clock) -> None:
        self.greeting = b""
        self.dialed: list[Address] = []
        self.connections: list[MemoryConnection] = []
        self.script: list[Exception | str] = []
        self.hanging: list[tuple[Deferred[Any], Address, Callable[[], IProtocol]]] = []
        self._clock = clock

    def dial(self, address: Address, build: Callable[[], IProtocol]) -> Deferred[IProtocol]:
        """See :class:`txproxy.interfaces.IDialer`."""
        self.dialed.append(address)
        step = self.script.pop(0) if self.script else None
        if isinstance(step, Exception):
            return fail(step)
        if step == "hang":
            waiting: Deferred[Any] = Deferred()
            self.hanging.append((waiting, address, build))
            return waiting
        return succeed(self._make(address, build))

    def answer(self) -> None:
        """Let the dial that hangs longest succeed."""
        waiting, address, build = self.hanging.pop(0)
        waiting.callback(self._make(address, build))

    def _make(self, address: Address, build: Callable[[], IProtocol]) -> IProtocol:
        protocol = build()
        self.connections.append(MemoryConnection(self._clock, protocol, address))
        self.connections[-1].send(self.greeting)
        return protocol
