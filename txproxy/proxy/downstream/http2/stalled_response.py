"""A response that waits for its client to open a window (RFC 9113 section 5.2)."""

from __future__ import annotations

from operator import attrgetter
from typing import Any, Final

from txproxy.proxy.minimum_rate import ResponseRate

_waiting: Final = attrgetter("waiting")


class StalledResponse:
    """Watches what waits of one ``stream`` (:class:`txproxy.proxy.downstream.http2.request_stream.RequestStream`): its
    client has to take it at some least rate, as one of HTTP/1 has to.

    That is asked of the client as far as its windows are what is waited for. A transport that is full is looked after
    by the connection, and a stream that others go before has nothing to answer for.
    """

    __slots__ = ("deadline", "_stream", "_rate", "_granted")

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._begin()
        stream.client.services.deadlines.watch(self)

    def _begin(self) -> None:
        client = self._stream.client
        idle = client.services.idle_limit
        self._rate = ResponseRate(self._stream, client.services.min_response_rate, idle, waiting=_waiting)
        self._granted = client.session.sending.granted
        self.deadline = idle.ahead

    def deadline_passed(self) -> None:
        """It waits still."""
        stream, client = self._stream, self._stream.client
        services, sending = client.services, client.session.sending
        if sending.held or (stream.send_window > 0 and sending.window > 0):
            self._begin()
        elif stream.send_window > 0 and sending.granted - self._granted > services.min_response_rate * (
            services.idle_limit.seconds
        ):
            # It is the connection's window that is waited for, and others have it.
            self._begin()
        elif self._rate.goes_on():
            self.deadline = services.idle_limit.ahead
        else:
            stream.stalled_for_long()

    def forget(self) -> None:
        """It goes on, or is over."""
        self._stream.client.services.deadlines.forget(self)
