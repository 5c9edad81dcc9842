"""Whether a slow client gets on: with the body that it sends, and with the response that it takes.

Who sends or takes a byte now and then keeps an upstream's place for as long as it likes, unless it has to do so at some
least rate on average (``min_body_rate``; Apache's mod_reqtimeout and Kestrel have one too). Both kinds of time are
looked at by the sweep of deadlines alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from txproxy.net.deadlines import Deadlines, TimeLimit
from txproxy.net.transports.any_transports import unsent

# How long a body may be of any rate, in seconds.
GRACE: Final = 30.0
# What a peer has taken from its system is seen here in steps, as it tells of room in its window.
_STEP: Final = 65536


class BodyRate:
    """How fast the body of one request comes, while it is waited for: ``rate`` bytes a second on average, after a
    grace. What frames it does not count, so that chunk extensions and trailers buy no time. ``idle`` bounds each
    silence.
    """

    __slots__ = ("_rate", "_idle", "_grace", "_waited", "_since")

    def __init__(self, rate: float, idle: TimeLimit, deadlines: Deadlines) -> None:
        self._rate = rate
        self._idle = idle
        self._grace = deadlines.limit(GRACE)
        # for how long it was waited for up to now, and since when it is again, by the clock of the sweep
        self._waited = 0.0
        self._since = self._grace.ahead

    def wait(self, received: int) -> float:
        """The body is waited for, of which this much was ``received``; gives the deadline."""
        now = self._grace.ahead
        self._waited += now - self._since
        self._since = now
        most = received / self._rate
        late = now + (most - GRACE if most > GRACE else 0.0) - self._waited
        silent = self._idle.ahead
        return late if late < silent else silent

    def wait_again(self) -> None:
        """It was not waited for until now: the upstream was slow."""
        self._since = self._grace.ahead


class ResponseRate:
    """How fast a client takes what waits for it: something by each look, ``idle`` apart, and about ``rate`` bytes a
    second on average over all but the first of these times. ``known`` says that what waits now is all that there will
    be until the next look. ``waiting`` says how much of ``place``, a transport as a rule, waits.
    """

    __slots__ = ("_place", "_waiting", "_rate", "_idle", "_first", "_left", "_since")

    def __init__(
        self,
        place: Any,
        rate: float,
        idle: TimeLimit,
        known: bool = True,
        waiting: Callable[[Any], int] = unsent,
    ) -> None:
        self._place = place
        self._waiting = waiting
        self._rate = rate
        self._idle = idle
        self._first = self._left = waiting(place) if known else -1
        self._since = idle.ahead

    def goes_on(self) -> bool:
        """Whether the client has taken enough since the last look."""
        left, before = self._waiting(self._place), self._left
        self._left = left
        if before < 0:
            self._first, self._since = left, self._idle.ahead
            return left > 0
        late = self._idle.ahead - self._since - self._idle.seconds
        return 0 < left < before and self._first - left + _STEP >= self._rate * late
