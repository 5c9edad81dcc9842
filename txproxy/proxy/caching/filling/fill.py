"""One request to an upstream on behalf of the cache. All that wait for it get what comes, from its first byte; none of
them can slow it down or cancel it while others are there.
"""

from __future__ import annotations

from enum import Enum
from functools import partial
from typing import Any, Final

from twisted.internet.defer import Deferred

from txproxy.cache.reuse import is_failure
from txproxy.cache.stored import Entry
from txproxy.errors import UpstreamClosed
from txproxy.interfaces.answers import Refusal, RelayedAnswer
from txproxy.interfaces.middleware import Handler
from txproxy.proxy.caching.asking import Asking, Waiter
from txproxy.proxy.caching.delivery import is_near
from txproxy.proxy.caching.filling.fill_answers import FillAnswers
from txproxy.proxy.caching.filling.fill_body import FillBody
from txproxy.proxy.caching.filling.fill_keeping import NO_WHOLE, TELLING, TOO_LARGE, FillKeeping, Kept
from txproxy.proxy.caching.filling.fill_stream import FillStream
from txproxy.proxy.caching.filling.fill_validation import FillValidation
from txproxy.proxy.caching.filling.passed_body import PassedBody
from txproxy.proxy.caching.filling.sought import Sought
from txproxy.proxy.caching.filling.unread_body import UnreadBody
from txproxy.proxy.caching.filling.waiting import Waiting, is_for
from txproxy.proxy.caching.shared_cache import SharedCache
from txproxy.proxy.services import Services
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead, ResponseHead

_NO_FIELDS: Final = Headers()


class FillState(Enum):
    """What a fill does."""

    ASKING = "the request is on its way, and nothing has come"
    KEEPING = "the body comes, and is kept"
    PASSING = "the body comes, and is for the one that has asked"
    OVER = "it has ended, in whatever way"


class Fill:
    """Asks ``handle`` for what has the key of ``asking``, which is the first that waits for it, unless it is none's
    (``background``). ``head`` is the request as it is sent, and ``sought`` what that is to bring.
    """

    def __init__(
        self,
        cache: SharedCache,
        services: Services,
        handle: Handler,
        asking: Asking,
        head: RequestHead,
        sought: Sought,
    ) -> None:
        self.key = asking.key
        self.sought = sought
        self.state = FillState.ASKING
        # whether what comes is not to be kept, as something has changed since it was asked for
        self.outdated = False
        # whether others may wait for it as well
        self.is_open = False
        # whether it is not the first try
        self.again = False
        # what comes, where it is kept
        self.entry: Entry | None = None
        self.body: FillBody | None = None
        self._combined: Kept | None = None
        self._cache = cache
        self._services = services
        self._handle = handle
        self._asking = asking
        self._request = head
        later = partial(services.reactor.callLater, 0)
        self._answers = FillAnswers(cache, asking, sought.why, later)
        self._keeping = FillKeeping(cache, asking, head)
        self._waiting = Waiting(asking)
        self._validation = FillValidation(cache, asking, sought, self._keeping, self._waiting, self._answers)
        self._background = False
        self._passed: PassedBody | None = None
        self._unread = UnreadBody(services)
        self._stream = FillStream(services, handle, head, asking.context, self)

    @property
    def request(self) -> RequestHead:
        """What is asked for."""
        return self._request

    # -- who wants it

    def wait(self, asking: Asking) -> Deferred[Any]:
        """Give a request what comes."""
        return self._waiting.add(asking, self)

    def waiter_gone(self, waiter: Waiter) -> None:
        """See :class:`txproxy.proxy.caching.asking.AskedFor`."""
        self._waiting.remove(waiter)
        if not self._waiting and self.state is FillState.ASKING and not self._background:
            self._over()
            self._stream.cancel()

    def join(self, asking: Asking) -> RelayedAnswer | Deferred[Any] | None:
        """Give a request what comes, or is to come; None if that is of no use to it."""
        if self.outdated or not self.is_open or self._keeping.is_purged(self.entry):
            return None
        if self.state is FillState.ASKING:
            is_wanted = bool(self._waiting) or self._background
            return self.wait(asking) if is_wanted and self._keeping.may_bring(asking, self.sought) else None
        entry, body = self.entry, self.body
        if self.state is not FillState.KEEPING or entry is None or body is None or not body.is_kept:
            return None
        now = self._cache.now()
        if not is_for(entry, asking, now) or not is_near(asking, entry, body, now):
            return None
        self._unread.end()
        return self._answers.growing(asking, entry, body, collapsed=True)

    def begin(self, background: bool = False) -> None:
        """Send the request."""
        self._background = background
        self._keeping.begin()
        self._cache.fills.setdefault(self.key, []).append(self)
        self._stream.start(None if background else self._asking.context)

    # -- what comes (see txproxy.proxy.caching.filling.fill_stream.Filled)

    def informational(self, response: ResponseHead) -> None:
        """Whoever has asked gets it."""
        tell = self._asking.context.informational
        if tell is not None and self._waiting.has_first:
            tell(response)

    def head_came(self, response: ResponseHead, plain: ResponseHead) -> None:
        """The head of a response whose body is to come."""
        self._answers.upstream = self._stream.upstream
        if self._is_settled(plain):
            # What it says is not wanted, or it has no body.
            self._stream.cancel()
            return
        kept = self._kept(plain)
        expected = response.body if response.body >= 0 else None
        if kept.entry is None or not self._grow(kept, kept.entry, expected):
            self._not_kept(response, kept.why or TOO_LARGE, None)

    def _grow(self, kept: Kept, entry: Entry, expected: int | None) -> bool:
        """The body comes, ``expected`` bytes if that is known, and is kept; whether a store takes it."""
        cache, stream, span = self._cache, self._stream, kept.span
        size = expected
        if span is not None:
            expected, size = span.length, span.stop - span.start
        # It takes no more than the policy does, however long it gets.
        writer = cache.store.body(size, self.key, self._asking.policy.max_object_size)
        if writer is None:
            return False
        self.state = FillState.KEEPING
        self.entry = entry
        self.body = body = FillBody(writer, expected, stream.pause, stream.resume, self._deserted, span, kept.around)
        first, now = self._waiting.has_first, cache.now()
        self._waiting.let_go(lambda asking: is_near(asking, entry, body, now), "range")
        self._waiting.hand_out(
            entry, lambda asking: self._answers.growing(asking, entry, body, asking is not self._asking), now
        )
        if not body.is_read:
            # Who has it already, or wants its head alone, has all that it wants; it is kept for others.
            self._background = self._background or first
            self._deserted()
        return True

    def whole_came(self, response: ResponseHead, plain: ResponseHead, body: bytes) -> None:
        """A response that is there in one piece."""
        self._answers.upstream = self._stream.upstream
        if self._is_settled(plain):
            return
        kept, now = self._kept(plain), self._cache.now()
        entry, why = kept.entry, kept.why
        if entry is not None and kept.span is not None:
            if self._grow(kept, entry, None):
                self.body_came(body)
                self.ended(_NO_FIELDS)
                return
            why = TOO_LARGE
        elif entry is not None:
            written = self._keeping.written(body)
            if written is not None:
                self._over()
                entry = Entry(self.key, entry.head, written)
                why = self._keep(entry)
                self._waiting.hand_out(
                    entry, lambda asking: self._answers.stored(asking, entry, stored=not why, why=why), now
                )
                return
            why = TOO_LARGE
        self._over()
        self._not_kept(response, why, body)

    def body_came(self, data: bytes) -> None:
        """Part of it."""
        if self.body is not None:
            self.body.write(data)
        elif self._passed is not None:
            self._passed.write(data)

    def flushed(self) -> None:
        """No more is at hand just now."""
        if self._passed is not None:
            self._passed.flush()

    def ended(self, trailers: Headers) -> None:
        """The body is complete."""
        body, entry, passed = self.body, self.entry, self._passed
        self._over()
        if passed is not None:
            passed.end(trailers)
        if body is not None and entry is not None:
            # Before those that have all of it ask for the next.
            self._keep_came(entry, body, whole=True)
            body.complete()

    def refused(self, refusal: Refusal) -> None:
        """There is no response."""
        if refusal.status >= 500 and self._stand_in(f"the origin failed: {refusal.error or refusal.status}"):
            return
        self._over()
        if refusal.status < 500:
            # That is about who has asked, and no failure.
            if self._waiting.has_first:
                self._waiting.give_first(lambda: refusal)
            self._waiting.each(lambda waiter: waiter.go("refused"))
        elif len(self._waiting) > 1 and not self.again and self._stream.cuts < 2:
            # One retry for all of them, unless the request has been sent again as it was.
            self._retry()
        else:
            self._waiting.each(lambda waiter: waiter.answer(lambda: refusal))

    def left_by_owner(self) -> bool:
        """See :class:`txproxy.proxy.caching.filling.fill_stream.Filled`."""
        if self.body is not None and self.body.is_read:
            # Others that share the cache do so.
            return True
        self._over()
        self._break_off()
        # Those that are left have come to others, and ask by way of those.
        self._waiting.each(Waiter.decide_anew)
        return False

    def was_cut(self, error: str, detail: str) -> None:
        """The rest of the body does not come."""
        passed = self._passed
        self._over()
        fault = UpstreamClosed(detail)
        if error:
            fault.error = error
        if passed is not None:
            passed.fail(fault)
        self._break_off()
        self._waiting.each(lambda waiter: waiter.answer(lambda: Refusal.of(fault)))

    # -- what becomes of it

    def _is_settled(self, plain: ResponseHead) -> bool:
        """Whether those that wait get what is stored: it was validated, or the origin has failed."""
        sought = self.sought
        incomplete, missing = sought.incomplete, sought.missing
        if incomplete is not None and missing is not None:
            if plain.status in NO_WHOLE:
                if not self.outdated:
                    self._combined = self._keeping.combined(plain, incomplete, missing, self._cache.now())
                if self._combined is None:
                    self._ask_plainly(incomplete)
                    return True
            elif plain.status in TELLING:
                self._keeping.drop(incomplete)
        elif plain.status == 304:
            if sought.stale is None:
                # RFC 9110 section 15.4.5: there was no condition. A client would take it for an empty page.
                self.refused(Refusal(502, "http_protocol_error", "304 to a request without a condition"))
            else:
                self._over()
                self._validation.validated(sought.stale, plain, self.request, self.outdated)
            return True
        return is_failure(plain.status) and self._stand_in(f"the origin answered {plain.status}")

    def _not_kept(self, response: ResponseHead, why: str, whole: bytes | None) -> None:
        incomplete = self.sought.incomplete
        if self._combined is None or incomplete is None:
            self._pass(response, why, whole)
            return
        # Alone, what was missing is no answer to anybody.
        self._ask_plainly(incomplete)
        if whole is None:
            self._stream.cancel()

    def _ask_plainly(self, incomplete: Entry) -> None:
        """What has come does not complete what is ``incomplete``: all that is there is asked for."""
        self._over()
        self._keeping.drop(incomplete)
        self._waiting.each(Waiter.ask_again)

    def _stand_in(self, why: str) -> bool:
        """Give what is stored in place of a response, if that may be."""
        give = self._validation.stand_in(why)
        if give is None:
            return False
        self._over()
        give()
        return True

    def _kept(self, plain: ResponseHead) -> Kept:
        """What is kept of a response with this head, or why nothing is."""
        now, combined = self._cache.now(), self._combined
        self._answers.aged = b"age" in plain.headers.index
        if combined is not None:
            return combined
        if self.outdated:
            return Kept(None, "something has changed it meanwhile")
        if self.sought.part is not None:
            return self._keeping.kept_part(plain, now)
        return self._keeping.kept(plain, now)

    def _keep(self, entry: Entry) -> str:
        return "changed meanwhile" if self.outdated else self._keeping.keep(entry)

    def _keep_came(self, entry: Entry, body: FillBody, whole: bool) -> None:
        if not self.outdated:
            self._keeping.keep_came(entry, body, whole)

    def _break_off(self) -> None:
        """The rest of the body does not come, and is to be asked for by the next one."""
        body, entry = self.body, self.entry
        if body is not None:
            if entry is not None:
                self._keep_came(entry, body, whole=False)
            body.fail()

    def _pass(self, response: ResponseHead, why: str, whole: bytes | None) -> None:
        """The response is for the one that has asked for it; all others ask themselves, at once."""
        if not self._waiting.has_first:
            self._over()
            if whole is None:
                self._stream.cancel()
        else:
            body: bytes | PassedBody
            if whole is not None:
                body = whole
            else:
                self.state = FillState.PASSING
                self._close()
                length = response.body if response.body >= 0 else None
                self._passed = body = PassedBody(length, self._stream.pause, self._stream.resume, self._unwanted)
            self._waiting.give_first(lambda: self._answers.passed_on(response, why, body))
        self._waiting.each(lambda waiter: waiter.go(why))

    def _unwanted(self) -> None:
        """The client has left."""
        self._over()
        self._stream.cancel()

    def _deserted(self) -> None:
        """Nobody reads what comes."""
        body = self.body
        if body is None:
            return
        if not (body.is_worth_it or (self._background and body.is_kept)):
            self._give_up()
        elif self.state is FillState.KEEPING:
            self._unread.begin(body, self._give_up)

    def _give_up(self) -> None:
        self._over()
        self._stream.cancel()
        self._break_off()

    def _retry(self) -> None:
        fill = Fill(self._cache, self._services, self._handle, self._asking, self._request, self.sought)
        fill.again = True
        fill.is_open = self.is_open
        fill._waiting.take_over(self._waiting, fill)
        fill.begin()

    # -- whether it is known to others

    def _close(self) -> None:
        fills = self._cache.fills.get(self.key)
        if fills is not None and self in fills:
            fills.remove(self)
            if not fills:
                del self._cache.fills[self.key]

    def _over(self) -> None:
        self.state = FillState.OVER
        self._unread.end()
        self._close()
