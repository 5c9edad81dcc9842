"""Notes what becomes of an exchange, where anybody wants to know."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from txproxy.errors import ExchangeError
from txproxy.interfaces.attempt import Attempt
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.plan import Plan
from txproxy.interfaces.record import AttemptRecord, ExchangeRecord

if TYPE_CHECKING:
    from txproxy.proxy.exchanges.responses.held_response import HeldResponse
    from txproxy.proxy.exchanges.responses.response_body import ResponseBody
    from txproxy.proxy.grpc_call import GrpcCall
    from txproxy.proxy.services import Services

# in the place of a connection that was kept
NONE_KEPT: Final = object()


class Recorded:
    """What is noted of one exchange, if anybody wants to know, by who inherits.

    It is no object of its own, and has few names: to make one would cost as much again, and instances of a class with
    more than 30 names in all lose their speed. What is seldom set stands here.
    """

    services: Services
    context: RequestContext
    plan: Plan | None
    upstream_status: int
    # what it is of gRPC, and what the body of the response passes, if anything
    call: GrpcCall | None
    _response_body: ResponseBody | HeldResponse | None
    # when it has begun, or has begun to wait; None where nobody wants to know what becomes of it
    started: float | None

    # See txproxy.interfaces.FinishedExchange.
    seconds = 0.0
    first_byte: float | None
    eventful = False
    # the attempts that are over
    _attempts: tuple[AttemptRecord, ...] = ()
    # of the one that is being made, or was until the end, the connection that was kept for it; None if there is no such
    kept: Any = None
    # when it was decided on; None: as the exchange began
    _decided: float | None = None
    # when it had a connection that was not kept, and which
    _dialed_at: tuple[float, Any] | None = None

    def record(self, waited: float = 0.0) -> None:
        """Somebody wants to know; so many seconds it was ``waited`` for."""
        self.started = self.services.seconds() - waited

    def resume_record(
        self, age: float, first_byte: float | None, over: Iterable[AttemptRecord], current: AttemptRecord
    ) -> None:
        """It began ``age`` seconds ago in another process, and has made attempts, of which one is not over."""
        self.record(waited=age)
        assert self.started is not None
        self.eventful = True
        self.first_byte = first_byte
        self._attempts = tuple(over)
        self._decided = self.started + current.began
        self.kept = current.upstream if current.reused else NONE_KEPT
        if current.connected is not None and not current.reused:
            self._dialed_at = self.started + current.connected, current.upstream

    @property
    def age(self) -> float | None:
        """For how many seconds it has been going on; None if nobody wants to know."""
        return None if self.started is None else self.services.seconds() - self.started

    @property
    def attempts(self) -> tuple[AttemptRecord, ...]:
        """Those that were made: made anew each time, as somebody who needs them more often has a record."""
        if self.kept is None:
            return self._attempts
        return (*self._attempts, self._made(None, self.upstream_status))

    def so_far(self) -> ExchangeRecord | None:
        """What is known while it goes on: the attempt that is being made is there as if it ended now. None if nobody
        wanted to know.
        """
        age = self.age
        if age is None:
            return None
        over: Any = self
        record = ExchangeRecord.of(over)
        record.seconds = age
        return record

    @property
    def attempt(self) -> Attempt | None:
        """The last of them. What a cache has got for it was another's plan."""
        if self.plan is not None:
            return self.plan.attempt
        return self._attempts[-1].attempt if self._attempts else None

    def _note_decision(self) -> None:
        """What was waited for is decided: an attempt begins, perhaps."""
        if self.started is not None:
            self._decided = self.services.seconds()

    def _note_attempt(self) -> None:
        """One begins, and no connection was kept for it."""
        self.kept = NONE_KEPT
        if self._decided is None:
            self._decided = self.services.seconds()

    def _note_connection(self, connection: Any) -> None:
        """It has a new one."""
        self.eventful = True
        self.kept = NONE_KEPT
        self._dialed_at = self.services.seconds(), connection

    def attempt_over(self, fault: ExchangeError | None, status: int) -> None:
        """It has ended, before the exchange did; told once, or more often."""
        if self.kept is not None:
            self._attempts += (self._made(fault, status),)
            self.kept = self._dialed_at = None
            self.eventful = True

    def _made(self, fault: ExchangeError | None, status: int) -> AttemptRecord:
        """The record of the one that is, or was, being made."""
        plan, started, kept = self.plan, self.started, self.kept
        assert plan is not None and started is not None
        began = 0.0 if self._decided is None else self._decided - started
        ended = self.seconds or self.services.seconds() - started
        if kept is not NONE_KEPT:
            return AttemptRecord(plan.attempt, began, began, ended, True, fault, status, kept)
        connected, connection = self._dialed_at or (None, None)
        if connected is not None:
            connected -= started
        return AttemptRecord(plan.attempt, began, connected, ended, False, fault, status, connection)

    def _take(self, fetched: tuple[Recorded, ...], started: float) -> None:
        """Have the attempts of exchanges with which a cache has got what it had not, as far as they are."""
        for other in fetched:
            # It may be over a moment later than what has waited for it.
            other.attempt_over(None, other.upstream_status)
            assert other.started is not None
            later = other.started - started
            for one in other._attempts:
                one.move(later)
            self._attempts += other._attempts
            if other.first_byte is not None:
                self.first_byte = other.first_byte + later
            self.eventful = True
