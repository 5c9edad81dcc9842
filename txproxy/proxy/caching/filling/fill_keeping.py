"""What is kept of the response that a fill gets, and what cannot be."""

from __future__ import annotations

from typing import Final

from twisted.logger import Logger

from txproxy.cache.changes.not_modified import Held
from txproxy.cache.purging.marks import Verdict
from txproxy.cache.stored import Entry, MemoryBody, StoredBody
from txproxy.cache.storing import Storing, Times, may_store, stored_head
from txproxy.cache.vary import vary_names, vary_values
from txproxy.proxy.caching.asking import Asking
from txproxy.proxy.caching.shared_cache import SharedCache
from txproxy.wire.message import UNTIL_CLOSE, RequestHead, ResponseHead

_log = Logger()

# The body of what has none yet.
_NOTHING: Final = MemoryBody(b"")
# Why a response is not kept that may be: for whoever has room now.
TOO_LARGE: Final = "too large"


class FillKeeping:
    """Keeps responses to ``request``, which is sent on behalf of ``asking``."""

    __slots__ = ("asked_at", "mark", "_cache", "_asking", "_request")

    def __init__(self, cache: SharedCache, asking: Asking, request: RequestHead) -> None:
        # when it was sent, and the last purge by then
        self.asked_at = 0.0
        self.mark = 0
        self._cache = cache
        self._asking = asking
        self._request = request

    def begin(self) -> None:
        """It is sent now."""
        self.asked_at = self._cache.now()
        self.mark = self._cache.marks.seq

    def is_purged(self, entry: Entry | None) -> bool:
        """Whether what comes, as ``entry`` if that is known, may have been purged since it was asked for."""
        if self.mark == self._cache.marks.seq:
            return False
        # Its tags come with it.
        return entry is None or self._cache.verdict(entry.head, self._asking) is not Verdict.ALIVE

    @property
    def has_login(self) -> bool:
        """Whether what comes may be for somebody."""
        return self._asking.personal or b"authorization" in self._request.headers.index

    def may_store(self, plain: ResponseHead, times: Times) -> Storing:
        """Whether a response with this head may be stored."""
        asking = self._asking
        return may_store(self._request, plain, asking.policy, times, scheme=asking.scheme, credentials=asking.personal)

    def kept(self, plain: ResponseHead, now: float) -> tuple[Entry | None, str]:
        """What is kept of a response with this head, or why nothing is."""
        cache, asking = self._cache, self._asking
        if plain.body == UNTIL_CLOSE:
            # Nobody can tell whether that is all of it.
            return None, "no length"
        times = Times(self.asked_at, now)
        storing = self.may_store(plain, times)
        names = vary_names(plain.headers)
        why = storing.reason
        if storing.freshness is not None and names is None:
            why = "Vary"
        elif storing.freshness is not None and plain.body > cache.store.max_object:
            why = TOO_LARGE
        if storing.freshness is None or names is None or why:
            if not self.has_login:
                # What is not kept for who has a login may be kept for others.
                cache.learn(asking.key, why, now)
            return None, why
        vary = vary_values(self._request.headers, names)
        head = stored_head(plain, storing.freshness, asking.policy, times, vary, self.mark)
        return Entry(asking.key, head, _NOTHING), ""

    def written(self, body: bytes) -> StoredBody | None:
        """A whole body as it is stored; None if it cannot be."""
        most = self._asking.policy.max_object_size
        if most is not None and len(body) > most:
            return None
        try:
            writer = self._cache.store.body(len(body), self._asking.key)
            return writer.finish() if writer is not None and (not body or writer.write(body)) else None
        except Exception:
            _log.failure("a store failed")
            return None

    def keep(self, entry: Entry) -> str:
        """Keep it; gives why it is not kept, empty if it is."""
        try:
            if self._cache.keep(entry, self._asking, self._request.headers):
                return ""
        except Exception:
            # Those who wait for it get it all the same.
            _log.failure("a store failed")
        return "purged" if self.is_purged(entry) else TOO_LARGE

    def keep_held(self, told: Held, stale: Entry | None, outdated: bool) -> Entry:
        """Keep what a 304 says of what is stored; gives what those get that wait."""
        cache, asking = self._cache, self._asking
        entry = Entry(asking.key, told.head, told.holds.body)
        if not told.stored or outdated or cache.verdict(told.head, asking) is Verdict.GONE:
            # It holds, this once.
            if stale is not None and not self.has_login:
                cache.store.remove(stale)
            return entry
        if stale is not None:
            return cache.replace(stale, told.head)
        for other, head in told.others:
            cache.replace(other, head)
        # It stands under these values as well.
        cache.keep(entry, asking, self._request.headers)
        return entry
