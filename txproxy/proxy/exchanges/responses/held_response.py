"""A response whose head waits: a filter has yet to say what the client gets, and its body is not read meanwhile."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from txproxy.interfaces.answers import Answer, Refusal
from txproxy.proxy.exchanges.phases import OVER
from txproxy.proxy.exchanges.responses.filters import FilterWaits, ResponseBodyFilters, filtered_head
from txproxy.wire.headers import Headers
from txproxy.wire.message import ResponseHead, keep_waiting


class HeldResponse:
    """The response of an ``exchange``, for which it ``waits``. When all filters have decided, ``then`` goes on with the
    head, and with what the body passes; until then what of the body has come all the same is kept here.
    """

    def __init__(
        self,
        exchange: Any,
        waits: FilterWaits,
        bodiless: bool,
        then: Callable[[ResponseHead, ResponseBodyFilters | None, HeldResponse], None],
    ) -> None:
        self._exchange = exchange
        self._bodiless = bodiless
        self._then = then
        self._status = waits.response.status
        # what has come: of the body, and its end, or all of it at once
        self._data: deque[bytes | bytearray] = deque()
        self._end: Headers | None = None
        self.all_of_it: bytes | None = None
        self._dropped = False
        exchange.hold(self)
        self._wait(waits)

    def _wait(self, waits: FilterWaits) -> None:
        self._waits = waits
        coming: Deferred[Any] = waits.limited(self._exchange.services.reactor)
        if self._exchange.upstream is not None:
            self._exchange.upstream.pause_response()
        self._exchange.wait_for(coming)
        coming.addCallbacks(self._decided, self._failed).addErrback(self._exchange.undecided)

    def _decided(self, given: ResponseHead | Answer | Refusal) -> None:
        exchange, waits = self._exchange, self._waits
        if self._dropped or exchange.phase is OVER:
            if isinstance(given, Answer):
                given.give_back()
            return
        exchange.wait_for(None)
        try:
            head, filters = filtered_head(
                waits.response, exchange.context, waits.filters, self._bodiless, waits.place, given
            )
        except FilterWaits as again:
            self._wait(again)
            return
        except Exception as fault:
            exchange.hold(None)
            exchange.not_passed(fault, self._status)
            return
        exchange.hold(None)
        self._then(head, filters, self)

    def _failed(self, failure: Failure) -> None:
        exchange = self._exchange
        if self._dropped or exchange.phase is OVER:
            return
        exchange.wait_for(None)
        exchange.hold(None)
        try:
            failure.raiseException()
        except Exception as fault:
            exchange.not_passed(fault, self._status)

    def drop(self) -> None:
        """The client gets something else."""
        self._dropped = True
        self._exchange.wait_for(None)
        self._waits.coming.cancel()

    # -- what comes meanwhile: as a ResponseBody has it

    def pass_on(self, data: bytes) -> None:
        """Part of the body, which had been read already."""
        keep_waiting(self._data, data)
        if self._exchange.upstream is not None:
            self._exchange.upstream.pause_response()

    def end(self, trailers: Headers) -> None:
        """It is complete."""
        self._end = trailers

    def whole(self, body: bytes) -> None:
        """All of it."""
        self.all_of_it = body

    def release(self) -> None:
        """Let the exchange have what has come, and what is still to come."""
        exchange = self._exchange
        while self._data:
            if exchange.phase is OVER:
                return
            exchange.response_body(bytes(self._data.popleft()))
        if exchange.phase is OVER:
            return
        if self._end is not None:
            exchange.response_end(self._end)
        elif exchange.upstream is not None and not exchange.held:
            exchange.upstream.resume_response()
