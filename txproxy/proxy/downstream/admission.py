"""How many clients at once, and who waits."""

from __future__ import annotations

from collections import deque
from typing import Any, Generic, Protocol, TypeVar

from twisted.internet.defer import Deferred

from txproxy.net.transports.listening_ports import listening_port


class Admitted(Protocol):
    """A client connection, as far as admission is concerned."""

    transport: Any

    def admitted(self) -> None:
        """There is room for this connection now."""

    def drain(self) -> None:
        """Finish what runs, then leave."""

    def retire(self) -> bool:
        """Another factory serves the listener from now on: go there when nothing runs, or leave after that; whether it
        has gone at once.
        """


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
        self._empty: list[Deferred[None]] = []

    def admit(self, guest: Guest) -> bool:
        """Count a new connection; False if it has to wait until :meth:`Admitted.admitted` is called."""
        return self.hold(guest)

    def hold(self, guest: Guest) -> bool:
        """The same for one of which it is not known yet whose it is."""
        if guest in self._open:
            # It has the place of one who waited for its first words.
            return True
        if len(self._open) < self._limit:
            self._open.add(guest)
            return True
        self._waiting.append(guest)
        port = listening_port(guest.transport)
        if port is not None and port not in self._full_ports:
            self._full_ports.add(port)
            port.stopReading()
        return False

    def give_place(self, guest: Guest, other: Guest) -> None:
        """``other`` goes on with the connection of ``guest``, and has its place."""
        if guest in self._open:
            self._open.discard(guest)
            self._open.add(other)

    def take_over(self, guest: Guest) -> None:
        """Count a connection that was admitted elsewhere, be there room or not."""
        self._open.add(guest)

    def left(self, guest: Guest) -> None:
        """A connection is gone."""
        if guest in self._open:
            self._open.discard(guest)
            self._follow()
        elif guest in self._waiting:
            self._waiting.remove(guest)
        if not self._open:
            empty, self._empty = self._empty, []
            for done in empty:
                done.callback(None)

    def _follow(self) -> None:
        if len(self._open) >= self._limit:
            # More were taken over than there may be.
            return
        if self._waiting:
            following = self._waiting.popleft()
            self._open.add(following)
            following.admitted()
        else:
            self._read_ports()

    def _read_ports(self) -> None:
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
        return self._left_by_all()

    def retire(self) -> Deferred[None]:
        """Tell each that another factory serves their listener; fires when the last one has gone there, or left."""
        waiting, self._waiting = self._waiting, deque()
        for guest in list(self._open):
            guest.retire()
        self._waiting.extend(guest for guest in waiting if not guest.retire())
        for _ in range(min(len(self._waiting), self._limit - len(self._open))):
            self._follow()
        # Those who connect from now on are counted elsewhere.
        self._read_ports()
        return self._left_by_all()

    def _left_by_all(self) -> Deferred[None]:
        done: Deferred[None] = Deferred()
        if self._open:
            self._empty.append(done)
        else:
            done.callback(None)
        return done
