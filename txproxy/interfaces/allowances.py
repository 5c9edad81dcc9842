"""What an exchange or a tunnel may use: how fast bytes pass, how many, and for how long; and how much of the work one
of several may be given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from txproxy.errors import ExchangeError
from txproxy.frozen_values import frozen

# The greatest weight of an upstream or a parent, and so the range of all of them (SRV has up to 65535, HAProxy 256).
MOST_WEIGHT: Final = 1_000_000


class Allowance(Protocol):
    """How much may pass in one direction of an exchange or tunnel."""

    def take(self, size: int) -> int:
        """How many of ``size`` bytes may pass now. If not all of them, ``more`` (see :class:`Shaper`) is called when
        it is worth asking again.
        """

    def close(self) -> None:
        """Nothing more will pass."""


class Shaper(Protocol):
    """Bounds how fast bytes pass. What shares a bound has its own allowance of it; ``more`` is called without
    arguments.
    """

    def up(self, more: Callable[[], None]) -> Allowance:
        """An allowance for bytes from the client."""

    def down(self, more: Callable[[], None]) -> Allowance:
        """An allowance for bytes to the client."""


class Metered(Protocol):
    """An exchange, for who counts its bytes."""

    def carried(self) -> int:
        """Bytes of bodies, or of the tunnel that it became, both ways and up to now."""

    def abandon(self, fault: ExchangeError) -> None:
        """End it now, whatever it is doing: by a refusal, or by cutting what has begun."""


class Meter(Protocol):
    """Counts the bytes of exchanges. Each that began ends."""

    def began(self, exchange: Metered) -> None:
        """Bytes may pass from now on."""

    def ended(self, exchange: Metered) -> None:
        """No more will."""


@frozen(kw_only=True)
class Bounds:
    """What an exchange, or the tunnel that it becomes, may use: ``shaper`` bounds its speed, ``meter`` counts its
    bytes, and ``tunnel_age`` and ``tunnel_timeout`` are in seconds, in place of the proxy's own. None: not bounded.
    """

    shaper: Shaper | None = None
    meter: Meter | None = None
    tunnel_age: float | None = None
    tunnel_timeout: float | None = None


@frozen
class LimitHit:
    """What a limit of requests, of that ``name``, has made of one: it was ``"refused"``, ``"delayed"``, or ``"passed"``
    because the limit is not enforced.
    """

    name: str
    outcome: str
