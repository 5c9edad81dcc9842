"""What stands around a mode: it sees each request first, and what the mode decides on before anybody else does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeAlias

import attrs
from twisted.internet.defer import Deferred
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
        another upstream is tried.
        """


def around(handler: Handler, middleware: Iterable[Any]) -> Handler:
    """``handler`` with each ``middleware`` around it, the first outermost; without any it is ``handler`` itself."""
    for one in reversed(tuple(middleware)):
        handler = partial(_handle, one.handle, handler)
    return handler


def _handle(handle: Any, proceed: Handler, request: RequestHead, context: RequestContext) -> Decision:
    decision: Decision = handle(request, context, proceed)
    return decision


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
