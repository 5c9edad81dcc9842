"""One cache, for all that share it: what is stored, what is being fetched, and what is known not to be storable."""

from __future__ import annotations

import errno
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final, Protocol, TypeAlias, TypeVar
from weakref import WeakSet

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from txproxy.cache.changes.updates import expired
from txproxy.cache.disk.file_body import as_written
from txproxy.cache.keys import canonical_authority
from txproxy.cache.parts.partial_content import merged
from txproxy.cache.parts.parts_body import Part, PartsBody
from txproxy.cache.policy import CachePolicy
from txproxy.cache.purging.mark import Kind
from txproxy.cache.purging.marks import Marks, Verdict
from txproxy.cache.purging.marks_journal import MarksJournal
from txproxy.cache.stored import Entry, StoredHead
from txproxy.cache.tiered_store import Read, TieredStore
from txproxy.cache.vary import choose, superseded
from txproxy.interfaces.answers import Answer
from txproxy.interfaces.context import RequestContext, ResponseFilter
from txproxy.proxy.caching.asking import Asking
from txproxy.proxy.caching.disk_upkeep import DiskUpkeep
from txproxy.proxy.caching.filling.fill_body import Writer
from txproxy.proxy.caching.filling.sought import Sought
from txproxy.proxy.caching.purge_flush import PurgeFlush
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead

# For how long it is remembered that responses under a key cannot be stored, in seconds, and of how many keys at most.
_LEARNED_FOR: Final = 120.0
# How often the same is validated in the background at most, in seconds.
_ASK_EVERY: Final = 1.0
_MOST_LEARNED: Final = 65536

# How many look-ups on a disk are waited for at once.
_MOST_THREADS: Final = 4

# What is said of caching a request; None if it is not to be cached.
PolicyOf: TypeAlias = "Callable[[RequestHead, RequestContext], CachePolicy | None]"


_T = TypeVar("_T")

_log = Logger()


def _unread(failure: Failure) -> tuple[()]:
    failure.trap(Exception)
    if failure.check(CancelledError):
        failure.raiseException()
    _log.failure("what is stored could not be read", failure)
    return ()


class Store(Protocol):
    """Where entries are kept (see :class:`txproxy.cache.memory.memory_store.MemoryStore`)."""

    @property
    def max_object(self) -> int:
        """How large a response may be that is kept now."""

    def variants(self, key: bytes) -> tuple[Entry, ...]:
        """All that stands under ``key``, the newest first."""

    def used(self, entry: Entry) -> None:
        """It is used once more."""

    def body(self, length: int | None, key: bytes, most: int | None = None) -> Writer | None:
        """What takes a body of ``length`` bytes, if that is known, and of so many at ``most``, to be stored under
        ``key``; None where it is known now that it cannot be.
        """

    def put(self, entry: Entry, replaces: Entry | None = None) -> bool:
        """Keep it; gives whether it is."""

    def remove(self, entry: Entry) -> None:
        """Keep it no longer."""

    def remove_key(self, key: bytes) -> None:
        """Keep nothing of it."""


class Filling(Protocol):
    """A request that is on its way (see :class:`txproxy.proxy.caching.filling.fill.Fill`)."""

    # whether what comes is not to be kept, as something has changed since it was asked for
    outdated: bool

    @property
    def sought(self) -> Sought | None:
        """What it is to bring; None if that is nothing that others could wait for."""

    def join(self, asking: Asking) -> Answer | Deferred[Any] | None:
        """Give a request what comes; None if that is of no use to it."""


class Forgetful(Protocol):
    """Who remembers what is stored (see :class:`txproxy.proxy.caching.hot_answers.HotAnswer`)."""

    def forget(self) -> None:
        """Forget it, as it may go."""


class Learned:
    """That responses of something cannot be stored, ``until`` when that holds, and ``why``. ``told`` is what they pass
    to say so, if any has come.
    """

    __slots__ = ("until", "why", "told")

    def __init__(self, until: float, why: str) -> None:
        self.until = until
        self.why = why
        self.told: ResponseFilter | None = None


class SharedCache:
    """What is stored in ``store``, under the policies that ``policy_of`` finds for requests: None is not to be cached.
    Without it, what is usual in the mode: ``FOR_REVERSE`` and ``FOR_FORWARD`` of :mod:`txproxy.cache.policy`. ``name``
    is who speaks in Cache-Status. ``now`` gives the time in seconds since the epoch.
    """

    def __init__(
        self,
        store: Store,
        policy_of: PolicyOf | None = None,
        name: str = "txproxy",
        now: Callable[[], float] = time.time,
    ) -> None:
        self.store: Store = store
        # the same, where not all of it is in memory
        self.tiers: TieredStore | None = store if isinstance(store, TieredStore) else None
        self.policy_of = policy_of
        self.name = name.encode("ascii")
        self.now = now
        self._journal: MarksJournal | None = None
        # what was purged
        self.marks = Marks() if self.tiers is None else self._marks_of(self.tiers)
        # those that stand beside what is stored, as long as anybody has them
        self.hot_answers: WeakSet[Forgetful] = WeakSet()
        # those that are on their way, by key
        self.fills: dict[bytes, list[Filling]] = {}
        self._learned: OrderedDict[bytes, Learned] = OrderedDict()
        self._threads: ThreadPool | None = None
        self._upkeep: DiskUpkeep | None = None
        self._flush: PurgeFlush | None = None
        self._closed = False
        # has the reactor forget this cache, once it is closed
        self._forget: Callable[[], object] | None = None
        self._validated: OrderedDict[bytes, float] = OrderedDict()
        self._uses: OrderedDict[bytes, int] = OrderedDict()
        # is told of what was purged or changed, and whether that is to be validated alone
        self.on_gone: Callable[[Kind, bytes, bool], object] = lambda kind, value, soft: None

    # -- what is stored

    def look(self, key: bytes, request: Headers) -> Read | None:
        """Have at hand what may answer a ``request``; gives what has to be read first, if that takes time."""
        return self.tiers.look(key, request) if self.tiers is not None else None

    def use_store(self, store: TieredStore) -> None:
        """Have a disk below the memory from now on. An OSError says that what was purged there cannot be read."""
        self.marks = self._marks_of(store)
        self.store = self.tiers = store

    def _marks_of(self, tiers: TieredStore) -> Marks:
        """What all processes have purged that have the directory."""
        self._journal = MarksJournal(tiers.disk.purges)
        return Marks(self._journal)

    def begin(self, reactor: Any) -> None:
        """Look after what is on a disk from now on, if anything is."""
        if self.tiers is not None and self._upkeep is None and not self._closed:
            self._threads = ThreadPool(0, _MOST_THREADS, "cache")
            in_thread = partial(self._call_in_thread, reactor)
            self._upkeep = DiskUpkeep(self.tiers.disk, reactor, self.marks.look, self._let_go, in_thread)
            self._threads.start()
            self._upkeep.start()
            # Threads that wait for work would keep the process from leaving.
            trigger = getattr(reactor, "addSystemEventTrigger", None)
            if trigger is not None:
                there = trigger("during", "shutdown", self._shut_down)
                self._forget = lambda: reactor.removeSystemEventTrigger(there)

    def _let_go(self) -> Iterator[None]:
        """Nothing is to hold what the disk has let go."""
        self.forget_hot_answers()
        if self.tiers is not None:
            yield from self.tiers.let_go()

    def _shut_down(self) -> None:
        self._forget = None
        self.close()

    def close(self) -> None:
        """Look after it no longer, and have the memory alone from now on."""
        self._closed = True
        self.forget_hot_answers()
        forget, self._forget = self._forget, None
        if forget is not None:
            forget()
        tiers, self.tiers = self.tiers, None
        if tiers is not None:
            self.store = tiers.memory
        upkeep, self._upkeep = self._upkeep, None
        threads, self._threads = self._threads, None
        if upkeep is not None:
            upkeep.stop()
        if threads is not None:
            threads.stop()
        if tiers is not None:
            tiers.disk.close()
        if self._journal is not None:
            # What is purged from now on is purged of the memory.
            self.marks = Marks()
            self._journal.close()
            self._journal = None

    def forget_hot_answers(self) -> None:
        """Whoever has been replaced and is still there is to keep nothing open by what it has answered with."""
        for hot in tuple(self.hot_answers):
            hot.forget()

    def in_thread(self, reactor: Any, read: Callable[[], tuple[_T, ...]]) -> Deferred[tuple[_T, ...]]:
        """What ``read`` gives, which nobody waits for but who has asked. What cannot be read is not there."""
        self.begin(reactor)
        if self._threads is None:
            return succeed(())
        return deferToThreadPool(reactor, self._threads, read).addErrback(_unread)

    def check_parts(self, reactor: Any, entry: Entry, parts: list[Part]) -> Deferred[bool]:
        """Look in a thread at these ``parts`` of an ``entry``. Gives whether they are what was written; the others are
        kept no longer.
        """
        return self.in_thread(reactor, partial(as_written, parts)).addCallback(partial(self._keep_good, entry, parts))

    def _keep_good(self, entry: Entry, parts: list[Part], good: tuple[Part, ...]) -> bool:
        body, damaged = entry.body, [part for part in parts if part not in good]
        if damaged and type(body) is PartsBody and entry in self.store.variants(entry.key):
            left = body.without(damaged)
            if left is None:
                self.store.remove(entry)
            else:
                self.store.put(Entry(entry.key, entry.head, left), entry)
        return not damaged

    def find(self, asking: Asking) -> tuple[tuple[Entry, ...], Entry | None]:
        """What stands under the key of a request, and what matches that. What was purged is stale, or not there."""
        variants = self.store.variants(asking.key)
        if not variants:
            return variants, None
        last = self.marks.seq
        for one in variants:
            if one.head.mark < last:
                variants = self._unpurged(variants, asking)
                break
        return variants, choose(variants, asking.request.headers) if variants else None

    def keep(self, entry: Entry, asking: Asking, request: Headers) -> bool:
        """Keep a new response in the place of those that it takes it of; gives whether it is kept: not if it was purged
        since it was asked for. ``request`` are the fields of ``asking`` as they were sent.
        """
        if self.verdict(entry.head, asking) is Verdict.GONE:
            return False
        store = self.store
        there = superseded(store.variants(entry.key), entry.head, request)
        together = merged(entry, there)
        if together is None:
            return True
        replaced, *others = [*there, None]
        for one in others:
            if one is not None:
                store.remove(one)
        self.unlearn(entry.key)
        # Parts that are too many for a store are not worth more than the one that was asked for last.
        return store.put(together, replaced) or (together.body is not entry.body and store.put(entry))

    def replace(self, entry: Entry, head: StoredHead) -> Entry:
        """Keep another ``head`` for the body of an ``entry``."""
        other = Entry(entry.key, head, entry.body)
        there = self.store.variants(entry.key)
        if entry not in there:
            # Another has taken its place meanwhile, and is not to be there twice.
            entry = next((one for one in there if one.head.vary == entry.head.vary), entry)
        self.store.put(other, entry)
        return other

    def invalidate(self, key: bytes) -> None:
        """What is stored under ``key``, and what is on its way, is not to be used any more."""
        self.on_gone(Kind.KEY, key, False)
        self.store.remove_key(key)
        for fill in self.fills.get(key, ()):
            fill.outdated = True

    # -- what was purged

    def purge(self, kind: Kind, value: bytes = b"", soft: bool = False) -> int:
        """Use no more of what ``value`` says, a URL, a prefix of URLs, a host, a tag, a group as
        :func:`txproxy.cache.purging.mark.group_value` has it, or all there is, as long as it was asked for before; with
        ``soft`` it is validated first, and may stand in where that fails. Gives the number of the purge, which counts
        at once; :meth:`flushed` is for who has to know that it survives a power failure. A ConfigError says that
        ``value`` is none of its kind, an OSError that it cannot be written down, and does not count.
        """
        number = self.marks.add(kind, value, soft)
        self.on_gone(kind, value, soft)
        return number

    def flushed(self, reactor: Any) -> Deferred[None]:
        """Fires when what was purged until now is on the disk, if there is one, or with the OSError that it cannot be.
        No other request waits for that.
        """
        if self._journal is None:
            return succeed(None)
        self.begin(reactor)
        if self._flush is None:
            self._flush = PurgeFlush(self.marks.flushing, partial(self._call_in_thread, reactor))
        return self._flush.flushed()

    def _call_in_thread(self, reactor: Any, call: Callable[[], None]) -> Deferred[None]:
        if self._threads is None:
            return fail(OSError(errno.ESHUTDOWN, "the cache is closed"))
        return deferToThreadPool(reactor, self._threads, call)

    def verdict(self, head: StoredHead, asking: Asking) -> Verdict:
        """What is known of a response with this ``head``, which is what was asked for."""
        marks = self.marks
        if head.mark >= marks.seq:
            return Verdict.ALIVE
        request, scheme = asking.request, asking.scheme
        return marks.verdict(head, asking.key, scheme, canonical_authority(scheme, request.authority), request.path)

    def _unpurged(self, variants: tuple[Entry, ...], asking: Asking) -> tuple[Entry, ...]:
        """Those of the ``variants`` that may be used, at once or once they were validated."""
        left = []
        for one in variants:
            verdict = self.verdict(one.head, asking)
            if verdict is Verdict.GONE:
                self.store.remove(one)
            elif verdict is Verdict.STALE:
                left.append(self.replace(one, expired(one.head, self.now(), self.marks.seq)))
            else:
                left.append(one)
        return tuple(left)

    # -- what cannot be

    def learned(self, key: bytes, now: float) -> Learned | None:
        """What is known of ``key``, if that is that its responses cannot be stored."""
        learned = self._learned.get(key)
        return learned if learned is not None and learned.until > now else None

    def learn(self, key: bytes, why: str, now: float) -> None:
        """They cannot, from ``now`` on, for the reason ``why``."""
        learned = self._learned
        learned[key] = Learned(now + _LEARNED_FOR, why)
        learned.move_to_end(key)
        if len(learned) > _MOST_LEARNED:
            learned.popitem(last=False)[1].until = 0.0

    def unlearn(self, key: bytes) -> None:
        """One can be stored after all."""
        learned = self._learned.pop(key, None)
        if learned is not None:
            learned.until = 0.0

    def may_validate(self, key: bytes, now: float) -> bool:
        """Whether the origin is to be asked in the background: not again at once, where that has come to nothing."""
        asked = self._validated
        if asked.get(key, 0.0) > now:
            return False
        asked[key] = now + _ASK_EVERY
        asked.move_to_end(key)
        if len(asked) > _MOST_LEARNED:
            asked.popitem(last=False)
        return True

    # -- what is asked for often

    def count_use(self, key: bytes) -> int:
        """Count a request for what is not stored; gives how many there were lately."""
        uses = self._uses
        count = uses.get(key, 0) + 1
        uses[key] = count
        uses.move_to_end(key)
        if len(uses) > _MOST_LEARNED:
            uses.popitem(last=False)
        return count
