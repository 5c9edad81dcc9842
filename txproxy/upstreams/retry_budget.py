"""How many retries a pool may have at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from txproxy.errors import ExchangeError
from txproxy.interfaces.processes.shared_levels import SharedLevels
from txproxy.upstreams.upstream import Upstream

# Retries may be so many of the requests that a pool has at once, and a few where it has few (as Envoy's and Finagle's
# retry budgets): an outage must not be multiplied.
_BUDGET: Final = 0.2
_LEAST_RETRIES: Final = 3
# Retries are counted by nothing else.
_ALL: Final = ""


class RetryCount:
    """How many retries a pool has: ``levels`` are those of several processes together. Each of these has a part of its
    own requests for retries, which is that part of all; the few that there are in any case are once for all.
    """

    __slots__ = ("levels",)

    def __init__(self) -> None:
        self.levels = SharedLevels()

    def __len__(self) -> int:
        """How many there are in this process."""
        return self.levels.here(_ALL)

    def change(self, count: int) -> None:
        """So many more, or less."""
        self.levels.change(_ALL, count)

    def may_have_one_more(self, active: int) -> bool:
        """Whether there may be one more, where there are so many requests in all in this process."""
        return self.levels.of(_ALL) < _LEAST_RETRIES or len(self) < _BUDGET * active


class Retry:
    """The party of a retry: counts against the budget until it is ``answered``. What has begun then may last for hours,
    as downloads and tunnels do.
    """

    __slots__ = ("_retries", "_upstream", "_answered", "_counts")

    def __init__(self, retries: RetryCount, upstream: Upstream, answered: Callable[[int], None] | None) -> None:
        self._retries = retries
        self._upstream = upstream
        self._answered = answered
        self._counts = True
        retries.change(1)

    def _over(self) -> None:
        if self._counts:
            self._counts = False
            self._retries.change(-1)

    def answered(self, status: int) -> None:
        """The final response has begun, or the tunnel."""
        self._over()
        if self._answered is not None:
            self._answered(status)

    def ended(self, fault: ExchangeError | None, status: int) -> None:
        """See :class:`txproxy.interfaces.Tracker`."""
        self._over()
        self._upstream.ended(fault, status)
