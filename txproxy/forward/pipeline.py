"""What becomes of a request, before anybody is dialled: who sends it, where it goes, and whether it may.

One chain of steps, built when the configuration is: what is off is not in it. Each step is a call; a Deferred comes
only where something has to wait (a password's hash, a name server, a person).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred

from txproxy.forward.memo import Memo, memo_of
from txproxy.forward.steps.case import NEVER_KNOWN, Case, Result, Step
from txproxy.forward.steps.targeting import Aim
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.plan import Decision
from txproxy.wire.message import RequestHead


class Judge:
    """Takes requests through the steps: ``first`` those that say who sends them, if any do, then what ``changes`` where
    they go, if anything does, then ``aim``, then the ``others``. What a step gives is the answer; None is for the next
    one, and after the last ``go`` makes a plan.

    What came of a request is remembered with its connection: for one with the very same fields, it is known who sends
    it, and for the same request again, what comes of it (``again`` makes the plan, from the memo).
    """

    def __init__(
        self,
        first: Sequence[Step],
        changes: Step | None,
        aim: Aim,
        others: Sequence[Step],
        go: Callable[[Case], Decision],
        again: Callable[[RequestHead, RequestContext, Memo], Decision],
        clock: Any,
    ) -> None:
        self._steps: tuple[Step, ...] = (*first, *([changes] if changes is not None else []), aim, *others)
        self._count = len(self._steps)
        self._changes = changes is not None
        # where one whose sender is known goes on
        self._known_at = len(first) + (0 if self._changes else 1)
        self._aim = aim
        self._go = go
        self._again = again
        self._seconds: Callable[[], float] = clock.seconds
        self._generation = 0

    def forget(self) -> None:
        """What policy is made of has changed: judge everything anew."""
        self._generation += 1

    def __call__(self, head: RequestHead, context: RequestContext) -> Decision:
        """What becomes of a request."""
        memo: Memo = context.connection.memo or memo_of(context)
        if (
            memo.judged is head.headers
            and memo.authority == head.authority
            and memo.scheme == head.scheme
            and memo.generation == self._generation
        ):
            now = self._seconds()
            if now < memo.known_until:
                context.user, context.groups = memo.user, memo.groups
                if now < memo.settled_until and memo.method == head.method and memo.path in (None, head.path):
                    context.verdict = memo.verdict
                    return self._again(head, context, memo)
                case = Case(head, context, self._generation)
                case.known_until = memo.known_until
                case.noted = True
                if not self._changes:
                    self._aim.at(case, memo.aim)
                known: Decision = self._on(None, case, self._known_at)
                return known
        decision: Decision = self._on(None, Case(head, context, self._generation), 0)
        return decision

    def _on(self, result: Result, case: Case, at: int) -> Any:
        if result is not None:
            return result
        while at < self._count:
            step = self._steps[at]
            at += 1
            given = step(case)
            if given is not None:
                if isinstance(given, Deferred):
                    return given.addCallback(self._on, case, at)
                return given
        if case.known_until > 0.0 and case.head is case.asked:
            self._note(case)
        return self._go(case)

    def _note(self, case: Case) -> None:
        head, context = case.asked, case.context
        memo: Memo = context.connection.memo
        if case.generation != self._generation:
            # It was judged by what does not hold any more.
            return
        if (
            not case.noted
            # Another request of the connection may have been noted since this one was found to be like the last.
            or memo.judged is not head.headers
            or memo.authority != head.authority
            or memo.scheme != head.scheme
            or memo.generation != case.generation
        ):
            memo.judged, memo.scheme, memo.authority = head.headers, head.scheme, head.authority
            memo.generation, memo.known_until = self._generation, case.known_until
            memo.user, memo.groups, memo.aim = context.user, context.groups, case.target
        if case.settled_until > 0.0 and not case.dial and not case.lines:
            memo.method, memo.path = head.method, head.path if case.by_url else None
            memo.verdict, memo.rule, memo.pinned = context.verdict, case.rule, case.pinned
            memo.settled_until = case.settled_until
        else:
            memo.settled_until = NEVER_KNOWN
