"""One cache, for all that share it: what is stored, what is being fetched, and what is known not to be storable."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final, Protocol, TypeAlias

from twisted.internet.defer import Deferred

from txproxy.cache.policy import CachePolicy
from txproxy.cache.stored import Entry, StoredHead
from txproxy.cache.vary import choose, superseded
from txproxy.interfaces.answers import Answer
from txproxy.interfaces.context import RequestContext, ResponseFilter
from txproxy.proxy.caching.asking import Asking
from txproxy.proxy.caching.fill_body import Writer
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead

# For how long it is remembered that responses under a key cannot be stored, in seconds, and of how many keys at most.
_LEARNED_FOR: Final = 120.0
_MOST_LEARNED: Final = 65536

# What is said of caching a request; None if it is not to be cached.
PolicyOf: TypeAlias = "Callable[[RequestHead, RequestContext], CachePolicy | None]"


class Store(Protocol):
    """Where entries are kept (see :class:`txproxy.cache.memory.memory_store.MemoryStore`)."""

    max_object: int

    def variants(self, key: bytes) -> tuple[Entry, ...]:
        """All that stands under ``key``, the newest first."""

    def used(self, entry: Entry) -> None:
        """It is used once more."""

    def body(self, length: int | None = None) -> Writer:
        """What takes a body."""

    def put(self, entry: Entry, replaces: Entry | None = None) -> bool:
        """Keep it; gives whether it is."""

    def remove(self, entry: Entry) -> None:
        """Keep it no longer."""

    def remove_key(self, key: bytes) -> None:
        """Keep nothing of it."""


class Filling(Protocol):
    """A request that is on its way (see :class:`txproxy.proxy.caching.fill.Fill`)."""

    # whether what comes is not to be kept, as something has changed since it was asked for
    outdated: bool
    # what it validates
    stale: Entry | None

    def join(self, asking: Asking) -> Answer | Deferred[Any] | None:
        """Give a request what comes; None if that is of no use to it."""


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
        self.store = store
        self.policy_of = policy_of
        self.name = name.encode("ascii")
        self.now = now
        # those that are on their way, by key
        self.fills: dict[bytes, list[Filling]] = {}
        self._learned: OrderedDict[bytes, Learned] = OrderedDict()
        self._uses: OrderedDict[bytes, int] = OrderedDict()

    # -- what is stored

    def find(self, key: bytes, request: Headers) -> tuple[tuple[Entry, ...], Entry | None]:
        """All that stands under ``key``, and what of it matches a ``request``."""
        variants = self.store.variants(key)
        return variants, choose(variants, request) if variants else None

    def keep(self, entry: Entry, request: Headers) -> bool:
        """Keep a new response to a ``request`` in the place of those that it takes it of; gives whether it is kept."""
        store = self.store
        replaced, *others = [*superseded(store.variants(entry.key), entry.head, request), None]
        for one in others:
            if one is not None:
                store.remove(one)
        self.unlearn(entry.key)
        return store.put(entry, replaced)

    def replace(self, entry: Entry, head: StoredHead) -> Entry:
        """Keep another ``head`` for the body of an ``entry``."""
        other = Entry(entry.key, head, entry.body)
        self.store.put(other, entry)
        return other

    def invalidate(self, key: bytes) -> None:
        """What is stored under ``key``, and what is on its way, is not to be used any more."""
        self.store.remove_key(key)
        for fill in self.fills.get(key, ()):
            fill.outdated = True

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
