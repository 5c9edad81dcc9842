"""A client that has closed its side of a connection of HTTP/2, with requests under way."""

from __future__ import annotations

from typing import Any

from txproxy.wire.http2.faults import CANCEL


class HalfClosed:
    """Looks after the streams of a ``client`` (:class:`txproxy.proxy.downstream.http2.http2_connection.Http2Protocol`)
    that sends nothing more: most likely it has left, but it may have asked for all that it wants, and read on.

    So those whose request is complete are answered, if that comes soon, as in HTTP/1. None of them is waited for that
    is in need of a window, as nobody opens one any more.
    """

    __slots__ = ("deadline", "_client")

    def __init__(self, client: Any) -> None:
        self._client = client
        self.deadline = client.services.gone_limit.ahead
        client.services.deadlines.watch(self)
        for stream in [*client.session.streams.values()]:
            if stream.may_receive:
                self._lose(stream)

    def deadline_passed(self) -> None:
        """What has not begun by now is late."""
        client = self._client
        self.deadline = client.services.gone_limit.ahead
        sending = client.session.sending
        for stream in [*client.session.streams.values()]:
            exchange = stream.exchange
            is_late = exchange is not None and not exchange.response_begun
            if is_late or (stream.waiting and not sending.held and min(stream.send_window, sending.window) <= 0):
                self._lose(stream)
        client.want_out()

    def forget(self) -> None:
        """The connection is over."""
        self._client.services.deadlines.forget(self)

    def _lose(self, stream: Any) -> None:
        client = self._client
        if stream.client is not None:
            client.session.reset(stream, CANCEL)
            stream.lost()
            client.left(stream)
