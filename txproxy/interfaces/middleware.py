"""Who decides what becomes of a request: the mode, and what stands around it, which sees each request first, and what
the mode decides on before anybody else does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final, NamedTuple, TypeAlias
from weakref import ref

from twisted.internet.defer import Deferred
from zope.interface import Interface

from txproxy.errors import ConfigError
from txproxy.interfaces.answers import Answer, Refusal
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.pipeline.passed_decisions import PassedDecisions
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

        A mode may have an attribute ``repeats``: whether it sets ``context.repeats`` where that is so, and never where
        it is not (see :class:`~txproxy.interfaces.RequestContext`). Without it nothing is taken to be decided twice.
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

        One may have an attribute ``repeats``: whether what it does follows from the bytes of a request and its
        connection alone, so that ``context.repeats`` of what it goes on with holds for all of it.
        """


class IStreamMiddleware(IMiddleware):
    """One that stands around the tcp mode as well: a raw stream is a request without method, path and fields, whose
    authority is the name that a TLS client has asked for, where that was looked at.
    """


class IInnerMiddleware(IMiddleware):
    """One that stands within the mode: after access, authentication and what changes a request, and before an upstream
    is chosen, a name looked up, and anybody dialled. It is asked about what an upstream or an origin would be sent,
    and what it answers is changed on the way back as their answers are. This is the place of a cache.

    The target of a request that it goes on with is what was decided: it may change fields alone. A reverse proxy asks
    it where a request goes to a pool.
    """


# what the scope begins with of what goes to whatever a client names: more follows where other ways lead there
FORWARD: Final = "forward"


class IComposedMiddleware(Interface):
    """One that stands within the mode as well (see :class:`IInnerMiddleware`), and sends requests of its own, for which
    no client waits: what it is given to ask is not a client's to give back.

    It may have an attribute ``repeats``: whether it sets ``context.again`` where ``context.repeats``, and what answers
    there would answer the same again.
    """

    def within(handler: Handler, scope: str, services: Any) -> Handler:
        """What stands around ``handler``. ``scope`` tells apart handlers that the same request may mean another thing
        to, one pool's from another's; ``services`` are what the exchanges of the mode share.
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
        composed = IComposedMiddleware.providedBy(one)
        handles, admits = composed or hasattr(one, "handle"), hasattr(one, "admit") and hasattr(one, "closed")
        if not handles and not admits:
            raise ConfigError(f"{one!r} is no middleware", MIDDLEWARE_ACCEPTED)
        if handles:
            (inner if composed or IInnerMiddleware.providedBy(one) else outer).append(one)
        if admits:
            filters.append(one)
    return Places(tuple(outer), tuple(inner), tuple(filters))


def repeats(middleware: Iterable[Any]) -> bool:
    """Whether the outermost of what stands within a mode may say of a request what would answer it again."""
    first = next(iter(middleware), None)
    return bool(getattr(first, "repeats", False))


def around(handler: Handler, middleware: Iterable[Any], scope: str = "", services: Any = None) -> Handler:
    """``handler`` with each ``middleware`` around it, the first outermost; without any it is ``handler`` itself.

    For ``scope`` and ``services`` see :class:`IComposedMiddleware`.
    """
    for one in reversed(tuple(middleware)):
        own = getattr(one, "within", None)
        handler = partial(_handle, one.handle, handler) if own is None else own(handler, scope, services)
    return handler


class Toll:
    """What the handler ``by`` has as its attribute ``toll``: whom it ``asks`` whether a request may go on, and the
    ``handler`` that it stands around.
    """

    __slots__ = ("asks", "handler", "by")

    def __init__(self, asks: Any, handler: Handler, by: Any) -> None:
        self.asks = asks
        self.handler = handler
        # It has this, and there is to be no circle.
        self.by = ref(by)


def tolls_of(handler: Handler, innermost: Handler) -> tuple[Any, ...] | None:
    """What stands around the ``innermost`` handler and makes up ``handler``, the outermost first, where all of it only
    asks whether a request may go on, and lets it go on as it is then; None where anything else is there.

    Who does no more says so by the attribute ``toll`` of its handler, a :class:`Toll`. That of another one, which
    ``functools.wraps`` gives to what is around it, says nothing.
    """
    found: list[Any] = []
    while handler != innermost:
        toll = getattr(handler, "toll", None)
        if type(toll) is not Toll or toll.by() is not handler:
            return None
        found.append(toll.asks)
        handler = toll.handler
    return tuple(found)


def _handle(handle: Any, proceed: Handler, request: RequestHead, context: RequestContext) -> Decision:
    passed = PassedDecisions(context)

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


def _tell(handle: Any, decision: Any, passed: PassedDecisions, trace: Trace) -> None:
    """Of one that goes on, others tell."""
    if not passed.begun:
        name = type(getattr(handle, "__self__", handle)).__name__
        trace.say(f"middleware {name}", "waits" if isinstance(decision, Deferred) else "decides itself")


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
