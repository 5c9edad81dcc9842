"""How much there is to do at a place: whether that is when requests have to have passed the challenge."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Final, Protocol

from txproxy.interfaces.context import ResponseFilter
from txproxy.interfaces.processes.shared_levels import SharedLevels

# For so many seconds after the last time that there was too much, it goes on: who stays away because of it is no sign
# that there is less to come.
HOLD: Final = 30.0
_ALL: Final = ""


class Counted(Protocol):
    """A rate of requests (:class:`txproxy.limits.requests.gcra.Gcra`)."""

    @property
    def take(self) -> Callable[[Hashable, float], float]:
        """One comes: less than 0 if there are more than may come."""


class ChallengeLoad:
    """Whether more come than ``rate`` is for, or more than ``active`` are at work, of which ``work`` knows: those of
    all processes, where these tell each other.
    """

    __slots__ = ("_work", "_take", "_active", "_until")

    def __init__(self, rate: Counted | None, active: int | None, work: SharedLevels | None = None) -> None:
        self._work = work if work is not None else SharedLevels()
        self._take = rate.take if rate is not None else None
        self._active = active
        self._until = 0.0

    def comes(self, now: float) -> bool:
        """One comes: whether there is too much to do, or was just now."""
        over = self._take is not None and self._take(_ALL, now) < 0.0
        if over or (self._active is not None and self.at_work >= self._active):
            self._until = now + HOLD
        return now < self._until

    @property
    def at_work(self) -> int:
        """How many are at work now, in all processes."""
        return self._work.of(_ALL)

    def works(self, more: int) -> None:
        """So many more are at work here, or less."""
        self._work.change(_ALL, more)

    @property
    def counts_work(self) -> bool:
        """Whether it has to know when a request is over."""
        return self._active is not None


class AtWork(ResponseFilter):
    """A request that is at work until it is over."""

    def __init__(self, load: ChallengeLoad) -> None:
        self._load = load
        load.works(1)

    def closed(self) -> None:
        """See :class:`txproxy.interfaces.ResponseFilter`."""
        self._load.works(-1)
