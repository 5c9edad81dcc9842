"""What becomes of those that wait for a fill where what is stored is what they get: it was validated, or stands in."""

from __future__ import annotations

from collections.abc import Callable

from twisted.logger import Logger

from txproxy.cache.answering.cache_status import Served
from txproxy.cache.changes.not_modified import held
from txproxy.cache.reuse import may_stand_in
from txproxy.cache.stored import Entry
from txproxy.cache.storing import Times
from txproxy.proxy.caching.asking import Asking, Waiter
from txproxy.proxy.caching.filling.fill_answers import FillAnswers
from txproxy.proxy.caching.filling.fill_keeping import FillKeeping
from txproxy.proxy.caching.filling.sought import Sought
from txproxy.proxy.caching.filling.waiting import Waiting
from txproxy.proxy.caching.shared_cache import SharedCache
from txproxy.wire.message import RequestHead, ResponseHead

_log = Logger()


class FillValidation:
    """Of the fill that is sent on behalf of ``asking`` for what is ``sought``, and to which others belong."""

    __slots__ = ("_cache", "_asking", "_sought", "_keeping", "_waiting", "_answers")

    def __init__(
        self,
        cache: SharedCache,
        asking: Asking,
        sought: Sought,
        keeping: FillKeeping,
        waiting: Waiting,
        answers: FillAnswers,
    ) -> None:
        self._cache = cache
        self._asking = asking
        self._sought = sought
        self._keeping = keeping
        self._waiting = waiting
        self._answers = answers

    def validated(self, stale: Entry, plain: ResponseHead, request: RequestHead, outdated: bool) -> None:
        """A 304 with this head has come for the ``request``; what is ``stale`` was meanwhile ``outdated``, or not."""
        cache = self._cache
        now = cache.now()
        self._answers.aged = b"age" in plain.headers.index
        times = Times(self._keeping.asked_at, now)
        told = held(
            stale.head,
            plain.headers,
            request.headers,
            times,
            lambda status, headers: self._keeping.may_store(ResponseHead(status, headers), times).freshness,
            mark=self._keeping.mark,
        )
        if told is None:
            # It says nothing of what is stored (RFC 9111 section 4.3.4): the next one is to bring all of it.
            cache.store.remove(stale)
            self._waiting.each(Waiter.ask_again)
            return
        try:
            entry = self._keeping.keep_held(told, stale, outdated)
        except Exception:
            # Those who wait for it get it all the same.
            _log.failure("a store failed")
            entry = Entry(self._asking.key, told.head, stale.body)
        # Whom the origin has told something with it is the one that has asked.
        cookies = [line for line in plain.headers.lines if line[:11].lower() == b"set-cookie:"]
        if cookies and self._waiting.has_first:
            self._asking.context.add_lines(*cookies)
        self._waiting.hand_out(
            entry,
            lambda asking: self._answers.stored(
                asking, entry, stored=told.stored, served=Served.REVALIDATED, status=304
            ),
            now,
            told.stored,
        )

    def stand_in(self, why: str) -> Callable[[], None] | None:
        """Has what is stored given in place of a response, for the reason ``why``; None if that may not be."""
        stale, now = self._sought.stale, self._cache.now()
        if stale is None or not may_stand_in(stale.head, self._asking.request.headers, now, self._asking.policy):
            return None
        return lambda: self._waiting.stand_in(
            stale, lambda asking: self._answers.stored(asking, stale, served=Served.STALE, why=why), now
        )
