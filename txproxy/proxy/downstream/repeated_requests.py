"""Requests that a client sends again in the very same bytes, and that the same answers again.

This is the short cut of clients that ask for the same again and again: no head is read, and nobody is asked but who has
answered before, for what that says by now. Its slow twin is the exchange.
"""

from __future__ import annotations

from typing import Final
from weakref import ref

from txproxy.interfaces.answers import LastingAnswer
from txproxy.interfaces.context import RequestContext, ResponseFilter
from txproxy.interfaces.record import ExchangeRecord
from txproxy.proxy.exchanges.exchange import Exchange
from txproxy.wire.http1.server import head_with_length
from txproxy.wire.message import RequestHead, ResponseHead

# A connection remembers requests of so many bytes at most. When there are more, all are forgotten.
MOST_BYTES: Final = 8192
_MOST_FORMS: Final = 8
# These have no body, whatever length they name.
_BODILESS: Final = (204, 304)


class RepeatedRequest:
    """A ``request`` that was answered in its ``context`` by what is ``lasting``, past ``filters`` that are steady."""

    __slots__ = ("_request", "_context", "_lasting", "_filters", "_head", "_sent")

    def __init__(
        self,
        request: RequestHead,
        context: RequestContext,
        lasting: LastingAnswer,
        filters: tuple[ResponseFilter, ...],
    ) -> None:
        self._request = request
        self._context = context
        # Whoever gives the answer is to be able to forget it, whatever many connections remember.
        self._lasting: ref[LastingAnswer] = ref(lasting)
        self._filters = filters
        self._head: ResponseHead | None = None
        self._sent = 0

    def response(self) -> bytes | None:
        """All that answers it now, on a connection that stays open; None where an exchange has to find that out."""
        lasting = self._lasting()
        if lasting is None:
            return None
        answer = lasting.by_now()
        if answer is None:
            return None
        form = lasting.forms.get(self._filters)
        if form is None:
            head = answer.head
            for one in self._filters:
                head = one.head(head, self._context)  # type: ignore[assignment]
            if len(lasting.forms) >= _MOST_FORMS:
                lasting.forms.clear()
            lasting.forms[self._filters] = form = head, head_with_length(head)
        body = answer.body
        assert type(body) is bytes
        self._head, start = form
        self._sent = len(body)
        return start + body

    def record(self, seconds: float) -> ExchangeRecord:
        """What is known of the exchange that there would have been; it has taken so many ``seconds``."""
        context, head = self._context.on(self._context.connection), self._head
        assert head is not None
        return ExchangeRecord(
            self._request, context, "answered", "", head.status, self._sent, 0, (), None, seconds, head
        )


class RepeatedRequests:
    """Those of one connection, by their bytes."""

    __slots__ = ("get", "_requests", "_bytes")

    def __init__(self) -> None:
        self._requests: dict[bytes, RepeatedRequest] = {}
        self._bytes = 0
        # the one that has come before in these bytes, or None
        self.get = self._requests.get

    def remember(self, data: bytes, exchange: Exchange) -> None:
        """These bytes, and no others, were a request; its ``exchange`` is over."""
        context, filters = exchange.context, exchange.steady_filters
        lasting = context.again
        if lasting is None or filters is None or exchange.status in _BODILESS or len(data) > MOST_BYTES:
            return
        if data not in self._requests:
            self._bytes += len(data)
            if self._bytes > MOST_BYTES:
                self._requests.clear()
                self._bytes = len(data)
        context.again = None
        self._requests[data] = RepeatedRequest(exchange.request, context, lasting, filters)
