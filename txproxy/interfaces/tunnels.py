"""Who looks at what clients send into tunnels."""

from __future__ import annotations

from typing import Protocol


class Gatekeeper(Protocol):
    """Looks at what a client sends into a tunnel first, before any of it goes on. ``farewell`` is what a client that is
    turned away gets, in the protocol that it speaks there.
    """

    farewell: bytes

    def opens(self, data: bytes) -> bool:
        """Whether the tunnel may begin, given all that the client has sent so far; False if it takes more to tell. An
        ``ExchangeError`` ends the tunnel.
        """
