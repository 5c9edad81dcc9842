"""A call of gRPC, as far as it is more than a request and its response: it has a deadline, and a status of its own."""

from __future__ import annotations

from typing import Any

from txproxy.errors import ResponseTimeout
from txproxy.net.deadlines import NEVER
from txproxy.wire.grpc.calls import read_timeout
from txproxy.wire.grpc.grpc_statuses import in_http


class GrpcCall:
    """The call that an ``exchange`` (:class:`txproxy.proxy.exchanges.exchange.Exchange`) carries. It may take as long
    as its client waits (``timeout`` is its ``grpc-timeout``): whatever the exchange is doing then, it ends. Clients
    know their deadlines as well and leave by themselves; this is for those that do not.
    """

    __slots__ = ("deadline", "_exchange")

    def __init__(self, exchange: Any, timeout: bytes | None) -> None:
        self._exchange = exchange
        seconds = read_timeout(timeout) if timeout is not None else None
        self.deadline = NEVER
        if seconds is not None:
            services = exchange.services
            self.deadline = services.seconds() + seconds
            services.deadlines.watch(self)

    def deadline_passed(self) -> None:
        """The client does not wait any longer."""
        self.deadline = NEVER
        self._exchange.abandon(ResponseTimeout("the deadline of the call is over"))

    def counts_as(self, status: int) -> int:
        """As which status a response with ``status`` counts for the upstream that has sent it: what is wrong with a
        call is not said by HTTP.
        """
        if status != 200:
            return status
        exchange = self._exchange
        trailers, response = exchange.context.trailers, exchange.response
        if trailers is None and response is None:
            # A filter has yet to say what becomes of its head.
            return status
        value = (trailers if trailers is not None else response.headers).get(b"grpc-status")
        return status if value is None else in_http(value)

    def ended(self) -> None:
        """The exchange is over."""
        self._exchange.services.deadlines.forget(self)
