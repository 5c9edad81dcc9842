"""A limit at work: what is counted for it, and how often it has let through, held up and refused."""

from __future__ import annotations

from collections.abc import Hashable
from math import ceil
from typing import Final, Protocol
from weakref import WeakSet

from txproxy.frozen_values import frozen
from txproxy.interfaces.allowances import LimitHit
from txproxy.interfaces.answers import Outcome, Refusal, Verdict
from txproxy.interfaces.context import RequestContext
from txproxy.limits.requests.gcra import MOST_KEYS, Gcra
from txproxy.limits.requests.request_limit import RequestLimit
from txproxy.limits.requests.shared_gcra import SharedGcra

_SENTENCE: Final = "There are too many requests."


@frozen
class LimitCounts:
    """What came of the limit of that ``name`` until now: how many were ``allowed`` at once, ``delayed`` and
    ``refused``, whether or not it is ``enforced``; and how many ``keys`` are known. Of one that bounds how many are at
    work at once, ``running`` are, and ``waiting`` are to be.
    """

    name: str
    allowed: int
    delayed: int
    refused: int
    keys: int
    enforced: bool
    running: int = 0
    waiting: int = 0


class LimitedPlace(Protocol):
    """One at which limits hold, and what it has let through of itself."""

    passed: float


class Limiter:
    """The live part of a :class:`RequestLimit` that has a rate. All places at which that holds have it together, and
    other processes too if it is ``shared``.
    """

    __slots__ = ("config", "allowed", "delayed", "refused", "rate", "places", "_policy", "__weakref__")

    def __init__(self, config: RequestLimit, most_keys: int = MOST_KEYS, shared: bool = False) -> None:
        self.config = config
        self.allowed = self.delayed = self.refused = 0
        # those at which it holds, which count by themselves what they let through on the short way
        self.places: WeakSet[LimitedPlace] = WeakSet()
        rate = config.rate
        assert rate is not None
        kind = SharedGcra if shared else Gcra
        self.rate = kind(rate.interval, rate.at_once, config.delay, most_keys)
        self._policy = f"RateLimit-Policy: {_string(config.name)};q={rate.amount};w={rate.seconds}".encode("ascii")

    def admits(self, wait: float, context: RequestContext) -> bool:
        """Whether one may go on, at once or after a ``wait`` (see :meth:`Gcra.take`), and count it; the ``context``
        learns what it is told.
        """
        if wait == 0.0:
            self.allowed += 1
            return True
        config = self.config
        enforced = config.enforce
        if wait > 0.0:
            self.delayed += 1
            context.limit = LimitHit(config.name, "delayed" if enforced else "passed")
            return True
        self.refused += 1
        context.limit = LimitHit(config.name, "refused" if enforced else "passed")
        return not enforced

    def give_back(self, key: Hashable, now: float) -> None:
        """One that it has let through was refused by another, and does not count here."""
        self.rate.give_back(key, now)

    def fields(self, key: Hashable, now: float) -> tuple[bytes, ...]:
        """The field lines that tell a client what is left to it."""
        left, seconds = self.rate.left(key, now)
        state = f"RateLimit: {_string(self.config.name)};r={left};t={ceil(seconds)}"
        return self._policy, state.encode("ascii")

    @property
    def counts(self) -> LimitCounts:
        """What came of it."""
        config = self.config
        allowed = self.allowed + int(sum(place.passed for place in self.places))
        return LimitCounts(config.name, allowed, self.delayed, self.refused, len(self.rate), config.enforce)


def refusal(config: RequestLimit, context: RequestContext, seconds: float) -> Refusal:
    """Why a request does not pass a limit, and that another may after so many seconds; the ``context`` learns it."""
    reason = f"more than {config.meaning()}"
    context.limit = LimitHit(config.name, "refused")
    context.verdict = Verdict(outcome=Outcome.DENY, rule=f"limit {config.name}", reason=reason)
    # RFC 9110 10.2.3: whole seconds; a client that comes in 0 would not have waited.
    retry = b"Retry-After: %d" % max(1, ceil(seconds))
    detail = f"limit {config.name}: {reason}"
    return Refusal(config.refuses_with, "http_request_denied", detail, (retry,), sentence=_SENTENCE)


def _string(text: str) -> str:
    """``text`` as a string of structured fields (RFC 9651 section 3.3.3), which has ASCII alone."""
    plain = "".join(one if " " <= one <= "~" else "?" for one in text)
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'
