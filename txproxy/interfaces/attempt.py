"""One try to have a request answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from txproxy.errors import ExchangeError
from txproxy.interfaces.address import Address
from txproxy.interfaces.trace import Trace
from txproxy.wire.message import RequestHead
from txproxy.wire.trace_context import FIELD, TraceParent


class Tracker(Protocol):
    """Who keeps track of an attempt: the upstream that it goes to, for one."""

    def ended(self, fault: ExchangeError | None, status: int) -> None:
        """The attempt is over: told once. ``fault`` is None if all went well, or the client left; ``status`` is that of
        the final response, 0 if none came.
        """


class Attempt:
    """One try: ``head`` goes to ``address``; without a ``head`` it is a tunnel (CONNECT). Nobody changes one that is
    being made.

    ``tracker`` learns how it went. ``answered`` is called with the status when the head of the final response is there,
    or the tunnel stands; an ``ExchangeError`` that it raises is what the client gets in place of the response.
    ``lines`` are field lines for the response to this attempt alone. ``upstream`` is that of a pool which it is at;
    None if it is at none.
    """

    upstream: Any = None

    # Not attrs: it is made for each request, and this is the fastest.
    __slots__ = ("address", "head", "tracker", "answered", "lines")

    def __init__(
        self,
        address: Address,
        head: RequestHead | None,
        tracker: Tracker | None = None,
        answered: Callable[[int], None] | None = None,
        lines: tuple[bytes, ...] = (),
    ) -> None:
        self.address = address
        self.head = head
        self.tracker = tracker
        self.answered = answered
        self.lines = lines

    def tell(self, trace: Trace) -> None:
        """It is made: say where it goes, and what is sent."""
        trace.sent(self.address, self.head)

    def follow(self, traced: TraceParent) -> None:
        """It is not the first: let it be another span of that trace (OpenTelemetry's conventions for HTTP have one for
        each time that a request is sent), where the head says of which it is.
        """
        head = self.head
        if head is not None and FIELD in head.headers.index:
            headers = head.headers.with_one(FIELD, traced.followed().line.partition(b": ")[2])
            self.head = head.with_fields(headers, head.path)

    def give_back(self) -> None:
        """It is not made."""
        if self.tracker is not None:
            self.tracker.ended(None, 0)
