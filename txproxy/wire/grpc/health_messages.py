"""The messages of ``grpc.health.v1`` (gRPC's ``health-checking.md``), which are small enough to be read by hand."""

from __future__ import annotations

from typing import Final

PATH: Final = b"/grpc.health.v1.Health/Check"
_PREFIX: Final = 5
_NAMES: Final = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")
SERVING: Final = "SERVING"
# Of protocol buffers: a field has a number and one of these types.
_VARINT: Final = 0
_FIXED: Final = {1: 8, 5: 4}
_STRING: Final = 2
_SERVICE: Final = 1
_STATUS: Final = 1


def question(service: bytes) -> bytes:
    """How ``service`` is, as the body of a request; the whole server for an empty one."""
    message = bytes((_SERVICE << 3 | _STRING,)) + _varint(len(service)) + service if service else b""
    return b"\0" + len(message).to_bytes(4, "big") + message


def answer(body: bytes) -> str | None:
    """The status that the ``body`` of a response says; None if it is no such answer."""
    if len(body) < _PREFIX or body[0] or len(body) != _PREFIX + int.from_bytes(body[1:_PREFIX], "big"):
        return None
    number = 0
    try:
        for field, value in _fields(body[_PREFIX:]):
            if field == _STATUS and isinstance(value, int):
                number = value
    except IndexError:
        return None
    return _NAMES[number] if number < len(_NAMES) else str(number)


def _fields(message: bytes) -> list[tuple[int, int | bytes]]:
    """What a message has; ``IndexError`` where it is cut off, or none."""
    found: list[tuple[int, int | bytes]] = []
    at = 0
    while at < len(message):
        tag, at = _read_varint(message, at)
        field, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            value, at = _read_varint(message, at)
            found.append((field, value))
            continue
        size, at = _read_varint(message, at) if kind == _STRING else (_FIXED.get(kind, -1), at)
        if size < 0 or at + size > len(message):
            raise IndexError(kind)
        found.append((field, message[at : at + size]))
        at += size
    return found


def _varint(number: int) -> bytes:
    written = bytearray()
    while number >= 0x80:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = message[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
        shift += 7
        if shift > 63:
            raise IndexError(at)
