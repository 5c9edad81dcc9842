"""How many requests a pool is good for at once, found out by how long they take.

A pool that has enough to do takes a request as long as it takes alone; with more than that each waits for others. So
the limit follows the gradient: how long requests take where none waits, by how long they take now, and room for a few
that wait, the square root of the limit (as in Netflix's concurrency-limits and Envoy's adaptive concurrency filter).
What they take alone is the least that a window of time has shown; from time to time the limit is a quarter of itself
for two windows, to look at that anew, as servers, and what they are asked for, change.
"""

from __future__ import annotations

from math import sqrt
from typing import Final

from txproxy.errors import ConfigError
from txproxy.frozen_values import frozen

# A window is at least so many seconds, and so many requests.
_WINDOW: Final = 0.1
_SAMPLES: Final = 10
# where it is looked at what they take alone, which is to be over soon
_FEW: Final = 3
# So much longer than alone requests may take before the limit gives way, as no two of them are alike.
_TOLERANCE: Final = 1.5
# how much of what is new counts, and by how much the limit gives way at most
_SMOOTHING: Final = 0.2
_STEEPEST: Final = 0.5
# How often it is looked at what requests take where none waits, in seconds: first, and then ever more seldom.
_LOOK_FIRST: Final = 1.0
_LOOK_EVERY: Final = 30.0
# with so small a part of the limit, and for so many windows, of which the last one tells
_LOOKING: Final = 4
_WINDOWS: Final = 2
_BEGIN: Final = 20
_MOST: Final = 10**6


@frozen(kw_only=True)
class AdaptiveBounds:
    """What an adaptive limit stays within: ``min`` and ``max`` requests at once."""

    min: int = 1
    max: int = 1000

    def __attrs_post_init__(self) -> None:
        for key in ("min", "max"):
            if not 1 <= getattr(self, key) <= _MOST:
                said = f"{getattr(self, key)!r} cannot be"
                raise ConfigError(said, f"accepted is a whole number from 1 to {_MOST}", (key,))
        if self.min > self.max:
            raise ConfigError(f"{self.min} is more than max", f"accepted is {self.max} at most", ("min",))


@frozen
class Learnt:
    """What an adaptive limit has come to: its ``value``, and how long requests take ``alone``, if that is known."""

    value: float
    alone: float | None


class AdaptiveLimit:
    """The limit (``value``) of one pool, within ``bounds``. Times are in seconds, and are given. It waits for so many
    ``windows`` when it looks what requests take alone.
    """

    __slots__ = (
        "value", "_bounds", "_alone", "_began", "_sum", "_count", "_busiest", "_failed", "_look_at", "_looking",
        "_before", "_every", "_windows",
    )  # fmt: skip

    def __init__(self, bounds: AdaptiveBounds, windows: int = _WINDOWS) -> None:
        self._bounds = bounds
        self._windows = windows
        self.value = float(min(max(_BEGIN, bounds.min), bounds.max))
        # how long requests take where none waits; None if nobody knows yet
        self._alone: float | None = None
        self._began: float | None = None
        self._sum = 0.0
        self._count = self._busiest = 0
        self._failed = False
        self._look_at = self._every = _LOOK_FIRST
        # windows until it is known, where it is looked at, and the limit before
        self._looking = 0
        self._before = self.value

    def answered(self, took: float, running: int, now: float, count: int = 1) -> None:
        """A request was answered after so many seconds, of so many that were at work then, itself included; or so many
        were, after so many seconds in all.
        """
        if self._began is None:
            self._began = now
            self._look_at = now + self._every
        self._sum += took
        self._count += count
        self._busiest = max(self._busiest, running)
        if self._count >= (_SAMPLES if not self._looking else _FEW) and now - self._began >= _WINDOW:
            self._window_over(self._sum / self._count, now)

    def failed(self) -> None:
        """A request was not answered, or not in time."""
        if not self._failed:
            self._failed = True
            self._set(self.value * 0.9)

    def _window_over(self, took: float, now: float) -> None:
        busy = 2 * self._busiest >= self.value
        failed = self._failed
        self._began, self._sum, self._count, self._busiest, self._failed = now, 0.0, 0, 0, False
        if self._looking:
            self._look(took, now)
            return
        alone = took if self._alone is None else min(self._alone, took)
        if not busy:
            # Nobody has waited: it is what they take now. That says nothing of how many there may be.
            self._alone = alone + 0.1 * (took - alone)
            return
        self._alone = alone
        gradient = min(max(_TOLERANCE * alone / took, _STEEPEST), 1.0) if took else 1.0
        wanted = self.value * gradient + sqrt(self.value)
        if not failed or wanted < self.value:
            self._set(self.value + _SMOOTHING * (wanted - self.value))
        if now >= self._look_at:
            self._looking = self._windows
            self._before = self.value
            self._set(self.value / _LOOKING)

    def _look(self, took: float, now: float) -> None:
        """The windows before the last one have those that have waited still."""
        self._looking -= 1
        if not self._looking:
            self._alone = took
            self._every = min(2 * self._every, _LOOK_EVERY)
            self._look_at = now + self._every
            self._set(self._before)

    @property
    def learnt(self) -> Learnt:
        """What it has come to."""
        return Learnt(self.value, self._alone)

    def follow(self, learnt: Learnt) -> None:
        """Another has come to that. If this one goes on with it, it looks for itself soon."""
        self._looking = 0
        self._alone = learnt.alone
        self._began = None
        self._set(learnt.value)

    def _set(self, value: float) -> None:
        self.value = min(max(value, float(self._bounds.min)), float(self._bounds.max))
