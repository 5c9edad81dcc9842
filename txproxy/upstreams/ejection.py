"""Passive health checks: when the traffic itself takes an upstream out of its pool."""

from __future__ import annotations

from enum import Enum
from typing import Final

from txproxy.errors import ConfigError, ExchangeError, OutOfSockets
from txproxy.frozen_values import frozen

# What of upstreams counts for their ejection, and the statuses by which gateways say that they reach nobody.
EJECT_ON: Final = ("gateway", "5xx")
_OF_GATEWAYS: Final = frozenset({502, 503, 504})
# How long one request at a time tries who was out, in seconds, before another one may as well.
TRIAL: Final = 10.0


class Breaker(Enum):
    """The circuit breaker of an upstream (as in Nygard, Release It!)."""

    CLOSED = "closed"  # all may be sent
    OPEN = "open"  # nothing is
    HALF_OPEN = "half-open"  # one request at a time, to see whether it works again


@frozen(kw_only=True)
class Ejection:
    """When traffic itself takes an upstream out (as Envoy's outlier detection): after so many ``failures`` in a row,
    for ``base`` seconds times how often that has happened, at most ``longest``; never more than ``share`` of a pool,
    and never the last one. After that time one request at a time is let through until one succeeds.

    ``eject_on`` says what a failure is. ``"gateway"``: no connection, a reset, no answer in time, and the statuses 502,
    503 and 504. ``"5xx"``: all other statuses from 500 on and malformed answers as well, which is only good where no
    client can make healthy upstreams answer so.
    """

    eject_on: str = "gateway"
    failures: int = 5
    base: float = 30.0
    longest: float = 300.0
    share: float = 0.5

    def __attrs_post_init__(self) -> None:
        if self.eject_on not in EJECT_ON:
            raise ConfigError(f"{self.eject_on!r} is no failure", f"accepted: {', '.join(EJECT_ON)}", ("eject_on",))

    def seconds(self, times: int) -> float:
        """How long it is for who was taken out so many ``times``."""
        return min(self.base * times, self.longest)

    def is_failure(self, fault: ExchangeError | None, status: int) -> bool:
        """Whether an attempt that ended so counts against its upstream."""
        if isinstance(fault, OutOfSockets):
            return False
        if self.eject_on == "5xx":
            return fault is not None or status >= 500
        return fault.connection_failed if fault is not None else status in _OF_GATEWAYS
