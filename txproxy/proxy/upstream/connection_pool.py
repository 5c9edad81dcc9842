"""Kept-alive connections to upstreams: which are idle, how many may be, and which to let go.

Bookkeeping only: it answers which connections to close, and the caller closes them.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, Protocol, TypeVar


class Idle(Protocol):
    """A connection that can be kept."""

    @property
    def key(self) -> str:
        """Which others go to the same place."""


Kept = TypeVar("Kept", bound=Idle)


class Connections(Generic[Kept]):
    """Idle connections by where they go. The one that was used last is used first: the others may expire."""

    def __init__(self, per_address: int, in_all: int) -> None:
        self._per_address = per_address
        self._in_all = in_all
        self._idle: dict[str, list[Kept]] = {}
        # all of them, the one that is idle longest first
        self._order: OrderedDict[Kept, None] = OrderedDict()

    def take(self, key: str) -> Kept | None:
        """An idle connection with that ``key``, no longer kept here; or None."""
        idle = self._idle.get(key)
        if not idle:
            return None
        connection = idle.pop()
        del self._order[connection]
        return connection

    def keep(self, connection: Kept) -> Kept | None:
        """Keep ``connection``; gives one to close if that is too many: itself, where none is kept."""
        idle = self._idle.get(connection.key)
        if idle is None:
            idle = self._idle[connection.key] = []
        surplus = None
        if len(idle) >= self._per_address:
            surplus = idle[0] if idle else connection
        elif len(self._order) >= self._in_all:
            surplus = next(iter(self._order), connection)
        if surplus is not None:
            self.discard(surplus)
            if surplus is connection:
                return surplus
            # It may have been the last of this address.
            idle = self._idle.setdefault(connection.key, [])
        idle.append(connection)
        self._order[connection] = None
        return surplus

    def keep_none(self) -> None:
        """There is nobody any more who would use one."""
        self._per_address = 0

    def has(self, key: str) -> bool:
        """Whether there is an idle connection with that ``key``."""
        return bool(self._idle.get(key))

    def discard(self, connection: Kept) -> None:
        """Forget ``connection``, kept or not."""
        if connection in self._order:
            del self._order[connection]
            idle = self._idle[connection.key]
            idle.remove(connection)
            if not idle:
                del self._idle[connection.key]

    def all(self) -> list[Kept]:
        """Each idle connection."""
        return list(self._order)

    def __len__(self) -> int:
        return len(self._order)
