"""What a disk store has done now and then: an index that was lost is made anew, and the oldest goes in good time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from twisted.internet.task import CooperativeTask, Cooperator, LoopingCall, SchedulerStopped, TaskStopped
from twisted.logger import Logger
from twisted.python.failure import Failure

from txproxy.cache.disk.disk_store import DiskStore
from txproxy.proxy.caching.purge_flush import InThread

_log = Logger()
# How often it is looked whether there is room, in seconds.
_TIDY_EVERY: Final = 1.0


class DiskUpkeep:
    """Steps through what ``disk`` has to do, a little in each turn of the ``reactor``; ``hear`` is called as often, for
    what other processes have done. ``let_go`` is stepped through when segments have gone.
    An index that was lost is made anew by ``in_thread``: all that there is has to be read for that.
    """

    def __init__(
        self,
        disk: DiskStore,
        reactor: Any,
        hear: Callable[[], None],
        let_go: Callable[[], Iterator[None]],
        in_thread: InThread,
    ) -> None:
        self._disk = disk
        self._hear = hear
        self._let_go = let_go
        self._in_thread = in_thread
        self._stopped = False
        self._rebuilding = False
        # how many segments had gone when that was done last
        self._gone = 0
        self._cooperator = Cooperator(scheduler=lambda call: reactor.callLater(0.0, call))
        self._tidying: CooperativeTask[Any] | None = None
        self._loop = LoopingCall(self._tidy)
        self._loop.clock = reactor
        # what of the disk's troubles was said since it worked last
        self._said: set[str] = set()
        # what was said of what cannot be written to it
        self._trouble: str | None = None

    def start(self) -> None:
        """Begin."""
        self._complete()
        self._loop.start(_TIDY_EVERY, now=False)

    def stop(self) -> None:
        """Leave the rest to whoever has the directory next."""
        self._stopped = True
        if self._loop.running:
            self._loop.stop()
        self._cooperator.stop()

    def _complete(self) -> None:
        """Have the index get all that there is, if it has not."""
        if not self._disk.is_complete and not self._rebuilding:
            self._rebuilding = True
            self._in_thread(self._rebuild).addErrback(self._failed).addBoth(self._rebuilt)

    def _rebuilt(self, _: object) -> None:
        self._rebuilding = False

    def _rebuild(self) -> None:
        """In a thread, which lets go of the interpreter with each record that it reads."""
        for _ in self._disk.rebuild():
            if self._stopped:
                return

    def _tell(self) -> None:
        """Say once that nothing can be written, and once that it can be again."""
        before, self._trouble = self._trouble, self._disk.health.trouble
        if self._trouble is None and before is not None:
            _log.info("the disk keeps responses again ({before})", before=before)
        elif self._trouble is not None and self._trouble != before:
            _log.error("the disk keeps no responses, memory does what fits there ({trouble})", trouble=self._trouble)

    def _tidy(self) -> None:
        self._tell()
        try:
            self._hear()
        except OSError as error:
            self._say("what others have purged could not be read", error)
        if self._tidying is None:
            self._tidying = self._cooperator.cooperate(self._make_room())
            self._tidying.whenDone().addCallbacks(self._worked, self._failed).addBoth(self._tidied)

    def _make_room(self) -> Iterator[None]:
        yield from self._disk.tidy()
        gone = self._disk.removals
        if gone != self._gone:
            yield from self._let_go()
            self._gone = gone

    def _tidied(self, _: object) -> None:
        self._tidying = None

    def _worked(self, _: object) -> None:
        self._said.clear()
        # It may have been lost meanwhile.
        self._complete()

    def _failed(self, failure: Failure) -> None:
        error = failure.value
        if isinstance(error, OSError):
            self._say("the cache on the disk could not be looked after", error)
        # What is stopped before its end has not failed.
        elif not failure.check(TaskStopped, SchedulerStopped):
            _log.failure("the cache on the disk could not be looked after", failure)

    def _say(self, what: str, error: OSError) -> None:
        """Say what does not work, once: it is tried again each second, and a disk may be gone for days."""
        said = f"{what}: {error}"
        if said not in self._said:
            self._said.add(said)
            _log.error("{said}", said=said)
