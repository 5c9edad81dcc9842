"""What comes of the bytes of a peer, besides heads, bodies and their ends."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from txproxy.frozen_values import frozen
from txproxy.wire.http2.stream import Stream


@frozen
class StreamReset:
    """The stream is over before its message was: by RST_STREAM with ``code``, or for what is wrong with it. ``full``:
    it was one more than the connection took, which has taken others.
    """

    code: int
    detail: str
    by_peer: bool
    full: bool = False


@frozen
class GoingAway:
    """The peer takes no stream after ``last``; ``code`` says why."""

    last: int
    code: int


class _Writable:
    def __repr__(self) -> str:
        return "WRITABLE"


class _AllSent:
    def __repr__(self) -> str:
        return "ALL_SENT"


# What waited of a stream has gone out: there may be more.
WRITABLE: Final = _Writable()
# The same, and its end was part of that.
ALL_SENT: Final = _AllSent()
Event: TypeAlias = "tuple[Stream | None, Any]"
