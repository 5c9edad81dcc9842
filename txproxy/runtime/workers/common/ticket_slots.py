"""By which numbers all workers have the same keys of tickets: one for each TLS of a listener."""

from __future__ import annotations

import attrs

from txproxy.config.model import AnyListener, Config
from txproxy.tls.listener_contexts import ListenerTls


class TicketSlots:
    """Numbers those that there are and those to come, in their order. What a reload does not change has its number."""

    def __init__(self) -> None:
        # two listeners may have what is equal
        self._known: dict[tuple[ListenerTls, int], int] = {}

    def assign(self, config: Config) -> Config:
        """``config`` with numbers."""
        seen: dict[ListenerTls, int] = {}
        return attrs.evolve(config, listeners=tuple(self._numbered(listener, seen) for listener in config.listeners))

    def _numbered(self, listener: AnyListener, seen: dict[ListenerTls, int]) -> AnyListener:
        tls = listener.tls
        if tls is None:
            return listener
        nth = seen[tls] = seen.get(tls, -1) + 1
        slot = self._known.setdefault((tls, nth), len(self._known))
        return attrs.evolve(listener, tls=attrs.evolve(tls, ticket_slot=slot))
