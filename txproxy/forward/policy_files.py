"""Files of policy (lists, passwords), read again when they change, for as long as somebody listens."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeAlias, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorThreads
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

_log = Logger()

T = TypeVar("T")
Look: TypeAlias = "Callable[[], Awaitable[object]]"

_EVERY: Final = 10.0


class FileWatch:
    """Calls each of ``looks`` every ten seconds; one that takes its time holds up no other. One that fails is said
    loudly, and called again the next time.
    """

    def __init__(self, reactor: Any, looks: Sequence[Look]) -> None:
        self._looks = [_Looking(reactor, look) for look in looks]

    def start(self) -> None:
        """Begin; what has changed since it was read is seen after the first interval."""
        for look in self._looks:
            look.start()

    def stop(self) -> None:
        """Look no more."""
        for look in self._looks:
            look.stop()


class _Looking:
    """One look, again and again."""

    def __init__(self, reactor: Any, look: Look) -> None:
        self._reactor = reactor
        self._look = look
        self._timer: IDelayedCall | None = None
        self._running: Deferred[None] | None = None

    def start(self) -> None:
        self._timer = self._reactor.callLater(_EVERY, self._begin)

    def stop(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        running, self._running = self._running, None
        if running is not None:
            running.cancel()

    def _begin(self) -> None:
        self._timer = None
        self._running = running = Deferred.fromCoroutine(self._run())
        running.addBoth(self._again)

    async def _run(self) -> None:
        try:
            await self._look()
        except CancelledError:
            pass
        except Exception:
            _log.failure("a file could not be looked at")

    def _again(self, _: object) -> None:
        if self._running is not None:
            self._running = None
            self.start()


def in_threads(reactor: Any) -> Callable[[Callable[[], T]], Awaitable[T]]:
    """Runs a function in a thread of ``reactor``; at once, if that has none."""

    async def at_once(function: Callable[[], T]) -> T:
        return function()

    def in_a_thread(function: Callable[[], T]) -> Awaitable[T]:
        done: Deferred[T] = deferToThreadPool(reactor, reactor.getThreadPool(), function)
        return done

    return in_a_thread if IReactorThreads.providedBy(reactor) else at_once
