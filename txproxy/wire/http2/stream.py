"""One stream of a connection: how far it is, and what of it waits to be sent (RFC 9113 section 5)."""

from __future__ import annotations

from collections import OrderedDict, deque
from enum import Enum
from typing import Final

from txproxy.instance_names import instance_names


class StreamState(Enum):
    """The states of RFC 9113 section 5.1 that a stream can be in which somebody has; idle ones are none yet."""

    OPEN = "open"
    WE_ENDED = "half-closed (local)"
    PEER_ENDED = "half-closed (remote)"
    CLOSED = "closed"


_OPEN: Final = StreamState.OPEN
_WE_ENDED: Final = StreamState.WE_ENDED
_PEER_ENDED: Final = StreamState.PEER_ENDED
_CLOSED: Final = StreamState.CLOSED
# RFC 9218 section 4
DEFAULT_URGENCY: Final = 3
# A client that does not know yet how many streams there may be opens hundreds, and each of them may be reset.
_MOST_RESET: Final = 1024


@instance_names(
    "id", "state", "receive_window", "send_window", "method", "protocol", "headed", "expected", "received",
    "unconsumed", "consumed", "pending", "waiting", "ending", "urgency", "incremental", "counted",
)  # fmt: skip
class Stream:
    """A stream, for its connection. It is made bare, since that takes half as long as with arguments: whoever makes one
    gives it its number, its state and its windows.
    """

    # Without a value here: where a class has one whose own class may be changed, as an Enum may, CPython looks it up
    # each time that an instance's is asked for or set.
    state: StreamState

    # Most end with the values that stand here: they cost nothing, as long as nobody asks for them.
    id = 0
    # of what the peer sends, as long as it may, and of what we do
    receive_window = 0
    send_window = 0
    # of the request on it
    method = b""
    # what it asks for by extended CONNECT (RFC 8441), or nothing
    protocol = b""
    # whether the head has come after which a body may
    headed = False
    # how much of a body is to come, less than 0 where nobody has said; and how much has
    expected = -1
    received = 0
    # what has come and was not consumed, and what was and is not yet told to the peer
    unconsumed = 0
    consumed = 0
    # what waits to be sent, and how much that is
    pending: deque[bytes | bytearray | memoryview] | None = None
    waiting = 0
    # what comes after it: None for what is not yet known, a block of trailers, or nothing
    ending: bytes | None = None
    # once it is over: what has not gone out of a body
    unsent: tuple[bytes | bytearray | memoryview, ...] = ()
    urgency = DEFAULT_URGENCY
    incremental = False
    # whether it is one of those of which there may be so many
    counted = True

    def __repr__(self) -> str:
        return f"Stream({self.id}, {self.state.value})"

    @property
    def may_send(self) -> bool:
        """Whether what is sent on it is of use."""
        return self.state is _OPEN or self.state is _PEER_ENDED

    @property
    def may_receive(self) -> bool:
        """Whether anything may come on it."""
        return self.state is _OPEN or self.state is _WE_ENDED

    def we_end(self) -> None:
        """The last of ours has been sent."""
        self.state = _WE_ENDED if self.state is _OPEN else _CLOSED

    def peer_ends(self) -> None:
        """The last of the peer's has come."""
        self.state = _PEER_ENDED if self.state is _OPEN else _CLOSED

    def finish(self) -> None:
        """Nothing comes and nothing goes any more."""
        self.state = _CLOSED
        self.pending = None
        self.waiting = 0


class ResetStreams(OrderedDict[int, None]):
    """The numbers of the last streams that were reset, on which something may still be on its way."""

    def add(self, number: int) -> None:
        """That of one more."""
        self[number] = None
        if len(self) > _MOST_RESET:
            self.popitem(last=False)
