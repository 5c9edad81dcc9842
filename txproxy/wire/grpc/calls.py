"""Which requests are calls of gRPC, and how long they may take (gRPC's ``PROTOCOL-HTTP2.md``)."""

from __future__ import annotations

import re
from typing import Final

CONTENT_TYPE: Final = b"application/grpc"
# A type of its own, or with what messages are written in; ``application/grpc-web`` is another protocol.
_CALL: Final = re.compile(rb"(?i:application/grpc)(?:[+;].*)?", re.DOTALL)
_TIMEOUT: Final = re.compile(rb"([0-9]{1,8})([HMSmun])")
_SECONDS: Final = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}


def is_call(content_type: bytes | None) -> bool:
    """Whether a request of that type is a call."""
    return content_type is not None and _CALL.fullmatch(content_type) is not None


def read_timeout(value: bytes) -> float | None:
    """The seconds of a ``grpc-timeout``; None if it is none."""
    found = _TIMEOUT.fullmatch(value)
    return None if found is None else int(found[1]) * _SECONDS[found[2]]
