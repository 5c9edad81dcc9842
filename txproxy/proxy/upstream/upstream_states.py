"""The states of a connection to an upstream, and how far the request on it is. ``docs/internals/connection-states.rst``
has them as tables, with the events.
"""

from __future__ import annotations

from enum import Enum


class UpstreamState(Enum):
    """What a connection to an upstream is at."""

    HTTP = "it is idle, or at work for one exchange"
    TUNNEL = "a tunnel has the connection, both ways"
    CLOSED = "it is gone, or about to go"

    leads_to: tuple[UpstreamState, ...]


UpstreamState.HTTP.leads_to = (UpstreamState.TUNNEL, UpstreamState.CLOSED)
UpstreamState.TUNNEL.leads_to = (UpstreamState.CLOSED,)
UpstreamState.CLOSED.leads_to = (UpstreamState.CLOSED,)


def following(state: UpstreamState, then: UpstreamState) -> UpstreamState:
    """``then``, to which there is a step from ``state``."""
    assert then in state.leads_to, f"{state} does not lead to {then}"
    return then


class Http2State(Enum):
    """What a connection to an upstream is at that speaks HTTP/2."""

    OPEN = "it takes streams, as many as there is room for"
    LEAVING = "it takes no more, since the upstream has said so; those that are open end"
    CLOSED = "it is gone, or about to go"

    leads_to: tuple[Http2State, ...]


Http2State.OPEN.leads_to = (Http2State.LEAVING, Http2State.CLOSED)
Http2State.LEAVING.leads_to = (Http2State.CLOSED,)
Http2State.CLOSED.leads_to = (Http2State.CLOSED,)


def next_http2_state(state: Http2State, then: Http2State) -> Http2State:
    """``then``, to which there is a step from ``state``."""
    assert then in state.leads_to, f"{state} does not lead to {then}"
    return then


class Progress(Enum):
    """How far the request on a connection to an upstream is, the last one if none runs."""

    GATHERED = "nothing of it has gone out; what there is of it is kept"
    WAITING = "the same, and it is to go out at the end of this turn, if nothing has come before it"
    OUT = "at least its head has gone out: what comes is its answer"
