"""What a client of HTTP/2 has sent at once beyond its share of a turn of the reactor."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IDelayedCall

from txproxy.proxy.downstream.base import READ_AHEAD


class FramesAhead:
    """Has them wait until all others had their turn. Of ``client``
    (:class:`txproxy.proxy.downstream.http2.http2_connection.Http2Protocol`) nothing more is read where that is much.
    """

    __slots__ = ("_client", "_next_turn", "_held")

    def __init__(self, client: Any) -> None:
        self._client = client
        self._next_turn: IDelayedCall | None = None
        self._held = False

    def wait(self) -> None:
        """There is more than its share."""
        if self._next_turn is None and self._client is not None:
            self._next_turn = self._client.services.reactor.callLater(0, self._go_on)

    def keep(self, data: bytes) -> bool:
        """Have ``data`` wait as well; False if nothing waits, and they may be read."""
        if self._next_turn is None:
            return False
        if self._client.session.reader.keep(data) > READ_AHEAD and not self._held:
            self._held = True
            self._client.output.hold_reading(1)
        return True

    def cancel(self) -> None:
        """Nobody reads it any more. What has ended leaves no circle, which would wait for the collector."""
        self._client = None
        if self._next_turn is not None:
            self._next_turn.cancel()
            self._next_turn = None

    def _go_on(self) -> None:
        self._next_turn = None
        client = self._client
        client.dataReceived(b"")
        if self._held and self._next_turn is None:
            self._held = False
            client.output.hold_reading(-1)
