"""What of the head of an upstream's response is for the client."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from txproxy.wire.forwarding import HOP_BY_HOP, end_to_end
from txproxy.wire.headers import Headers
from txproxy.wire.message import ResponseHead

_DROP_AT_204: Final = HOP_BY_HOP | {b"content-length"}


def onward_fields(headers: Headers, status: int, http_date: Callable[[], bytes]) -> Headers:
    """The end-to-end fields of a final response."""
    index = headers.index
    headers.names_server = (
        b"location" in index or b"set-cookie" in index or b"content-location" in index or b"refresh" in index
    )
    # RFC 9110 8.6: no Content-Length in a 204.
    lines = end_to_end(headers, HOP_BY_HOP if status != 204 else _DROP_AT_204)
    if b"date" not in index:
        # RFC 9110 6.6.1: a recipient with a clock adds the Date that is missing.
        lines.append(b"Date: " + http_date())
        return Headers.from_lines(lines)
    # The fields of the next response may be the very same, or of their form (see the codec).
    return headers.goes_on(lines) if status != 204 else Headers.from_lines(lines)


def informational(head: ResponseHead) -> ResponseHead:
    """One before the final response (RFC 9110 section 15.2), or a change of protocols, without what is for one hop."""
    lines = end_to_end(head.headers, _DROP_AT_204)
    return ResponseHead(head.status, Headers.from_lines(lines), reason=head.reason)


def switching(response: ResponseHead, upgrade: bytes, lines: tuple[bytes, ...]) -> ResponseHead:
    """A change to the protocol that ``upgrade`` names, with these ``lines`` added."""
    return response.with_lines([*response.headers.lines, *lines, b"Connection: upgrade", b"Upgrade: " + upgrade])
