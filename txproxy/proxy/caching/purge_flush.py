"""When what was purged survives a power failure: one write to the disk for all who wait, and one for those since."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

# Calls what takes long in a thread.
InThread: TypeAlias = "Callable[[Callable[[], None]], Deferred[None]]"


class PurgeFlush:
    """Has ``flushing`` give what is to be called, and ``in_thread`` call it."""

    __slots__ = ("_flushing", "_in_thread", "_under_way", "_next")

    def __init__(self, flushing: Callable[[], Callable[[], None]], in_thread: InThread) -> None:
        self._flushing = flushing
        self._in_thread = in_thread
        self._under_way: list[Deferred[None]] = []
        # those that have come while it was under way, which may be about less
        self._next: list[Deferred[None]] = []

    def flushed(self) -> Deferred[None]:
        """Fires when all that was purged until now is on the disk, or with the OSError that it cannot be."""
        waiter: Deferred[None] = Deferred()
        self._next.append(waiter)
        if not self._under_way:
            self._begin()
        return waiter

    def _begin(self) -> None:
        self._under_way, self._next = self._next, []
        try:
            flushed = self._in_thread(self._flushing())
        except OSError:
            self._ended(Failure())
        else:
            flushed.addBoth(self._ended)

    def _ended(self, result: Failure | None) -> None:
        waiters, self._under_way = self._under_way, []
        if self._next:
            self._begin()
        for waiter in waiters:
            waiter.callback(result)
