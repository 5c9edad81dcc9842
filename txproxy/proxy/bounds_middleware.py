"""Gives each request its bounds, whatever the mode: how fast its bytes may pass, and how many."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import attrs
from zope.interface import implementer

from txproxy.errors import RequestDenied
from txproxy.interfaces.allowances import Bounds
from txproxy.interfaces.answers import Answer, Outcome, Refusal, RelayedAnswer, Verdict
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.middleware import Handler, IMiddleware, decided
from txproxy.interfaces.plan import Decision, Plan
from txproxy.wire.message import RequestHead

# What a client, a user, and a rule (or a route) may use; None is not bounded. Raises ``RequestDenied`` where nothing
# may be used any more.
FindBounds: TypeAlias = "Callable[[str, str | None, str], Bounds | None]"


def found_bounds(find: FindBounds, context: RequestContext) -> Bounds | None:
    """The bounds of what ``context`` is of. Where there are none left, the verdict says so."""
    try:
        return find(context.client_ip, context.user, context.rule)
    except RequestDenied as fault:
        context.verdict = Verdict(outcome=Outcome.DENY, rule="quotas", reason=fault.detail)
        raise


@implementer(IMiddleware)
class BoundsMiddleware:
    """Bounds what goes to an upstream by ``bounds(client_ip, user, rule)`` (see :class:`txproxy.Allotments`): user and
    rule as what stands within it has found them, or the route's name in place of the rule's. Where it raises a
    ``RequestDenied``, that is answered. What the proxy answers itself is not bounded; what it has kept of an upstream's
    answers is.
    """

    def __init__(self, bounds: FindBounds) -> None:
        self._find = bounds

    def handle(self, request: RequestHead, context: RequestContext, proceed: Handler) -> Decision:
        """See :class:`txproxy.interfaces.IMiddleware`."""
        decision = proceed(request, context)
        if type(decision) is Plan:
            # Most are there at once.
            try:
                return self._bound(context, decision)
            except BaseException:
                decision.give_back()
                raise
        return decided(decision, partial(self._bound, context))

    def _bound(self, context: RequestContext, one: Plan | Answer | Refusal) -> Plan | Answer | Refusal:
        if isinstance(one, Plan | RelayedAnswer):
            bounds = found_bounds(self._find, context)
            if bounds is None:
                return one
            if isinstance(one, RelayedAnswer):
                return attrs.evolve(one, bounds=bounds)
            one.bounds = bounds
        return one
