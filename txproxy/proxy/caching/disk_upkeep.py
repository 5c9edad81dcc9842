"""What a disk store has done now and then: an index that was lost is made anew, and the oldest goes in good time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.task import CooperativeTask, Cooperator, LoopingCall, SchedulerStopped, TaskStopped
from twisted.logger import Logger
from twisted.python.failure import Failure

from txproxy.cache.disk.disk_store import DiskStore

_log = Logger()
# How often it is looked whether there is room, in seconds.
_TIDY_EVERY: Final = 1.0


class DiskUpkeep:
    """Steps through what ``disk`` has to do, a little in each turn of the ``reactor``; ``hear`` is called as often, for
    what other processes have done.
    """

    def __init__(self, disk: DiskStore, reactor: Any, hear: Callable[[], None]) -> None:
        self._disk = disk
        self._hear = hear
        self._cooperator = Cooperator(scheduler=lambda call: reactor.callLater(0.0, call))
        self._rebuilding: CooperativeTask[Any] | None = None
        self._tidying: CooperativeTask[Any] | None = None
        self._loop = LoopingCall(self._tidy)
        self._loop.clock = reactor

    def start(self) -> None:
        """Begin."""
        if not self._disk.is_complete:
            self._rebuilding = self._cooperator.cooperate(self._disk.rebuild())
            self._rebuilding.whenDone().addErrback(_failed)
        self._loop.start(_TIDY_EVERY, now=False)

    def stop(self) -> None:
        """Leave the rest to whoever has the directory next."""
        if self._loop.running:
            self._loop.stop()
        self._cooperator.stop()

    def _tidy(self) -> None:
        try:
            self._hear()
        except OSError:
            _log.failure("what others have purged could not be read")
        if self._tidying is None:
            self._tidying = self._cooperator.cooperate(self._disk.tidy())
            self._tidying.whenDone().addErrback(_failed).addBoth(self._tidied)

    def _tidied(self, _: object) -> None:
        self._tidying = None


def _failed(failure: Failure) -> None:
    # What is stopped before its end has not failed.
    if not failure.check(TaskStopped, SchedulerStopped):
        _log.failure("the cache on the disk could not be looked after", failure)
