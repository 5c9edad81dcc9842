"""``traceparent``, by which the spans of a trace find each other (W3C Trace Context, section 3.2)."""

from __future__ import annotations

import re
from os import urandom
from typing import Final

import attrs

from txproxy.frozen_values import frozen

FIELD: Final = b"traceparent"
STATE: Final = b"tracestate"

# Section 3.2.2.5: of a version that is not known yet, what this one has is read, and more may come after it. No version
# is ff, and no identifier is all zeros.
_READ: Final = re.compile(
    rb"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})((?:-[^\r\n]*)?)"
)
_SAMPLED: Final = 1


@frozen
class TraceParent:
    """A span of a trace: ``trace`` and ``span`` in hexadecimal digits, 32 and 16 of them. ``sampled`` says that
    whoever began the trace writes it down, and ``own`` that the proxy writes down spans of its own.
    """

    trace: bytes
    span: bytes
    sampled: bool = True
    own: bool = attrs.field(default=False, eq=False)

    @property
    def line(self) -> bytes:
        """Its field line."""
        return b"traceparent: 00-%b-%b-%b" % (self.trace, self.span, b"01" if self.sampled else b"00")

    def followed(self) -> TraceParent:
        """Another span of the same trace, which is the proxy's own."""
        return TraceParent(self.trace, urandom(8).hex().encode("ascii"), self.sampled, own=True)


def read_traceparent(value: bytes) -> TraceParent | None:
    """What a value of the field says; None for one that has to be taken as if it were not there."""
    found = _READ.fullmatch(value)
    if found is None or (found[1] == b"00" and found[5]):
        return None
    return TraceParent(found[2], found[3], bool(int(found[4], 16) & _SAMPLED))


def new_trace(sampled: bool = True, own: bool = False) -> TraceParent:
    """The first span of a trace of its own."""
    # Section 3.2.2.3: at random; that one is zeros alone happens once in 2**128 times.
    return TraceParent(urandom(16).hex().encode("ascii"), urandom(8).hex().encode("ascii"), sampled, own)
