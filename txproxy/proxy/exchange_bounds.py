"""What bounds one exchange at work: valves for the bodies of its request and response, and whoever counts them."""

from __future__ import annotations

from typing import Protocol

from txproxy.interfaces.allowances import Bounds, Metered
from txproxy.proxy.throttle import Valve
from txproxy.proxy.tunnel import Tunnel


class Bounded(Metered, Protocol):
    """An exchange, as far as its bounds are concerned."""

    def deliver_request(self, data: bytes) -> None:
        """Part of the request's body may go to the upstream."""

    def hold_request(self) -> None:
        """Bring no more of the request's body."""

    def release_request(self) -> None:
        """Bring more of it."""

    def deliver_response(self, data: bytes) -> None:
        """Part of the response's body may go to the client."""

    def hold_response(self) -> None:
        """Read no more of the upstream."""

    def release_response(self) -> None:
        """Read on."""


class Bound:
    """The bounds of one exchange. ``up`` and ``down`` are its valves, None where its speed is not bounded; ``tunnel``
    is what it became, if it did.
    """

    __slots__ = ("up", "down", "tunnel", "bounds", "_exchange")

    def __init__(self, bounds: Bounds, exchange: Bounded) -> None:
        self.bounds = bounds
        self.tunnel: Tunnel | None = None
        self._exchange = exchange
        self.up: Valve | None = None
        self.down: Valve | None = None
        shaper = bounds.shaper
        if shaper is not None:
            self.up = Valve(shaper.up, exchange.deliver_request, exchange.hold_request, exchange.release_request)
            self.down = Valve(shaper.down, exchange.deliver_response, exchange.hold_response, exchange.release_response)
        if bounds.meter is not None:
            bounds.meter.began(exchange)

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
