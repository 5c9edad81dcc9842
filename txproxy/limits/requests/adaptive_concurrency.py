"""Adaptive limits of pools in the way of requests, and which of these are refused first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from twisted.internet.defer import Deferred
from zope.interface import implementer

from txproxy.errors import ExchangeError
from txproxy.interfaces.allowances import LimitHit
from txproxy.interfaces.answers import Answer, Outcome, Refusal, Verdict
from txproxy.interfaces.context import HIGH, LOW, RequestContext, RequestFilter, ResponseFilter
from txproxy.interfaces.middleware import Handler, IComposedMiddleware, IMiddleware
from txproxy.interfaces.plan import Decision
from txproxy.limits.requests.adaptive_limit import AdaptiveBounds, AdaptiveLimit
from txproxy.limits.requests.concurrency import Places
from txproxy.limits.requests.limiter import LimitCounts
from txproxy.limits.requests.shared_slots import SharedSlots
from txproxy.limits.requests.slots import Slots
from txproxy.wire.message import RequestHead, ResponseHead

KEY: Final = ""
# Of the limit, those of low priority have no more than this share.
LOW_SHARE: Final = 0.75
# How many of high priority wait for a place, and for how many seconds.
_QUEUE: Final = 1024
_PATIENCE: Final = 1.0
_RETRY: Final = (b"Retry-After: 1",)
_SENTENCE: Final = "The server has too much to do just now."


class AdaptiveLimiter:
    """The adaptive limit of the pool of that ``name``: how many of its requests may be without an answer at once. What
    is being answered, and a tunnel that is open, has its answer. A ``clock`` is given where it is that of several
    processes together (:class:`txproxy.limits.requests.shared_adaptive.SharedAdaptiveLimiter`).
    """

    def __init__(self, name: str, bounds: AdaptiveBounds, clock: Any = None) -> None:
        self.name = f"pool {name}"
        self.bounds = bounds
        self.limit = AdaptiveLimit(bounds)
        most = int(self.limit.value)
        self.places = Places(Slots(most, _QUEUE) if clock is None else SharedSlots(most, _QUEUE, clock), _PATIENCE)
        self.allowed = self.refused = 0

    def has_room(self, priority: int) -> bool:
        """Whether one more of this priority may begin."""
        slots = self.places.slots
        most = self.limit.value * LOW_SHARE if priority == LOW else self.limit.value
        return slots.running < max(1, int(most))

    def enter(self) -> None:
        """One has begun."""
        self.places.slots.enter(KEY, over=True)

    def leave(self) -> None:
        """One has its answer, or gets none."""
        self.places.leave(KEY)

    def wait(self, clock: Any) -> Deferred[bool] | None:
        """Whether the turn of one of high priority has come."""
        return self.places.wait(KEY, clock)

    def answered(self, took: float, now: float) -> None:
        """One that has begun has its answer after so many seconds."""
        self.limit.answered(took, self.places.slots.running, now)
        self.places.slots.most = int(self.limit.value)

    def failed(self) -> None:
        """One that has begun got no answer."""
        self.limit.failed()

    def refuse(self) -> None:
        """One too many has come."""
        self.refused += 1

    @property
    def counts(self) -> LimitCounts:
        """What came of it."""
        places = self.places
        return LimitCounts(
            self.name,
            self.allowed,
            places.delayed,
            self.refused,
            1,
            True,
            running=places.slots.running,
            waiting=places.slots.waiting,
        )


class _Measured(ResponseFilter):
    """The place of a request until it is answered, and how long that takes."""

    def __init__(self, limiter: AdaptiveLimiter, clock: Any) -> None:
        self._limiter = limiter
        self._clock = clock
        self._began: float | None = None
        self._over = False

    def begin(self, has_place: bool = False) -> None:
        """It is at work now, if it is not over already."""
        if self._over:
            if has_place:
                self._limiter.leave()
            return
        if not has_place:
            self._limiter.enter()
        self._limiter.allowed += 1
        self._began = self._clock.seconds()

    def _end(self) -> float | None:
        """When it has begun, if it has, and was not over."""
        self._over = True
        began, self._began = self._began, None
        return began

    def head(self, response: ResponseHead, context: RequestContext) -> ResponseHead:
        """See :class:`txproxy.interfaces.ResponseFilter`."""
        began = self._end()
        if began is not None:
            now = self._clock.seconds()
            self._limiter.answered(now - began, now)
            self._limiter.leave()
        return response

    def failed(self, fault: ExchangeError) -> Answer | Refusal | None:
        """See :class:`txproxy.interfaces.ResponseFilter`."""
        if self._began is not None and fault.connection_failed:
            self._limiter.failed()
        return None

    def closed(self) -> None:
        """See :class:`txproxy.interfaces.ResponseFilter`."""
        if self._end() is not None:
            self._limiter.leave()


class _AfterBody(RequestFilter):
    """How long a body takes is its client's to say: a request with one begins when all of it is there."""

    keeps_length = True

    def __init__(self, measured: _Measured) -> None:
        self._measured = measured

    def end(self) -> bytes:
        """See :class:`txproxy.interfaces.RequestFilter`."""
        self._measured.begin()
        return b""


@implementer(IComposedMiddleware)
class AdaptiveConcurrency:
    """Lets so many requests at once to each of these ``pools`` as are good for it: within a cache, which asks for what
    it does not have. One too many is refused, unless its priority is high: then it waits for a moment, and is next.
    """

    def __init__(self, pools: Iterable[AdaptiveLimiter], clock: Any) -> None:
        self._pools = {limiter.name: limiter for limiter in pools}
        self._clock = clock

    def within(self, handler: Handler, scope: str, services: Any) -> Handler:
        """See :class:`txproxy.interfaces.IComposedMiddleware`."""
        # A scope is called as a limiter is. What follows where upstreams are asked by a Host of their own is nothing to
        # the limit: their work is the same.
        limiter, clock = self._pools.get(scope) or self._pools.get(scope.rpartition(" as ")[0]), self._clock
        if limiter is None:
            return handler
        known = limiter

        def limited(request: RequestHead, context: RequestContext) -> Decision:
            measured = _Measured(known, clock)
            if context.trace is not None:
                now = f"{known.places.slots.running} of {int(known.limit.value)}"
                context.trace.say(f"limit {known.name}", f"adaptive, {now} wait for an answer")
            if not known.has_room(context.priority) and not (context.priority == HIGH and request.body):
                turn: Any = known.wait(clock) if context.priority == HIGH else None
                if turn is None:
                    return _refused(known, context)
                context.limit = LimitHit(known.name, "delayed")
                decision: Decision = turn.addCallback(come, measured, request, context)
                return decision
            return go_on(measured, request, context, False)

        def come(has_place: bool, measured: _Measured, request: RequestHead, context: RequestContext) -> Decision:
            return go_on(measured, request, context, True) if has_place else _refused(known, context)

        def go_on(measured: _Measured, request: RequestHead, context: RequestContext, has_place: bool) -> Decision:
            context.filter_responses(measured)
            if request.body:
                context.filter_requests(_AfterBody(measured))
            else:
                measured.begin(has_place)
            return handler(request, context)

        return limited


def _refused(limiter: AdaptiveLimiter, context: RequestContext) -> Refusal:
    limiter.refuse()
    context.limit = LimitHit(limiter.name, "refused")
    reason = f"more than the {int(limiter.limit.value)} that it is good for at once"
    context.verdict = Verdict(outcome=Outcome.DENY, rule=f"limit {limiter.name}", reason=reason)
    detail = f"limit {limiter.name}: {reason}"
    return Refusal(503, "connection_limit_reached", detail, _RETRY, sentence=_SENTENCE)


@implementer(IMiddleware)
class Prioritized:
    """What stands within it has this ``priority``."""

    def __init__(self, priority: int) -> None:
        self._priority = priority

    def handle(self, request: RequestHead, context: RequestContext, proceed: Handler) -> Decision:
        """See :class:`txproxy.interfaces.IMiddleware`."""
        return self.within(proceed)(request, context)

    def within(self, handler: Handler, scope: str = "", services: Any = None) -> Handler:
        """The same, composed."""
        priority = self._priority

        def prioritized(request: RequestHead, context: RequestContext) -> Decision:
            context.priority = priority
            return handler(request, context)

        return prioritized
