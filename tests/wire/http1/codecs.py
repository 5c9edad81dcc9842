"""Codecs that have come some way, for tests."""

from __future__ import annotations

from txproxy.wire.headers import Headers
from txproxy.wire.http1.server import ServerCodec
from txproxy.wire.message import END, RequestHead

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"

POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"

CHUNKED_POST = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

NO_FIELDS = Headers()


def server(data: bytes = b"") -> ServerCodec:
    codec = ServerCodec()
    codec.receive(data)
    return codec


def after_request(data: bytes) -> ServerCodec:
    """A codec that has read one request without a body."""
    codec = server(data)
    assert isinstance(codec.next_event(), RequestHead)
    assert codec.next_event() is END
    return codec


def head_of(codec: ServerCodec) -> RequestHead:
    head = codec.next_event()
    assert isinstance(head, RequestHead)
    return head
