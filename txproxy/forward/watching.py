"""Files of policy (lists, passwords), read again when they change, for as long as somebody listens."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeAlias, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorThreads
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

_log = Logger()

T = TypeVar("T")
Look: TypeAlias = "Callable[[], Awaitable[object]]"

_EVERY: Final = 10.0


class FileWatch:
    """Calls each of ``looks`` every ten seconds. One that fails is said loudly, and called again the next time."""

    def __init__(self, reactor: Any, looks: Sequence[Look]) -> None:
        self._reactor = reactor
        self._looks = tuple(looks)
        self._timer: IDelayedCall | None = None
        self._looking: Deferred[None] | None = None

    def start(self) -> None:
        """Begin; what has changed since it was read is seen after the first interval."""
        if self._looks:
            self._timer = self._reactor.callLater(_EVERY, self._look)

    def stop(self) -> None:
        """Look no more."""
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        looking, self._looking = self._looking, None
        if looking is not None:
            looking.cancel()

    def _look(self) -> None:
        self._timer = None
        self._looking = looking = Deferred.fromCoroutine(self._look_at_all())
        looking.addBoth(self._again)

    async def _look_at_all(self) -> None:
        for look in self._looks:
            try:
                await look()
            except Exception:
                _log.failure("a file could not be looked at")

    def _again(self, _: object) -> None:
        if self._looking is not None:
            self._looking = None
            self._timer = self._reactor.callLater(_EVERY, self._look)


def in_threads(reactor: Any) -> Callable[[Callable[[], T]], Awaitable[T]]:
    """Runs a function in a thread of ``reactor``; at once, if that has none."""

    async def at_once(function: Callable[[], T]) -> T:
        return function()

    def in_a_thread(function: Callable[[], T]) -> Awaitable[T]:
        done: Deferred[T] = deferToThreadPool(reactor, reactor.getThreadPool(), function)
        return done

    return in_a_thread if IReactorThreads.providedBy(reactor) else at_once
