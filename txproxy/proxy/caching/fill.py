"""One request to an upstream on behalf of the cache. All that wait for it get what comes, from its first byte; none of
them can slow it down or cancel it while others are there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred

from txproxy.cache.answering.cache_status import CacheVerdict, ForwardedFor, Served
from txproxy.cache.changes.updates import freshened, updated_headers, validated
from txproxy.cache.reuse import is_failure, may_stand_in
from txproxy.cache.stored import Entry, MemoryBody
from txproxy.cache.storing import Storing, Times, may_store, stored_head
from txproxy.cache.vary import vary_names, vary_values
from txproxy.errors import UpstreamClosed
from txproxy.interfaces.answers import Refusal, RelayedAnswer
from txproxy.interfaces.middleware import Handler
from txproxy.net.deadlines import NEVER
from txproxy.proxy.caching.asking import Asking, Waiter
from txproxy.proxy.caching.delivery import growing_answer, stored_answer, with_status
from txproxy.proxy.caching.fill_body import FillBody
from txproxy.proxy.caching.fill_stream import FillStream
from txproxy.proxy.caching.passed_body import PassedBody
from txproxy.proxy.caching.shared_cache import SharedCache
from txproxy.proxy.services import Services
from txproxy.wire.headers import Headers
from txproxy.wire.message import UNTIL_CLOSE, RequestHead, ResponseHead

# How long a request waits for what another has asked for, in seconds, before it goes its own way.
PATIENCE: Final = 5.0
# The body of what has none yet.
_NOTHING: Final = MemoryBody(b"")


class FillState(Enum):
    """What a fill does."""

    ASKING = "the request is on its way, and nothing has come"
    KEEPING = "the body comes, and is kept"
    PASSING = "the body comes, and is for the one that has asked"
    OVER = "it has ended, in whatever way"


class Fill:
    """Asks ``handle`` for what has the key of ``asking``, which is the first that waits for it, unless it is none's
    (``background``). ``head`` is the request as it is sent, which validates ``stale`` if there is any; ``why`` is what
    has brought it about.
    """

    def __init__(
        self,
        cache: SharedCache,
        services: Services,
        handle: Handler,
        asking: Asking,
        head: RequestHead,
        why: ForwardedFor,
        stale: Entry | None = None,
    ) -> None:
        self.key = asking.key
        self.state = FillState.ASKING
        # whether what comes is not to be kept, as something has changed since it was asked for
        self.outdated = False
        # whether it is not the first try
        self.again = False
        # what comes, where it is kept
        self.entry: Entry | None = None
        self.body: FillBody | None = None
        self._cache = cache
        self._services = services
        self._handle = handle
        self._asking = asking
        self._request = head
        self._why = why
        self._stale = stale
        # whether it was old when it came
        self._aged = False
        self._waiters: list[Waiter] = []
        self._background = False
        self._passed: PassedBody | None = None
        self._asked_at = 0.0
        self._stream = FillStream(services, handle, head, asking.context, self)

    @property
    def request(self) -> RequestHead:
        """What is asked for."""
        return self._request

    # -- who wants it

    def wait(self, asking: Asking) -> Deferred[Any]:
        """Give a request what comes; the first that waits has asked for it."""
        first = not self._waiters and not self._background
        deadlines = self._services.deadlines
        waiter = Waiter(asking, self, deadlines, NEVER if first else deadlines.limit(PATIENCE).ahead)
        self._waiters.append(waiter)
        return waiter.decided

    def waiter_gone(self, waiter: Waiter) -> None:
        """See :class:`txproxy.proxy.caching.asking.AskedFor`."""
        if waiter in self._waiters:
            self._waiters.remove(waiter)
        if not self._waiters and self.state is FillState.ASKING and not self._background:
            self._over()
            self._stream.cancel()

    def join(self, asking: Asking) -> RelayedAnswer | Deferred[Any] | None:
        """Give a request what comes, or is to come; None if that is of no use to it."""
        if self.outdated:
            return None
        if self.state is FillState.ASKING:
            return self.wait(asking) if self._waiters or self._background else None
        entry, body = self.entry, self.body
        if self.state is not FillState.KEEPING or entry is None or body is None or not body.is_kept:
            return None
        vary = entry.head.vary
        if vary_values(asking.request.headers, [name for name, _ in vary]) != vary:
            return None
        return self._growing(asking, entry, body, collapsed=True)

    def begin(self, background: bool = False) -> None:
        """Send the request."""
        self._background = background
        self._asked_at = self._cache.now()
        self._stream.start()

    # -- what comes (see txproxy.proxy.caching.fill_stream.Filled)

    def informational(self, response: ResponseHead) -> None:
        """Whoever has asked gets it."""
        tell = self._asking.context.informational
        if tell is not None and self._waiters and self._waiters[0].asking is self._asking:
            tell(response)

    def head_came(self, response: ResponseHead, plain: ResponseHead) -> None:
        """The head of a response whose body is to come."""
        if self._is_settled(plain):
            # What it says is not wanted, or it has no body.
            self._stream.cancel()
            return
        now = self._cache.now()
        self._aged = b"age" in plain.headers.index
        entry, why = self._kept(plain, now)
        if entry is None:
            self._pass(response, why, None)
            return
        expected = response.body if response.body >= 0 else None
        self.state = FillState.KEEPING
        self.entry = entry
        writer = self._cache.store.body(expected)
        self.body = body = FillBody(writer, expected, self._stream.pause, self._stream.resume, self._deserted)
        for waiter in self._fitting(entry):
            waiter.answer(self._growing(waiter.asking, entry, body, waiter.asking is not self._asking))

    def whole_came(self, response: ResponseHead, plain: ResponseHead, body: bytes) -> None:
        """A response that is there in one piece."""
        if self._is_settled(plain):
            return
        self._aged = b"age" in plain.headers.index
        entry, why = self._kept(plain, self._cache.now())
        if entry is not None:
            writer = self._cache.store.body(len(body))
            if not body or writer.write(body):
                self._over()
                entry = Entry(self.key, entry.head, writer.finish())
                self._keep(entry)
                self._give_stored(self._fitting(entry), entry, stored=True)
                return
            why = "too large"
        self._over()
        self._pass(response, why, body)

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
            kept = body.finish()
            if kept is not None:
                self._keep(Entry(self.key, entry.head, kept))

    def refused(self, refusal: Refusal) -> None:
        """There is no response."""
        if self._stand_in(f"the origin failed: {refusal.error or refusal.status}"):
            return
        self._over()
        waiters, self._waiters = self._waiters, []
        if len(waiters) > 1 and not self.again:
            # One retry for all of them.
            self._retry(waiters)
            return
        for waiter in waiters:
            waiter.answer(refusal)

    def was_cut(self, error: str, detail: str) -> None:
        """The rest of the body does not come."""
        body, passed = self.body, self._passed
        waiting = self.state is FillState.ASKING
        self._over()
        fault = UpstreamClosed(detail)
        if error:
            fault.error = error
        if passed is not None:
            passed.fail(fault)
        if body is not None:
            body.fail()
        if waiting:
            waiters, self._waiters = self._waiters, []
            for waiter in waiters:
                waiter.answer(Refusal.of(fault))

    # -- what becomes of it

    def _is_settled(self, plain: ResponseHead) -> bool:
        """Whether those that wait get what is stored: it was validated, or the origin has failed."""
        if self._stale is None:
            return False
        if plain.status == 304:
            self._validated(self._stale, plain)
            return True
        return is_failure(plain.status) and self._stand_in(f"the origin answered {plain.status}")

    def _validated(self, stale: Entry, plain: ResponseHead) -> None:
        cache, now = self._cache, self._cache.now()
        self._over()
        self._aged = b"age" in plain.headers.index
        if stale not in validated([stale], plain.headers, now):
            # It says nothing of what is stored (RFC 9111 section 4.3.4): the next one is to bring all of it.
            cache.store.remove(stale)
            waiters, self._waiters = self._waiters, []
            for waiter in waiters:
                waiter.ask_again()
            return
        # Whom the origin has told something with it is the one that has asked.
        cookies = [line for line in plain.headers.lines if line[:11].lower() == b"set-cookie:"]
        told = (
            Headers.parsed([line for line in plain.headers.lines if line not in cookies]) if cookies else plain.headers
        )
        headers = updated_headers(stale.head.headers, told, now)
        whole = ResponseHead(stale.head.status, headers, stale.head.reason)
        times = Times(self._asked_at, now)
        storing = self._may_store(whole, times)
        if storing.freshness is not None and not self.outdated:
            entry = cache.replace(stale, freshened(stale.head, headers, storing.freshness, *times))
        else:
            # It holds, this once.
            entry = Entry(self.key, attrs.evolve(stale.head, headers=headers), stale.body)
            cache.store.remove(stale)
        waiters, self._waiters = self._waiters, []
        if cookies and waiters and waiters[0].asking is self._asking:
            self._asking.context.add_lines(*cookies)
        self._give_stored(waiters, entry, stored=bool(storing), served=Served.REVALIDATED, status=304)

    def _stand_in(self, why: str) -> bool:
        """Give what is stored in place of a response, if that may be."""
        stale, now = self._stale, self._cache.now()
        if stale is None or not may_stand_in(stale.head, self._asking.request.headers, now, self._asking.policy):
            return False
        self._over()
        waiters, self._waiters = self._waiters, []
        self._give_stored(waiters, stale, served=Served.STALE, why=why)
        return True

    def _kept(self, plain: ResponseHead, now: float) -> tuple[Entry | None, str]:
        """What is kept of a response with this head, or why nothing is."""
        asking = self._asking
        if self.outdated:
            return None, "something has changed it meanwhile"
        if plain.body == UNTIL_CLOSE:
            # Nobody can tell whether that is all of it.
            return None, "no length"
        times = Times(self._asked_at, now)
        storing = self._may_store(plain, times)
        names = vary_names(plain.headers)
        why = storing.reason
        if storing.freshness is not None and names is None:
            why = "Vary"
        elif storing.freshness is not None and plain.body > self._cache.store.max_object:
            why = "too large"
        if storing.freshness is None or names is None or why:
            if not asking.personal and b"authorization" not in self._request.headers.index:
                # What is not kept for who has a login may be kept for others.
                self._cache.learn(self.key, now)
            return None, why
        vary = vary_values(self._request.headers, names)
        head = stored_head(plain, storing.freshness, asking.policy, times, vary)
        return Entry(self.key, head, _NOTHING), ""

    def _may_store(self, plain: ResponseHead, times: Times) -> Storing:
        asking = self._asking
        scheme = (self._request.scheme or asking.context.scheme.encode("ascii")).lower()
        return may_store(self._request, plain, asking.policy, times, scheme=scheme, credentials=asking.personal)

    def _keep(self, entry: Entry) -> None:
        if not self.outdated:
            self._cache.keep(entry)

    def _fitting(self, entry: Entry) -> list[Waiter]:
        """Those that wait and get what has come; others go their own way."""
        waiters, self._waiters = self._waiters, []
        vary = entry.head.vary
        names = [name for name, _ in vary]
        fitting = []
        for waiter in waiters:
            # What was asked for on its behalf is for it in any case.
            if waiter.asking is self._asking or vary_values(waiter.asking.request.headers, names) == vary:
                fitting.append(waiter)
            else:
                waiter.ask_again()
        return fitting

    def _give_stored(
        self,
        waiters: Sequence[Waiter],
        entry: Entry,
        *,
        stored: bool = False,
        served: Served = Served.MISS,
        status: int | None = None,
        why: str = "",
    ) -> None:
        cache = self._cache
        now = cache.now()
        for waiter in waiters:
            first = waiter.asking is self._asking
            verdict = self._verdict(entry, served, stored, not first, status, why)
            aged = self._aged or not first or served is Served.STALE
            waiter.answer(stored_answer(waiter.asking, entry, verdict, cache.name, now, self._later, aged))

    def _growing(self, asking: Asking, entry: Entry, body: FillBody, collapsed: bool) -> RelayedAnswer:
        verdict = self._verdict(entry, Served.MISS, True, collapsed)
        aged = self._aged or collapsed
        return growing_answer(asking, entry, body, verdict, self._cache.name, self._cache.now(), self._later, aged)

    def _verdict(
        self,
        entry: Entry,
        served: Served,
        stored: bool,
        collapsed: bool,
        status: int | None = None,
        why: str = "",
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
        )

    def _pass(self, response: ResponseHead, why: str, whole: bytes | None) -> None:
        """The response is for the one that has asked for it; all others ask themselves, at once."""
        waiters, self._waiters = self._waiters, []
        first = waiters[0] if waiters and waiters[0].asking is self._asking else None
        if first is None:
            self._over()
            if whole is None:
                self._stream.cancel()
        else:
            verdict = CacheVerdict(served=Served.MISS, forwarded=self._why, detail=why)
            first.asking.context.cache = verdict
            lines = with_status(response.headers.lines, verdict, self._cache.name, self._cache.now())
            head = response.with_lines(lines)
            body: bytes | PassedBody
            if whole is not None:
                body = whole
            else:
                self.state = FillState.PASSING
                self._close()
                length = response.body if response.body >= 0 else None
                self._passed = body = PassedBody(length, self._stream.pause, self._stream.resume, self._unwanted)
            first.answer(RelayedAnswer(response.status, body=body, head=head))
        for waiter in waiters:
            if waiter is not first:
                waiter.go(why)

    def _unwanted(self) -> None:
        """The client has left."""
        self._over()
        self._stream.cancel()

    def _deserted(self) -> None:
        """Nobody reads what comes."""
        body = self.body
        if body is not None and not self._background and not body.is_worth_it:
            self._over()
            self._stream.cancel()
            body.fail()

    def _retry(self, waiters: list[Waiter]) -> None:
        fill = Fill(self._cache, self._services, self._handle, self._asking, self._request, self._why, self._stale)
        fill.again = True
        fill._take_over(waiters)
        fill.open()
        fill.begin()

    def _take_over(self, waiters: list[Waiter]) -> None:
        for waiter in waiters:
            waiter.wait_for(self)
        self._waiters = waiters

    def _later(self, call: Callable[[], None]) -> None:
        self._services.reactor.callLater(0, call)

    # -- whether others may join it

    def open(self) -> None:
        """Others may wait for it as well."""
        self._cache.fills.setdefault(self.key, []).append(self)

    def _close(self) -> None:
        fills = self._cache.fills.get(self.key)
        if fills is not None and self in fills:
            fills.remove(self)
            if not fills:
                del self._cache.fills[self.key]

    def _over(self) -> None:
        self.state = FillState.OVER
        self._close()
