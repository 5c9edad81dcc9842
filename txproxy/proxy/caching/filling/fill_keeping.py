"""What is kept of the response that a fill gets, and what cannot be."""

from __future__ import annotations

from typing import Final, NamedTuple

from twisted.logger import Logger

from txproxy.cache.changes.not_modified import Held
from txproxy.cache.changes.updates import freshened, updated_headers
from txproxy.cache.parts.partial_content import (
    Span,
    are_same,
    as_whole,
    asked_range,
    has_wanted,
    is_within,
    span_of,
    strong_validator,
    wanted,
)
from txproxy.cache.parts.parts_body import PartsBody, parts_from
from txproxy.cache.purging.marks import Verdict
from txproxy.cache.stored import Entry, MemoryBody, StoredBody
from txproxy.cache.storing import Storing, Times, may_store, stored_head
from txproxy.cache.vary import vary_names, vary_values
from txproxy.proxy.caching.asking import Asking
from txproxy.proxy.caching.filling.fill_body import FillBody
from txproxy.proxy.caching.filling.sought import Sought
from txproxy.proxy.caching.shared_cache import SharedCache
from txproxy.wire.message import UNTIL_CLOSE, RequestHead, ResponseHead

_log = Logger()


class Kept(NamedTuple):
    """What is kept of a response: its ``entry``, without the body; None if nothing is, for the reason ``why``. Of a
    partial one it is the head of the whole, and the ``span`` of the part, which comes ``around`` what is stored.
    """

    entry: Entry | None
    why: str = ""
    span: Span | None = None
    around: PartsBody | None = None


def part_key(key: bytes) -> bytes:
    """Under what it is known that parts of what stands under ``key`` cannot be stored."""
    return key + b" in parts"


# What is no answer to a request for what is missing, unless it has that; and what says that the rest is no more what it
# was, or that there is nothing.
NO_WHOLE: Final = frozenset({206, 304, 412, 416})
TELLING: Final = frozenset({*range(200, 300), 404, 410})
# The body of what has none yet.
_NOTHING: Final = MemoryBody(b"")
# Why a response is not kept that may be: for whoever has room now.
TOO_LARGE: Final = "too large"


class FillKeeping:
    """Keeps responses to ``request``, which is sent on behalf of ``asking``."""

    __slots__ = ("asked_at", "mark", "_changes", "_cache", "_asking", "_request")

    def __init__(self, cache: SharedCache, asking: Asking, request: RequestHead) -> None:
        # when it was sent, and the last purge by then
        self.asked_at = 0.0
        self.mark = 0
        # what had been changed by then, by any process that has the directory
        self._changes = 0
        self._cache = cache
        self._asking = asking
        self._request = request

    def begin(self) -> None:
        """It is sent now."""
        self.asked_at = self._cache.now()
        self.mark = self._cache.marks.seq
        self._changes = self._changes_by_now()

    def _changes_by_now(self) -> int:
        tiers = self._cache.tiers
        return tiers.disk.changes(self._asking.key) if tiers is not None else 0

    def is_purged(self, entry: Entry | None) -> bool:
        """Whether what comes, as ``entry`` if that is known, may have been purged, or changed through another process,
        since it was asked for.
        """
        if self._changes != self._changes_by_now():
            return True
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

    def kept(self, plain: ResponseHead, now: float) -> Kept:
        """What is kept of a response with this head, or why nothing is."""
        if plain.body == UNTIL_CLOSE:
            # Nobody can tell whether that is all of it.
            return Kept(None, "no length")
        kept = self._kept(plain, now)
        if kept.entry is None and not self.has_login:
            # What is not kept for who has a login may be kept for others.
            self._cache.learn(self._asking.key, kept.why, now)
        return kept

    def kept_part(self, plain: ResponseHead, now: float) -> Kept:
        """The same of the response to a client's request for a part. Of what is no part nothing is kept: what is said
        of an odd range is not for who asks for all.
        """
        span = span_of(plain) if plain.status == 206 else None
        if span is None or strong_validator(plain.headers, now) is None:
            kept = Kept(None, "range")
        else:
            kept = self._kept(as_whole(plain, span.length), now)._replace(span=span)
        # A 200 may also come of a condition of the client's, and others say nothing of parts.
        tells = plain.status == 206 or (plain.status == 200 and b"if-range" not in self._request.headers.index)
        if kept.entry is None and tells and not self.has_login:
            self._cache.learn(part_key(self._asking.key), kept.why, now)
        return kept

    def combined(self, plain: ResponseHead, incomplete: Entry, missing: tuple[int, int], now: float) -> Kept | None:
        """What is kept of a 206 that has what is ``missing`` of what is ``incomplete`` (RFC 9111 section 3.4); None if
        it is not that, or is not to be kept.
        """
        span, body = span_of(plain), incomplete.body
        if span is None or type(body) is not PartsBody or span.start != missing[0] or span.stop < missing[1]:
            return None
        stored, times = incomplete.head, Times(self.asked_at, now)
        if span.length != body.length or not are_same(stored.headers, plain.headers, now):
            return None
        headers = updated_headers(stored.headers, plain.headers, now)
        found = self.may_store(ResponseHead(200, headers, b"OK", span.length), times).freshness
        names = vary_names(headers)
        if found is None or names is None:
            return None
        vary = stored.vary
        if names != tuple([name for name, _ in vary]):
            vary = vary_values(self._request.headers, names)
        head = freshened(stored, headers, found, *times, vary=vary, mark=self.mark)
        return Kept(Entry(incomplete.key, head, _NOTHING), "", span, body)

    def _kept(self, plain: ResponseHead, now: float) -> Kept:
        cache, asking = self._cache, self._asking
        times = Times(self.asked_at, now)
        storing = self.may_store(plain, times)
        names = vary_names(plain.headers)
        why = storing.reason
        if storing.freshness is not None and names is None:
            why = "Vary"
        elif storing.freshness is not None and plain.body > cache.store.max_object:
            why = TOO_LARGE
        if storing.freshness is None or names is None or why:
            return Kept(None, why)
        vary = vary_values(self._request.headers, names)
        head = stored_head(plain, storing.freshness, asking.policy, times, vary, self.mark, asking.url)
        return Kept(Entry(asking.key, head, _NOTHING))

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

    def drop(self, incomplete: Entry) -> None:
        """What is ``incomplete`` cannot be completed. What is so for who has a login may not be so for others."""
        if not self.has_login:
            self._cache.store.remove(incomplete)

    def may_bring(self, asking: Asking, sought: Sought) -> bool:
        """Whether what comes, which is what is ``sought``, may be of use to a request, as far as one can tell."""
        stale, mine = sought.stale, self._request.headers
        known = self._cache.store.variants(asking.key) if stale is None else (stale,)
        names = {name for one in known for name, _ in one.head.vary}
        if names and vary_values(asking.request.headers, names) != vary_values(mine, names):
            return False
        if stale is not None:
            # It is most likely to hold.
            return has_wanted(stale, asking.request.method, asking.request.headers, self._cache.now(), validated=True)
        return sought.is_whole or self._may_bring_part(asking, sought)

    def _may_bring_part(self, asking: Asking, sought: Sought) -> bool:
        headers, incomplete, missing = asking.request.headers, sought.incomplete, sought.missing
        if incomplete is None or missing is None:
            # Where it is the origin tells; it may be in the same place for the same question alone.
            return b"if-range" not in headers.index and is_within(asked_range(headers), sought.part)
        body = incomplete.body
        pieces = wanted(incomplete, body.length, headers, self._cache.now())
        if not pieces or type(body) is not PartsBody:
            return False
        gaps = [body.missing(*piece) for piece in pieces]
        return all(gap is None or (missing[0] <= gap[0] and gap[1] <= missing[1]) for gap in gaps)

    def keep_came(self, entry: Entry, body: FillBody, whole: bool) -> None:
        """Keep what has come of a ``body``, whose head is that of ``entry``; ``whole`` is whether that is all that was
        to come. What is incomplete is kept where it can be completed: under a strong validator, and of a known length.
        """
        try:
            length = body.expected
            head, is_part = entry.head, not whole or body.is_part
            known = strong_validator(head.headers, head.response_time) is not None
            if is_part and (length is None or head.status != 200 or not known):
                return
            kept = body.finish() if whole else body.cut()
        except Exception:
            _log.failure("a store failed")
            return
        if kept is not None:
            if is_part and length is not None:
                kept = PartsBody(length, parts_from(body.start, kept))
            self.keep(Entry(entry.key, entry.head, kept))

    def keep(self, entry: Entry) -> str:
        """Keep it; gives why it is not kept, empty if it is."""
        try:
            if self._changes != self._changes_by_now():
                return "changed meanwhile"
            if self._cache.keep(entry, self._asking, self._request.headers):
                return ""
        except Exception:
            # Those who wait for it get it all the same.
            _log.failure("a store failed")
        return "purged" if self.is_purged(entry) else TOO_LARGE

    def keep_held(self, told: Held, stale: Entry, outdated: bool) -> Entry:
        """Keep what a 304 says of what is ``stale``; gives what those get that wait."""
        cache, asking = self._cache, self._asking
        outdated = outdated or self._changes != self._changes_by_now()
        if not told.stored or outdated or cache.verdict(told.head, asking) is Verdict.GONE:
            # It holds, this once.
            if not self.has_login:
                cache.store.remove(stale)
            return Entry(asking.key, told.head, stale.body)
        return cache.replace(stale, told.head)
