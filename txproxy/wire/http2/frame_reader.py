"""Takes what comes on a connection apart into frames, and puts field blocks together (RFC 9113 section 4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias

from txproxy.wire.http2 import frames
from txproxy.wire.http2.faults import ENHANCE_YOUR_CALM, FRAME_SIZE_ERROR, ConnectionFault
from txproxy.wire.http2.flood_allowance import FRAME, FloodAllowance
from txproxy.wire.http2.frames import DEFAULT_FRAME_SIZE, END_HEADERS, HEADER_SIZE, HEADERS, LAST_STREAM, read_header
from txproxy.wire.http2.priorities import PRIORITY_SIZE, check_priority

# Type, flags, stream and payload.
Frame: TypeAlias = "tuple[int, int, int, bytes]"

# A field block in so many frames is one that is to keep us busy (CVE-2024-27316 and its likes).
_MOST_CONTINUATIONS: Final = 32
# What a head takes of a share.
HEAD_SHARE: Final = 16
# So much more is read of what is no head: a reset, for one, of the last one that was.
_SPARE: Final = 16
# To read so much of a body apart costs little.
_LITTLE: Final = 1024
_HEADERS: Final = bytes((HEADERS,))
# What a server answers with that knows nothing of HTTP/2: as a frame it would be one of 4.7 MB.
_HTTP1: Final = b"HTTP/1."
_MORE: Final = frames.PADDED | frames.WITH_PRIORITY


class FrameReader:
    """What comes from one peer. ``preface`` is what it begins with, ``most_block`` how large a field block may be.

    ``share`` is how much of what has come is read at once: each frame is 1 of it, and a head 16. ``more`` says that
    there is more than that: to read again goes on with it. ``clear`` says that what comes next begins with a frame,
    which is not the first of all and of no field block that has begun: whoever reads some of that itself says how much
    of the share is ``spent``, and has the rest read here.
    """

    __slots__ = (
        "more",
        "clear",
        "spent",
        "_buffer",
        "_preface",
        "_most_block",
        "_share",
        "_allowance",
        "_greeted",
        "_block",
    )

    def __init__(self, preface: bytes, most_block: int, allowance: FloodAllowance, share: int) -> None:
        self.more = self.clear = False
        self.spent = 0
        self._share = share
        self._buffer = b""
        self._preface = preface
        self._most_block = most_block
        self._allowance = allowance
        # whether SETTINGS, the first of all frames, have come
        self._greeted = False
        # a field block of which more is to come: its stream, the flags of its first frame, and its pieces
        self._block: tuple[int, int, list[bytes]] | None = None

    @property
    def begun(self) -> bool:
        """Whether something has come that is not complete."""
        return self._buffer != b"" or self._block is not None

    @property
    def begun_head(self) -> tuple[int, int]:
        """Of which stream part of a field block has come that is not complete, and how much; 0 for that of none. The
        rest of what has begun, of whatever kind, counts as well.
        """
        size = len(self._buffer)
        if self._block is not None:
            return self._block[0], size + sum(map(len, self._block[2]))
        if size < HEADER_SIZE or self._preface:
            return 0, size
        _, _, kind, _, number = read_header(self._buffer, 0)
        return (number & LAST_STREAM if kind == HEADERS else 0), size

    def read(self, data: bytes) -> Iterator[Frame]:
        """The frames that are complete with these ``data``; a ``ConnectionFault`` where something is none. HEADERS are
        whole field blocks, without padding and priority.
        """
        buffer = self._buffer + data if self._buffer else data
        at = 0
        if self._preface:
            at = self._skip_preface(buffer)
        size = len(buffer)
        # From here on there may be the header of a frame; nowhere before all of the preface is there.
        last = -1 if self._preface else size - HEADER_SIZE
        share, self.spent = self._share - self.spent, 0
        greeted = self._greeted
        while at <= last:
            high, length, kind, flags, number = read_header(buffer, at)
            if high or length > DEFAULT_FRAME_SIZE:
                is_other = not greeted and buffer.startswith(_HTTP1)
                said = "an answer of HTTP/1, where HTTP/2 is to be spoken" if is_other else "a frame that is too large"
                raise ConnectionFault(said, FRAME_SIZE_ERROR)
            begin = at + HEADER_SIZE
            end = begin + length
            if end > size:
                break
            if share <= 0 and (kind == HEADERS or share < -_SPARE):
                break
            payload = buffer[begin:end]
            at = end
            share -= 1
            number &= LAST_STREAM
            if self._block is not None:
                whole = self._continued(kind, flags, number, payload)
                if whole is not None:
                    yield whole
            elif not greeted:
                self._check_first(kind, flags)
                greeted = True
                yield kind, flags, number, payload
            elif kind == HEADERS:
                if flags & _MORE or not number:
                    payload = _without_priority(number, flags, payload)
                share -= HEAD_SHARE - 1
                if flags & END_HEADERS:
                    yield kind, flags, number, payload
                else:
                    self._block = number, flags, [payload]
            else:
                yield kind, flags, number, payload
        self._buffer = buffer[at:]
        self.more = share <= 0 and at < size
        self.clear = at == size and self._block is None and self._greeted

    def joined(self, data: bytes) -> bytes | None:
        """These ``data`` after what has come of the frame before, which is in them from now on: ``clear`` is true. None
        if anything else has begun.
        """
        if self._block is not None or self.more or not self._greeted:
            return None
        data, self._buffer = self._buffer + data, b""
        self.clear = True
        return data

    def rest_of_body(self, data: bytes) -> int:
        """How much of ``data`` is the rest of a frame of a body, of which some, or but the head, has come before, where
        that is little, and a head comes after it: who reads it apart has the others begin where they are read as a
        whole. Else 0.
        """
        begun = self._buffer
        size = len(begun)
        header = (begun + data[:HEADER_SIZE])[:HEADER_SIZE]
        if len(header) < HEADER_SIZE or header[3] != frames.DATA or self._block is not None:
            return 0
        rest = HEADER_SIZE + int.from_bytes(header[:3], "big") - size
        if not 0 < rest <= _LITTLE or data[rest + 3 : rest + 4] != _HEADERS:
            return 0
        return rest

    def keep(self, data: bytes) -> int:
        """Have these ``data`` wait until more is read; how many bytes there are that wait."""
        self._buffer += data
        self.clear = False
        return len(self._buffer)

    def _skip_preface(self, buffer: bytes) -> int:
        preface = self._preface
        if not buffer.startswith(preface):
            if not preface.startswith(buffer):
                raise ConnectionFault("it does not begin as HTTP/2 does")
            return 0
        self._preface = b""
        return len(preface)

    def _check_first(self, kind: int, flags: int) -> None:
        if kind != frames.SETTINGS or flags & frames.ACK:
            raise ConnectionFault("the first frame is not SETTINGS")
        self._greeted = True

    def _continued(self, kind: int, flags: int, number: int, payload: bytes) -> Frame | None:
        assert self._block is not None
        stream, first, pieces = self._block
        if kind != frames.CONTINUATION or number != stream:
            raise ConnectionFault("another frame within a field block")
        self._allowance.spend(FRAME)
        pieces.append(payload)
        if len(pieces) > _MOST_CONTINUATIONS or sum(map(len, pieces)) > self._most_block:
            raise ConnectionFault("a field block that is too large", ENHANCE_YOUR_CALM)
        if not flags & END_HEADERS:
            return None
        self._block = None
        return HEADERS, first, number, b"".join(pieces)


def _without_priority(number: int, flags: int, payload: bytes) -> bytes:
    if not number:
        raise ConnectionFault("a HEADERS frame of no stream")
    block = frames.without_padding(payload, flags) if flags & frames.PADDED else payload
    if not flags & frames.WITH_PRIORITY:
        return block
    check_priority(number, block)
    return block[PRIORITY_SIZE:]
