"""The answers of one fill: the same response for all, and in Cache-Status what that is to each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from txproxy.cache.answering.cache_status import CacheVerdict, ForwardedFor, Served
from txproxy.cache.stored import Entry
from txproxy.interfaces.answers import RelayedAnswer
from txproxy.proxy.caching.asking import Asking
from txproxy.proxy.caching.delivery import growing_answer, part_answer, stored_answer, with_status
from txproxy.proxy.caching.filling.fill_body import FillBody
from txproxy.proxy.caching.filling.passed_body import PassedBody
from txproxy.proxy.caching.shared_cache import SharedCache
from txproxy.wire.message import ResponseHead


class FillAnswers:
    """Makes them, for what was asked for on behalf of ``first`` for the reason ``why``. ``aged`` is whether the
    response was old when it came, and ``upstream`` the one of a pool that has sent it. ``later`` has something called
    in the next turn of the reactor.
    """

    __slots__ = ("aged", "upstream", "_cache", "_first", "_why", "_later")

    def __init__(
        self,
        cache: SharedCache,
        first: Asking,
        why: ForwardedFor,
        later: Callable[[Callable[[], None]], object],
    ) -> None:
        self.aged = False
        self.upstream: Any = None
        self._cache = cache
        self._first = first
        self._why = why
        self._later = later

    def stored(
        self,
        asking: Asking,
        entry: Entry,
        *,
        stored: bool = False,
        served: Served = Served.MISS,
        status: int | None = None,
        why: str = "",
    ) -> RelayedAnswer:
        """That of what is stored as ``entry``, or was until now."""
        cache, first = self._cache, asking is self._first
        verdict = self._verdict(entry, served, stored, not first, status, why)
        aged = self.aged or not first or served is Served.STALE
        return stored_answer(asking, entry, verdict, cache, cache.now(), self._later, aged)

    def growing(self, asking: Asking, entry: Entry, body: FillBody, collapsed: bool) -> RelayedAnswer:
        """That of what still comes; ``collapsed`` is whether it comes for another."""
        verdict = self._verdict(entry, Served.MISS, True, collapsed)
        aged = self.aged or collapsed
        if body.is_part and body.around is None and not collapsed:
            return part_answer(asking, entry, body, verdict, self._cache.name, self._cache.now(), self._later, aged)
        return growing_answer(asking, entry, body, verdict, self._cache.name, self._cache.now(), self._later, aged)

    def passed_on(self, response: ResponseHead, why: str, body: bytes | PassedBody) -> RelayedAnswer:
        """That of what is not kept, for the reason ``why``."""
        verdict = CacheVerdict(served=Served.MISS, forwarded=self._why, detail=why, upstream=self.upstream)
        self._first.context.cache = verdict
        lines = with_status(response.headers.lines, verdict, self._cache.name, self._cache.now())
        return RelayedAnswer(response.status, body=body, head=response.with_lines(lines))

    def _verdict(
        self, entry: Entry, served: Served, stored: bool, collapsed: bool, status: int | None = None, why: str = ""
    ) -> CacheVerdict:
        if served is Served.MISS and self._why in (ForwardedFor.STALE, ForwardedFor.REQUEST):
            served = Served.EXPIRED
        return CacheVerdict(
            served=served,
            forwarded=self._why,
            expiry=entry.head.expiry(),
            origin_status=status,
            stored=stored,
            collapsed=collapsed,
            detail=why,
            upstream=None if collapsed else self.upstream,
        )
