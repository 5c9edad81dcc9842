"""The master's part of the admin API: it asks workers, and makes one answer of theirs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import count
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from txproxy.admin.api_call import ApiCall, ApiFault
from txproxy.admin.api_paths import Verb
from txproxy.admin.merging import Asked, Merge, WorkerName
from txproxy.runtime.workers.crew_members import Member, State


class _Round:
    """A question to several workers, until all have answered, or it is ``enough``."""

    def __init__(self, relay: AdminRelay, merge: Merge, members: Iterable[Member]) -> None:
        self._relay = relay
        self._merge = merge
        # None for those that have not answered yet
        self._answers: dict[Member, Any] = dict.fromkeys(members)
        self._asked: dict[Member, int] = {}
        self._timer: IDelayedCall | None = None
        self.over: Deferred[dict[WorkerName, Any]] = Deferred(lambda _: self._end())

    def begin(self, verb: Verb, call: ApiCall) -> None:
        """Ask."""
        if not self._answers:
            self._finish()
            return
        if self._merge.patience is not None:
            self._timer = self._relay.clock.callLater(self._merge.patience, self._late)
        for member in list(self._answers):
            self._asked[member] = self._relay.ask(member, verb, call, partial(self._answered, member))

    def _answered(self, member: Member, answer: Any) -> None:
        del self._asked[member]
        if answer is None:
            # It has ended, and whoever takes its place has nothing to say of it.
            del self._answers[member]
        else:
            self._answers[member] = answer
        if not self._asked or (answer is not None and self._merge.enough(answer)):
            self._finish()

    def _late(self) -> None:
        self._timer = None
        for member in self._asked:
            self._answers[member] = ApiFault(504, "it does not answer")
        self._finish()

    def _finish(self) -> None:
        self._end()
        said = self._answers.items()
        self.over.callback({_name(member): answer for member, answer in said if answer is not None})

    def _end(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        asked, self._asked = self._asked, {}
        for member, number in asked.items():
            self._relay.drop(member, number)


class AdminRelay:
    """Asks ``members``, those that there are by then, over their channels. ``clock`` is the reactor."""

    def __init__(self, clock: Any, members: Callable[[], Sequence[Member]]) -> None:
        self.clock = clock
        self._members = members
        self._numbers = count()
        self._waiting: dict[int, tuple[Member, Callable[[Any], None]]] = {}

    def relayed(self, verb: Verb) -> Verb:
        """The same, as the workers do it."""
        if verb.merge.asked is Asked.MASTER:
            return verb
        return attrs.evolve(verb, handle=partial(self._handle, verb))

    async def _handle(self, verb: Verb, call: ApiCall) -> object:
        members = list(self._members())
        asked, merge = verb.merge.asked, verb.merge
        if asked is Asked.ALL:
            return merge.merged(call, await self._round(verb, call, members))
        # What is to be done once is for those who stay.
        staying = [member for member in members if member.state is State.SERVING]
        answers: dict[WorkerName, Any] = {}
        for member in staying:
            answers |= await self._round(verb, call, [member])
            if answers and asked is Asked.ONE:
                break
        return merge.merged(call, answers)

    def _round(self, verb: Verb, call: ApiCall, members: Iterable[Member]) -> Deferred[dict[WorkerName, Any]]:
        asking = _Round(self, verb.merge, members)
        asking.begin(verb, call)
        return asking.over

    # -- for each question

    def ask(self, member: Member, verb: Verb, call: ApiCall, answered: Callable[[Any], None]) -> int:
        """Ask one: ``answered`` gets what it gives, an ``ApiFault``, or None if it ends before. Gives the number of the
        question.
        """
        number = next(self._numbers)
        self._waiting[number] = member, answered
        member.channel.send("asked", (number, verb.method, verb.path, call))
        return number

    def drop(self, member: Member, number: int) -> None:
        """Nobody waits for the answer any more."""
        if self._waiting.pop(number, None) is not None:
            member.channel.send("dropped", number)

    def heard(self, number: int, answer: tuple[str, Any]) -> None:
        """An answer."""
        waiting = self._waiting.pop(number, None)
        if waiting is None:
            return
        kind, content = answer
        if kind == "fault":
            status, text, more = content
            content = ApiFault(status, text, **more)
        waiting[1](content)

    def gone(self, pid: int) -> None:
        """A worker has ended."""
        for number, (member, answered) in list(self._waiting.items()):
            if member.pid == pid and number in self._waiting:
                del self._waiting[number]
                answered(None)


def _name(member: Member) -> WorkerName:
    return WorkerName(member.number, member.pid)
