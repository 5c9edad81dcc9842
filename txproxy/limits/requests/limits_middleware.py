"""The limits of requests in their way, whatever the mode."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import partial
from operator import is_
from typing import Any, Final, TypeAlias

import attrs
from twisted.internet.defer import Deferred
from zope.interface import implementer

from txproxy.errors import ConfigError
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.middleware import Handler, IComposedMiddleware, IStreamMiddleware, Toll
from txproxy.interfaces.plan import Decision
from txproxy.limits.requests.concurrency import ConcurrencyLimiter, Entering
from txproxy.limits.requests.gcra import Debt, Gcra
from txproxy.limits.requests.known_debts import StandingDebts, short_way, standing_debts, values_compared
from txproxy.limits.requests.limit_keys import KeyOf, LimitPlace, key_of
from txproxy.limits.requests.limiter import Limiter, refusal
from txproxy.wire.message import RequestHead

AnyLimiter: TypeAlias = "Limiter | ConcurrencyLimiter"
GivenHandler: TypeAlias = "Callable[[Handler, RequestHead, RequestContext], Decision]"
# Who has sent a request, where that is more than its connection says.
ClientOf: TypeAlias = "Callable[[RequestHead, RequestContext], str]"
# What requests are counted by is looked up anew so often for a connection, and is at hand for it at so many places.
_MOST_LOOK_UPS: Final = 64
_MOST_PLACES: Final = 8
# how often it was
_LOOKED_UP: Final = None
_BY_ACCEPTED: Final = "accepted: client, host, header:NAME, cookie:NAME"


class Checks:
    """The limits that a request is under at one place, each with what it is counted by there.

    :meth:`within` stands around a handler. What one of them refuses counts for none of those before it. So many as
    ``passed`` were let through by all of them on the short way (:mod:`txproxy.limits.requests.known_debts`).
    """

    __slots__ = ("passed", "_limits", "_places", "clock", "_by", "_compared", "_tells", "__weakref__")

    def __init__(self, limits: Iterable[AnyLimiter], place: LimitPlace, clock: Any) -> None:
        # To add to a float takes half as long as to a whole number.
        self.passed = 0.0
        self._limits: tuple[tuple[Callable[[Hashable, float], float], KeyOf, bool, Limiter], ...] = ()
        self.clock = clock
        limits = tuple(limits)
        self._places = tuple(
            (one, key_of(one.config.by, place)) for one in limits if isinstance(one, ConcurrencyLimiter)
        )
        rates = [one for one in limits if isinstance(one, Limiter)]
        # what takes one of a key, what gives the key, and whether the client is told in any case
        self._limits = tuple(
            (one.rate.take, key_of(one.config.by, place), one.config.ratelimit_fields, one) for one in rates
        )
        # whether clients are told of any of them in any case
        self._tells = any(one.config.ratelimit_fields for one in rates)
        self._by = tuple(dict.fromkeys(word for one in rates for word in one.config.by))
        self._compared = values_compared(self._by)
        for one in rates:
            one.places.add(self)

    def __del__(self) -> None:
        # Who is asked what came of a limit hears of places that are there.
        for _, _, _, limit in self._limits:
            limit.allowed += int(self.passed)

    def within(self, handler: Handler, client_of: ClientOf | None = None) -> Handler:
        """``handler``, for requests that may go on; ``client_of`` says first whom they are from."""
        around: Any = self._limiting(self._entered(handler))
        if client_of is None and self._limits and not self._places and not self._tells:
            # See txproxy.interfaces.middleware.tolls_of.
            around.toll = Toll(self, handler, around)
        limited: Handler = around
        if client_of is None:
            return limited
        known = client_of

        def identified(request: RequestHead, context: RequestContext) -> Decision:
            context.client_ip = known(request, context)
            return limited(request, context)

        return identified

    def around_any(self) -> GivenHandler:
        """The same for a handler that is given with each request."""
        limited: GivenHandler = self._limiting(None)
        if not self._places:
            return limited
        return lambda handler, request, context: limited(self._entered(handler), request, context)

    def ask(self, handler: Handler, request: RequestHead, context: RequestContext) -> Decision:
        """The same by the long way, of which nothing is kept."""
        return self._ask(self._entered(handler), request, context, self.clock.seconds(), keeps=False)

    def _entered(self, handler: Handler) -> Handler:
        # Who is too soon takes no place.
        return Entering(self._places, self.clock, handler) if self._places else handler

    def _limiting(self, handler: Handler | None) -> Any:
        """What asks the rates, before the ``handler``, or before one that is given with each request."""
        if not self._limits:
            return handler or _handled
        # To write what they tell takes longer than to look up whom.
        anew: Any = partial(self._ask_anew, not self._tells)
        if self._tells:
            return anew if handler is None else partial(anew, handler)
        rates = [limit.rate for _, _, _, limit in self._limits]
        names = {"anew": anew, "go_on": self._go_on, "seconds": self.clock.seconds}
        return short_way(self, rates, self._by, names if handler is None else {"handler": handler, **names})

    def _ask_anew(self, keeps: bool, handler: Handler, request: RequestHead, context: RequestContext) -> Decision:
        return self._ask(handler, request, context, self.clock.seconds(), keeps=keeps)

    def _go_on(
        self, handler: Handler, request: RequestHead, context: RequestContext, now: float, first: int
    ) -> Decision:
        """Those before the ``first`` have let it through by what was at hand, and that one does not say yes by that."""
        for _, _, _, limit in self._limits[:first]:
            limit.allowed += 1
        return self._ask(handler, request, context, now, first, keeps=True)

    def _ask(
        self,
        handler: Handler,
        request: RequestHead,
        context: RequestContext,
        now: float,
        first: int = 0,
        keeps: bool = False,
    ) -> Decision:
        """Ask all limits from the ``first`` on, and then the handler."""
        for take, key_for, tells, limit in self._limits[first:]:
            wait = take(key_for(request, context), now)
            if wait or tells:
                return self._stopped(handler, request, context, now, limit, wait)
            limit.allowed += 1
        if keeps:
            self._keep(request, context)
        if context.trace is not None:
            self._tell(request, context, now)
        return handler(request, context)

    def _keep(self, request: RequestHead, context: RequestContext) -> None:
        """Have what such a request is counted by at hand for the next one of its connection."""
        connection = context.connection
        kept = connection.debts
        if kept is None:
            # It may be the only one.
            connection.debts = {_LOOKED_UP: 0}
            return
        before, looked_up = kept.get(self), kept[_LOOKED_UP]
        if looked_up > _MOST_LOOK_UPS:
            return
        debts = [limit.rate.debt(key_for(request, context)) for _, key_for, _, limit in self._limits]
        known = (*self._compared(request, context), *debts)
        if None in debts or (before is not None and all(map(is_, before, known))):
            return
        if len(kept) > _MOST_PLACES:
            # After reloads there are others.
            kept.clear()
        kept[_LOOKED_UP] = looked_up + (before is not None)
        kept[self] = known

    def debts_of(self, request: RequestHead, context: RequestContext) -> tuple[tuple[Debt, Gcra], ...] | None:
        """What each request owes, and at which rate, that is counted as this one is; None if it is not at hand."""
        kept = context.connection.debts
        known = kept.get(self) if kept is not None else None
        values = self._compared(request, context)
        if known is None or known[: len(values)] != values:
            return None
        rates = (limit.rate for _, _, _, limit in self._limits)
        return tuple(zip(known[len(values) :], rates, strict=True))

    def standing(self, places: Sequence[Checks], request: RequestHead, context: RequestContext) -> StandingDebts | None:
        """What requests like this one owe at all of these ``places``, of which this is one; None if that is not at
        hand.
        """
        found: list[tuple[Debt, Gcra]] = []
        for place in places:
            debts = place.debts_of(request, context)
            if debts is None or place.clock is not self.clock:
                return None
            found += debts
        if len({id(debt) for debt, _ in found}) < len(found):
            # It takes of the same twice, and the second has to see what the first has left.
            return None
        return standing_debts(places, found, self.clock.seconds)

    def _stopped(
        self,
        handler: Handler,
        request: RequestHead,
        context: RequestContext,
        now: float,
        first: Limiter,
        wait: float,
    ) -> Decision:
        """One of them, the ``first``, is not content, or has something to tell: go on from there."""
        longest = 0.0
        reached = False
        for take, key_for, tells, limit in self._limits:
            if limit is first:
                reached = True
            elif reached:
                wait = take(key_for(request, context), now)
            else:
                continue
            if tells:
                context.add_lines(*limit.fields(key_for(request, context), now))
            if limit.admits(wait, context):
                longest = max(longest, wait) if limit.config.enforce else longest
                continue
            self._give_back(limit, request, context, now)
            if context.trace is not None:
                self._tell(request, context, now)
            return refusal(limit.config, context, -wait)
        if context.trace is not None:
            self._tell(request, context, now)
        if longest <= 0.0 or (context.trace is not None and context.trace.dry_run):
            return handler(request, context)
        # The client may leave meanwhile.
        waiting: Any = Deferred(lambda _: timer.cancel())
        timer = self.clock.callLater(longest, waiting.callback, None)
        decision: Decision = waiting.addCallback(lambda _: handler(request, context))
        return decision

    def _give_back(self, until: Limiter, request: RequestHead, context: RequestContext, now: float) -> None:
        for _, key_for, _, limit in self._limits:
            if limit is until:
                break
            limit.give_back(key_for(request, context), now)

    def _tell(self, request: RequestHead, context: RequestContext, now: float) -> None:
        trace = context.trace
        assert trace is not None
        for _, key_for, _, limit in self._limits:
            left, _ = limit.rate.left(key_for(request, context), now)
            trace.say(f"limit {limit.config.name}", limit.config.meaning(), f"{left} more at once")


def _handled(handler: Handler, request: RequestHead, context: RequestContext) -> Decision:
    return handler(request, context)


@implementer(IStreamMiddleware)
class LimitsMiddleware:
    """Lets requests through within ``limits``, holds them up, or refuses them: around a mode, before it is known who
    sends them; or around what an action of a route does, or a pool of raw streams. All of its limits are to be known
    there by what they count by.

    ``place`` is where that is. Without one it is around a mode, and a limit by user, route, rule, pool or listener is a
    ``ConfigError``. ``client_of`` says who has sent a request before the mode does (None: who its connection says).
    ``clock`` is a reactor, or like one.
    """

    def __init__(
        self,
        limits: Sequence[AnyLimiter],
        clock: Any,
        place: LimitPlace | None = None,
        client_of: ClientOf | None = None,
    ) -> None:
        self._limits = tuple(limits)
        self._clock = clock
        for one in self._limits if place is None else ():
            if one.config.known_late or "listener" in one.config.by:
                raise ConfigError(f"limit {one.config.name}: {one.config.meaning()} is not known here", _BY_ACCEPTED)
        self._place = place or LimitPlace()
        self._client_of = client_of
        self._checks = Checks(limits, self._place, clock)

    def handle(self, request: RequestHead, context: RequestContext, proceed: Handler) -> Decision:
        """See :class:`txproxy.interfaces.IMiddleware`."""
        if self._client_of is not None:
            context.client_ip = self._client_of(request, context)
        return self._checks.ask(proceed, request, context)

    def within(self, handler: Handler, scope: str = "", services: Any = None) -> Handler:
        """The same composed with the ``handler`` that it stands around, for less. ``scope`` is the name of the pool
        that this sends to, if it is one's.
        """
        place = attrs.evolve(self._place, pool=scope) if scope else self._place
        return Checks(self._limits, place, self._clock).within(handler, self._client_of)


@implementer(IComposedMiddleware)
class InnerLimits:
    """The same within a mode that names who a request is from and which rule it is by: ``limits`` of all requests, and
    those that are ``by_rule`` of what a rule of that name has let through.
    """

    def __init__(
        self, limits: Sequence[AnyLimiter], by_rule: Mapping[str, Sequence[AnyLimiter]], clock: Any, place: LimitPlace
    ) -> None:
        self._all = Checks(limits, place, clock).around_any() if limits else None
        self._by_rule = {name: Checks((*limits, *own), place, clock).around_any() for name, own in by_rule.items()}

    def within(self, handler: Handler, scope: str, services: Any) -> Handler:
        """See :class:`txproxy.interfaces.IComposedMiddleware`."""
        return partial(self._limited, handler)

    def _limited(self, handler: Handler, request: RequestHead, context: RequestContext) -> Decision:
        checks = self._by_rule.get(context.rule, self._all)
        if checks is None:
            return handler(request, context)
        # It is the handler of this request alone.
        return checks(handler, request, context)
