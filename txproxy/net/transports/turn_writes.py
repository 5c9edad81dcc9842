"""Writing at once, or with all else that a turn of the reactor writes.

Twisted's ``transport.write`` waits for the next poll to say writable: two system calls and a turn of the reactor later.
Where a transport's own buffer is empty, the bytes may go out at once, and only what the kernel does not take is
handed to the transport.
"""

from __future__ import annotations

import select
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

from twisted.internet.interfaces import ITransport

from txproxy.net.transports.plain_transports import PLAIN, plain_socket, write_ahead, write_plain
from txproxy.net.transports.tls_transports import TLSServer, write_tls

Write: TypeAlias = Callable[[Any, bytes], None]


class Asking(Protocol):
    """A connection on which a request is to go out. ``descriptor`` is the number of its socket (see
    :func:`txproxy.net.transports.plain_transports.descriptor`).
    """

    descriptor: int

    def ask(self, data: bytes, readable: set[int] | None) -> None:
        """Send it now; see :meth:`TurnWrites.flush_asks`."""


class TurnWrites:
    """Writes gathered during one turn of a reactor, and sent together at its end.

    A peer on another core that gets its bytes one by one falls asleep between them, and each has to wake it again; that
    costs more than sending them. ``later`` is called with :meth:`flush` when there is something to flush, and has it
    called before the reactor waits again; a reactor that does so on its own needs none.

    Requests go out last, each by :meth:`Asking.ask`: only what comes after that is an answer. A reactor that polls at
    that moment knows of them all at once who has spoken before.
    """

    __slots__ = ("asks", "_writes", "_later")

    def __init__(self, later: Callable[[Callable[[], None]], object] | None = None) -> None:
        self.asks: list[tuple[Asking, bytes]] = []
        self._writes: list[tuple[Write, Any, bytes]] = []
        self._later = later

    @classmethod
    def of(cls, reactor: Any) -> TurnWrites:
        """The reactor's own, or one that asks it for a call at the end of each turn that has writes."""
        own = getattr(reactor, "turn_writes", None)
        return own if own is not None else cls(lambda flush: reactor.callLater(0, flush))

    def plain(self, transport: Any, data: bytes) -> None:
        """Write to a plain transport at the end of the turn."""
        writes = self._writes
        if not writes and self._later is not None and not self.asks:
            self._later(self.flush)
        writes.append((write_plain, transport, data))

    def tls(self, transport: Any, data: bytes) -> None:
        """Write to a ``TLSServer`` at the end of the turn."""
        writes = self._writes
        if not writes and self._later is not None and not self.asks:
            self._later(self.flush)
        writes.append((write_tls, transport, data))

    def call(self, write: Callable[[Any, bytes], None], target: Any) -> None:
        """Have ``write(target, b"")`` called at the end of the turn, for who gathers its writes itself."""
        writes = self._writes
        if not writes and self._later is not None and not self.asks:
            self._later(self.flush)
        writes.append((write, target, b""))

    def ask(self, asking: Asking, data: bytes) -> None:
        """Send what begins with a request at the end of the turn."""
        asks = self.asks
        if not asks and self._later is not None and not self._writes:
            self._later(self.flush)
        asks.append((asking, data))

    def flush(self) -> None:
        """Send what was gathered."""
        self.flush_writes()
        if self.asks:
            self.flush_asks(None)

    def socket_after(self, transport: Any, gathered: list[bytes]) -> Any:
        """The socket under ``transport``, for bytes that are to go to it at once, after all that was written, and after
        what was ``gathered`` to be, with which they go out. None if they may not pass by the transport; what was
        gathered is left then, unless the kernel has taken but a part of it.
        """
        self.flush()
        handle = plain_socket(transport)
        if handle is not None and gathered:
            data = b"".join(gathered)
            gathered.clear()
            if not write_ahead(transport, data):
                return None
        return handle

    def flush_writes(self) -> None:
        """The same without requests."""
        writes = self._writes
        if writes:
            self._writes = []
            for write, transport, data in writes:
                write(transport, data)

    def flush_asks(self, readable: set[int] | None) -> None:
        """Send the requests. ``readable`` are the descriptors from which there is something to read just now; None if
        that is not known yet.
        """
        asks, self.asks = self.asks, []
        if readable is None and len(asks) > 1:
            readable = _readable(asks)
        for asking, data in asks:
            asking.ask(data, readable)


def _readable(asks: list[tuple[Asking, bytes]]) -> set[int]:
    """The descriptors of these, which are plain, from which there is something to read. The kernel is asked once for
    all of them.
    """
    poller = select.poll()
    register = poller.register
    for asking, _ in asks:
        register(asking.descriptor, select.POLLIN)
    return {number for number, _ in poller.poll(0)}


def write_function(transport: ITransport, turn: TurnWrites | None = None) -> Write:
    """The fastest way to write to ``transport``, as a function of it and the bytes: within ``turn`` or at once."""
    kind = type(transport)
    if kind in PLAIN:
        return write_plain if turn is None else turn.plain
    if kind is TLSServer:
        return write_tls if turn is None else turn.tls
    return _write_through


def _write_through(transport: Any, data: bytes) -> None:
    transport.write(data)


def gathers(transport: ITransport) -> bool:
    """Whether writes to ``transport`` are gathered within a turn."""
    kind = type(transport)
    return kind in PLAIN or kind is TLSServer


def ask_function(transport: ITransport, turn: TurnWrites) -> Callable[[Asking, bytes], None]:
    """What has a request sent to ``transport``: at the end of the ``turn``, or at once."""
    return turn.ask if type(transport) in PLAIN else _ask_at_once


def _ask_at_once(asking: Asking, data: bytes) -> None:
    asking.ask(data, None)
