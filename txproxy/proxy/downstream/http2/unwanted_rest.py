"""The rest of a request whose response is complete before it (RFC 9113 section 8.1)."""

from __future__ import annotations

from typing import Any, Final

from txproxy.wire.message import EndOfMessage

# So much of it may come, as much as lies in a socket, before the client is told to stop.
MOST_REST: Final = 65536


class UnwantedRest:
    """Drops what still comes of the request on a ``stream``
    (:class:`txproxy.proxy.downstream.http2.request_stream.RequestStream`) for a moment, before the client is told by a
    reset that it is not wanted.

    What was on its way then ends the stream as it should, without a reset; and what of it is malformed is still found,
    where it would otherwise be for the speed of an answer to decide whether it is.
    """

    __slots__ = ("deadline", "_stream", "_left", "_waited")

    def __init__(self, stream: Any) -> None:
        deadlines = stream.client.services.deadlines
        self._stream = stream
        self._left = MOST_REST
        # The next look at deadlines may be due just now: the one after that is meant.
        self._waited = False
        self.deadline = 0.0
        deadlines.watch(self)

    def came(self, part: bytes | EndOfMessage) -> None:
        """More of it, or its end."""
        if isinstance(part, EndOfMessage):
            self._stream.leave()
            return
        self._stream.client.session.consume(self._stream, len(part))
        self._left -= len(part)
        if self._left < 0 or self._stream.receive_window <= 0:
            # It ends only if it is told.
            self._stream.leave()

    def deadline_passed(self) -> None:
        """A moment is over."""
        if self._waited:
            self._stream.leave()
            self._stream.client.want_out()
        self._waited = True

    def forget(self) -> None:
        """It is not waited for any longer."""
        self._stream.client.services.deadlines.forget(self)
