"""A worker's part of the admin API: it does what the master was asked, and says what came of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from inspect import isawaitable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from txproxy.admin.api_call import ApiCall, ApiFault
from txproxy.admin.api_paths import ApiPaths

_log = Logger()


class AdminAnswers:
    """By ``paths``, as they are now. ``say`` gets the number of each question, and what came of it."""

    def __init__(self, paths: Callable[[], ApiPaths], say: Callable[[int, Any], None]) -> None:
        self._paths = paths
        self._say = say
        self._running: dict[int, Deferred[Any]] = {}

    def asked(self, number: int, method: str, path: str, call: ApiCall) -> None:
        """A question: the verb's method, and its path as that is written in it."""
        verb = self._paths().verb(method, path)
        try:
            if verb is None:
                raise ApiFault(404, f"there is no {method} {path} here")
            given = verb.handle(call)
        except Exception:
            self._over(number, Failure())
            return
        if isawaitable(given):
            self._running[number] = running = Deferred.fromCoroutine(_awaited(given))
            running.addBoth(partial(self._over, number))
        else:
            self._over(number, given)

    def dropped(self, number: int) -> None:
        """Nobody waits for it any more."""
        running = self._running.pop(number, None)
        if running is not None:
            running.cancel()

    def end(self) -> None:
        """Do nothing more."""
        for number in list(self._running):
            self.dropped(number)

    def _over(self, number: int, given: Any) -> None:
        # It may be over before its caller has noted that it runs.
        self._running.pop(number, None)
        if not isinstance(given, Failure):
            self._say(number, ("given", given))
            return
        fault = given.value
        if not isinstance(fault, ApiFault):
            _log.failure("the admin API failed", given)
            fault = ApiFault(500, "this has failed; the log says why")
        self._say(number, ("fault", (fault.status, fault.text, fault.more)))


async def _awaited(given: Awaitable[object]) -> object:
    return await given
