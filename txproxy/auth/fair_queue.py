"""Work that many want done, and that takes its time: each who asks gets a turn, whoever asks most."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import attrs
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

# Gives what it has done, or a Deferred of it.
Work: TypeAlias = Callable[[], Any]


class QueueFull(Exception):
    """There is no room to wait in."""


@attrs.frozen(eq=False)
class _Job:
    work: Work
    done: Deferred[Any] = attrs.field(factory=Deferred)


class FairQueue:
    """Does ``at_once`` pieces of work in all, ``each`` of them for one key. Those of other keys wait for their turn,
    which goes round the keys; up to ``longest`` wait in all. Where that is too many, the key that has most of them
    loses its latest.
    """

    def __init__(self, at_once: int, each: int, longest: int) -> None:
        self._at_once = at_once
        self._each = each
        self._longest = longest
        self._running: dict[str, int] = {}
        self._in_all = 0
        # Whose turn is next stands first; a key is here if something of it waits.
        self._waiting: OrderedDict[str, deque[_Job]] = OrderedDict()
        self._keys: dict[Deferred[Any], str] = {}
        self._handing_out = False

    def __len__(self) -> int:
        """How many wait."""
        return len(self._keys)

    def run(self, key: str, work: Work) -> Any:
        """What ``work`` gives: now, if there is room, else a Deferred of it. ``QueueFull`` if too much waits, from here
        or, where another takes its place, from the Deferred.
        """
        if self._has_room(key) and key not in self._waiting:
            return self._begin(key, work)
        if len(self._keys) >= self._longest:
            self._make_room(key)
        job = _Job(work)
        self._waiting.setdefault(key, deque()).append(job)
        self._keys[job.done] = key
        return job.done

    def forget(self, done: Deferred[Any]) -> bool:
        """The work behind this Deferred is not wanted any more; whether it had not begun, and never will."""
        key = self._keys.pop(done, None)
        if key is None:
            return False
        jobs = self._waiting[key]
        jobs.remove(next(job for job in jobs if job.done is done))
        if not jobs:
            del self._waiting[key]
        return True

    def _has_room(self, key: str) -> bool:
        return self._in_all < self._at_once and self._running.get(key, 0) < self._each

    def _make_room(self, key: str) -> None:
        most = max(self._waiting, key=lambda other: len(self._waiting[other]))
        if len(self._waiting[most]) <= len(self._waiting.get(key, ())) + 1:
            raise QueueFull
        latest = self._waiting[most][-1].done
        self.forget(latest)
        latest.errback(Failure(QueueFull()))

    def _begin(self, key: str, work: Work) -> Any:
        self._running[key] = self._running.get(key, 0) + 1
        self._in_all += 1
        try:
            result = work()
        except BaseException:
            self._end(key)
            raise
        if isinstance(result, Deferred):
            return result.addBoth(partial(self._over, key))
        self._end(key)
        return result

    def _over(self, key: str, result: Any) -> Any:
        self._end(key)
        return result

    def _end(self, key: str) -> None:
        self._in_all -= 1
        self._running[key] -= 1
        if not self._running[key]:
            del self._running[key]
        if self._handing_out:
            return  # what was given a turn is done already: whoever hands out looks again
        self._handing_out = True
        try:
            while (key_of_next := self._next()) is not None:
                self._take_turn(key_of_next)
        finally:
            self._handing_out = False

    def _next(self) -> str | None:
        return next((key for key in self._waiting if self._has_room(key)), None)

    def _take_turn(self, key: str) -> None:
        jobs = self._waiting[key]
        job = jobs.popleft()
        del self._keys[job.done]
        if jobs:
            self._waiting.move_to_end(key)
        else:
            del self._waiting[key]
        try:
            result = self._begin(key, job.work)
        except Exception:
            job.done.errback(Failure())
        else:
            if isinstance(result, Deferred):
                result.addBoth(job.done.callback)
            else:
                job.done.callback(result)
