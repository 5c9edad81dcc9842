"""Kept-alive connections to upstreams: which take another request, how many may be idle, and which to let go.

Of those that take several requests at once the fullest are used first, as far as the order in which they were used and
became idle tells: so the others may go.

Bookkeeping only: it answers which connections to close, and the caller closes them.
"""

from __future__ import annotations

from typing import Any, Generic, Protocol, TypeVar

from txproxy.interfaces.streams import UpstreamStream


class Leasable(Protocol):
    """What a pool has to know of a connection (:class:`txproxy.interfaces.streams.UpstreamConnection`)."""

    @property
    def key(self) -> str:
        """Which others go to the same place."""

    @property
    def capacity(self) -> int:
        """How many more streams it takes now."""

    # a stream of any kind: only who begins it has to know
    def open(self) -> Any:
        """The stream of one request, which takes one of its capacity."""


Kept = TypeVar("Kept", bound=Leasable)


class Connections(Generic[Kept]):
    """Connections with capacity, by where they go. The one that was used last is leased first: the others may expire.

    Those on which no stream is open are idle: they are what is bounded, and what makes room.
    """

    def __init__(self, per_address: int, in_all: int) -> None:
        self._per_address = per_address
        self._in_all = in_all
        # those that take another request, the one used last at the end
        self._free: dict[str, dict[Kept, None]] = {}
        # all that are idle, the one that is so longest first; an OrderedDict takes twice as long for each that comes
        # and goes
        self._idle: dict[Kept, None] = {}

    def lease(self, key: str) -> UpstreamStream | None:
        """A stream on a kept connection with that ``key``; or None. A connection without capacity for another is no
        longer found here, until it is given back.
        """
        connection = self.next_of(key)
        if connection is None:
            return None
        stream: UpstreamStream = connection.open()
        return stream

    def next_of(self, key: str) -> Kept | None:
        """The kept connection with that ``key`` whose turn it is, for whoever opens a stream on it at once; or None."""
        free = self._free.get(key)
        if not free:
            return None
        connection, _ = free.popitem()
        if connection.capacity > 1:
            free[connection] = None
        if self._idle:
            self._idle.pop(connection, None)
        return connection

    def give_back(self, connection: Kept, idle: bool = True) -> Kept | None:
        """``connection`` takes another request; ``idle`` says whether no stream is open on it. Gives one to close if
        there are too many idle ones: ``connection`` itself, where none is kept.
        """
        key = connection.key
        free = self._free.get(key)
        surplus = None
        if (
            idle
            and free is not None
            and connection not in free
            and len(free) < self._per_address
            and len(self._idle) < self._in_all
        ):
            # the same as below where there is room, as there mostly is
            self._idle[connection] = free[connection] = None
            return None
        if idle:
            if self._per_address < 1:
                surplus = connection
            elif free is not None and len(free) >= self._per_address:
                surplus = next((one for one in free if one in self._idle), None)
            if surplus is None and len(self._idle) >= self._in_all:
                surplus = next(iter(self._idle), connection)
            if surplus is connection:
                self.discard(connection)
                return connection
            if surplus is not None:
                self.discard(surplus)
                free = self._free.get(key)
            self._idle[connection] = None
        if free is None:
            free = self._free[key] = {}
        elif idle and connection in free and len(free) > 1:
            # It has had others at the same time, and those that have some still come first.
            del free[connection]
            self._free[key] = {connection: None, **free}
            return surplus
        free[connection] = None
        return surplus

    def expect(self, requests: int) -> None:
        """So many requests are at work at once, which may all go to one address: as many connections to it may be idle
        between two of them. Those that are not used again go as all others do, after a while.
        """
        if requests > self._per_address > 0:
            self._per_address = requests

    def keep_none(self) -> None:
        """There is nobody any more who would use one."""
        self._per_address = 0

    def has(self, key: str) -> bool:
        """Whether a connection with that ``key`` takes another request."""
        return bool(self._free.get(key))

    def discard(self, connection: Kept) -> None:
        """Forget ``connection``, kept or not: each one that has ended."""
        self._idle.pop(connection, None)
        free = self._free.get(connection.key)
        if free is not None:
            free.pop(connection, None)
            if not free:
                # A forward proxy meets very many addresses.
                del self._free[connection.key]

    def all(self) -> list[Kept]:
        """Each idle connection."""
        return list(self._idle)

    def __len__(self) -> int:
        """How many are idle."""
        return len(self._idle)
