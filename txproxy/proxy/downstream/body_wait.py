"""How long the body of a request is waited for."""

from __future__ import annotations

from enum import Enum

from txproxy.proxy.exchanges.exchange import Exchange
from txproxy.proxy.minimum_rate import BodyRate
from txproxy.proxy.services import Services


class Late(Enum):
    """What of a body may be late."""

    NOTHING = "it may take longer"
    FIRST_PART = "what of it was to come soon: that was said, and it is waited for again"
    BODY = "all that was to come by now"


class BodyWait:
    """The time that the body of one request has: it has to come at some rate on average, where there is a least one,
    and must not be silent for too long; its first part may have to come soon.
    """

    __slots__ = ("_services", "_rate")

    def __init__(self, services: Services) -> None:
        self._services = services
        self._rate: BodyRate | None = None

    def until(self, exchange: Exchange) -> float:
        """The deadline of what comes next: all that has come is on its way."""
        services = self._services
        if not services.min_body_rate or exchange.response_begun:
            # An upstream that answers before it has all of the request talks with the client: only silence ends that.
            until = services.idle_limit.ahead
        else:
            rate = self._rate
            if rate is None:
                self._rate = rate = BodyRate(services.min_body_rate, services.idle_limit, services.deadlines)
            until = rate.wait(exchange.received)
        early = exchange.body.early if exchange.body is not None else None
        return early.until if early is not None and early.until < until else until

    def wait_again(self) -> None:
        """It was not waited for until now: the upstream was slow."""
        if self._rate is not None:
            self._rate.wait_again()

    def cease(self, exchange: Exchange) -> None:
        """It is not waited for any longer: the time up to now was the client's own."""
        if self._rate is not None:
            self._rate.wait(exchange.received)

    def late(self, exchange: Exchange, deadline: float) -> Late:
        """What of it is late, as this ``deadline`` is over."""
        if self.answered_before(exchange):
            return Late.NOTHING
        if self._first_part_over(exchange, deadline):
            body = exchange.body
            assert body is not None
            body.first_part_late()
            return Late.FIRST_PART if body.gathering else Late.NOTHING
        # Where the upstream is not ready for more, that is its own time limit's to judge.
        return Late.BODY if exchange.wants_body else Late.NOTHING

    def _first_part_over(self, exchange: Exchange, deadline: float) -> bool:
        """Whether the ``deadline``, which is over, is that of its first part. That time was the client's own, whatever
        comes of it.
        """
        early = exchange.body.early if exchange.body is not None else None
        if early is None or not exchange.wants_body or deadline < early.until:
            return False
        self.cease(exchange)
        return True

    def answered_before(self, exchange: Exchange) -> bool:
        """Whether the response has begun since the body was to come at some rate; that is over with it."""
        if self._rate is None or not exchange.response_begun:
            return False
        self._rate = None
        return True
