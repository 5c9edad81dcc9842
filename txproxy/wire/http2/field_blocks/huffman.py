"""The Huffman code of strings in field blocks (RFC 7541 section 5.2)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, TypeAlias

from txproxy.wire.http2.faults import COMPRESSION_ERROR, ConnectionFault

# RFC 7541 appendix B: the code is a canonical one, so that all of it follows from the number of bits that each byte
# has. In hexadecimal; the end of a string, which none may have in it, is the last of those with 30 bits.
_LENGTHS: Final = (
    (5, "30-32 61 63 65 69 6f 73-74"),
    (6, "20 25 2d-2f 33-39 3d 41 5f 62 64 66-68 6c-6e 70 72 75"),
    (7, "3a 42-57 59 6a-6b 71 76-7a"),
    (8, "26 2a 2c 3b 58 5a"),
    (10, "21-22 28-29 3f"),
    (11, "27 2b 7c"),
    (12, "23 3e"),
    (13, "00 24 40 5b 5d 7e"),
    (14, "5e 7d"),
    (15, "3c 60 7b"),
    (19, "5c c3 d0"),
    (20, "80 82-83 a2 b8 c2 e0 e2"),
    (21, "99 a1 a7 ac b0-b1 b3 d1 d8-d9 e3 e5-e6"),
    (22, "81 84-86 88 92 9a 9c a0 a3-a4 a9-aa ad b2 b5 b9-bb bd-be c4 c6 e4 e8-e9"),
    (23, "01 87 89-8d 8f 93 95-98 9b 9d-9e a5-a6 a8 ae-af b4 b6-b7 bc bf c5 e7 ef"),
    (24, "09 8e 90-91 94 9f ab ce d7 e1 ec-ed"),
    (25, "c7 cf ea-eb"),
    (26, "c0-c1 c8-ca cd d2 d5 da-db ee f0 f2-f3 ff"),
    (27, "cb-cc d3-d4 d6 dd-df f1 f4-f8 fa-fe"),
    (28, "02-08 0b-0c 0e-15 17-1f 7f dc f9"),
    (30, "0a 0d 16"),
)
_END: Final = 256
# What ends within a byte is filled with the first bits of the end of a string, which are ones.
_MOST_FILLING: Final = 7
# Longer strings are decoded each time: what is remembered is bounded by that.
_REMEMBERED: Final = 64
# For each byte what comes of it, None where that is not known yet, and after these the node that it is the row of.
_Row: TypeAlias = "list[Any]"
_NODE: Final = 256


class _Node:
    """What certain bits lead to, which are no whole code yet, or to nothing that was not decoded: the root."""

    __slots__ = ("branches", "filling", "row")

    def __init__(self, filling: bool) -> None:
        # what a bit leads to
        self.branches: list[_Node | int] = [_END, _END]
        # whether a string may end here
        self.filling = filling
        # what comes of each byte after these bits, where that was met before, and this itself; the same for everybody
        self.row: _Row = []

    def reached(self) -> _Row:
        """Its row, which most are never asked for."""
        if not self.row:
            self.row = [*[None] * 256, self]
        return self.row

    def after(self, byte: int) -> tuple[bytes, _Row]:
        """What comes of a ``byte``: bytes of the string, and the row for the byte after it."""
        decoded = bytearray()
        node = self
        for place in range(7, -1, -1):
            branch = node.branches[byte >> place & 1]
            if isinstance(branch, _Node):
                node = branch
            elif branch == _END:
                raise ConnectionFault("the end of a Huffman string within it", COMPRESSION_ERROR)
            else:
                decoded.append(branch)
                node = _ROOT
        found = self.row[byte] = bytes(decoded), node.reached()
        return found


def _codes() -> dict[int, tuple[int, int]]:
    """For each byte, and the end, the code and how many bits it has."""
    codes: dict[int, tuple[int, int]] = {}
    code = before = 0
    for length, text in _LENGTHS:
        code <<= length - before
        before = length
        for part in text.split():
            first, _, last = part.partition("-")
            for byte in range(int(first, 16), int(last or first, 16) + 1):
                codes[byte] = code, length
                code += 1
    codes[_END] = code, before
    return codes


_CODES: Final = _codes()


def _tree() -> _Node:
    root = _Node(filling=True)
    for byte, (code, length) in _CODES.items():
        node = root
        for place in range(length - 1, 0, -1):
            bit = code >> place & 1
            branch = node.branches[bit]
            if not isinstance(branch, _Node):
                ones = code >> place == (1 << (length - place)) - 1
                branch = node.branches[bit] = _Node(filling=ones and length - place <= _MOST_FILLING)
            node = branch
        node.branches[code & 1] = byte
    return root


_ROOT: Final = _tree()


def decode(data: bytes) -> bytes:
    """The string that was encoded as ``data``; a ``ConnectionFault`` if none was."""
    return _remembered(data) if len(data) <= _REMEMBERED else _decode(data)


def _decode(data: bytes) -> bytes:
    row = _ROOT.reached()
    found = []
    for byte in data:
        step = row[byte]
        if step is None:
            step = row[_NODE].after(byte)
        decoded, row = step
        found.append(decoded)
    if not row[_NODE].filling:
        raise ConnectionFault("a Huffman string ends within a code", COMPRESSION_ERROR)
    return b"".join(found)


_remembered: Final = lru_cache(maxsize=2048)(_decode)


def encode(data: bytes) -> bytes:
    """``data``, encoded."""
    bits = size = 0
    for byte in data:
        code, length = _CODES[byte]
        bits = bits << length | code
        size += length
    filling = -size % 8
    return ((bits << filling) | ((1 << filling) - 1)).to_bytes((size + filling) // 8, "big")
