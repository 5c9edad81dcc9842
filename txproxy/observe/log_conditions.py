"""Which requests a log has lines of: by their status, by how long they took, by their routes, or some of them."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Protocol

from txproxy.frozen_values import frozen
from txproxy.interfaces.record import FinishedExchange, FinishedStream, momentary
from txproxy.matching.statuses import statuses_of
from txproxy.observe.log_formats.nginx_names import stream_status
from txproxy.observe.log_formats.record_facts import CLIENT_LEFT


@frozen(kw_only=True)
class LogConditions:
    """All that has to be so of a request that gets a line: its status is one of ``statuses`` (``404``, ``5xx``), it
    took ``min_duration`` seconds at least, and it was on one of these ``routes``, or let through by one of these rules;
    where there are none, any. Of those that are left a ``share``, by chance, from 0 to 1.
    """

    statuses: tuple[str, ...] = ()
    min_duration: float = 0.0
    routes: tuple[str, ...] = ()
    share: float = 1.0

    def __bool__(self) -> bool:
        return bool(self.statuses or self.min_duration or self.routes or self.share < 1)


class Conditioned(Protocol):
    """A log of all requests."""

    @property
    def exchange(self) -> Callable[[FinishedExchange], Any]:
        """Tells it of one finished exchange."""

    def stream(self, stream: FinishedStream) -> None:
        """One raw stream that has ended."""


class ConditionalLog:
    """Gives ``log`` what is as the ``conditions`` say. ``chance`` gives numbers from 0, below 1."""

    def __init__(
        self, log: Conditioned, conditions: LogConditions, chance: Callable[[], float] = random.random
    ) -> None:
        self.log = log
        self._statuses = statuses_of(conditions.statuses)
        self._routes = frozenset(conditions.routes)
        self._least = conditions.min_duration
        self._share = conditions.share
        self._chance = chance

    @momentary
    def exchange(self, record: FinishedExchange) -> None:
        """One finished exchange."""
        if self._wants(record, record.status or CLIENT_LEFT):
            self.log.exchange(record)

    def stream(self, stream: FinishedStream) -> None:
        """One raw stream that has ended."""
        assert stream.record is not None
        if self._wants(stream.record, stream_status(stream, 0.0)):
            self.log.stream(stream)

    def _wants(self, record: FinishedExchange, status: int) -> bool:
        if self._statuses and status not in self._statuses:
            return False
        if record.seconds < self._least or (self._routes and record.context.rule not in self._routes):
            return False
        return self._share >= 1 or self._chance() < self._share
