"""What becomes of a request, before anybody is dialled: who sends it, where it goes, and whether it may.

One chain of steps, built when the configuration is: what is off is not in it. Each step is a call; a Deferred comes
only where something has to wait (a password's hash, a name server, a person).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from twisted.internet.defer import Deferred

from txproxy.forward.memo import Notes, notes_of
from txproxy.forward.steps.case import NEVER_KNOWN, Case, Result, Step
from txproxy.forward.steps.targeting import Aim
from txproxy.interfaces.client import Client
from txproxy.interfaces.plan import Decision
from txproxy.wire.message import RequestHead

_NO_GROUPS: Final[frozenset[str]] = frozenset()


class Judge:
    """Takes requests through the steps: ``first`` those that say who sends them, if any do, then what ``changes`` where
    they go, if anything does, then ``aim``, then the ``others``. What a step gives is the answer; None is for the next
    one, and after the last ``go`` makes a plan.

    What came of a request is remembered with its connection: for one with the very same fields, it is known who sends
    it, and for the same request again, what comes of it (``again`` makes the plan, from the notes).
    """

    def __init__(
        self,
        first: Sequence[Step],
        changes: Step | None,
        aim: Aim,
        others: Sequence[Step],
        go: Callable[[Case], Decision],
        again: Callable[[RequestHead, Client, Notes], Decision],
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

    def __call__(self, head: RequestHead, client: Client) -> Decision:
        """What becomes of a request."""
        notes: Notes = client.notes or notes_of(client)
        if (
            notes.judged is head.headers
            and notes.authority == head.authority
            and notes.scheme == head.scheme
            and notes.generation == self._generation
        ):
            now = self._seconds()
            if now < notes.known_until:
                client.user, client.groups = notes.user, notes.groups
                if now < notes.settled_until and notes.method == head.method and notes.path in (None, head.path):
                    client.verdict = notes.verdict
                    return self._again(head, client, notes)
                client.verdict = None
                case = Case(head, client)
                case.known_until = notes.known_until
                case.noted = True
                if not self._changes:
                    self._aim.at(case, notes.aim)
                known: Decision = self._on(None, case, self._known_at)
                return known
        # Whoever sent the request before, and whatever became of that.
        client.user, client.groups, client.verdict = None, _NO_GROUPS, None
        decision: Decision = self._on(None, Case(head, client), 0)
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
        head, client = case.asked, case.client
        notes: Notes = client.notes
        if not case.noted:
            notes.judged, notes.scheme, notes.authority = head.headers, head.scheme, head.authority
            notes.generation, notes.known_until = self._generation, case.known_until
            notes.user, notes.groups, notes.aim = client.user, client.groups, case.target
        if case.settled_until > 0.0 and not case.dial and not case.lines:
            notes.method, notes.path = head.method, head.path if case.by_url else None
            notes.verdict, notes.rule, notes.pinned = client.verdict, case.rule, case.pinned
            notes.settled_until = case.settled_until
        else:
            notes.settled_until = NEVER_KNOWN
