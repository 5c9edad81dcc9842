"""How many bytes were used in the running day and month."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Protocol, TypeAlias

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import Interface, implementer

_log = Logger()

DAY: Final = "day"
MONTH: Final = "month"

# So many keys are counted in a period. Where there are more, the half of the clients that have used least is forgotten;
# users are as many as there are, and rules.
MOST_KEYS: Final = 1 << 18
_OF_CLIENT: Final = "client "

Counts: TypeAlias = "dict[str, int]"
InThread: TypeAlias = Callable[..., "Deferred[Any]"]


class IUsage(Interface):
    """Counts bytes by keys, and knows how many there were. Neither may block."""

    def add(key: str, size: int) -> None:
        """``key`` has used ``size`` bytes just now."""

    def used(key: str, period: str) -> int:
        """Bytes that ``key`` has used in the running ``day`` or ``month``, as far as is known here."""

    def stop() -> Deferred[None]:
        """Nothing more is added; fires when all that was is safe."""


class Store(Protocol):
    """Where counts outlive the process. All of it may block, and none of it is called while another call runs."""

    def load(self, period: str) -> Counts:
        """What was used in a ``period`` (``2026-03-29``, ``2026-03``), by key."""

    def add(self, added: Sequence[tuple[str, str, int]]) -> Mapping[tuple[str, str], int]:
        """More was used: period, key and bytes. Gives the new sums of these, to which others may have added as well."""

    def forget(self, places: Sequence[tuple[str, str]]) -> None:
        """Nothing was used of these: each a period and a key."""

    def close(self) -> None:
        """The end."""


def in_threads(reactor: Any) -> InThread:
    """Calls functions in the threads of ``reactor``."""
    return lambda function, *words: deferToThreadPool(reactor, reactor.getThreadPool(), function, *words)


@implementer(IUsage)
class Usage:
    """Counts in memory, and writes to ``store`` in a thread every ``interval`` seconds in which there was something to
    write. Without a ``store``, all is forgotten at the end.

    Days and months are those of ``now``, which is the local time. ``in_thread`` calls a function in a thread.
    """

    def __init__(
        self,
        clock: Any,
        store: Store | None = None,
        *,
        interval: float = 5.0,
        now: Callable[[], datetime.datetime] = datetime.datetime.now,
        in_thread: InThread | None = None,
    ) -> None:
        self._clock = clock
        self._store = store
        self._interval = interval
        self._now = now
        self._in_thread = in_thread or in_threads(clock)
        self._today = now().date()
        self._days, self._months = self._names(self._today)
        self._used: dict[str, Counts] = {
            period: store.load(period) if store is not None else {} for period in (self._days, self._months)
        }
        self._unwritten: dict[tuple[str, str], int] = {}
        self._timer: IDelayedCall | None = None
        self._writing: Deferred[None] | None = None
        # what the store is to forget, and who waits for that
        self._forgetting: list[tuple[list[tuple[str, str]], Deferred[None]]] = []
        # what was forgotten while the store was at work: what that says of it is of before
        self._forgotten: set[tuple[str, str]] = set()
        self._failing = False

    @staticmethod
    def _names(today: datetime.date) -> tuple[str, str]:
        return today.isoformat(), f"{today:%Y-%m}"

    def add(self, key: str, size: int) -> None:
        """See :class:`IUsage`."""
        self._look_at_the_calendar()
        for period in (self._days, self._months):
            used = self._used[period]
            if key not in used and len(used) >= MOST_KEYS:
                forget_the_least(used)
            used[key] = used.get(key, 0) + size
            if self._store is not None:
                self._unwritten[period, key] = self._unwritten.get((period, key), 0) + size
        if self._store is not None and self._timer is None and self._writing is None:
            self._timer = self._clock.callLater(self._interval, self._write)

    def used(self, key: str, period: str) -> int:
        """See :class:`IUsage`."""
        self._look_at_the_calendar()
        return self._used[self._days if period == DAY else self._months].get(key, 0)

    def all_used(self, period: str) -> Mapping[str, int]:
        """What all keys have used in the running ``day`` or ``month``, as far as is known here."""
        self._look_at_the_calendar()
        return self._used[self._days if period == DAY else self._months]

    def ends(self, period: str) -> datetime.datetime:
        """When the running ``day`` or ``month`` ends, and all begin anew."""
        self._look_at_the_calendar()
        day = self._today + datetime.timedelta(days=1)
        if period == MONTH:
            # 32 days from the first are in the next month.
            day = (self._today.replace(day=1) + datetime.timedelta(days=32)).replace(day=1)
        return datetime.datetime.combine(day, datetime.time())

    def forget(self, keys: Iterable[str], periods: Iterable[str]) -> Deferred[None]:
        """These have used nothing in these running periods; fires when the store says so as well."""
        self._look_at_the_calendar()
        names = [self._days if period == DAY else self._months for period in periods]
        places = [(name, key) for key in keys for name in names]
        for name, key in places:
            self._used[name].pop(key, None)
            self._unwritten.pop((name, key), None)
        if self._store is None or not places:
            return succeed(None)
        done: Deferred[None] = Deferred()
        self._forgetting.append((places, done))
        if self._writing is None:
            self._forget_next()
        else:
            self._forgotten.update(places)
        return done

    def _look_at_the_calendar(self) -> None:
        today = self._now().date()
        if today != self._today:
            self._today = today
            self._days, self._months = self._names(today)
            self._used = {period: self._used.get(period, {}) for period in (self._days, self._months)}

    # -- writing

    def _write(self) -> None:
        self._timer = None
        if self._writing is not None:
            return
        assert self._store is not None
        unwritten, self._unwritten = self._unwritten, {}
        added = [(period, key, size) for (period, key), size in unwritten.items()]
        writing = self._in_thread(self._store.add, added)
        self._writing = writing.addCallbacks(self._written, self._not_written, errbackArgs=(unwritten,))
        self._writing.addCallback(self._go_on)

    def _forget_next(self) -> None:
        assert self._store is not None
        places, done = self._forgetting.pop(0)
        forgetting = self._in_thread(self._store.forget, places)
        self._writing = forgetting.addCallbacks(done.callback, done.errback)
        self._writing.addCallback(self._go_on)

    def _written(self, sums: Mapping[tuple[str, str], int]) -> None:
        self._failing = False
        for (period, key), size in sums.items():
            used = self._used.get(period)
            if (period, key) in self._forgotten:
                continue
            if used is not None and (key in used or len(used) < MOST_KEYS):
                used[key] = size + self._unwritten.get((period, key), 0)

    def _not_written(self, failure: Failure, unwritten: Mapping[tuple[str, str], int]) -> None:
        if not self._failing:
            self._failing = True
            _log.error(
                "what was used cannot be written, and is kept for another try: {why}", why=failure.getErrorMessage()
            )
        if len(self._unwritten) + len(unwritten) > 2 * MOST_KEYS:
            # The disk has been full for long.
            _log.error("what was used is lost, as it is too much to be kept")
            return
        for place, size in unwritten.items():
            if place in self._forgotten:
                continue
            self._unwritten[place] = self._unwritten.get(place, 0) + size

    def _go_on(self, _: object) -> None:
        self._writing = None
        self._forgotten.clear()
        if self._forgetting:
            self._forget_next()
        elif self._unwritten and self._timer is None:
            self._timer = self._clock.callLater(self._interval, self._write)

    def stop(self) -> Deferred[None]:
        """See :class:`IUsage`."""
        if self._store is None:
            return succeed(None)
        waited: Deferred[Any] = Deferred()
        if self._writing is not None:
            self._writing.addCallback(waited.callback)
        else:
            waited.callback(None)
        return waited.addCallback(self._write_the_rest)

    def _write_the_rest(self, _: object) -> Deferred[None]:
        if self._writing is not None:
            # There was more to be forgotten.
            return self.stop()
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        store, self._store = self._store, None
        if store is None:
            return succeed(None)
        added = [(period, key, size) for (period, key), size in self._unwritten.items()]
        self._unwritten = {}
        return self._in_thread(_end, store, added).addErrback(self._lost)

    def _lost(self, failure: Failure) -> None:
        _log.error("what was used could not be written, and is lost: {why}", why=failure.getErrorMessage())


def forget_the_least(used: Counts) -> None:
    """Forget half of the clients: with IPv6 there is no end of them."""
    clients = sorted((key for key in used if key.startswith(_OF_CLIENT)), key=used.__getitem__)
    for key in clients[: -(-len(clients) // 2)]:
        del used[key]


def _end(store: Store, added: Sequence[tuple[str, str, int]]) -> None:
    try:
        if added:
            store.add(added)
    finally:
        store.close()
