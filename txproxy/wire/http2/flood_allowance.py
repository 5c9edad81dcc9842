"""How much a peer may ask for that is of no use to anybody.

Each frame that is cheap to send and dear to deal with costs, and what is of use earns: so a client that works hard may
cancel much, and one that does nothing else is soon known (CVE-2023-44487, CVE-2025-8671, CVE-2019-9511 to 9518).
"""

from __future__ import annotations

from typing import Final

from txproxy.wire.http2.faults import ENHANCE_YOUR_CALM, ConnectionFault

# So much may be spent at once. A browser that leaves a page cancels a few dozen streams.
MOST: Final = 2000
# What a second gives back.
PER_SECOND: Final = 200
# A stream that was reset before it was answered, by whoever: a reset that we were provoked to send costs the same.
RESET: Final = 20
# Any other frame that carries nothing.
FRAME: Final = 1
# What an exchange that was completed earns, and each frame of a body that went out and is not small: who opens windows
# by a byte each is not to pay for resets with that.
ANSWERED: Final = 20
SENT: Final = 2
# So many updates of windows, or pings, each frame of a body lets come for nothing, whenever they come. Who takes what
# we send has to say so, and may say so of many frames at once, of each for its stream and the connection, and of parts:
# Envoy lets as many. And clients of gRPC ping to measure the way, as often as a message comes.
UPDATES: Final = 10
# What is on its way on a stream that we end comes for nothing: a frame for so many bytes of its window, and a head.
LATE: Final = 1024
# More is not on its way at once: the window of a connection, and heads.
MOST_LATE: Final = (16 << 20) // LATE + 1024


class FloodAllowance:
    """What one peer has left."""

    __slots__ = ("left", "updates", "late")

    def __init__(self) -> None:
        self.left = MOST
        # how many more updates of windows, and pings, what was sent is good for
        self.updates = 0
        # how many more frames may come on streams that we have ended
        self.late = 0

    def spend(self, cost: int) -> None:
        """Take ``cost``; a ``ConnectionFault`` if that is more than there is."""
        self.left -= cost
        if self.left < 0:
            raise ConnectionFault("more frames that are of no use than are taken", ENHANCE_YOUR_CALM)

    def frames_sent(self, count: int, size: int) -> None:
        """So many of a body have gone out, each of this ``size``."""
        self.updates += UPDATES * count
        if self.left < MOST and size >= LATE:
            self.left = min(MOST, self.left + SENT * count)

    def taken_note_of(self) -> None:
        """A window grows, or there is a ping; as above where nothing has gone out that could be the reason."""
        if self.updates:
            self.updates -= 1
        else:
            self.spend(FRAME)

    def ended_early(self, window: int) -> None:
        """We end a stream on which the peer may have sent so many bytes that we have not seen."""
        self.late = min(MOST_LATE, self.late + 1 + max(0, window) // LATE)

    def came_late(self) -> None:
        """A frame on a stream that we have ended."""
        if self.late:
            self.late -= 1
        else:
            self.spend(FRAME)

    def earn(self, gain: int) -> None:
        """Give back ``gain``."""
        self.left = min(MOST, self.left + gain)

    def seconds_passed(self, seconds: float) -> None:
        """Give back what time does."""
        self.earn(int(seconds * PER_SECOND))
