"""Responses that go past the cache: what they say of themselves, and of what is stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import attrs
from twisted.logger import Logger

from txproxy.cache.answering.cache_status import CacheVerdict, ForwardedFor, Served
from txproxy.cache.changes.invalidation import invalidated
from txproxy.cache.changes.updates import HeadEffect, effect_of_head, freshened, updated_headers, without_cookies
from txproxy.cache.keys import canonical_authority, sent_path
from txproxy.cache.policy import CachePolicy
from txproxy.cache.purging.mark import Kind, group_value
from txproxy.cache.purging.marks import Verdict
from txproxy.cache.stored import Entry, StoredHead
from txproxy.cache.storing import Times, may_store, stored_head
from txproxy.cache.vary import vary_names, vary_values
from txproxy.errors import ConfigError
from txproxy.interfaces.context import RequestContext, ResponseFilter
from txproxy.proxy.caching.asking import Asking
from txproxy.proxy.caching.delivery import with_status
from txproxy.proxy.caching.filling.fill_body import Writer
from txproxy.proxy.caching.filling.sought import Sought
from txproxy.proxy.caching.shared_cache import Learned, SharedCache
from txproxy.wire.headers import Headers
from txproxy.wire.message import UNTIL_CLOSE, RequestHead, ResponseHead

_log = Logger()

_new: Final = object.__new__
_NO_FIELDS: Final = Headers()
# How often it is looked whether what could not be stored can be, in seconds.
_LOOK_EVERY: Final = 1.0
# RFC 9875 sections 2 and 3 want 32 groups of 32 characters at least.
_MOST_GROUPS: Final = 128
_LONGEST_GROUP: Final = 4096

Keying: TypeAlias = "Callable[[RequestHead, RequestContext, CachePolicy, bytes], list[bytes]]"


def _for_all(response: ResponseHead, asked: RequestHead, context: RequestContext) -> ResponseHead:
    """A ``response`` on its way to a client, before a route has mapped it for that one: with what is mapped of it for
    all, as nothing that is kept is to name an upstream.
    """
    map_to_keep = None
    for treating in context.treatments:
        if treating.maps:
            map_to_keep = treating.map_to_keep
    if map_to_keep is None or not response.headers.names_server:
        return response
    return response.with_lines(map_to_keep(context.attempt, asked, context, response.headers.lines))


class PassedFilter(ResponseFilter):
    """Says in Cache-Status ``why`` a response has come past the cache, with a ``detail``."""

    refusals = True

    def __init__(self, asking: Asking, cache: SharedCache, why: ForwardedFor, detail: str = "") -> None:
        self.asking = asking
        self.cache = cache
        self.asked_at = cache.now()
        self.mark = cache.marks.seq
        served = Served.BYPASS if why in (ForwardedFor.BYPASS, ForwardedFor.METHOD) else Served.MISS
        self.verdict = CacheVerdict(served=served, forwarded=why, detail=detail)
        asking.context.cache = self.verdict
        if asking.context.trace is not None:
            asking.context.trace.say("cache", "what comes is not kept", self.verdict.why)

    def head(self, response: ResponseHead, context: RequestContext) -> ResponseHead:
        """See :class:`txproxy.interfaces.ResponseFilter`."""
        now = self.cache.now()
        if context.attempt is not None:
            self.came(_for_all(response, self.asking.request, context), now)
        return response.with_lines(with_status(response.headers.lines, self.verdict, self.cache.name, now))

    def came(self, response: ResponseHead, now: float) -> None:
        """An upstream has answered: so, without what is for the client alone."""


class LearnedFilter(ResponseFilter):
    """The same of those that go past it since such responses could not be stored. One serves for all requests with the
    key of ``asking``; now and then it looks whether a response can be stored after all, so that the next one is.
    """

    refusals = only_adds = True

    def __init__(self, asking: Asking, cache: SharedCache, learned: Learned) -> None:
        self.learned = learned
        self.verdict = CacheVerdict(served=Served.MISS, forwarded=ForwardedFor.URI_MISS, detail=learned.why)
        self._key = asking.key
        self._policy = asking.policy
        # As what a plain request gets: this one may be somebody's.
        self._asked = asking.request.with_fields(_NO_FIELDS, asking.request.path)
        self._cache = cache
        self._now = cache.now
        self._end = b"\r\n" + self.verdict.line(cache.name, 0.0)
        self._look_at = 0.0
        # as all filters of a request that has no others
        self.alone = (self,)

    def head(self, response: ResponseHead, context: RequestContext) -> ResponseHead:
        """See :class:`txproxy.interfaces.ResponseFilter`."""
        if context.attempt is None:
            lines = with_status(response.headers.lines, self.verdict, self._cache.name, 0.0)
            return response.with_lines(lines)
        now = self._now()
        if now >= self._look_at:
            self._look(response, now)
        headers = response.headers
        block = headers.block
        if not block or headers.tells_of_caches:
            lines = with_status(headers.lines, self.verdict, self._cache.name, 0.0)
            return response.with_lines(lines)
        # The head of this one response; its fields may be those of others. This is done for each: what would be called
        # for it costs as much as it does.
        response.headers = added = _new(Headers)
        added.block = block + self._end
        return response

    def _look(self, response: ResponseHead, now: float) -> None:
        """See whether it still holds."""
        cache = self._cache
        self._look_at = now + _LOOK_EVERY
        fits = response.body != UNTIL_CLOSE and response.body <= cache.store.max_object
        storable = fits and may_store(self._asked, response, self._policy, Times(now, now))
        if now >= self.learned.until or storable:
            cache.unlearn(self._key)


class HeadFilter(PassedFilter):
    """The same of a response to HEAD: it tells whether what is stored still holds (RFC 9111 section 4.3.5)."""

    def came(self, response: ResponseHead, now: float) -> None:
        """See :class:`PassedFilter`."""
        asking, cache = self.asking, self.cache
        _, entry = cache.find(asking)
        if entry is None:
            return
        effect = effect_of_head(entry.head, entry.body.length, response.status, response.headers)
        if effect is HeadEffect.FREES:
            cache.store.remove(entry)
        elif effect is HeadEffect.FRESHENS and entry.head.freshness.lifetime > 0:
            # What was never fresh may be somebody's, and is not made everybody's by who is not asked for its body.
            times = Times(self.asked_at, now)
            headers = updated_headers(entry.head.headers, without_cookies(response.headers), now)
            request = asking.request
            asked = RequestHead(b"GET", request.path, request.headers, request.authority, request.scheme)
            whole = ResponseHead(response.status, headers, response.reason)
            storing = may_store(asked, whole, asking.policy, times, credentials=asking.personal)
            if storing.freshness is not None:
                cache.replace(entry, freshened(entry.head, headers, storing.freshness, *times, mark=self.mark))


class UnsafeFilter(PassedFilter):
    """The same of a response to a method that changes something: what that was about is not to be used any more (RFC
    9111 section 4.4). ``keys`` gives what a path of the same origin stands under.
    """

    def __init__(self, asking: Asking, cache: SharedCache, keys: Keying) -> None:
        super().__init__(asking, cache, ForwardedFor.METHOD)
        self._keys = keys

    def came(self, response: ResponseHead, now: float) -> None:
        """See :class:`PassedFilter`."""
        asking = self.asking
        request, context, scheme = asking.request, asking.context, asking.scheme
        gone = invalidated(request.method, scheme, request.authority, request.path, response.status, response.headers)
        if gone is None:
            return
        for _, _, path in gone.targets:
            path = sent_path(asking.policy, path)
            for key in self._keys(request, context, asking.policy, path):
                self.cache.invalidate(key)
            if asking.policy.has_parts:
                # It is stored under as many keys as these have values.
                url = b"%b://%b%b" % (scheme, canonical_authority(scheme, request.authority), path)
                self._purge(Kind.URL, url)
        if gone.groups:
            self._free(scheme, request.authority, sorted(gone.groups)[:_MOST_GROUPS])

    def _free(self, scheme: bytes, authority: bytes, groups: list[bytes]) -> None:
        canonical = canonical_authority(scheme, authority)
        for group in groups:
            if not self._purge(Kind.GROUP, group_value(scheme, canonical, group[:_LONGEST_GROUP])):
                return

    def _purge(self, kind: Kind, value: bytes) -> bool:
        try:
            self.cache.purge(kind, value)
        except (OSError, ConfigError):
            # The change has been made, and the client is to hear of it.
            _log.failure("what was changed could not be purged")
            return False
        return True


class SilentFilter(UnsafeFilter):
    """The same where nothing is cached, so that nothing is said of that."""

    def head(self, response: ResponseHead, context: RequestContext) -> ResponseHead:
        """See :class:`txproxy.interfaces.ResponseFilter`."""
        if context.attempt is not None:
            self.came(_for_all(response, self.asking.request, context), self.cache.now())
        return response


class PostFilter(UnsafeFilter):
    """The same of a response to a POST. Where that says that it is what a GET of the same target has, it is kept for
    that while it passes (RFC 9110 section 9.3.3), as far as the store takes it.

    It is known among the fills of its key, though nobody can share it: another change makes it outdated as well.
    """

    keeps_length = True

    def __init__(self, asking: Asking, cache: SharedCache, keys: Keying) -> None:
        super().__init__(asking, cache, keys)
        self.outdated = False
        self.sought: Sought | None = None
        self._kept: StoredHead | None = None
        self._writer: Writer | None = None
        cache.fills.setdefault(asking.key, []).append(self)

    def join(self, asking: Asking) -> Any:
        """See :class:`txproxy.proxy.caching.shared_cache.Filling`."""
        return None

    def head(self, response: ResponseHead, context: RequestContext) -> ResponseHead:
        """See :class:`txproxy.interfaces.ResponseFilter`."""
        kept = None
        if context.attempt is not None:
            kept = self._keepable(_for_all(response, self.asking.request, context))
        if kept is None:
            return super().head(response, context)
        most = self.asking.policy.max_object_size
        try:
            expected = response.body if response.body >= 0 else None
            self._writer = self.cache.store.body(expected, self.asking.key, most)
        except Exception:
            _log.failure("a store failed")
        self.wants_body = self._writer is not None
        if self.wants_body:
            self.verdict = context.cache = attrs.evolve(self.verdict, stored=True, expiry=kept.expiry())
        passed = super().head(response, context)
        # What it has changed itself it knows.
        self.outdated = False
        self._kept = attrs.evolve(kept, mark=self.cache.marks.seq)
        return passed

    def _keepable(self, response: ResponseHead) -> StoredHead | None:
        """What is kept of a response with this head."""
        asking, cache, headers = self.asking, self.cache, response.headers
        if not 200 <= response.status < 300 or response.status == 204 or response.body == UNTIL_CLOSE:
            # RFC 9110 section 8.7: of others Content-Location says something else.
            return None
        if self.outdated or response.body > cache.store.max_object:
            return None
        times = Times(self.asked_at, cache.now())
        found = may_store(
            asking.request, response, asking.policy, times, scheme=asking.scheme, credentials=asking.personal
        ).freshness
        names = vary_names(headers)
        if found is None or names is None:
            return None
        vary = vary_values(asking.request.headers, names)
        head = stored_head(response, found, asking.policy, times, vary, self.mark, asking.url)
        return head if cache.verdict(head, asking) is Verdict.ALIVE else None

    def body(self, data: bytes) -> bytes:
        """See :class:`txproxy.interfaces.ResponseFilter`."""
        writer = self._writer
        if writer is not None:
            try:
                if not writer.write(data):
                    self._writer = None
            except Exception:
                # The client gets it all the same.
                _log.failure("a store failed")
                self._abandon()
        return data

    def end(self, trailers: Headers) -> bytes:
        """See :class:`txproxy.interfaces.ResponseFilter`."""
        writer, self._writer = self._writer, None
        asking, kept = self.asking, self._kept
        if writer is not None and kept is not None:
            try:
                body = writer.finish()
                if body is not None and not self.outdated:
                    self.cache.keep(Entry(asking.key, kept, body), asking, asking.request.headers)
            except Exception:
                _log.failure("a store failed")
        return b""

    def closed(self) -> None:
        """See :class:`txproxy.interfaces.ResponseFilter`."""
        # What was cut is not all of it.
        self._abandon()
        fills = self.cache.fills
        others = [one for one in fills.get(self.asking.key, ()) if one is not self]
        if others:
            fills[self.asking.key] = others
        else:
            fills.pop(self.asking.key, None)

    def _abandon(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.abandon()
