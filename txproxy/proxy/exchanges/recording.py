"""Notes what becomes of an exchange, where anybody wants to know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from txproxy.errors import ExchangeError
from txproxy.interfaces.attempt import Attempt
from txproxy.interfaces.record import AttemptRecord, ExchangeRecord


class Recording:
    """The record of one exchange, as far as it is; that began so many seconds before now as it was ``waited`` for."""

    __slots__ = (
        "_seconds",
        "started",
        "_attempts",
        "_attempt",
        "_began",
        "_connected",
        "_reused",
        "_first_byte",
        "_upstream",
    )

    def __init__(self, seconds: Callable[[], float], waited: float = 0.0) -> None:
        self._seconds = seconds
        self.started = seconds() - waited
        self._attempts: list[AttemptRecord] = []
        # the one that is being made
        self._attempt: Attempt | None = None
        self._began = 0.0
        self._connected: float | None = None
        self._reused = False
        self._upstream: Any = None
        self._first_byte: float | None = None

    @property
    def age(self) -> float:
        """For how many seconds it has been going on."""
        return self._seconds() - self.started

    def attempt(self, attempt: Attempt) -> None:
        """One begins."""
        self._attempt = attempt
        self._began = self._seconds() - self.started
        self._connected = self._upstream = None
        self._reused = False

    def kept(self, upstream: Any) -> None:
        """It has a connection that was kept."""
        self._connected = self._began
        self._reused = True
        self._upstream = upstream

    def dialed(self, upstream: Any) -> None:
        """It has a new one."""
        self._connected = self._seconds() - self.started
        self._reused = False
        self._upstream = upstream

    def answered(self) -> None:
        """The final response has begun."""
        self._first_byte = self._seconds() - self.started

    def attempt_over(self, fault: ExchangeError | None, status: int) -> None:
        """It has ended; told once, or more often."""
        attempt = self._attempt
        if attempt is not None:
            self._attempt = None
            ended = self._seconds() - self.started
            self._attempts.append(
                AttemptRecord(attempt, self._began, self._connected, ended, self._reused, fault, status, self._upstream)
            )

    def _take(self, fetched: tuple[Any, ...]) -> None:
        """Have the attempts of exchanges with which a cache has got what it had not, as far as they are."""
        for exchange in fetched:
            other: Recording = exchange.recording
            # It may be over a moment later than what has waited for it.
            other.attempt_over(None, exchange.upstream_status)
            later = other.started - self.started
            for one in other._attempts:
                one.move(later)
                self._attempts.append(one)
            if other._first_byte is not None:
                self._first_byte = other._first_byte + later

    def so_far(self, exchange: Any) -> ExchangeRecord:
        """What is known of an ``exchange`` that goes on: the attempt that is being made is there as if it ended now."""
        now = self._seconds() - self.started
        attempts = tuple(self._attempts)
        if self._attempt is not None:
            attempts += (
                AttemptRecord(
                    self._attempt, self._began, self._connected, now, self._reused, None, exchange.upstream_status,
                    self._upstream,
                ),
            )  # fmt: skip
        return ExchangeRecord(
            exchange.request, exchange.context, exchange.outcome, exchange.detail, exchange.status, exchange.sent,
            exchange.received, attempts, self._first_byte, now, exchange.response,
        )  # fmt: skip

    def of(self, exchange: Any) -> ExchangeRecord:
        """The whole of it, now that the ``exchange`` is over."""
        context = exchange.context
        if context.fetched:
            self._take(context.fetched)
            context.fetched = ()
        return ExchangeRecord(
            exchange.request,
            exchange.context,
            exchange.outcome,
            exchange.detail,
            exchange.status,
            exchange.sent,
            exchange.received,
            tuple(self._attempts),
            self._first_byte,
            self._seconds() - self.started,
            exchange.response,
        )
