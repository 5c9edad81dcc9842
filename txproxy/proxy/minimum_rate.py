"""Whether a slow client gets on: with the head and the body that it sends, and with the response that it takes.

Who sends or takes a byte now and then keeps an upstream's place for as long as it likes, unless it has to do so at some
least rate on average (``min_body_rate``; Apache's mod_reqtimeout and Kestrel have one too). All these kinds of time are
looked at by the sweep of deadlines alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from txproxy.errors import RequestError
from txproxy.net.deadlines import Deadlines, TimeLimit
from txproxy.net.transports.any_transports import unsent
from txproxy.net.transports.plain_transports import read_little

# How long a body may be of any rate, in seconds.
GRACE: Final = 30.0
# How long a head may be of any rate: it is a packet or two.
_HEAD_GRACE: Final = 20.0
# What logs and counts call these.
SLOW_HEAD: Final = "slow-head"
SLOW_BODY: Final = "slow-body"
SLOW_RESPONSE: Final = "slow-response"
# What a peer has taken from its system is seen here in steps, as it tells of room in its window.
_STEP: Final = 65536


def slow_head() -> RequestError:
    """The head of a request does not come, or too slowly."""
    return RequestError("the request took too long", status=408, outcome=SLOW_HEAD)


def slow_body() -> RequestError:
    """The same of its body."""
    return RequestError("the request took too long", status=408, outcome=SLOW_BODY)


def head_grace(header_timeout: float, rate: float) -> float:
    """How long a head that has begun may be of any rate, where it has to come at ``rate`` after that."""
    return min(_HEAD_GRACE, header_timeout) if rate else header_timeout


class HeadRate:
    """How fast one head comes that was not there after its grace, at ``until``, which was ``grace`` seconds: ``rate``
    bytes a second on average since it has begun, for ``most`` seconds in all. ``until`` is when that is to be looked at
    again.
    """

    __slots__ = ("until", "_began", "_rate", "_most")

    def __init__(self, until: float, grace: float, rate: float, most: float) -> None:
        self.until = until
        self._began = until - grace
        self._rate = rate
        self._most = most

    def goes_on(self, received: int) -> bool:
        """Whether it may take longer, as this much was ``received``."""
        if not self._rate:
            return False
        until = self._began + min(self._most, received / self._rate)
        if until <= self.until:
            return False
        self.until = until
        return True

    @property
    def waited(self) -> float:
        """For how long it was waited for, in seconds, when it has to be there."""
        return self.until - self._began


class HeadReader(Protocol):
    """Who reads heads of HTTP/1 from ``transport``. ``head_rate`` is that of one that has taken longer than most do."""

    services: Any
    transport: Any
    codec: Any
    deadline: float
    head_rate: HeadRate | None


def begin_head(reader: HeadReader, idle: bool) -> None:
    """Part of a head has come, and before it nothing, if the connection was ``idle``."""
    until: float = reader.services.head_limit.ahead
    rate = reader.head_rate
    if idle:
        reader.deadline = until
        read_little(reader.transport, little=False)
    elif until < reader.deadline and (rate is None or rate.until != reader.deadline):
        # The time of the first one has begun with the connection.
        reader.deadline = until


def late_head(reader: HeadReader) -> HeadRate | None:
    """The deadline of a head is over: None if it has another one, else how it came."""
    rate = reader.head_rate
    if rate is None or rate.until != reader.deadline:
        # That is asked of this one for the first time.
        reader.head_rate = rate = reader.services.head_rate(reader.deadline)
    if not rate.goes_on(reader.codec.buffered):
        return rate
    reader.deadline = rate.until
    return None


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

    def all_is_out(self) -> None:
        """Nothing comes after what waits now. Who has much to take may have as much to read when nothing waits here any
        more, as its system holds some megabytes for it: it has the time of one look for that.
        """
        self._first = self._waiting(self._place)

    def goes_on(self) -> bool:
        """Whether the client has taken enough since the last look."""
        left, before = self._waiting(self._place), self._left
        self._left = left
        if before < 0:
            reads = self._first > _STEP
            self._first, self._since = left, self._idle.ahead
            return left > 0 or reads
        late = self._idle.ahead - self._since - self._idle.seconds
        return 0 < left < before and self._first - left + _STEP >= self._rate * late
