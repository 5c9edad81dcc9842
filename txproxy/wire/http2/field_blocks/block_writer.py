"""Writes field blocks without a dynamic table (RFC 7541): what a field is written as is good for all peers."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from txproxy.wire.headers import Headers
from txproxy.wire.http2.field_blocks.field_entries import SECRET, NeverIndexed
from txproxy.wire.http2.field_blocks.static_table import NAME_NUMBERS, NUMBERS
from txproxy.wire.message import RequestHead

# Longer lines are written each time: what is remembered is bounded by that.
_REMEMBERED: Final = 96
# RFC 9113 8.2.2: they are for one hop of HTTP/1.
_DROPPED: Final = frozenset(b"connection proxy-connection keep-alive transfer-encoding upgrade".split())
_NEVER_INDEXED: Final = 0x10


def response_block(status: int, headers: Headers) -> bytes:
    """The block of a response. It is good for all peers, so that fields keep theirs."""
    block = headers.field_block
    if block is None:
        headers.field_block = block = fields_block(headers)
    return _status(status) + block


def request_block(request: RequestHead, scheme: bytes, protocol: bytes = b"") -> bytes:
    """The block of a request (RFC 9113 section 8.3.1), with Host as ``:authority``; ``protocol`` makes an extended
    CONNECT of it (RFC 8441 section 4).
    """
    headers = request.headers
    block = headers.field_block
    if block is None:
        headers.field_block = block = _request_fields(headers)
    method = request.method
    if method == b"CONNECT" and not protocol:
        # RFC 9113 8.5
        return _pseudo(b":method", method) + block
    if protocol:
        begin = _pseudo(b":method", b"CONNECT") + _pseudo(b":protocol", protocol)
    else:
        begin = _pseudo(b":method", method)
    return b"".join((begin, _pseudo(b":scheme", scheme), _path(request.path), block))


def around_path(request: RequestHead, scheme: bytes) -> tuple[bytes, bytes]:
    """What stands before and after ``:path`` in the block of a request that is written already; nothing where that has
    none.
    """
    method, block = request.method, request.headers.field_block
    if method == b"CONNECT" or block is None:
        return b"", b""
    return _pseudo(b":method", method) + _pseudo(b":scheme", scheme), block


def is_written_plainly(path: bytes) -> bool:
    """Whether it is its length in one byte and itself, after the number of its name, which is 4."""
    return 0 < len(path) < 0x7F and path != b"/"


def fields_block(headers: Headers) -> bytes:
    """The block of fields, or trailers."""
    return _written(headers.lines)


def _request_fields(headers: Headers) -> bytes:
    """What Host says as ``:authority``, and the other fields."""
    authority = b""
    lines = []
    for line in headers.lines:
        if line[:5].lower() == b"host:":
            authority = _field(b":authority", line[5:].strip(b" \t"))
        else:
            lines.append(line)
    return authority + _written(lines)


def _written(lines: list[bytes]) -> bytes:
    return b"".join([_remembered(line) if len(line) <= _REMEMBERED else _line(line) for line in lines])


@lru_cache(maxsize=256)
def _pseudo(name: bytes, value: bytes) -> bytes:
    return _field(name, value)


@lru_cache(maxsize=1024)
def _status(status: int) -> bytes:
    return _field(b":status", b"%d" % status)


def _line(line: bytes) -> bytes:
    name, _, value = line.partition(b":")
    name, value = name.lower(), value.strip(b" \t")
    if name in _DROPPED:
        return b""
    return _literal(name, value, _NEVER_INDEXED) if type(line) is NeverIndexed else _field(name, value)


_remembered: Final = lru_cache(maxsize=4096, typed=True)(_line)


def _field(name: bytes, value: bytes) -> bytes:
    number = NUMBERS.get((name, value))
    if number is not None and value:
        return bytes((0x80 | number,))
    return _literal(name, value, _NEVER_INDEXED if name in SECRET else 0)


def _literal(name: bytes, value: bytes, kind: int) -> bytes:
    number = NAME_NUMBERS.get(name)
    if number is None:
        return bytes((kind,)) + _string(name) + _string(value)
    return _number(number, kind, 0x0F) + _string(value)


def _path(path: bytes) -> bytes:
    size = len(path)
    if path == b"/" or size >= 0x7F:
        return _field(b":path", path)
    # There are too many to remember any: :path is the 4th of the static table.
    return b"\x04%c%b" % (size, path)


def _string(data: bytes) -> bytes:
    # Plain: what a Huffman code saves on the wire, it takes in time.
    return _number(len(data), 0, 0x7F) + data


def _number(number: int, kind: int, mask: int) -> bytes:
    """RFC 7541 section 5.1."""
    if number < mask:
        return bytes((kind | number,))
    written = bytearray((kind | mask,))
    number -= mask
    while number >= 0x80:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)
