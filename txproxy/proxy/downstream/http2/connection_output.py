"""What goes out on a connection of HTTP/2: all frames of a turn of the reactor in one piece."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from txproxy.net.transports.turn_writes import TurnWrites, gathers, write_function
from txproxy.wire.http2.events import Event
from txproxy.wire.http2.sending import PART
from txproxy.wire.http2.server import ServerSession
from txproxy.wire.http2.session import TURN

# After so much that the client does not take nothing more of it is read: each of its frames may have an answer.
_MOST_UNREAD: Final = 65536


class ConnectionOutput:
    """What a ``session`` has for its ``transport``. ``held`` says that this takes no more just now, ``wanted`` that
    what there is leaves at the end of the turn; ``handle`` gets the events of what can go on.
    """

    __slots__ = (
        "held", "wanted", "_session", "_transport", "_turn", "_handle", "_write", "_unread", "_reading_paused",
        "_holding",
    )  # fmt: skip

    def __init__(
        self, session: ServerSession, transport: Any, turn: TurnWrites, handle: Callable[[list[Event]], None]
    ) -> None:
        self.held = False
        self._session = session
        self._transport = transport
        self._turn = turn if gathers(transport) else None
        self._handle = handle
        self._write = write_function(transport)
        self.wanted = False
        # how much was written though the transport takes no more
        self._unread = 0
        self._reading_paused = False
        # how many have a reason to read nothing
        self._holding = 0

    def use_turn(self, turn: TurnWrites) -> None:
        """Gather with others from now on."""
        if self._turn is not None:
            self._turn = turn

    def forget(self) -> None:
        """The connection is over. What has ended leaves no circle, which would wait for the collector."""
        self._handle = _handled_by_nobody

    def want(self) -> None:
        """Have what there is leave with all else of this turn, or at once where none is gathered."""
        if self.wanted:
            return
        if self._turn is not None:
            self.wanted = True
            self._turn.call(_write, self)
        else:
            self.write()

    def write(self) -> None:
        """Write what there is."""
        session = self._session
        sending = session.sending
        while True:
            self.wanted = False
            size = 0
            while sending.bulk > PART and not self.held:
                data = sending.take_part()
                size += len(data)
                self._write(self._transport, data)
            data = sending.take()
            if data:
                self._write(self._transport, data)
                if self.held:
                    self._count_unread(len(data))
                    return
            if size + len(data) < TURN or self.held or not sending.waits:
                return
            # There is more, for which windows are open.
            self.wanted = True
            self._handle(session.release())

    def write_part(self) -> None:
        """Write what there is now, apart from all that comes after it in this turn."""
        data = self._session.sending.take()
        if data:
            self._write(self._transport, data)
            if self.held:
                self._count_unread(len(data))

    def _count_unread(self, size: int) -> None:
        self._unread += size
        if self._unread > _MOST_UNREAD and not self._reading_paused:
            self._reading_paused = True
            self.hold_reading(1)

    def hold_reading(self, more: int) -> None:
        """One ``more``, or less, has a reason to read nothing from the client."""
        before, self._holding = self._holding, self._holding + more
        if not before:
            self._transport.pauseProducing()
        elif not self._holding:
            self._transport.resumeProducing()

    def hold(self) -> None:
        """The transport takes no more."""
        self.held = True
        self._unread = 0
        self._session.hold()

    def release(self) -> None:
        """It takes more."""
        self.held = False
        if self._reading_paused:
            self._reading_paused = False
            self.hold_reading(-1)
        self._handle(self._session.release())


def _handled_by_nobody(events: list[Event]) -> None:
    pass


def _write(output: ConnectionOutput, _: bytes) -> None:
    output.write()
