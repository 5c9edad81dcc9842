"""One request on a connection of its own, in the client's role of HTTP/2, with the methods of
:class:`txproxy.wire.http1.client.ClientCodec` that one request takes. What is to be written lies in ``take_output``.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from txproxy.errors import ExchangeError, ResponseError, ResponseIncomplete
from txproxy.wire.http2.client import ClientSession
from txproxy.wire.http2.events import StreamReset
from txproxy.wire.message import EndOfMessage, RequestHead, ResponseHead
from txproxy.wire.size_limits import DEFAULT_LIMITS, WireLimits


class SingleRequest:
    """Writes one request in ``scheme``, and reads the response. ``started`` says whether any of this has
    come.
    """

    def __init__(self, scheme: bytes, limits: WireLimits = DEFAULT_LIMITS) -> None:
        self._session = ClientSession(limits)
        self._scheme = scheme
        self._events: deque[Any] = deque()
        self.started = False
        self.take_output = self._session.take_output

    def send_head(self, request: RequestHead, body: bytes = b"") -> bytes:
        """All of the request, with a small ``body`` if it has one, and what a connection begins with."""
        stream = self._session.send_request(request, self._scheme, ended=not body)
        if body:
            self._session.send_body(stream, body)
            self._session.send_end(stream)
        return self._session.take_output()

    def receive(self, data: bytes) -> None:
        """Bytes from the server."""
        for stream, what in self._session.receive(data):
            if stream is None:
                continue
            if type(what) is bytes:
                self._session.consume(stream, len(what))
            self.started = True
            # It is never a whole response in one: that is like some before.
            self._events.append(what)
        if self._session.fault is not None:
            self._events.append(ResponseError(self._session.fault.detail))

    def next_event(self) -> ResponseHead | bytes | EndOfMessage | None:
        """The next event, or None if more bytes are needed."""
        if not self._events:
            return None
        event = self._events.popleft()
        if isinstance(event, StreamReset):
            raise ResponseError(event.detail)
        if isinstance(event, ExchangeError):
            raise event
        found: ResponseHead | bytes | EndOfMessage = event
        return found

    def receive_eof(self, clean: bool = True) -> EndOfMessage:
        """The server has closed the connection, which ends no response of HTTP/2."""
        raise ResponseIncomplete("the connection closed within the response")
