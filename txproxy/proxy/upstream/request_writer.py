"""The way out of a request: nothing of it goes to an upstream that has spoken before it was asked.

What comes before the request is no answer to it: the upstream has closed a kept connection, or somebody has smuggled an
answer in. Then all of the request is still here, and may go out on another connection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from txproxy.net.transports.plain_transports import descriptor, read_little
from txproxy.net.transports.tls_record_transports import TLSReader, read_records
from txproxy.net.transports.turn_writes import TurnWrites, ask_function, write_function
from txproxy.net.transports.unread import has_ended, read_before_lost, read_waiting, unread_function
from txproxy.proxy.upstream.upstream_states import Progress

# A look-up in an Enum class costs on each request.
_GATHERED = Progress.GATHERED
_WAITING = Progress.WAITING
_OUT = Progress.OUT


class Asking(Protocol):
    """The connection that a request goes out on. ``exchange`` is whose request that is, if anybody still wants it to be
    sent; ``reused`` says that the connection was kept.
    """

    exchange: Any
    reused: bool

    def not_asked(self, exchange: Any, ended: bool) -> None:
        """The upstream has spoken, or has ``ended`` a kept connection, before any of the request went out."""


class _Nobody:
    """A connection that is gone."""

    exchange = None
    reused = False

    def not_asked(self, exchange: Any, ended: bool) -> None:
        pass


_NOBODY = _Nobody()


class RequestWriter:
    """Writes the requests of one ``connection``, whose ``transport`` is there; their ``progress`` is that of the last
    one. What there is of a request's bytes stands in ``pieces`` until it is flushed.

    ``unread`` tells whether anything waits to be read; ``descriptor`` and :meth:`ask` are for
    :class:`txproxy.net.transports.turn_writes.TurnWrites`, and ``send(writer, data)`` has it call that.
    """

    __slots__ = (
        "progress", "pieces", "descriptor", "unread", "send", "_connection", "_transport", "_write", "_write_now",
        "_reader",
    )  # fmt: skip

    def __init__(self, connection: Asking, transport: Any, turn: TurnWrites) -> None:
        self.progress = _GATHERED
        self.pieces: list[bytes] = []
        self.descriptor = descriptor(transport)
        self.unread: Callable[[], object] = unread_function(transport)
        self.send = ask_function(transport, turn)
        self._connection: Asking = connection
        self._transport = transport
        self._write = write_function(transport, turn)
        self._write_now = write_function(transport)
        self._reader: TLSReader | None = None
        read_before_lost(transport)
        read_little(transport)

    def look_at_records(self, ready: Callable[[], None]) -> None:
        """The TLS handshake is over: see from now on where records end. ``ready`` is called once none has come in
        part.
        """
        # What came with the end of the handshake is no answer to the request that goes out then.
        self._reader = reader = read_records(self._transport)
        if reader is None:
            ready()
        else:
            waits = self.unread
            self.unread = lambda: waits() or reader.within_record
            reader.when_whole(ready)

    def connection_lost(self) -> None:
        """Nothing goes out any more."""
        self._connection = _NOBODY

    def gather(self, data: bytes) -> None:
        """A request begins with ``data``, and more of it follows."""
        self.progress = _GATHERED
        self.pieces.append(data)

    def have_back(self) -> list[bytes] | None:
        """What was gathered of a request, if nothing of it has gone out, nor will."""
        if self.progress is _OUT:
            return None
        pieces, self.pieces = self.pieces, []
        return pieces

    def flush(self) -> None:
        """Write what was gathered, or have it written."""
        pieces = self.pieces
        if not pieces:
            return
        if self.progress is _OUT:
            data = b"".join(pieces) if len(pieces) > 1 else pieces[0]
            pieces.clear()
            self._write(self._transport, data)
        elif self.progress is _GATHERED:
            self.progress = _WAITING
            self.send(_WithBody(self), b"")

    def ask(self, data: bytes, readable: set[int] | None) -> None:
        """Write what begins with the head of a request: what came before is not its answer."""
        exchange = self._connection.exchange
        if exchange is None:
            return
        if self.progress is not _OUT:
            waits = self.unread() if readable is None else self.descriptor in readable
            if waits and self._has_spoken(exchange, lambda: self.ask(data, None)):
                return
            self.progress = _OUT
        # not at once: see Exchange.start
        write = self._write_now
        write(self._transport, data)

    def ask_with_body(self, readable: set[int] | None) -> None:
        """The same for one with a body: what was gathered of it until now."""
        exchange = self._connection.exchange
        if exchange is None:
            return
        waits = self.unread() if readable is None else self.descriptor in readable
        if waits and self._has_spoken(exchange, lambda: self.ask_with_body(None)):
            return
        self.progress = _OUT
        pieces = self.pieces
        data = b"".join(pieces)
        pieces.clear()
        self._write_now(self._transport, data)

    def _has_spoken(self, exchange: Any, ask: Callable[[], None]) -> bool:
        """Whether what waits to be read, before the first of a request has gone out, keeps it from that; it may be that
        it is to ``ask`` later.
        """
        connection = self._connection
        reader = self._reader
        ended = False
        if has_ended(self._transport):
            early = ended = connection.reused
        elif reader is not None:
            # Tickets may come at any time, and answer nobody (RFC 8446 section 4.6.1).
            goes_on = read_waiting(self._transport)
            if connection.exchange is not exchange:
                return True
            if reader.within_record and not connection.reused:
                # The rest of it tells what it is.
                reader.when_whole(ask)
                return True
            # A plain end of TLS says nothing.
            ended = not goes_on and not reader.within_record
            early = connection.reused and (reader.within_record or ended)
        else:
            early = True
        if early:
            connection.not_asked(exchange, ended)
        return early


class _WithBody:
    """Asks for a ``writer``, which keeps what it gathers of a request with a body until that may go out: else it could
    not go out on another connection.
    """

    __slots__ = ("descriptor", "_writer")

    def __init__(self, writer: RequestWriter) -> None:
        self.descriptor = writer.descriptor
        self._writer = writer

    def ask(self, data: bytes, readable: set[int] | None) -> None:
        """See :class:`txproxy.net.transports.turn_writes.Asking`."""
        self._writer.ask_with_body(readable)
