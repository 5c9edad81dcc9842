"""The body of a request on a stream, on its way to the exchange."""

from __future__ import annotations

from collections import deque
from typing import Any

from txproxy.errors import RequestError
from txproxy.net.deadlines import NEVER
from txproxy.proxy.downstream.body_wait import BodyWait, Late
from txproxy.proxy.minimum_rate import slow_body
from txproxy.wire.message import EndOfMessage, keep_waiting


class StreamBody:
    """What has come of the body of a ``stream`` (:class:`txproxy.proxy.downstream.http2.request_stream.RequestStream`)
    waits here until its exchange wants it; until then the client gets no leave to send more.
    """

    __slots__ = ("deadline", "_stream", "_parts", "_wait", "_pumping", "_wide")

    def __init__(self, stream: Any) -> None:
        services = stream.client.services
        self.deadline = services.idle_limit.ahead
        self._stream = stream
        self._parts: deque[bytes | bytearray | EndOfMessage] = deque()
        self._wait = BodyWait(services)
        # whether all of its window is open to it
        self._pumping = self._wide = False
        services.deadlines.watch(self)

    def came(self, part: bytes | EndOfMessage) -> None:
        """Part of it, or its end."""
        keep_waiting(self._parts, part)
        self._stream.client.touch(self)

    def wanted(self) -> None:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        self.deadline = self._stream.client.services.idle_limit.ahead
        self._wait.wait_again()
        self._stream.client.touch(self)

    def unwanted(self) -> None:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        exchange = self._stream.exchange
        if exchange is not None:
            self._wait.cease(exchange)

    def forget(self) -> None:
        """It is not waited for any longer."""
        self.deadline = NEVER
        self._parts.clear()
        self._stream.client.services.deadlines.forget(self)

    def pump(self) -> None:
        """Give the exchange what it wants of what is there."""
        if self._pumping:
            return
        self._pumping = True
        try:
            self._give()
        except RequestError as fault:
            exchange = self._stream.exchange
            if exchange is not None:
                exchange.request_failed(fault)
        finally:
            self._pumping = False

    def _give(self) -> None:
        stream, parts = self._stream, self._parts
        session = stream.client.session
        while True:
            exchange = stream.exchange
            if exchange is None or not exchange.wants_body:
                return
            if not parts:
                self._await_more(exchange)
                return
            part = parts.popleft()
            if isinstance(part, EndOfMessage):
                self.forget()
                exchange.request_end(part.trailers)
            else:
                if not self._wide and not exchange.body.gathering:
                    # It has its place. As long as it waits for one it is not to take the connection's window from those
                    # that have. nginx (http2_body_preread_size) has it so as well.
                    self._wide = True
                    session.widen(stream)
                exchange.request_body(bytes(part))
                session.consume(stream, len(part))

    def _await_more(self, exchange: Any) -> None:
        """All that has come of the body is on its way, and there is more to come."""
        exchange.request_flush()
        if self._stream.exchange is exchange and not exchange.request_done:
            self.deadline = self._wait.until(exchange)

    def deadline_passed(self) -> None:
        """It does not come, or too slowly."""
        stream, passed = self._stream, self.deadline
        exchange = stream.exchange
        if exchange is None or exchange.request_done:
            self.forget()
            return
        self.deadline = stream.client.services.idle_limit.ahead
        late = self._wait.late(exchange, passed)
        if late is Late.FIRST_PART:
            if stream.exchange is exchange:
                self._await_more(exchange)
        elif late is Late.BODY:
            exchange.request_failed(slow_body())
