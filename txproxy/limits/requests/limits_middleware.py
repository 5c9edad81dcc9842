"""The limits of requests in their way, whatever the mode."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import partial
from math import inf
from typing import Any, Final, TypeAlias

import attrs
from twisted.internet.defer import Deferred
from zope.interface import implementer

from txproxy.errors import ConfigError
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.middleware import Handler, IComposedMiddleware, IStreamMiddleware
from txproxy.interfaces.plan import Decision
from txproxy.limits.requests.concurrency import ConcurrencyLimiter, Entering
from txproxy.limits.requests.gcra import ROUNDED, Debt
from txproxy.limits.requests.limit_keys import KeyOf, LimitPlace, key_of
from txproxy.limits.requests.limiter import Limiter, refusal
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead

AnyLimiter: TypeAlias = "Limiter | ConcurrencyLimiter"
# Who has sent a request, where that is more than its connection says.
ClientOf: TypeAlias = "Callable[[RequestHead, RequestContext], str]"
# What stands for the debt that only its limit may look at: it is never paid off.
_NOT_OURS: Final = Debt(inf)
# What requests are counted by is looked up anew so often for a connection and a place, and is at hand for so many of
# these.
_MOST_LOOK_UPS: Final = 32
_MOST_PLACES: Final = 8
# what they are counted by that is the same for all of a client at one place
_KNOWN_SO: Final = frozenset({"client", "listener", "pool"})
_BY_ACCEPTED: Final = "accepted: client, host, header:NAME, cookie:NAME"


class _KnownDebts:
    """What requests of a connection are counted by as long as they are from the same ``client_ip``, and have the same
    ``headers`` and the same ``words`` about them where these matter: the ``debts``, each with the interval and the
    tolerance of its rate, its key and its limit. It was ``made`` anew so often.
    """

    __slots__ = ("client_ip", "headers", "words", "debts", "made")

    def __init__(
        self,
        client_ip: str,
        headers: Headers,
        words: tuple[object, ...],
        debts: tuple[tuple[Debt, float, float, Hashable, Limiter], ...],
        made: int,
    ) -> None:
        self.client_ip = client_ip
        self.headers = headers
        self.words = words
        self.debts = debts
        self.made = made


class Checks:
    """The limits that a request is under at one place, each with what it is counted by there.

    :meth:`within` stands around a handler. What one of them refuses counts for none of those before it.
    """

    __slots__ = ("_limits", "_places", "_clock", "_by_fields", "_by_words", "_tells")

    def __init__(self, limits: Iterable[AnyLimiter], place: LimitPlace, clock: Any) -> None:
        self._clock = clock
        limits = tuple(limits)
        # whether clients are told of any of the limits in any case, and whether keys depend on fields, and on more than
        # these and clients
        self._tells = any(isinstance(one, Limiter) and one.config.ratelimit_fields for one in limits)
        words = {word for one in limits for word in one.config.by}
        by_fields = {word for word in words if word.startswith(("header:", "cookie:"))}
        self._by_fields = bool(by_fields)
        self._by_words = not words <= by_fields | _KNOWN_SO
        self._places = tuple(
            (one, key_of(one.config.by, place)) for one in limits if isinstance(one, ConcurrencyLimiter)
        )
        # what takes one of a key, what gives the key, and whether the client is told in any case
        self._limits: tuple[tuple[Callable[[Hashable, float], float], KeyOf, bool, Limiter], ...] = tuple(
            (one.rate.take, key_of(one.config.by, place), one.config.ratelimit_fields, one)
            for one in limits
            if isinstance(one, Limiter)
        )

    def within(self, handler: Handler, client_of: ClientOf | None = None) -> Handler:
        """``handler``, for requests that may go on; ``client_of`` says first whom they are from."""
        if self._places:
            # Who is too soon takes no place.
            handler = Entering(self._places, self._clock, handler)
        limited = self._limiting(handler)
        if client_of is None:
            return limited
        known = client_of

        def identified(request: RequestHead, context: RequestContext) -> Decision:
            context.client_ip = known(request, context)
            return limited(request, context)

        return identified

    def _limiting(self, handler: Handler) -> Handler:
        limits, seconds, stopped, look_up = self._limits, self._clock.seconds, self._stopped, self._look_up
        by_fields, by_words = self._by_fields, self._by_words

        def limited(request: RequestHead, context: RequestContext) -> Decision:
            now = seconds()
            kept = context.connection.debts
            try:
                known: _KnownDebts | None = kept[self]
            except (KeyError, TypeError):
                known = None
            if (
                known is not None
                and context.client_ip == known.client_ip
                and (not by_fields or request.headers is known.headers)
                and (not by_words or known.words == (request.authority, context.user, context.rule))
            ):
                for debt, interval, tolerance, key, limit in known.debts:
                    due = debt.due
                    if due < now:
                        debt.due = now + interval
                    elif due - now - tolerance <= ROUNDED:
                        debt.due = due + interval
                    else:
                        wait = limit.rate.take(key, now)
                        if wait:
                            return stopped(handler, request, context, now, limit, wait)
                        if debt is not _NOT_OURS:
                            # It was forgotten meanwhile.
                            kept.pop(self, None)
                    limit.allowed += 1
            else:
                for take, key_for, tells, limit in limits:
                    wait = take(key_for(request, context), now)
                    if wait or tells:
                        return stopped(handler, request, context, now, limit, wait)
                    limit.allowed += 1
                look_up(request, context, known)
            if context.trace is not None:
                self._tell(request, context, now)
            return handler(request, context)

        return limited

    def _look_up(self, request: RequestHead, context: RequestContext, before: _KnownDebts | None) -> None:
        """Have what such a request of the connection is counted by at hand for the next one, if there has been one
        before; ``before`` is what was at hand for that.
        """
        connection = context.connection
        kept = connection.debts
        if kept is None:
            # It may be the only one.
            connection.debts = {}
            return
        made = 0 if before is None else before.made + 1
        if self._tells or made > _MOST_LOOK_UPS:
            return
        debts = []
        for _, key_for, _, limit in self._limits:
            rate, key = limit.rate, key_for(request, context)
            debts.append((rate.debt(key) or _NOT_OURS, rate.interval, rate.tolerance, key, limit))
        if len(kept) >= _MOST_PLACES:
            # After reloads there are others.
            kept.clear()
        words = request.authority, context.user, context.rule
        kept[self] = _KnownDebts(context.client_ip, request.headers, words, tuple(debts), made)

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
        timer = self._clock.callLater(longest, waiting.callback, None)
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

    def handle(self, request: RequestHead, context: RequestContext, proceed: Handler) -> Decision:
        """See :class:`txproxy.interfaces.IMiddleware`."""
        return self.within(proceed)(request, context)

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
        self._all = Checks(limits, place, clock) if limits else None
        self._by_rule = {name: Checks((*limits, *own), place, clock) for name, own in by_rule.items()}

    def within(self, handler: Handler, scope: str, services: Any) -> Handler:
        """See :class:`txproxy.interfaces.IComposedMiddleware`."""
        return partial(self._limited, handler)

    def _limited(self, handler: Handler, request: RequestHead, context: RequestContext) -> Decision:
        checks = self._by_rule.get(context.rule, self._all)
        if checks is None:
            return handler(request, context)
        # It is the handler of this request alone.
        return checks.within(handler)(request, context)
