"""What bounds one exchange at work: valves for the bodies of its request and response, and whoever counts them."""

from __future__ import annotations

from typing import Protocol

from txproxy.interfaces.allowances import Bounds, Metered
from txproxy.interfaces.streams import ClientStream, UpstreamStream
from txproxy.proxy.throttle import Valve


class Bounded(Metered, Protocol):
    """An exchange, as far as its bounds are concerned."""

    downstream: ClientStream
    # the connection to the upstream, while there is one
    upstream: UpstreamStream | None
    # whether more of the request's body is to be brought
    wants_body: bool
    # whether the upstream had to wait with its response
    held: bool

    def release_request(self) -> None:
        """Bring more of the request's body."""

    def pass_to_client(self, data: bytes) -> None:
        """Part of the response's body goes to the client."""


class Bound:
    """The bounds of one exchange. ``up`` and ``down`` are its valves, None where its speed is not bounded."""

    __slots__ = ("up", "down", "bounds", "_exchange")

    def __init__(self, bounds: Bounds, exchange: Bounded) -> None:
        self.bounds = bounds
        self._exchange = exchange
        self.up: Valve | None = None
        self.down: Valve | None = None
        shaper = bounds.shaper
        if shaper is not None:
            self.up = Valve(shaper.up, self._send, self._bring_no_more, exchange.release_request)
            self.down = Valve(shaper.down, self._deliver, self._read_no_more, self._read_on)
        if bounds.meter is not None:
            bounds.meter.began(exchange)

    def _send(self, data: bytes) -> None:
        upstream = self._exchange.upstream
        if upstream is not None:
            upstream.send_body(data)
            upstream.flush()

    def _bring_no_more(self) -> None:
        self._exchange.wants_body = False

    def _deliver(self, data: bytes) -> None:
        self._exchange.pass_to_client(data)
        self._exchange.downstream.flush()

    def _read_no_more(self) -> None:
        self._exchange.held = True
        if self._exchange.upstream is not None:
            self._exchange.upstream.pause_response()

    def _read_on(self) -> None:
        if self._exchange.upstream is not None:
            self._exchange.upstream.resume_response()

    def close_valves(self) -> None:
        """No body passes any more; a tunnel has valves of its own."""
        if self.up is not None and self.down is not None:
            self.up.close()
            self.down.close()

    def ended(self) -> None:
        """The exchange is over."""
        self.close_valves()
        if self.bounds.meter is not None:
            self.bounds.meter.ended(self._exchange)
