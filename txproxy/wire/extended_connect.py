"""Extended CONNECT (RFC 8441), as HTTP/1 has it: WebSockets by Upgrade (RFC 6455 section 4)."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha1
from os import urandom
from typing import Final

from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead, ResponseHead

WEBSOCKET: Final = b"websocket"
# RFC 6455 1.3
_ADDED: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY: Final = b"sec-websocket-key"
_ACCEPT: Final = b"sec-websocket-accept"
_KEY_SIZE: Final = 16
# A length would be that of a body, which the request in HTTP/1 has none of: its reader would wait for one, and take
# what is asked after it for that.
_NOT_OF_UPGRADE: Final = (_KEY, b"content-length")
_NOTHING: Final = Headers.parsed([])


def as_upgrade(head: RequestHead) -> RequestHead:
    """The request that asks for the same WebSocket in HTTP/1. The key, which HTTP/2 has none of, is a new one."""
    headers = head.headers
    lines = [line for line, name in zip(headers.lines, headers.names(), strict=True) if name not in _NOT_OF_UPGRADE]
    key = b64encode(urandom(_KEY_SIZE))
    lines += b"connection: upgrade", b"upgrade: " + WEBSOCKET, _KEY + b": " + key
    return RequestHead(b"GET", head.path, Headers.parsed(lines), head.authority, head.scheme, 0, head.minor)


def is_websocket(head: RequestHead) -> bool:
    """Whether a request of HTTP/1 asks for a WebSocket, and for nothing else (RFC 6455 section 4.1)."""
    return head.upgrade == WEBSOCKET and head.method == b"GET" and not head.body and _KEY in head.headers.index


def without_key(head: RequestHead) -> RequestHead:
    """The same for extended CONNECT, which is known to go through without the proof of a key."""
    return head.with_lines(_but(head.headers, _KEY))


def without_upgrade(head: RequestHead) -> RequestHead:
    """The same, which asks for no WebSocket."""
    return head.with_lines(_but(head.headers, b"upgrade"))


def _but(headers: Headers, dropped: bytes) -> list[bytes]:
    return [line for line, name in zip(headers.lines, headers.names(), strict=True) if name != dropped]


def as_switch(request: RequestHead, response: ResponseHead) -> ResponseHead:
    """What is to HTTP/1 that a ``response`` to extended CONNECT says: the protocol changes, and the key of ``request``
    is proven.
    """
    key = request.headers.index.get(_KEY, b"")
    proof = _ACCEPT + b": " + b64encode(sha1(key + _ADDED).digest())
    # Another proxy may have one of a key of its own, as HAProxy has.
    lines = [*_but(response.headers, _ACCEPT), b"connection: upgrade", b"upgrade: " + WEBSOCKET, proof]
    return ResponseHead(101, Headers.from_lines(lines), b"Switching Protocols")


def is_accepted(request: RequestHead, response: ResponseHead) -> bool:
    """Whether ``response`` agrees to what :func:`as_upgrade` has asked for (RFC 6455 section 4.1)."""
    key = request.headers.index.get(_KEY, b"")
    return response.headers.index.get(_ACCEPT) == b64encode(sha1(key + _ADDED).digest())


def established(response: ResponseHead | None) -> ResponseHead:
    """What says that a tunnel stands: what ``response`` has of use, which is a 101 of HTTP/1, or no more than that."""
    if response is None:
        return ResponseHead(200, _NOTHING)
    return ResponseHead(200, Headers.from_lines(_but(response.headers, _ACCEPT)))
