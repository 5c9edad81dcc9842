"""Token buckets, which bound how fast bytes pass."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Final, Protocol

from twisted.internet.interfaces import IDelayedCall

# A turn is worth about so many bytes, so that a bucket costs no more turns than the same bytes would cost reads.
_PIECE: Final = 16384
_SOONEST: Final = 0.02
_LATEST: Final = 0.125
# Less than this is not worth a write of its own.
_LEAST: Final = 2048


class Waiting(Protocol):
    """Whoever waits for tokens."""

    def serve(self) -> None:
        """It is its turn to ask again. It waits no longer, unless it waits again."""


class Bucket:
    """``rate`` tokens a second, of which as many as ``burst`` may be saved; a token is a byte. Without a ``burst`` it
    is what a quarter of a second brings.

    Who finds too few of them waits. Those who do are served in turns, with equal shares, by one timer, which runs only
    while somebody waits. What somebody does not take of his share at once is kept for him until the next turn: his
    source was not read while he waited, and has to bring more first.
    """

    __slots__ = (
        "rate", "burst", "least", "_clock", "_tokens", "_filled", "_interval", "_waiting", "_kept", "_reserved",
        "_kept_until", "_timer", "__weakref__",
    )  # fmt: skip

    def __init__(self, clock: Any, rate: int, burst: int | None = None) -> None:
        self.rate = rate
        self._interval = min(max(_PIECE / rate, _SOONEST), _LATEST)
        # What comes between two turns has to find room.
        self.burst = max(burst if burst is not None else rate / 4, rate * self._interval * 2)
        # how many are worth taking
        self.least = max(1, min(_LEAST, int(rate * self._interval)))
        self._clock = clock
        self._tokens = float(self.burst)
        self._filled: float = clock.seconds()
        self._waiting: OrderedDict[Waiting, None] = OrderedDict()
        self._kept: dict[Waiting, int] = {}
        self._reserved = 0
        self._kept_until = 0.0
        self._timer: IDelayedCall | None = None

    def _fill(self) -> None:
        now = self._clock.seconds()
        tokens = self._tokens + self.rate * (now - self._filled)
        # While somebody waits, a timer that is late must not cost them anything; but a proxy that has slept for long
        # does not wake to a flood.
        most = self.burst if not self._waiting else self.burst + self.rate
        self._filled = now
        self._tokens = min(tokens, max(most, self._tokens))
        if self._kept and now >= self._kept_until:
            self._kept.clear()
            self._reserved = 0

    @property
    def idle(self) -> bool:
        """Whether nobody waits, and no more tokens can be saved: a new bucket would do as well."""
        self._fill()
        return not self._waiting and self._tokens >= self.burst

    def free(self, who: Waiting, wanted: int, served: bool = False) -> int:
        """How many of ``wanted`` tokens there are for ``who``; 0 if they are too few to be worth taking. Where others
        wait there are only those that are kept for it, unless it was ``served`` by another bucket: then it has waited
        already.
        """
        self._fill()
        kept = self._kept.get(who)
        if kept is not None:
            # Others may have taken what was kept: another process, or a clock that was set back.
            return max(0, min(wanted, kept, int(self._tokens)))
        if self._waiting and not served:
            return 0
        free = min(wanted, int(self._tokens) - self._reserved)
        return free if free == wanted or free >= self.least else 0

    @property
    def owed(self) -> float:
        """How many tokens it lacks of what may be saved."""
        self._fill()
        return max(0.0, self.burst - self._tokens)

    def take_away(self, tokens: float) -> None:
        """So many were spent elsewhere. What is missing then comes before anybody gets some."""
        self._fill()
        self._tokens -= tokens

    def spend(self, who: Waiting, tokens: int) -> None:
        """``who`` takes some of those that :meth:`free` has told of."""
        self._tokens -= tokens
        if who in self._kept:
            self._kept[who] -= tokens
            self._reserved -= tokens

    def wait(self, who: Waiting) -> None:
        """Wait for a turn; who waits already keeps its place."""
        self._waiting[who] = None
        if self._timer is None:
            self._timer = self._clock.callLater(self._interval, self._turn)

    def leave(self, who: Waiting) -> None:
        """Wait no longer, and want nothing more."""
        self._reserved -= self._kept.pop(who, 0)
        self._waiting.pop(who, None)
        if not self._waiting and self._timer is not None:
            timer, self._timer = self._timer, None
            timer.cancel()

    def _turn(self) -> None:
        self._timer = None
        waiting = self._waiting
        self._fill()
        self._kept.clear()
        self._reserved = 0
        self._kept_until = self._filled + self._interval
        turns = len(waiting)
        share = max(self.least, int(self._tokens / turns))
        while turns and waiting:
            left = int(self._tokens) - self._reserved
            if left < self.least:
                break
            turns -= 1
            who, _ = waiting.popitem(last=False)
            kept = self._kept[who] = min(share, left)
            self._reserved += kept
            who.serve()
        if waiting and self._timer is None:
            self._timer = self._clock.callLater(self._interval, self._turn)
