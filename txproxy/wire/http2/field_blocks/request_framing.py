"""How requests without a body are written that have the fields of one before: what stands around a stream's number.

It hangs on the fields, and on a head that many requests share, as the block of the fields does. Its slow twin is
:func:`txproxy.wire.http2.field_blocks.block_writer.request_block`, with the header of a frame before it.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from txproxy.wire.http2 import frames
from txproxy.wire.http2.field_blocks.block_writer import around_path, is_written_plainly
from txproxy.wire.http2.frames import pack_start
from txproxy.wire.message import RequestHead, SharedRequest

_WHOLE_HEAD: Final = frames.HEADERS, frames.END_HEADERS | frames.END_STREAM

# Scheme and method of a request without a body, what stands before and after the number of its stream, and what puts
# that together, if it is short.
Framing: TypeAlias = "tuple[bytes, bytes, bytes, bytes, frames.Pack | None]"


def remember_framing(request: RequestHead, scheme: bytes, block: bytes) -> None:
    """A ``request`` without a body is written as this ``block``, which fits into one frame."""
    framing = scheme, request.method, *frames.around(block, 0)
    request.headers.around = framing, request.path, *around_path(request, scheme)


def framing_of(request: RequestHead, scheme: bytes) -> Framing | None:
    """How a ``request`` is written that has the fields of one before; None if it is none. Those that are the same as
    this one keep it.
    """
    known = request.headers.around
    if known is None:
        return None
    framing: Framing
    framing, path, before, after = known
    if framing[0] is not scheme or framing[1] != request.method:
        return None
    if path != request.path:
        path = request.path
        if not after or not is_written_plainly(path):
            return None
        block = b"%b\x04%c%b%b" % (before, len(path), path, after)
        if len(block) > frames.DEFAULT_FRAME_SIZE:
            return None
        framing = *framing[:2], pack_start(0, len(block), *_WHOLE_HEAD), block, None
    if type(request) is SharedRequest:
        request.framed = framing
    return framing
