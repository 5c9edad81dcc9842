"""How two workers are brought together: the master gives each an end of a channel, and carries nothing itself."""

from __future__ import annotations

import socket
from typing import Final

from txproxy.runtime.workers.channel import Channel

GIVE: Final = "hand over"
TAKE: Final = "take over"
# what one that leaves asks for whose other one has ended
ANOTHER: Final = "another"


def introduce(leaving: Channel, staying: Channel) -> None:
    """Let the worker at the end of ``leaving`` hand its connections over to the one at the end of ``staying``. One of a
    program that does not know how leaves with them.
    """
    first, second = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with first, second:
        staying.send(TAKE, None, [first.fileno()])
        leaving.send(GIVE, None, [second.fileno()])
