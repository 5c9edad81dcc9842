"""One client's request at a cache, and those that wait for what another has asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from txproxy.cache.keys import canonical_authority
from txproxy.cache.policy import CachePolicy
from txproxy.cache.purging.mark import url_of
from txproxy.interfaces.answers import Answer, Refusal
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.plan import Decision
from txproxy.net.deadlines import NEVER
from txproxy.proxy.services import Services
from txproxy.wire.message import RequestHead


class Asking:
    """A ``request`` in its ``context``, with the ``key`` that its response has or would have, by its ``policy``.
    ``personal`` is whether that may be for somebody though the request does not say so, and ``services`` are those of
    the proxy that it has come to. ``decide`` looks for what it
    may be answered with now, ``pass_by`` has it go its own way.
    """

    # Not attrs: it is made for each request, and this is the fastest.
    __slots__ = ("request", "context", "key", "policy", "personal", "services", "decide", "pass_by", "alone", "checked")

    def __init__(
        self,
        request: RequestHead,
        context: RequestContext,
        key: bytes,
        policy: CachePolicy,
        personal: bool,
        services: Services,
        decide: Callable[[Asking], Decision],
        pass_by: Callable[[Asking, str], Decision],
    ) -> None:
        self.request = request
        self.context = context
        self.key = key
        self.policy = policy
        self.personal = personal
        self.services = services
        self.decide = decide
        self.pass_by = pass_by
        # whether it does not share what it asks for
        self.alone = False
        # whether the parts that it wants of what is stored were looked at
        self.checked = False

    @property
    def scheme(self) -> bytes:
        """That of what is asked for, in lower case."""
        return (self.request.scheme or self.context.scheme.encode("ascii")).lower()

    @property
    def condition(self) -> str:
        """What a response has to say if it is to be kept, beside what all have to; empty for nothing."""
        if self.personal or b"authorization" in self.request.headers.index:
            return "with credentials what comes is kept if it says that it is for all"
        return ""

    @property
    def url(self) -> bytes:
        """What is asked for, as purges name it."""
        scheme = self.scheme
        return url_of(scheme, canonical_authority(scheme, self.request.authority), self.request.path)


class AskedFor(Protocol):
    """What a request waits for."""

    def waiter_gone(self, waiter: Waiter) -> None:
        """It does not wait any longer."""


class Waiter:
    """A request that waits for what is ``asked_for``, for some ``patience``: then it goes its own way."""

    __slots__ = ("asking", "decided", "deadline", "_asked_for", "_deciding", "_deadlines")

    def __init__(self, asking: Asking, asked_for: AskedFor, patience: float) -> None:
        self.asking = asking
        self.decided: Deferred[Any] = Deferred(lambda _: self._leave())
        self._asked_for: AskedFor | None = asked_for
        self._deciding: Deferred[Any] | None = None
        # The client's own proxy may be another than the one that asks.
        self._deadlines = deadlines = asking.services.deadlines
        self.deadline = NEVER
        if patience != NEVER:
            self.deadline = deadlines.look_ahead() + patience
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

    def answer(self, answer: Callable[[], Answer | Refusal]) -> None:
        """What ``answer`` gives is what it gets."""
        self._over()
        self.give(answer)

    def ask_again(self) -> None:
        """What was waited for is of no use to it."""
        self._over()
        # Else it might wait for one after the other.
        self.asking.alone = True
        self.give(lambda: self.asking.decide(self.asking))

    def decide_anew(self) -> None:
        """Who was asked on its behalf asks no longer."""
        self._over()
        self.give(lambda: self.asking.decide(self.asking))

    def go(self, why: str) -> None:
        """It is to go its own way."""
        self._over()
        self.give(lambda: self.asking.pass_by(self.asking, why))

    def give(self, decide: Callable[[], Decision]) -> None:
        """What it is decided on is what it gets; where that fails, it alone does."""
        decided = self.decided
        if decided.called:
            # It has left meanwhile.
            return
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
            self._deadlines.forget(self)
