"""Factories of configurations before, whose clients have not left yet; and clients that leave for another process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import attrs
from twisted.internet.defer import Deferred, succeed

from txproxy.frozen_values import frozen
from txproxy.observe.audit import AuditLog
from txproxy.runtime.builder import Factory, Served
from txproxy.runtime.live.live_logs import LiveLogs


class Giving(Protocol):
    """Hands connections over to another process."""

    def begin(self) -> Deferred[None]:
        """Give what can go, from now on; fires when what can go at once has gone."""

    def settled(self) -> Deferred[None]:
        """Fires when nothing is on its way."""

    def end(self) -> None:
        """Give no more."""


class Nowhere:
    """Gives nothing to anybody."""

    def begin(self) -> Deferred[None]:
        """See :class:`Giving`."""
        return succeed(None)

    settled = begin

    def end(self) -> None:
        """See :class:`Giving`."""


@frozen(eq=False)
class _Party:
    """One that leaves: of which listener it was, what its clients write to, and who waits for its end."""

    listener: str
    logs: LiveLogs
    audits: list[AuditLog]
    gone: Deferred[None] = attrs.field(factory=Deferred)


class Leaving:
    """All of them. ``left`` is called with what one has written to that has gone."""

    def __init__(self, left: Callable[[LiveLogs], None]) -> None:
        self._left = left
        self._parties: dict[Factory, _Party] = {}

    def __iter__(self) -> Iterator[Factory]:
        return iter(self._parties)

    @property
    def logs(self) -> list[LiveLogs]:
        """What their clients write to."""
        return [party.logs for party in self._parties.values()]

    @property
    def audits(self) -> list[AuditLog]:
        """The same."""
        return [audit for party in self._parties.values() for audit in party.audits]

    @property
    def named(self) -> list[tuple[str, Factory]]:
        """Each with the name of its listener."""
        return [(party.listener, factory) for factory, party in self._parties.items()]

    def retire(self, served: Iterable[Served], logs: LiveLogs, audits: list[AuditLog]) -> None:
        """Hand the clients of factories over to who serves their entrances now; when the last one has gone there, or
        has left, a factory is of no use any more.
        """
        factories = {one.factory: _Party(one.config.name, logs, audits) for one in served}
        # All of them first: one without clients goes at once, and what the others write to is to stay.
        self._parties.update(factories)
        for factory in factories:
            # However long that takes: only who ends the process wants an end of it.
            factory.retire().addCallback(self._gone, factory)

    def _gone(self, _: object, factory: Factory) -> None:
        party = self._parties.pop(factory)
        factory.stop()
        self._left(party.logs)
        party.gone.callback(None)

    def drain(self) -> list[tuple[Factory, Deferred[None]]]:
        """Have all clients leave; each factory with what fires when its last one has."""
        waits = [(factory, party.gone) for factory, party in self._parties.items()]
        for factory, _ in waits:
            factory.drain()
        return waits
