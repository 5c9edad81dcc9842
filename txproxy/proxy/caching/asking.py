"""One client's request at a cache, and those that wait for what another has asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from txproxy.cache.policy import CachePolicy
from txproxy.interfaces.answers import Answer, Refusal
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.plan import Decision
from txproxy.net.deadlines import NEVER
from txproxy.wire.message import RequestHead


class Asking:
    """A ``request`` in its ``context``, with the ``key`` that its response has or would have, by its ``policy``.
    ``personal`` is whether that may be for somebody though the request does not say so. ``decide`` looks for what it
    may be answered with now, ``pass_by`` has it go its own way.
    """

    # Not attrs: it is made for each request, and this is the fastest.
    __slots__ = ("request", "context", "key", "policy", "personal", "decide", "pass_by", "alone")

    def __init__(
        self,
        request: RequestHead,
        context: RequestContext,
        key: bytes,
        policy: CachePolicy,
        personal: bool,
        decide: Callable[[Asking], Decision],
        pass_by: Callable[[Asking, str], Decision],
    ) -> None:
        self.request = request
        self.context = context
        self.key = key
        self.policy = policy
        self.personal = personal
        self.decide = decide
        self.pass_by = pass_by
        # whether it does not share what it asks for
        self.alone = False


class AskedFor(Protocol):
    """What a request waits for."""

    def waiter_gone(self, waiter: Waiter) -> None:
        """It does not wait any longer."""


class Waiter:
    """A request that waits for what is ``asked_for``, until its ``deadline``: then it goes its own way."""

    __slots__ = ("asking", "decided", "deadline", "_asked_for", "_deciding", "_forget")

    def __init__(self, asking: Asking, asked_for: AskedFor, deadlines: Any, until: float) -> None:
        self.asking = asking
        self.decided: Deferred[Any] = Deferred(lambda _: self._leave())
        self.deadline = until
        self._asked_for: AskedFor | None = asked_for
        self._deciding: Deferred[Any] | None = None
        self._forget: Callable[[Waiter], None] = deadlines.forget
        if until != NEVER:
            deadlines.watch(self)

    def deadline_passed(self) -> None:
        """It takes too long."""
        asked_for = self._asked_for
        if asked_for is not None:
            self._over()
            asked_for.waiter_gone(self)
            self.give(lambda: self.asking.pass_by(self.asking, "the response that was waited for is late"))

    def wait_for(self, asked_for: AskedFor) -> None:
        """It waits for another one, which is to bring the same."""
        self._asked_for = asked_for

    def answer(self, answer: Answer | Refusal) -> None:
        """This is what it gets."""
        self._over()
        self.decided.callback(answer)

    def ask_again(self) -> None:
        """What was waited for is of no use to it."""
        self._over()
        # Else it might wait for one after the other.
        self.asking.alone = True
        self.give(lambda: self.asking.decide(self.asking))

    def go(self, why: str) -> None:
        """It is to go its own way."""
        self._over()
        self.give(lambda: self.asking.pass_by(self.asking, why))

    def give(self, decide: Callable[[], Decision]) -> None:
        """What it is decided on is what it gets."""
        decided = self.decided
        try:
            decision = decide()
        except Exception:
            decided.errback()
        else:
            if isinstance(decision, Deferred):
                self._deciding = decision
                decision.addCallbacks(decided.callback, decided.errback)
            else:
                decided.callback(decision)

    def _leave(self) -> None:
        """The client has left."""
        asked_for = self._asked_for
        if asked_for is not None:
            self._over()
            asked_for.waiter_gone(self)
        elif self._deciding is not None:
            self._deciding.cancel()

    def _over(self) -> None:
        self._asked_for = None
        if self.deadline != NEVER:
            self._forget(self)
