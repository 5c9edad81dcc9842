"""What a middleware is given by those that it stands around, and what becomes of all that it does not go on with."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from txproxy.interfaces.answers import Answer, Refusal
from txproxy.interfaces.context import Filters, RequestContext
from txproxy.interfaces.plan import Decision, Plan, Postponed


class PassedDecisions:
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
            others = [filters for filters in self._pending if filters is not self._last]
            if others:
                # It may be one of these. If it is asked, its filters take the place of those that there are now.
                context.filters_aside = (*context.filters_aside, *others, context.filters)
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
