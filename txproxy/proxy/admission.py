"""How many clients at once, and who waits."""

from __future__ import annotations

from collections import deque
from typing import Any, Generic, Protocol, TypeVar

from twisted.internet.defer import Deferred

from txproxy.proxy.transports import listening_port


class Admitted(Protocol):
    """A client connection, as far as admission is concerned."""

    transport: Any

    def admitted(self) -> None:
        """There is room for this connection now."""

    def drain(self) -> None:
        """Finish what runs, then leave."""


Guest = TypeVar("Guest", bound=Admitted)


class Admission(Generic[Guest]):
    """Client connections: ``limit`` of them are open, the others wait: in the listen backlog once the port stops
    reading.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._open: set[Guest] = set()
        self._waiting: deque[Guest] = deque()
        self._full_ports: set[Any] = set()
        self._empty: Deferred[None] | None = None

    def admit(self, guest: Guest) -> bool:
        """Count a new connection; False if it has to wait until :meth:`Admitted.admitted` is called."""
        if len(self._open) < self._limit:
            self._open.add(guest)
            return True
        self._waiting.append(guest)
        port = listening_port(guest.transport)
        if port is not None and port not in self._full_ports:
            self._full_ports.add(port)
            port.stopReading()
        return False

    def left(self, guest: Guest) -> None:
        """A connection is gone."""
        if guest in self._open:
            self._open.discard(guest)
            self._follow()
        elif guest in self._waiting:
            self._waiting.remove(guest)
        if not self._open and self._empty is not None:
            empty, self._empty = self._empty, None
            empty.callback(None)

    def _follow(self) -> None:
        if self._waiting:
            following = self._waiting.popleft()
            self._open.add(following)
            following.admitted()
        elif self._full_ports:
            for port in self._full_ports:
                if port.connected and not port.disconnecting:
                    port.startReading()
            self._full_ports.clear()

    def everyone(self) -> list[Guest]:
        """All connections, waiting ones too."""
        return [*self._open, *self._waiting]

    def __len__(self) -> int:
        return len(self._open)

    def drain(self) -> Deferred[None]:
        """Ask each to leave; fires when the last one has."""
        for guest in self.everyone():
            guest.drain()
        done: Deferred[None] = Deferred()
        if self._open:
            self._empty = done
        else:
            done.callback(None)
        return done
