"""Who decides what becomes of a request: the mode, and what stands around it, which sees each request first, and what
the mode decides on before anybody else does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final, NamedTuple, TypeAlias

import attrs
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import Interface

from txproxy.errors import ConfigError
from txproxy.interfaces.answers import Answer, Refusal
from txproxy.interfaces.context import Filters, RequestContext
from txproxy.interfaces.plan import Decision, Plan, Postponed
from txproxy.interfaces.trace import Trace
from txproxy.wire.message import RequestHead

# What becomes of a request: the mode, or a middleware with all that it stands around.
Handler: TypeAlias = "Callable[[RequestHead, RequestContext], Decision]"


class IMode(Interface):
    """Tells the machine where requests go. Forward and reverse are the two that txproxy has."""

    def plan(head: RequestHead, context: RequestContext) -> Decision:
        """What to do with a request. A Deferred makes only this request wait; it is cancelled when the client leaves.

        May raise an ``ExchangeError``, which is answered as it says.
        """


MIDDLEWARE_ACCEPTED: Final = (
    "accepted is an object with handle(request, context, proceed), or with admit(connection) and closed(connection)"
)


class IMiddleware(Interface):
    """Stands around a mode, and around the middlewares that are given after it."""

    def handle(request: RequestHead, context: RequestContext, proceed: Handler) -> Decision:
        """What becomes of a request: what ``proceed(request, context)`` says, or something else.

        It may answer itself (an :class:`~txproxy.interfaces.Answer` or a :class:`~txproxy.interfaces.Refusal`), wait
        (a Deferred of a decision, which is cancelled when the client leaves), go on with another head, add filters (see
        :class:`~txproxy.interfaces.RequestContext`; before it goes on), or change what was decided (see
        :func:`decided`). An ``ExchangeError``, its own or one of ``proceed``, is answered as it says. It is asked once
        for each request of a client, and not again where an attempt fails and another upstream is tried. What
        ``proceed`` has planned, and it does not go on with, is given back, and the filters that came with it go as
        well.
        """


class IInnerMiddleware(IMiddleware):
    """One that stands within the mode: after access, authentication and what changes a request, and before an upstream
    is chosen, a name looked up, and anybody dialled. It is asked about what an upstream or an origin would be sent,
    and what it answers is changed on the way back as their answers are. This is the place of a cache.

    The target of a request that it goes on with is what was decided: it may change fields alone. A reverse proxy asks
    it where a request goes to a pool.
    """


class Places(NamedTuple):
    """Where each middleware has its place: ``around`` a mode, ``within`` it (:class:`IInnerMiddleware`), or before
    anything is read of a connection (:class:`~txproxy.interfaces.IConnectionFilter`). One may have two.
    """

    around: tuple[Any, ...]
    within: tuple[Any, ...]
    filters: tuple[Any, ...]


def places(middleware: Iterable[Any]) -> Places:
    """The places of all ``middleware``, in its order; ``ConfigError`` for one that has none."""
    outer: list[Any] = []
    inner: list[Any] = []
    filters: list[Any] = []
    for one in middleware:
        handles, admits = hasattr(one, "handle"), hasattr(one, "admit") and hasattr(one, "closed")
        if not handles and not admits:
            raise ConfigError(f"{one!r} is no middleware", MIDDLEWARE_ACCEPTED)
        if handles:
            (inner if IInnerMiddleware.providedBy(one) else outer).append(one)
        if admits:
            filters.append(one)
    return Places(tuple(outer), tuple(inner), tuple(filters))


def around(handler: Handler, middleware: Iterable[Any], scope: str = "", services: Any = None) -> Handler:
    """``handler`` with each ``middleware`` around it, the first outermost; without any it is ``handler`` itself.

    One that sends requests of its own stands around in its own way: ``within(handler, scope, services)`` gives a
    handler. ``scope`` tells those whose requests may be alike and mean another thing from one another, a pool's from
    another's, and ``services`` are what exchanges take.
    """
    for one in reversed(tuple(middleware)):
        own = getattr(one, "within", None)
        handler = partial(_handle, one.handle, handler) if own is None else own(handler, scope, services)
    return handler


def _handle(handle: Any, proceed: Handler, request: RequestHead, context: RequestContext) -> Decision:
    passed = _Passed(context)

    def go_on(request: RequestHead, context: RequestContext) -> Decision:
        passed.begin()
        return passed.given(proceed(request, context))

    try:
        decision = handle(request, context, go_on)
        if context.trace is not None:
            _tell(handle, decision, passed, context.trace)
        return passed.settled(decision)
    except BaseException:
        passed.settle(None)
        raise


def _tell(handle: Any, decision: Any, passed: _Passed, trace: Trace) -> None:
    """Of one that goes on, others tell."""
    if not passed.begun:
        name = type(getattr(handle, "__self__", handle)).__name__
        trace.say(f"middleware {name}", "waits" if isinstance(decision, Deferred) else "decides itself")


class _Passed:
    """What a middleware was given. A plan that it does not go on with has a place at an upstream all the same, which
    nobody else would give back, and filters that are of no use to anybody.
    """

    __slots__ = ("_context", "_given", "_before", "_pending", "_last", "_settled")

    def __init__(self, context: RequestContext) -> None:
        self._context = context
        # each with the filters that there were when it was
        self._given: list[tuple[Plan | Answer | Refusal, Filters]] = []
        self._before: Filters | None = None
        # the filters that there were with each decision that is not there yet, and that may come too late, or never
        self._pending: list[Filters] = []
        # those of them that the context has now, with what is added while it is waited for
        self._last: Filters | None = None
        # those that were left when it had decided
        self._settled: Filters | None = None

    @property
    def begun(self) -> bool:
        """Whether it has gone on."""
        return self._before is not None

    def begin(self) -> None:
        """It goes on; perhaps not for the first time."""
        if self._before is None:
            self._before = self._context.filters
        elif self._settled is None:
            self._context.filters = self._before
            self._last = None

    def given(self, decision: Decision, filters: Filters | None = None) -> Decision:
        """What it is given, at once or later, with these ``filters`` or those that there are."""
        context, settled = self._context, self._settled
        if filters is None:
            self._last = filters = context.filters
        if type(decision) is Plan and settled is None:
            # Most are there at once.
            self._given.append((decision, filters))
        elif settled is not None:
            # The request has gone on with something else.
            if isinstance(decision, Plan):
                decision.give_back()
            context.keep_filters(settled, [filters, context.filters])
        elif isinstance(decision, Deferred):
            self._pending.append(filters)
            coming: Any = decision.addCallbacks(
                self._has_come, self._comes_not, callbackArgs=(filters,), errbackArgs=(filters,)
            )
            return coming  # type: ignore[no-any-return]
        elif isinstance(decision, Postponed):
            self._pending.append(filters)
            return attrs.evolve(decision, decide=partial(self._asked, decision.decide, filters))
        else:
            self._given.append((decision, filters))
        return decision

    def _has_come(self, decision: Decision, filters: Filters) -> Decision:
        self._is_no_more_pending(filters)
        # Where it has asked again since, the filters that there are belong to that.
        return self.given(decision, None if self._last is filters else filters)

    def _comes_not(self, failure: Failure, filters: Filters) -> Failure:
        context, settled = self._context, self._settled
        if settled is not None:
            context.keep_filters(settled, [filters, context.filters])
        elif self._last is filters:
            # Who is told why is told past these.
            self._is_no_more_pending(filters)
        return failure

    def _asked(self, decide: Callable[[bool], Decision | None], filters: Filters, late: bool) -> Decision | None:
        self._is_no_more_pending(filters)
        if self._settled is None and self._last is not filters:
            self._context.filters = self._last = filters
        decision = decide(late)
        return self.given(decision) if decision is not None else None

    def _is_no_more_pending(self, filters: Filters) -> None:
        self._pending = [one for one in self._pending if one is not filters]

    def settle(self, chosen: Plan | Answer | Refusal | None) -> None:
        """Give back all but the ``chosen`` one."""
        context, pending, before = self._context, self._pending, self._before
        given, self._given = self._given, []
        alone = len(given) == 1 and (given[0][0] is chosen or not isinstance(given[0][0], Plan))
        for one, _ in given:
            if isinstance(one, Answer) and not _made_of(chosen, one):
                one.give_back()
        if alone and not pending and given[0][1] is self._last:
            self._settled = context.filters
            return
        # What is made of an answer is one as well.
        kept = given[0][1] if alone else before if before is not None else context.filters
        for one, filters in given:
            if one is chosen:
                kept = filters
            elif isinstance(one, Plan):
                one.give_back()
        if pending or given:
            context.keep_filters(kept, [*(filters for _, filters in given), *pending])
        self._settled = context.filters

    def settled(self, decision: Decision) -> Decision:
        """The same decision; when it is there, the others are given back."""
        if type(decision) is Plan:
            self.settle(decision)
            return decision
        if isinstance(decision, Deferred):
            waiting: Any = decision.addCallbacks(self.settled, self._failed)
            return waiting  # type: ignore[no-any-return]
        if isinstance(decision, Postponed):
            # It may never be asked; what is there already is not what it will give.
            context = self._context
            given, self._given = self._given, []
            for one, _ in given:
                if not isinstance(one, Refusal):
                    one.give_back()
            if given:
                context.keep_filters(context.filters, [filters for _, filters in given])
            return attrs.evolve(decision, decide=partial(self._decide, decision.decide))
        self.settle(decision)
        return decision

    def _failed(self, failure: Failure) -> Failure:
        self.settle(None)
        return failure

    def _decide(self, decide: Callable[[bool], Decision | None], late: bool) -> Decision | None:
        try:
            decision = decide(late)
        except BaseException:
            self.settle(None)
            raise
        return self.settled(decision) if decision is not None else None


def _made_of(chosen: Plan | Answer | Refusal | None, given: Answer) -> bool:
    """Whether what is ``chosen`` has the body of the answer that was ``given``."""
    return isinstance(chosen, Answer) and chosen.body is given.body


def decided(decision: Decision, change: Callable[[Plan | Answer | Refusal], Any]) -> Decision:
    """What ``change`` makes of ``decision``, as soon as that is there. Where it fails, what was planned is given
    back.
    """
    changed: Any
    if isinstance(decision, Deferred):
        changed = decision.addCallback(lambda one: decided(one, change))
    elif isinstance(decision, Postponed):
        changed = decision.then(lambda one: decided(one, change))
    else:
        try:
            changed = change(decision)
        except BaseException:
            if not isinstance(decision, Refusal):
                decision.give_back()
            raise
    given: Decision = changed
    return given
