"""What a client says of the order in which it wants things (RFC 9218). The priorities of RFC 7540 are not looked at."""

from __future__ import annotations

import re
from typing import Final

from txproxy.wire.http2.stream import DEFAULT_URGENCY

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
