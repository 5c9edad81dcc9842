"""Contexts whose keys of tickets several processes have alike, as they were made before these were forked.

OpenSSL makes the keys of tickets with a context, and its bindings have no call that sets others. So what is to be
alike is made in advance: one context for each listener's TLS and each time that keys live for.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from time import monotonic
from typing import Final

from OpenSSL import SSL

# Who learns the keys of tickets can read what was resumed with them, so they do not live long (RFC 8446 section 8.1,
# RFC 9325 section 3.4).
TICKET_KEY_LIFE: Final = 12 * 3600.0
# What is made in advance may be learnt in advance: two weeks, for so many TLS of listeners. A context has 20 kB.
_PERIODS: Final = 28
SLOTS: Final = 4


class TicketFronts:
    """For so many ``periods`` from now on, of ``TICKET_KEY_LIFE`` each, by a clock that all processes have."""

    def __init__(self, seconds: Callable[[], float] = monotonic, periods: int = _PERIODS) -> None:
        self._seconds = seconds
        self._began = seconds()
        self._made = [
            [(SSL.Context(SSL.TLS_SERVER_METHOD), os.urandom(16)) for _ in range(SLOTS)] for _ in range(periods)
        ]
        # whom they were made to trust here
        self._taken: dict[tuple[int, int], bytes] = {}

    @property
    def _period(self) -> int:
        return int((self._seconds() - self._began) / TICKET_KEY_LIFE)

    @property
    def ends(self) -> float:
        """When the keys of now have lived long enough."""
        return self._began + (self._period + 1) * TICKET_KEY_LIFE

    def take(self, slot: int | None, basis: bytes) -> tuple[SSL.Context, bytes] | None:
        """The context of now of a TLS, which all have by the same ``slot``, and the id of its sessions; None if there
        is none, or there is one that was taken with another ``basis`` before: whose sessions were good by that would
        not be by this.
        """
        period = self._period
        if slot is None or slot >= SLOTS or period >= len(self._made):
            return None
        if self._taken.setdefault((period, slot), basis) != basis:
            return None
        return self._made[period][slot]
