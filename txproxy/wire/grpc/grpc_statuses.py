"""The statuses of gRPC, and what they are in HTTP (gRPC's ``statuscodes.md`` and ``http-grpc-status-mapping.md``)."""

from __future__ import annotations

from typing import Final

_NAMES: Final = (
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
    "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
    "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
)  # fmt: skip
OK: Final = 0
UNKNOWN: Final = 2
DEADLINE_EXCEEDED: Final = 4
PERMISSION_DENIED: Final = 7
UNIMPLEMENTED: Final = 12
INTERNAL: Final = 13
UNAVAILABLE: Final = 14
UNAUTHENTICATED: Final = 16

# What a client takes a status of HTTP for that comes without one of gRPC: it gets the same from us.
_OF_HTTP: Final = {
    400: INTERNAL, 401: UNAUTHENTICATED, 403: PERMISSION_DENIED, 404: UNIMPLEMENTED, 407: UNAUTHENTICATED,
    429: UNAVAILABLE, 502: UNAVAILABLE, 503: UNAVAILABLE, 504: UNAVAILABLE,
}  # fmt: skip
# As which status a response of an upstream counts. A deadline is the client's own, which can be as short as it likes:
# that it was exceeded is not the word of a gateway.
_IN_HTTP: Final = {0: 200, 2: 500, 4: 500, 12: 501, 13: 500, 14: 503, 15: 500}
_OTHER: Final = 400
# RFC 3986 percent-encoding of all but printable ASCII, and of the percent sign itself.
_PLAIN: Final = frozenset(range(0x20, 0x7F)) - {0x25}


def of_http(status: int) -> int:
    """What a response with ``status`` is in gRPC."""
    return _OF_HTTP.get(status, UNKNOWN)


def in_http(value: bytes) -> int:
    """What a ``grpc-status`` is in HTTP; 500 for one that is none."""
    number = read_status(value)
    return _IN_HTTP[UNKNOWN] if number is None else _IN_HTTP.get(number, _OTHER)


def read_status(value: bytes) -> int | None:
    """The number of a ``grpc-status``; None if it is none."""
    return int(value) if value.isdigit() and len(value) <= 3 else None


def named(number: int) -> str:
    """A status, for people."""
    return f"{number} ({_NAMES[number]})" if number < len(_NAMES) else str(number)


def message_value(text: str) -> bytes:
    """A text, as ``grpc-message`` has it."""
    return b"".join(bytes((byte,)) if byte in _PLAIN else b"%%%02X" % byte for byte in text.encode("utf-8"))
