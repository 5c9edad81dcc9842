"""The body of a response that is not kept, for the one client that has asked for it."""

from __future__ import annotations

from collections.abc import Callable

from txproxy.errors import ExchangeError
from txproxy.interfaces.answers import BodyReceiver
from txproxy.wire.headers import Headers


class PassedBody:
    """Passes a body on as it comes (see :class:`txproxy.interfaces.BodySource`). ``pause`` and ``resume`` are for who
    brings it, and ``cancel`` for when the client does not want it any more.
    """

    __slots__ = ("length", "_pause", "_resume", "_cancel", "_receiver", "_early", "_held", "_trailers", "_fault")

    def __init__(
        self,
        length: int | None,
        pause: Callable[[], None],
        resume: Callable[[], None],
        cancel: Callable[[], None],
    ) -> None:
        self.length = length
        self._pause = pause
        self._resume = resume
        self._cancel: Callable[[], None] | None = cancel
        self._receiver: BodyReceiver | None = None
        # what has come before anybody wanted it
        self._early = b""
        # the client is slow
        self._held = False
        self._trailers: Headers | None = None
        self._fault: ExchangeError | None = None

    # -- what the client's exchange calls

    def start(self, receiver: BodyReceiver) -> None:
        """See :class:`txproxy.interfaces.BodySource`."""
        self._receiver = receiver
        early, self._early = self._early, b""
        if early:
            receiver.response_body(early)
        if self._receiver is None:
            return
        if self._trailers is not None:
            self.end(self._trailers)
        elif self._fault is not None:
            self.fail(self._fault)
        elif early and not self._held:
            self._resume()

    def pause_response(self) -> None:
        """See :class:`txproxy.interfaces.BodySource`."""
        self._held = True
        if self._cancel is not None:
            self._pause()

    def resume_response(self) -> None:
        """See :class:`txproxy.interfaces.BodySource`."""
        self._held = False
        if self._cancel is not None:
            self._resume()

    def close(self) -> None:
        """See :class:`txproxy.interfaces.BodySource`."""
        self._receiver = None
        cancel, self._cancel = self._cancel, None
        if cancel is not None:
            cancel()

    # -- what the fill calls

    def write(self, data: bytes) -> None:
        """Part of it has come."""
        if self._receiver is not None:
            self._receiver.response_body(data)
        else:
            if not self._early:
                self._pause()
            self._early += data

    def flush(self) -> None:
        """No more of it is at hand just now."""
        if self._receiver is not None:
            self._receiver.flush()

    def end(self, trailers: Headers) -> None:
        """It is complete."""
        self._cancel = None
        receiver, self._receiver = self._receiver, None
        if receiver is None:
            self._trailers = trailers
        else:
            receiver.response_end(trailers)

    def fail(self, fault: ExchangeError) -> None:
        """The rest does not come."""
        self._cancel = None
        receiver, self._receiver = self._receiver, None
        if receiver is None:
            self._fault = fault
        else:
            receiver.source_failed(fault)
