"""Questions that rules put to a person: what a hook is asked, and a queue of them for who answers later."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Final, TypeAlias

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from txproxy.errors import RequestDenied
from txproxy.interfaces.processes.shared_levels import SharedLevels
from txproxy.matching.clients import IPV6_PREFIX, client_key

# No client is called so.
_ALL: Final = ""


@attrs.frozen(kw_only=True)
class Question:
    """May this be? ``url`` is the request's, in normal form; of a tunnel, no more than ``https://host/`` is known.
    ``rule`` is the one that asks, and ``reason`` its own.
    """

    client_ip: str
    user: str | None
    groups: frozenset[str]
    method: str
    host: str
    port: int
    url: str
    rule: str
    reason: str = ""


Ask: TypeAlias = "Callable[[Question], bool | Deferred[bool] | Awaitable[bool]]"
"""A hook: says whether a request may go. A Deferred is cancelled when the client leaves, or nobody answers in time."""


@attrs.frozen
class Pending:
    """A question that waits. ``number`` is its own, ``since`` in seconds of the reactor's clock."""

    number: int
    question: Question
    since: float


@attrs.frozen(kw_only=True)
class Subject:
    """What a question is about, but for its path: an answer may be remembered for all that have the same."""

    rule: str
    method: str
    host: str
    port: int
    client_ip: str
    user: str | None

    @classmethod
    def of(cls, question: Question) -> Subject:
        """That of a question."""
        return cls(
            rule=question.rule,
            method=question.method,
            host=question.host,
            port=question.port,
            client_ip=question.client_ip,
            user=question.user,
        )


@attrs.frozen
class Remembered:
    """An answer that holds ``until`` a time of the reactor's clock."""

    approved: bool
    until: float


class TooManyQuestions(RequestDenied):
    """So many questions wait for an answer that this one is not put."""

    status = 503
    sentence = "Too many requests wait for somebody to allow them just now."


class Approvals:
    """Keeps questions until somebody answers them: a hook for rules that ask. Who waits for an answer, and how long, is
    the asker's affair: what is given up is here no more.

    No client has more than ``each`` of them, so that a person sees those of the others as well, and all together have
    ``most``: what is asked beyond that is refused. Those at other processes count as well (``levels``). As many answers
    are remembered; of more, those go that were first.
    """

    def __init__(self, clock: IReactorTime, each: int = 32, most: int = 1000) -> None:
        self._clock = clock
        self._each = each
        self._most = most
        # see txproxy.proxy.limits.Limits
        self.ipv6_prefix = IPV6_PREFIX
        # of each client, and of all
        self.levels = SharedLevels()
        self._numbers = 0
        self._pending: dict[int, tuple[Pending, Deferred[bool]]] = {}
        self._remembered: dict[Subject, Remembered] = {}

    def __call__(self, question: Question) -> Deferred[bool] | bool:
        """Put a question; gives the answer at once where that is remembered. ``RequestDenied`` if the client has too
        many, ``TooManyQuestions`` if all together have.
        """
        if self._remembered:
            known = self._remembered.get(Subject.of(question))
            if known is not None and known.until > self._clock.seconds():
                return known.approved
        client = client_key(question.client_ip, self.ipv6_prefix)
        if self.levels.of(client) >= self._each:
            raise RequestDenied(f"{self._each} questions of {client} wait for an answer", status=429)
        if self.levels.of(_ALL) >= self._most:
            raise TooManyQuestions(f"{self._most} questions wait for an answer")
        self._numbers += 1
        self._count(client, 1)
        number = self._numbers

        def given_up(_: Deferred[bool]) -> None:
            self._take(number)

        answer: Deferred[bool] = Deferred(given_up)
        self._pending[number] = Pending(number, question, self._clock.seconds()), answer
        return answer

    def __iter__(self) -> Iterator[Pending]:
        """What waits, the oldest first."""
        return iter([pending for pending, _ in self._pending.values()])

    def __len__(self) -> int:
        return len(self._pending)

    def answer(self, number: int, approved: bool) -> bool:
        """Answer a question; False if it does not wait any more."""
        waiting = self._take(number)
        if waiting is None:
            return False
        waiting.callback(approved)
        return True

    def remember(self, subject: Subject, approved: bool, seconds: float) -> int:
        """Answer so whatever is about that for so many seconds, and what waits for it now; gives how many did."""
        now = self._clock.seconds()
        kept = {known: one for known, one in self._remembered.items() if one.until > now and known != subject}
        for known in list(kept)[: max(0, len(kept) - self._most + 1)]:
            del kept[known]
        self._remembered = {**kept, subject: Remembered(approved, now + seconds)}
        return sum(self.answer(one.number, approved) for one in list(self) if Subject.of(one.question) == subject)

    def forget(self, subject: Subject) -> bool:
        """Ask about that again; False if its answer is not remembered."""
        known = self._remembered.pop(subject, None)
        return known is not None and known.until > self._clock.seconds()

    @property
    def remembered(self) -> dict[Subject, Remembered]:
        """The answers that hold, the first that was given first."""
        now = self._clock.seconds()
        return {subject: one for subject, one in self._remembered.items() if one.until > now}

    def _take(self, number: int) -> Deferred[bool] | None:
        pending, answer = self._pending.pop(number, (None, None))
        if pending is not None:
            client = client_key(pending.question.client_ip, self.ipv6_prefix)
            self._count(client, -1)
        return answer

    def _count(self, client: str, count: int) -> None:
        self.levels.change(client, count)
        self.levels.change(_ALL, count)
