"""The states of a client connection, and which of them lead where. ``docs/internals/connection-states.rst`` has them as
a table, with the events.
"""

from __future__ import annotations

from enum import Enum


class ClientState(Enum):
    """What a client connection is at."""

    WAITING = "nothing is read: it has just come, or there is no room for it yet"
    OPEN = "requests are read and answered"
    TUNNEL = "a tunnel has the connection, both ways"
    LINGERING = "the last response is out; what still comes is thrown away"
    CLOSED = "it is gone, or about to go"

    leads_to: tuple[ClientState, ...]


ClientState.WAITING.leads_to = (ClientState.OPEN, ClientState.CLOSED)
ClientState.OPEN.leads_to = (ClientState.TUNNEL, ClientState.LINGERING, ClientState.CLOSED)
ClientState.TUNNEL.leads_to = (ClientState.CLOSED,)
ClientState.LINGERING.leads_to = (ClientState.CLOSED,)
ClientState.CLOSED.leads_to = (ClientState.CLOSED,)


def following(state: ClientState, then: ClientState) -> ClientState:
    """``then``, to which there is a step from ``state``."""
    assert then in state.leads_to, f"{state} does not lead to {then}"
    return then
