"""What stands around a mode: it sees each request first, and what the mode decides on before anybody else does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeAlias

import attrs
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import Interface

from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.plan import Answer, Decision, Plan, Postponed, Refusal
from txproxy.wire.message import RequestHead

# What becomes of a request: the mode, or a middleware with all that it stands around.
Handler: TypeAlias = "Callable[[RequestHead, RequestContext], Decision]"


class IMiddleware(Interface):
    """Stands around a mode, and around the middlewares that are given after it."""

    def handle(request: RequestHead, context: RequestContext, proceed: Handler) -> Decision:
        """What becomes of a request: what ``proceed(request, context)`` says, or something else.

        It may answer itself (an :class:`~txproxy.interfaces.Answer` or a :class:`~txproxy.interfaces.Refusal`), wait
        (a Deferred of a decision, which is cancelled when the client leaves), go on with another head, or change what
        was decided (see :func:`decided` and :func:`with_lines`). An ``ExchangeError``, its own or one of ``proceed``,
        is answered as it says. It is asked once for each request of a client, and not again where an attempt fails and
        another upstream is tried. What ``proceed`` has planned, and it does not go on with, is given back.
        """


def around(handler: Handler, middleware: Iterable[Any]) -> Handler:
    """``handler`` with each ``middleware`` around it, the first outermost; without any it is ``handler`` itself."""
    for one in reversed(tuple(middleware)):
        handler = partial(_handle, one.handle, handler)
    return handler


def _handle(handle: Any, proceed: Handler, request: RequestHead, context: RequestContext) -> Decision:
    passed = _Passed()

    def go_on(request: RequestHead, context: RequestContext) -> Decision:
        return decided(proceed(request, context), passed.keep)

    try:
        return passed.settled(handle(request, context, go_on))
    except BaseException:
        passed.settle(None)
        raise


class _Passed:
    """The plans that a middleware was given. One that it does not go on with has a place at an upstream all the same,
    which nobody else would give back.
    """

    __slots__ = ("_plans",)

    def __init__(self) -> None:
        self._plans: list[Plan] = []

    def keep(self, one: Plan | Answer | Refusal) -> Plan | Answer | Refusal:
        """It was given."""
        if isinstance(one, Plan):
            self._plans.append(one)
        return one

    def settle(self, chosen: Plan | Answer | Refusal | None) -> None:
        """Give back all but the ``chosen`` one."""
        plans, self._plans = self._plans, []
        for plan in plans:
            if plan is not chosen:
                plan.give_back()

    def settled(self, decision: Decision) -> Decision:
        """The same decision; when it is there, the others are given back."""
        if isinstance(decision, Deferred):
            waiting: Any = decision.addCallbacks(self.settled, self._failed)
            return waiting  # type: ignore[no-any-return]
        if isinstance(decision, Postponed):
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


def decided(decision: Decision, change: Callable[[Plan | Answer | Refusal], Any]) -> Decision:
    """What ``change`` makes of ``decision``, as soon as that is there."""
    changed: Any
    if isinstance(decision, Deferred):
        changed = decision.addCallback(lambda one: decided(one, change))
    elif isinstance(decision, Postponed):
        changed = decision.then(lambda one: decided(one, change))
    else:
        changed = change(decision)
    given: Decision = changed
    return given


def with_lines(decision: Decision, *lines: bytes) -> Decision:
    """The same decision, for which the client gets these field lines (``b"X-Team: a"``) as well: with the response of
    whichever upstream answers, or with a refusal.
    """

    def add(one: Plan | Answer | Refusal) -> Plan | Answer | Refusal:
        if isinstance(one, Plan):
            one.response_lines = (*one.response_lines, *lines)
            return one
        return attrs.evolve(one, lines=(*one.lines, *lines))

    changed = decided(decision, add)
    if isinstance(changed, Postponed):
        # They hold for what is answered before as well.
        changed = attrs.evolve(changed, response_lines=(*changed.response_lines, *lines))
    return changed
