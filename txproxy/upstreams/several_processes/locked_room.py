"""The upstreams of a pool that have :mod:`~txproxy.upstreams.several_processes.locked_places`."""

from __future__ import annotations

from collections.abc import Callable
from random import random
from typing import Any, Final

import attrs

from txproxy.cluster.record_locks import SPAN, RecordLocks, first_place
from txproxy.upstreams.pool import Pool
from txproxy.upstreams.several_processes.locked_places import LockedPlaces
from txproxy.upstreams.upstream import Upstream

# Of a bound that is greater than so many times the number of processes, what all of them claim may be too many by less
# than one for each of them, and costs no calls of the kernel.
EACH: Final = 8


@attrs.frozen
class _Door:
    """See :class:`txproxy.upstreams.several_processes.locked_places.Door`."""

    room: LockedRoom
    upstream: Upstream

    def shut(self, seconds: float) -> None:
        """See :class:`txproxy.upstreams.several_processes.locked_places.Door`."""
        self.room.shut(self.upstream, seconds)

    def seconds(self) -> float:
        """See :class:`txproxy.upstreams.several_processes.locked_places.Door`."""
        return self.room.pool.seconds()


class LockedRoom:
    """Those of ``pool``. One without a free place is full for as long as nobody looks again, and while others are let
    in before this process: it looks after a few milliseconds, and only where it has just found none. ``lot`` draws a
    number from 0 to 1.
    """

    def __init__(self, pool: Pool, locks: RecordLocks, lot: Callable[[], float] = random) -> None:
        self.pool = pool
        self._locks = locks
        self._lot = lot
        # those that are full, and when to look again
        self._shut: dict[Upstream, float] = {}
        self._timer: Any = None

    @staticmethod
    def suits(most: int, processes: int) -> bool:
        """Whether a bound is so small that shares of so many processes would not do."""
        return 0 < most <= min(EACH * processes, SPAN - 1)

    def let_in(self, upstream: Upstream) -> None:
        """Its requests have places from now on."""
        if upstream.places is None:
            first = first_place(self.pool.name, upstream.name)
            upstream.places = LockedPlaces(self._locks, first, upstream.max, _Door(self, upstream), self._lot)
            upstream.places.begin(upstream.active)
        upstream.places.enforced = True

    @staticmethod
    def let_go(upstream: Upstream) -> None:
        """They have no bound by that any more; those that have places keep them until they end."""
        if upstream.places is not None:
            upstream.places.enforced = False

    def shut(self, upstream: Upstream, seconds: float) -> None:
        """It gets no more requests before so many seconds have passed, or one of its own has ended."""
        pool = self.pool
        upstream.room = float(upstream.active)
        if pool.clock is None:
            # Nobody serves yet.
            return
        self._shut[upstream] = due = pool.seconds() + seconds
        if self._timer is None:
            self._timer = pool.clock.callLater(seconds, self._look_again)
        elif due < self._timer.getTime():
            self._timer.reset(seconds)

    def _look_again(self) -> None:
        self._timer = None
        pool, now = self.pool, self.pool.seconds()
        opened = [upstream for upstream, due in self._shut.items() if due <= now]
        for upstream in opened:
            del self._shut[upstream]
        pool.look_again(opened)
        for upstream in opened:
            if upstream.places is not None:
                upstream.places.stand(pool.waiting > 0 and upstream in self._shut)
        if self._shut and self._timer is None:
            self._timer = pool.clock.callLater(max(0.0, min(self._shut.values()) - now), self._look_again)
