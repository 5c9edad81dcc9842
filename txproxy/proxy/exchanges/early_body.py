"""The first part of a request's body, which is there before the request takes its upstream's place.

Where an upstream has a bound on its requests (``max``), each of them has one of so many places. A client that announces
a body and sends none would keep one for as long as a body may take, and could be back with the next. So the place is
taken when ``FIRST_PART`` of the body has come, or all of it, if that is less; nginx (``proxy_request_buffering``) and
HAProxy (``option http-buffer-request``) wait as well. A body that comes with its head waits for nothing. Before that no
upstream is chosen either: a turn that is given back is one that somebody else has missed.

Who takes longer than ``MOMENT`` may be one that waits for the response before it sends more. It goes on without, where
there is room, but has to leave as soon as somebody else waits for the place.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from txproxy.interfaces.plan import Postponed
from txproxy.net.deadlines import NEVER
from txproxy.wire.headers import Headers

# At this size nginx on 64 bits and HAProxy go on as well.
FIRST_PART: Final = 16384
# How long it is waited for, in seconds.
MOMENT: Final = 1.0
_NO_FIELDS: Final = Headers()


class EarlyBody:
    """What has come of a body on which a decision waits that is ``postponed``: its ``pieces``, and its ``trailers`` if
    it is complete. ``until`` is when it is too late, if it did not come with the head; ``late`` says that it goes on
    all the same. ``encouraged``: the client was told that it may send it.
    """

    __slots__ = ("postponed", "pieces", "trailers", "until", "late", "encouraged")

    def __init__(self, postponed: Postponed) -> None:
        self.postponed = postponed
        self.pieces: deque[bytes | bytearray] = deque()
        self.trailers = _NO_FIELDS
        self.until = NEVER
        self.late = False
        self.encouraged = False
