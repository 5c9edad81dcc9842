"""What a function of somebody's gives that is not there yet, as a Deferred: a coroutine, or something to await.

Where asyncio's loop runs (its reactor), a coroutine is a task of that, so that it may await both: what asyncio has, and
Deferreds. With the other reactors there is no such loop, and it may await Deferreds alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from inspect import iscoroutine
from types import coroutine
from typing import Any

from twisted.internet.defer import Deferred


def coming(given: Any) -> Deferred[Any] | None:
    """A Deferred of what was given, if that is still to come; None if it is there."""
    if isinstance(given, Deferred):
        return given
    if iscoroutine(given):
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return Deferred.fromCoroutine(given)
        return Deferred.fromFuture(loop.create_task(_with_deferreds(given, loop)))
    if isinstance(given, asyncio.Future):
        return Deferred.fromFuture(given)
    return None


@coroutine
def _with_deferreds(given: Coroutine[Any, Any, Any], loop: asyncio.AbstractEventLoop) -> Generator[Any, Any, Any]:
    """``given``, which may await Deferreds as well, for a task."""
    fault: BaseException | None = None
    while True:
        try:
            waited = given.send(None) if fault is None else given.throw(fault)
        except StopIteration as end:
            return end.value
        fault = None
        try:
            if isinstance(waited, Deferred):
                yield from _fired(waited, loop)
            else:
                yield waited
        except BaseException as raised:
            # Of a task that is cancelled; what failed is raised where it is awaited.
            fault = raised


def _fired(waited: Deferred[Any], loop: asyncio.AbstractEventLoop) -> Generator[Any, Any, None]:
    """Wait until it has. What came of it is left to who awaits it."""
    future: asyncio.Future[None] = loop.create_future()

    def told(result: Any) -> Any:
        if not future.done():
            future.set_result(None)
        return result

    waited.addBoth(told)
    try:
        yield from future
    except asyncio.CancelledError:
        waited.cancel()
        waited.addErrback(lambda _: None)
        raise
