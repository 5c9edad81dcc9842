"""How many retries a pool may have at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from txproxy.errors import ExchangeError
from txproxy.upstreams.upstream import Upstream

# Retries may be so many of the requests that a pool has at once, and a few where it has few (as Envoy's and Finagle's
# retry budgets): an outage must not be multiplied.
_BUDGET: Final = 0.2
_LEAST_RETRIES: Final = 3


def within_budget(retrying: int, active: int) -> bool:
    """Whether a pool that has so many retries, and so many requests in all, may have one more."""
    return retrying < max(_LEAST_RETRIES, _BUDGET * active)


class RetryCount(Protocol):
    """Who knows how many retries there are: a pool."""

    retrying: int


class Retry:
    """The party of a retry: counts against the budget until it is ``answered``. What has begun then may last for hours,
    as downloads and tunnels do.
    """

    __slots__ = ("_pool", "_upstream", "_answered", "_counts")

    def __init__(self, pool: RetryCount, upstream: Upstream, answered: Callable[[int], None] | None) -> None:
        self._pool = pool
        self._upstream = upstream
        self._answered = answered
        self._counts = True
        pool.retrying += 1

    def _over(self) -> None:
        if self._counts:
            self._counts = False
            self._pool.retrying -= 1

    def answered(self, status: int) -> None:
        """The final response has begun, or the tunnel."""
        self._over()
        if self._answered is not None:
            self._answered(status)

    def ended(self, fault: ExchangeError | None, status: int) -> None:
        """See :class:`txproxy.interfaces.Tracker`."""
        self._over()
        self._upstream.ended(fault, status)
