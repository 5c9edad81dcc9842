"""What goes out to an upstream that speaks HTTP/2: all frames of a turn of the reactor in one piece, and last of all,
so that it is known before who has spoken unasked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from txproxy.net.transports.plain_transports import descriptor
from txproxy.net.transports.turn_writes import TurnWrites, ask_function, write_function
from txproxy.net.transports.unread import unread_function
from txproxy.wire.http2 import frames
from txproxy.wire.http2.client import ClientSession


class UpstreamOutput:
    """What a ``session`` has for its ``transport``, at the end of a ``turn``.

    ``last`` is the last stream of which something has gone out. Where all that was asked before what is to go out is
    over by then, and something lies there, ``look`` is called first. ``wanted`` says that something goes out at the end
    of this turn anyway, ``stopped`` that nothing does any more.
    """

    __slots__ = (
        "descriptor", "last", "wanted", "stopped", "_session", "_transport", "_look", "_unread", "_ask", "_write",
        "_take", "_holding",
    )  # fmt: skip

    def __init__(self, session: ClientSession, transport: Any, turn: TurnWrites, look: Callable[[], object]) -> None:
        self.descriptor = descriptor(transport)
        self.last = 0
        self.wanted = self.stopped = False
        self._session = session
        self._transport = transport
        self._look = look
        self._unread = unread_function(transport)
        self._ask = ask_function(transport, turn)
        self._write = write_function(transport)
        self._take = session.sending.take
        # streams that hold back the first of a body, for it to be had back if nothing goes out
        self._holding: list[Any] = []

    def want(self) -> None:
        """Have what there is go out at the end of this turn."""
        if not self.wanted and not self.stopped:
            self.wanted = True
            ask = self._ask
            ask(self, b"")

    def ask(self, data: bytes, readable: set[int] | None) -> None:
        """See :class:`txproxy.net.transports.turn_writes.Asking`."""
        self.wanted = False
        session = self._session
        last = self.last
        rests = last and session.last_made > last and next(iter(session.streams), last) > last
        if rests and (self._unread() if readable is None else self.descriptor in readable):
            # What is said to that goes out below.
            self.wanted = True
            self._look()
            self.wanted = False
        if self.stopped:
            return
        self.last = session.last_made
        data = self._take()
        if data:
            self._write(self._transport, data)

    def hold(self, stream: Any) -> None:
        """Have a ``stream`` let go of what it holds of a body, once something goes out. Where none is held, that costs
        nothing.
        """
        self._holding.append(stream)
        self._take = self._take_with_bodies

    def _take_with_bodies(self) -> bytes:
        holding = self._holding
        self._hold_none()
        for stream in holding:
            stream.let_go()
        return self._session.sending.take()

    def _hold_none(self) -> None:
        self._holding = []
        self._take = self._session.sending.take

    def is_spoken_to(self) -> bool:
        """Whether something lies there that is no answer, as nothing was asked that is not answered."""
        # Where a stream has gone out, what comes may be of that.
        asked = next(iter(self._session.streams), frames.LAST_STREAM) <= self.last
        return not asked and bool(self._unread())

    def stop(self) -> None:
        """Nothing goes out any more: a request that has not is asked elsewhere, and would be done here as well."""
        self.stopped = True
        # It is the connection's: nobody has to wait for the collector of such circles.
        self._look = bool
        self._hold_none()

    def end(self, said: bool) -> None:
        """Nothing goes out but what lies there: a last word, if there is one to be ``said``."""
        self.stopped = True
        data = self._session.take_output()
        if said and data:
            self._write(self._transport, data)
