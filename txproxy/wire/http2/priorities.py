"""What a client says of the order in which it wants things (RFC 9218). Of the priorities of RFC 7540 nothing is looked
at but whether they are some.
"""

from __future__ import annotations

import re
from typing import Final

from txproxy.wire.http2 import frames
from txproxy.wire.http2.faults import FRAME_SIZE_ERROR, ConnectionFault
from txproxy.wire.http2.stream import DEFAULT_URGENCY

PRIORITY_SIZE: Final = 5
# Of so many streams that are to come it is remembered how urgent they are; who says so before a request says so just
# before.
_MOST_REMEMBERED: Final = 32

# Members of a dictionary of Structured Fields (RFC 9651 section 3.2): of others, and of values of another type, nothing
# is asked (RFC 9218 section 4).
_URGENCY: Final = re.compile(rb"(?:\A|,)[ \t]*u=([0-7])[ \t]*(?=;|,|\Z)")
_INCREMENTAL: Final = re.compile(rb"(?:\A|,)[ \t]*i(?:=\?([01]))?[ \t]*(?=;|,|\Z)")


def read_priority(value: bytes) -> tuple[int, bool]:
    """Urgency (0, the first, to 7) and whether parts are of use, of a field value; the defaults for what it lacks."""
    urgency = DEFAULT_URGENCY
    # The last of several holds.
    for match in _URGENCY.finditer(value):
        urgency = int(match[1])
    incremental = False
    for match in _INCREMENTAL.finditer(value):
        incremental = match[1] != b"0"
    return urgency, incremental


def remember_priority(priorities: dict[int, tuple[int, bool]], number: int, value: bytes) -> None:
    """Have what was said of a stream that is to come among others of them."""
    priorities[number] = read_priority(value)
    if len(priorities) > _MOST_REMEMBERED:
        del priorities[next(iter(priorities))]


def updated_stream(number: int, payload: bytes) -> int:
    """The stream of which a PRIORITY_UPDATE frame has the value after four bytes (RFC 9218 section 7.1); a
    ``ConnectionFault`` if it is none.
    """
    if len(payload) < 4:
        raise ConnectionFault("a PRIORITY_UPDATE frame of a wrong size", FRAME_SIZE_ERROR)
    about = int.from_bytes(payload[:4], "big") & frames.LAST_STREAM
    if number or about % 2 == 0:
        raise ConnectionFault("a PRIORITY_UPDATE frame of no stream")
    return about


def check_priority(number: int, payload: bytes) -> None:
    """A ``ConnectionFault`` if that is no priority of a stream; it says nothing any more (RFC 9113 section 5.3.2)."""
    if len(payload) < PRIORITY_SIZE:
        raise ConnectionFault("a frame of a wrong size", FRAME_SIZE_ERROR)
    if int.from_bytes(payload[:4], "big") & frames.LAST_STREAM == number:
        raise ConnectionFault("a stream that depends on itself")


def check_priority_frame(number: int, payload: bytes) -> None:
    """The same of a frame that has nothing else (RFC 9113 section 6.3)."""
    if not number:
        raise ConnectionFault("a PRIORITY frame of no stream")
    if len(payload) != PRIORITY_SIZE:
        raise ConnectionFault("a PRIORITY frame of a wrong size", FRAME_SIZE_ERROR)
    check_priority(number, payload)
