"""The gate of a tunnel: holds what the client sends first until it is known to be in order.

The client has its 200, and the connection to the other side stands, but not one byte goes there before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from twisted.python.failure import Failure

from txproxy.errors import ExchangeError, RequestError, UpstreamClosed
from txproxy.interfaces.plan import Gatekeeper
from txproxy.net.deadlines import Deadlines, TimeLimit

_GONE: Final = "the client closed the connection before the tunnel could begin"


class Home(Protocol):
    """What a gate needs of the factory that it belongs to."""

    deadlines: Deadlines
    header_limit: TimeLimit


class Gate:
    """What stands in a tunnel's place until it may begin. It is the client's end; ``upstream`` is the other one.

    Either ``opened(from_client, from_upstream)`` is called with the bytes that were held, or ``refused`` with the
    reason, and then both connections are closed.
    """

    __slots__ = ("upstream", "deadline", "_home", "_client", "_keeper", "_opened", "_refused", "_held")

    def __init__(
        self,
        home: Home,
        client: Any,
        upstream: Any,
        keeper: Gatekeeper,
        opened: Callable[[bytes, bytes], None],
        refused: Callable[[ExchangeError], None],
    ) -> None:
        self.upstream = GateEnd(self, upstream)
        self.deadline = home.header_limit.ahead
        self._home = home
        self._client = client
        self._keeper = keeper
        self._opened: Callable[[bytes, bytes], None] | None = opened
        self._refused = refused
        self._held = b""

    def start(self, from_client: bytes, from_upstream: bytes, client_ended: bool) -> None:
        """Begin, with the bytes that are there already."""
        self._home.deadlines.watch(self)
        if from_upstream:
            self.upstream.dataReceived(from_upstream)
        if from_client:
            self.dataReceived(from_client)
        if client_ended:
            self.readConnectionLost()

    def dataReceived(self, data: bytes) -> None:
        """Hold what the client sends, and look at it."""
        opened = self._opened
        if opened is None:
            return
        self._held += data
        try:
            opens = self._keeper.opens(self._held)
        except ExchangeError as fault:
            self.refuse(fault)
            return
        if opens:
            self._close()
            opened(self._held, self.upstream.take())

    def readConnectionLost(self) -> None:
        """The client sends no more, and it was not enough."""
        self.refuse(RequestError(_GONE))

    def connectionLost(self, reason: Failure) -> None:
        """The client is gone."""
        self.refuse(RequestError(_GONE))

    def pauseProducing(self) -> None:
        """The client is slow, but nothing is sent to it yet."""

    def resumeProducing(self) -> None:
        """It takes more."""

    def abort(self) -> None:
        """End it at once."""
        self.refuse(RequestError("the proxy ended the tunnel before it could begin"))
        self._client.abortConnection()

    def deadline_passed(self) -> None:
        """The client does not say what it wants."""
        self.refuse(RequestError("the tunnel's client was silent for too long", status=408))

    def refuse(self, fault: ExchangeError) -> None:
        """Close both sides."""
        if self._opened is None:
            return
        self._close()
        farewell = self._keeper.farewell
        if farewell and self._held:
            self._client.write(farewell)
        for transport in (self._client, self.upstream.transport):
            transport.unregisterProducer()
            transport.loseConnection()
        self._refused(fault)

    def _close(self) -> None:
        self._opened = None
        self._home.deadlines.forget(self)


class GateEnd:
    """The other side's end."""

    __slots__ = ("transport", "_gate", "_held")

    def __init__(self, gate: Gate, transport: Any) -> None:
        self.transport = transport
        self._gate = gate
        self._held = b""

    def take(self) -> bytes:
        """What came from there; from now on there may be more."""
        held, self._held = self._held, b""
        if held:
            self.transport.resumeProducing()
        return held

    def dataReceived(self, data: bytes) -> None:
        """Hold it: it may come before the client's first word, and is not for one who is turned away."""
        self._held += data
        self.transport.pauseProducing()

    def readConnectionLost(self) -> None:
        """The other side is not there any more."""
        self._gate.refuse(UpstreamClosed("the other side closed the connection before the tunnel could begin"))

    def connectionLost(self, reason: Failure) -> None:
        """The other side is gone."""
        self.readConnectionLost()

    def pauseProducing(self) -> None:
        """Nothing is sent there yet."""

    def resumeProducing(self) -> None:
        """Nothing is sent there yet."""
