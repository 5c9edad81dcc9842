"""All that wait for one response, and which of them get it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import Deferred

from txproxy.cache.parts.partial_content import has_wanted
from txproxy.cache.reuse import Use, may_stand_in, use_of
from txproxy.cache.stored import Entry
from txproxy.cache.vary import matches
from txproxy.interfaces.answers import Answer, Refusal
from txproxy.net.deadlines import NEVER
from txproxy.proxy.caching.asking import AskedFor, Asking, Waiter

# How long a request waits for what another has asked for, in seconds, before it goes its own way.
PATIENCE: Final = 5.0

_USABLE: Final = frozenset({Use.FRESH, Use.STALE})


def is_for(entry: Entry, asking: Asking, now: float) -> bool:
    """Whether what has come on behalf of another may be given to a request as well: it was chosen by the same values,
    and may be used without asking the origin (RFC 9111 section 4). What may not was made for who has asked, by what an
    application knows of that client, and its validation by another one would be that one's.
    """
    headers = asking.request.headers
    return (
        matches(entry.head, headers)
        and use_of(entry.head, headers, now, asking.policy) in _USABLE
        and _has_wanted(entry, asking, now)
    )


def _has_wanted(entry: Entry, asking: Asking, now: float, validated: bool = True) -> bool:
    return has_wanted(entry, asking.request.method, asking.request.headers, now, validated)


class Waiting:
    """Those that wait for what was asked for on behalf of ``first``. Nobody of them is lost, whatever fails while they
    get theirs.
    """

    __slots__ = ("_first", "_waiters")

    def __init__(self, first: Asking) -> None:
        self._first = first
        self._waiters: list[Waiter] = []

    def __len__(self) -> int:
        return len(self._waiters)

    @property
    def has_first(self) -> bool:
        """Whether the first is still there."""
        return bool(self._waiters) and self._waiters[0].asking is self._first

    def add(self, asking: Asking, asked_for: AskedFor) -> Deferred[Any]:
        """One more waits; the first as long as it takes."""
        waiter = Waiter(asking, asked_for, NEVER if asking is self._first else PATIENCE)
        self._waiters.append(waiter)
        return waiter.decided

    def remove(self, waiter: Waiter) -> None:
        """It does not wait any longer."""
        if waiter in self._waiters:
            self._waiters.remove(waiter)

    def take_over(self, other: Waiting, asked_for: AskedFor) -> None:
        """Those of another wait here now."""
        self._waiters, other._waiters = other._waiters, []
        for waiter in self._waiters:
            waiter.wait_for(asked_for)

    def each(self, give: Callable[[Waiter], None]) -> None:
        """Each gets what ``give`` gives it, and nobody waits any longer."""
        waiters = self._waiters
        while waiters:
            give(waiters.pop(0))

    def let_go(self, stays: Callable[[Asking], bool], why: str) -> None:
        """Of those that wait for another, the ones that do not stay go their own way."""
        for waiter in self._waiters[:]:
            if waiter.asking is not self._first and not stays(waiter.asking):
                self.remove(waiter)
                waiter.go(why)

    def give_first(self, answer: Callable[[], Answer | Refusal]) -> None:
        """The first, which is there, gets this ``answer``."""
        self._waiters.pop(0).answer(answer)

    def hand_out(self, entry: Entry, answer: Callable[[Asking], Answer], now: float, for_all: bool = True) -> None:
        """Give those an ``answer`` with what has come whom it is for; others ask themselves."""

        def give(waiter: Waiter) -> None:
            asking = waiter.asking
            # What was asked for on its behalf is for it in any case, as far as it is there.
            mine = asking is self._first and _has_wanted(entry, asking, now)
            if mine or (for_all and is_for(entry, asking, now)):
                waiter.answer(lambda: answer(asking))
            else:
                waiter.ask_again()

        self.each(give)

    def stand_in(self, stale: Entry, answer: Callable[[Asking], Answer], now: float) -> None:
        """The same with what is stored, in place of a response that has failed."""

        def give(waiter: Waiter) -> None:
            asking = waiter.asking
            headers = asking.request.headers
            fits = asking is self._first or matches(stale.head, headers)
            fits = fits and _has_wanted(stale, asking, now, validated=False)
            if fits and may_stand_in(stale.head, headers, now, asking.policy):
                waiter.answer(lambda: answer(asking))
            else:
                waiter.ask_again()

        self.each(give)
