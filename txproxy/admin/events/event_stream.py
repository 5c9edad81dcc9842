"""A response that goes on: one reader of events, who may be slow."""

from __future__ import annotations

from typing import Any, Final

from txproxy.admin.events.event_feed import EventFeed, event

TYPE: Final = "text/event-stream"
# So many events wait for who reads slowly; what comes beyond is counted, and told as such.
MOST_HELD: Final = 256
# Who has read nothing for so long is cut off, in seconds.
PATIENCE: Final = 30.0
# Who has nothing to read for so long gets a comment, so that either side finds out when the other is gone; in seconds.
SILENCE: Final = 15.0


class EventStream:
    """Writes what ``feed`` tells to a ``request``, with how all is each second if that is ``wanted``. It is the
    producer of that request.
    """

    def __init__(self, feed: EventFeed, request: Any, clock: Any, wanted: bool) -> None:
        self._feed = feed
        self._request = request
        self._clock = clock
        self._wanted = wanted
        # since when nothing may be written; None while it may
        self._paused: float | None = None
        self._held: list[bytes] = []
        self._missed = 0
        self._status = b""
        self._written = 0.0

    def begin(self) -> None:
        """Begin, and go on until the reader leaves."""
        request = self._request
        request.registerProducer(self, True)
        request.notifyFinish().addBoth(lambda _: self._feed.leave(self))
        # The head goes at once: there may be nothing to tell for long.
        self._send(b": txproxy\n\n")
        self._feed.join(self)

    def tell(self, events: list[bytes], status: bytes) -> None:
        """See :class:`txproxy.admin.events.event_feed.Reader`. Of how all is the last counts alone."""
        if self._wanted and status:
            self._status = status
        room = MOST_HELD - len(self._held)
        self._held += events[:room]
        self._missed += len(events[room:])
        if self._paused is None:
            self._write()
        elif self._clock.seconds() - self._paused >= PATIENCE:
            self._feed.leave(self)
            self._request.channel.transport.abortConnection()

    def end(self) -> None:
        """See :class:`txproxy.admin.events.event_feed.Reader`."""
        self._feed.leave(self)
        if self._paused is None:
            self._request.unregisterProducer()
            self._request.finish()
        else:
            self._request.channel.transport.abortConnection()

    def _write(self) -> None:
        held, self._held = self._held, []
        if self._missed:
            held.append(event("missed", {"events": self._missed}))
            self._missed = 0
        status, self._status = self._status, b""
        if held or status:
            self._send(b"".join([*held, status]))
        elif self._clock.seconds() - self._written >= SILENCE:
            self._send(b":\n\n")

    def _send(self, data: bytes) -> None:
        self._written = self._clock.seconds()
        self._request.write(data)

    def pauseProducing(self) -> None:
        """See ``twisted.internet.interfaces.IPushProducer``."""
        if self._paused is None:
            self._paused = self._clock.seconds()

    def resumeProducing(self) -> None:
        """See ``twisted.internet.interfaces.IPushProducer``."""
        self._paused = None
        self._write()

    def stopProducing(self) -> None:
        """See ``twisted.internet.interfaces.IPushProducer``."""
        self._feed.leave(self)
