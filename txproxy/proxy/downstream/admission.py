"""Which clients are let in, how many at once, and who waits."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any, Generic, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from txproxy.interfaces.answers import Refusal
from txproxy.interfaces.connection import ClientConnection
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.plan import Decision
from txproxy.interfaces.processes.shared_levels import SharedLevels
from txproxy.limits.requests.shared_gcra import SharedGcra
from txproxy.net.transports.listening_ports import listening_port
from txproxy.wire.message import RequestHead

_log = Logger()


class Admitted(Protocol):
    """A client connection, as far as admission is concerned."""

    transport: Any

    @property
    def connection(self) -> ClientConnection | None:
        """What is known of its client, once that is."""

    @property
    def state(self) -> Enum:
        """What it is at."""

    def exchanges(self) -> list[Any]:
        """What is at work on it just now (:class:`txproxy.proxy.exchanges.exchange.Exchange`), or has become a tunnel:
        for whoever wants to see that, and seldom.
        """

    def abort(self) -> None:
        """Close at once, whatever is under way."""

    def admitted(self) -> None:
        """There is room for this connection now."""

    def turn_away(self) -> None:
        """It is not let in: close, and tell nobody."""

    def drain(self) -> None:
        """Finish what runs, then leave."""

    def retire(self) -> bool:
        """Another factory serves the listener from now on: go there when nothing runs, or leave after that; whether it
        has gone at once.
        """

    def give(self) -> Any:
        """Leave for another process, if that can go on with it as it is: what that has to know, and its sockets (see
        :class:`txproxy.proxy.handover.giving.Given`). None if it stays.
        """


Guest = TypeVar("Guest", bound=Admitted)


class Refusing:
    """In place of a connection's own ``factory`` (see
    :class:`txproxy.proxy.downstream.serving.ServingFactory`): its first request gets a ``refusal``, and is its last.
    """

    def __init__(self, factory: Any, refusal: Refusal) -> None:
        self._refusal = refusal
        self.draining = True
        self.standing_for = None
        self.services = factory.services
        self.admission = factory.admission
        self.first_limit, self.rest_limit = factory.first_limit, factory.rest_limit
        self.protocols, self.tls_context, self.login = factory.protocols, factory.tls_context, factory.login
        self.http2, self.h2c, self.proxied = factory.http2, factory.h2c, factory.proxied

    def handle(self, head: RequestHead, context: RequestContext) -> Decision:
        """What becomes of each request."""
        return self._refusal


class Admission(Generic[Guest]):
    """Client connections: ``filters`` (:class:`txproxy.interfaces.IConnectionFilter`) say who is let in, the first of
    them first. ``limit`` of them are open, the others wait: in the listen backlog once the port stops reading.
    Where that is a part of what several processes may have, ``on_full`` is asked whether there is more.
    """

    def __init__(self, limit: int, filters: Iterable[Any] = ()) -> None:
        self.limit = limit
        self.on_full: Callable[[], bool] | None = None
        self._filters = tuple(filters)
        # as which connection they have let in whom; what that is may change later
        self._let_in: dict[Guest, ClientConnection] = {}
        self._open: set[Guest] = set()
        self._waiting: deque[Guest] = deque()
        self._full_ports: set[Any] = set()
        # how many are on their way to another process
        self._away = 0
        self._empty: list[Deferred[None]] = []

    def admit(self, guest: Guest) -> bool:
        """Let a new connection in, and count it. False if it is not let in, and is closed, or has to wait until
        :meth:`Admitted.admitted` is called.
        """
        if self._filters and guest not in self._let_in and not self._lets_in(guest):
            return False
        return self.hold(guest)

    def _lets_in(self, guest: Any) -> bool:
        connection = guest.connection
        if not self.welcomes(connection):
            guest.turn_away()
            return False
        self._let_in[guest] = connection
        if connection.refusal is not None:
            if not hasattr(guest.factory, "handle"):
                # It reads no requests that could be answered.
                self._forget(guest)
                guest.abort()
                return False
            guest.factory = Refusing(guest.factory, connection.refusal)
        return True

    def welcomes(self, connection: ClientConnection, moves: bool = False) -> bool:
        """Whether all filters let ``connection`` in; one of them that counts has it in its count then. ``moves``: it
        was there already, and another served it.
        """
        for number, one in enumerate(self._filters):
            # The one that counts does not think it one too many now.
            ask = getattr(one, "take_over", one.admit) if moves else one.admit
            try:
                admitted = ask(connection)
            except Exception:
                # Somebody else's program, perhaps. What is to keep others out does not let in whom it cannot judge.
                _log.failure("a connection filter failed")
                admitted = False
            if not admitted:
                self._say_closed(self._filters[:number], connection)
                return False
        return True

    def _forget(self, guest: Guest) -> None:
        connection = self._let_in.pop(guest, None)
        if connection is not None:
            self._say_closed(self._filters, connection)

    def _say_closed(self, filters: tuple[Any, ...], connection: ClientConnection) -> None:
        for one in filters:
            try:
                one.closed(connection)
            except Exception:
                _log.failure("a connection filter failed")

    def hold(self, guest: Guest) -> bool:
        """The same for one of which it is not known yet whose it is."""
        if guest in self._open:
            # It has the place of one who waited for its first words.
            return True
        if len(self._open) < self.limit or (self.on_full is not None and self.on_full()):
            self._open.add(guest)
            return True
        self._waiting.append(guest)
        port = listening_port(guest.transport)
        if port is not None:
            # It may read again by itself, after it had a rest (see txproxy.net.transports.accepted_transports).
            self._full_ports.add(port)
            port.stopReading()
        return False

    def give_place(self, guest: Guest, other: Guest) -> None:
        """``other`` goes on with the connection of ``guest``, and has its place."""
        if guest in self._open:
            self._open.discard(guest)
            self._open.add(other)
        connection = self._let_in.pop(guest, None)
        if connection is not None:
            self._let_in[other] = connection

    def take_over(self, guest: Any) -> None:
        """Count a connection that was admitted elsewhere, and is welcome here, be there room or not."""
        if self._filters:
            self._let_in[guest] = guest.connection
        self._open.add(guest)
        if len(self._open) > self.limit and self.on_full is not None:
            self.on_full()

    def left(self, guest: Guest) -> None:
        """A connection is gone."""
        self._forget(guest)
        if guest in self._open:
            self._open.discard(guest)
            self._follow()
        elif guest in self._waiting:
            self._waiting.remove(guest)
        self._tell_if_empty()

    def send_away(self, guest: Guest) -> None:
        """A connection is on its way to another process, from where it may be back: until :meth:`arrived` is called,
        the last one has not left.
        """
        self._away += 1
        self.left(guest)

    def arrived(self) -> None:
        """One that was on its way is there, or is back, and was taken over."""
        self._away -= 1
        self._tell_if_empty()

    def _tell_if_empty(self) -> None:
        if not self._open and not self._away:
            empty, self._empty = self._empty, []
            for done in empty:
                done.callback(None)

    @property
    def waiting(self) -> int:
        """How many wait, of those that were accepted."""
        return len(self._waiting)

    def fill(self) -> None:
        """There may be more room: let in who waits."""
        while self._waiting and len(self._open) < self.limit:
            self._follow()
        if self._full_ports and not self._waiting:
            self._follow()

    def _follow(self) -> None:
        if len(self._open) >= self.limit:
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

    @property
    def shared_rates(self) -> list[SharedGcra]:
        """The rates of its filters that may be those of several processes together."""
        return [one.rate for one in self._filters if isinstance(getattr(one, "rate", None), SharedGcra)]

    @property
    def shared_levels(self) -> list[SharedLevels]:
        """What its filters count that may be of several processes together."""
        return [one.levels for one in self._filters if isinstance(getattr(one, "levels", None), SharedLevels)]

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
        for _ in range(min(len(self._waiting), self.limit - len(self._open))):
            self._follow()
        # Those who connect from now on are counted elsewhere.
        self._read_ports()
        return self._left_by_all()

    def _left_by_all(self) -> Deferred[None]:
        done: Deferred[None] = Deferred()
        if self._open or self._away:
            self._empty.append(done)
        else:
            done.callback(None)
        return done
