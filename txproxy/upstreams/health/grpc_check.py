"""A check by ``grpc.health.v1``: what is asked of a server of gRPC, and what is made of the answer."""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote

from txproxy.wire.grpc import health_messages
from txproxy.wire.grpc.calls import CONTENT_TYPE, is_call
from txproxy.wire.grpc.grpc_statuses import OK, named, read_status
from txproxy.wire.headers import Headers
from txproxy.wire.message import EndOfMessage, RequestHead, ResponseHead

# An answer has a few bytes.
_MOST: Final = 1024


def call(authority: bytes, user_agent: bytes) -> RequestHead:
    """The head of the call; its body is a :func:`txproxy.wire.grpc.health_messages.question`."""
    lines = [
        b"Host: " + authority, b"User-Agent: " + user_agent, b"Content-Type: " + CONTENT_TYPE, b"TE: trailers",
    ]  # fmt: skip
    return RequestHead(b"POST", health_messages.PATH, Headers.from_lines(lines), authority=authority)


class GrpcAnswer:
    """The answer to one, event by event."""

    def __init__(self) -> None:
        self._head: ResponseHead | None = None
        self._body = b""

    def take(self, event: ResponseHead | bytes | EndOfMessage) -> str | None:
        """What is wrong, empty if nothing is; None as long as that is open."""
        if isinstance(event, ResponseHead):
            if event.status < 200:
                return None
            self._head = event
            if event.status != 200:
                return f"status {event.status}, not 200"
            return None if is_call(event.headers.get(b"content-type")) else "the answer is none of gRPC"
        if isinstance(event, bytes):
            self._body += event
            return None if len(self._body) <= _MOST else "the answer is too long"
        return self._judge(event.trailers)

    def _judge(self, trailers: Headers) -> str:
        assert self._head is not None
        # Where there is nothing but a status, it is in the head.
        said = trailers if trailers.lines else self._head.headers
        status = read_status(said.get(b"grpc-status") or b"")
        if status is None:
            return "the answer has no grpc-status"
        if status != OK:
            message = unquote((said.get(b"grpc-message") or b"").decode("ascii", "replace"))
            return f"grpc-status {named(status)}" + (f": {message}" if message else "")
        found = health_messages.answer(self._body)
        if found is None:
            return "the answer is none of grpc.health.v1"
        return "" if found == health_messages.SERVING else f"it is {found}"
