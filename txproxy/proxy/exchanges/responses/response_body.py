"""The body of a response that passes filters, or a valve, on its way to the client."""

from __future__ import annotations

from typing import Any, Final

from twisted.python.failure import Failure

from txproxy.errors import ExchangeError
from txproxy.proxy.exchanges.responses.filters import ResponseBodyFilters, with_length
from txproxy.proxy.throttle import Valve
from txproxy.wire.headers import Headers
from txproxy.wire.message import ResponseHead

_NO_FIELDS: Final = Headers()


class ResponseBody:
    """The body of the response of one ``exchange``, which passes ``filters``, then the valve ``down``, as far as these
    are there. Where none is, there is no such object.
    """

    __slots__ = ("_exchange", "_filters", "_down")

    def __init__(self, exchange: Any, filters: ResponseBodyFilters | None, down: Valve | None) -> None:
        self._exchange = exchange
        self._filters = filters
        self._down = down

    def pass_on(self, data: bytes) -> None:
        """Part of it."""
        if self._filters is not None:
            try:
                data = self._filters.body(data)
            except Exception:
                self._failed(Failure())
                return
        if data:
            self._to_client(data)

    def whole(self, response: ResponseHead, body: bytes) -> None:
        """All of it, with the head."""
        exchange = self._exchange
        if self._filters is not None:
            try:
                body = self._filters.body(body) + self._filters.end(_NO_FIELDS)
            except Exception:
                # No head has gone out yet.
                exchange.not_answered()
                self._failed(Failure())
                return
            response = with_length(response, len(body))
        if self._down is None or not body:
            exchange.response_sent(response, body)
            return
        exchange.downstream.send_head(response)
        self._down.pass_on(body)
        exchange.downstream.flush()
        self._when_passed(_NO_FIELDS)

    def end(self, trailers: Headers) -> None:
        """It is complete."""
        if self._filters is not None:
            try:
                rest = self._filters.end(trailers)
            except Exception:
                self._failed(Failure())
                return
            if rest:
                self._to_client(rest)
        self._when_passed(trailers)

    def _to_client(self, data: bytes) -> None:
        if self._down is not None:
            self._down.pass_on(data)
        else:
            self._exchange.pass_to_client(data)

    def _when_passed(self, trailers: Headers) -> None:
        exchange = self._exchange
        if self._down is not None:
            self._down.after(lambda: exchange.response_over(trailers))
        else:
            exchange.response_over(trailers)

    def _failed(self, failure: Failure) -> None:
        exchange = self._exchange
        exchange.drop_upstream()
        if isinstance(failure.value, ExchangeError):
            exchange.fail(failure.value)
        else:
            exchange.mode_failed(failure)
