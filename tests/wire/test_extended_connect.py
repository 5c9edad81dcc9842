"""WebSockets over HTTP/2, as HTTP/1 asks for them."""

from __future__ import annotations

from base64 import b64decode

from txproxy.wire.extended_connect import (
    as_switch,
    as_upgrade,
    established,
    is_accepted,
    is_websocket,
    without_key,
)
from txproxy.wire.headers import Headers
from txproxy.wire.message import CHUNKED, RequestHead, ResponseHead

HEAD = RequestHead(
    b"CONNECT", b"/chat", Headers.parsed([b"host: a", b"sec-websocket-version: 13", b"sec-websocket-key: mine"]),
    b"a", b"https", CHUNKED, 2,
)  # fmt: skip


def test_it_is_a_get_that_asks_for_an_upgrade() -> None:
    head = as_upgrade(HEAD)
    assert (head.method, head.path, head.authority, head.scheme, head.body, head.minor) == (
        b"GET", b"/chat", b"a", b"https", 0, 2,
    )  # fmt: skip
    assert head.upgrade == b"websocket" and head.headers.index[b"sec-websocket-version"] == b"13"
    key = head.headers.index[b"sec-websocket-key"]
    assert len(b64decode(key)) == 16 and key != as_upgrade(HEAD).headers.index[b"sec-websocket-key"]


def test_a_length_does_not_go_with_it() -> None:
    # Whoever reads HTTP/1 would take what is asked next for the body.
    lines = [b"host: a", b"content-length: 5"]
    head = as_upgrade(RequestHead(b"CONNECT", b"/", Headers.parsed(lines), b"a", b"https", 5, 2))
    assert head.body == 0 and b"content-length" not in head.headers.index


def test_what_is_accepted_belongs_to_the_key() -> None:
    # RFC 6455 1.3
    request = RequestHead(b"GET", b"/", Headers.parsed([b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="]))
    for value, accepted in ((b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", True), (b"s3pPLMBiTxaQ9kYGzzhZRbK+xOO=", False)):
        response = ResponseHead(101, Headers([(b"Sec-WebSocket-Accept", value)]))
        assert is_accepted(request, response) is accepted
    assert not is_accepted(request, ResponseHead(101, Headers()))


def test_what_says_that_it_stands_is_a_success_with_what_is_left_to_say() -> None:
    response = established(
        ResponseHead(101, Headers([(b"Sec-WebSocket-Protocol", b"chat"), (b"Sec-WebSocket-Accept", b"x")]))
    )
    assert response.status == 200 and response.headers.lines == [b"Sec-WebSocket-Protocol: chat"]
    assert established(None).status == 200 and not established(None).headers.lines


def asking(*lines: bytes, method: bytes = b"GET", body: int = 0) -> RequestHead:
    return RequestHead(method, b"/", Headers.parsed([b"host: a", *lines]), b"a", body=body)


UPGRADE = (b"connection: upgrade", b"upgrade: websocket", b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==")


def test_what_asks_for_a_websocket() -> None:
    assert is_websocket(asking(*UPGRADE))
    assert not is_websocket(asking(*UPGRADE[:2])) and not is_websocket(asking(*UPGRADE[1:]))
    assert not is_websocket(asking(*UPGRADE, method=b"PUT")) and not is_websocket(asking(*UPGRADE, body=5))
    assert not is_websocket(asking(UPGRADE[0], b"upgrade: websocket, other", UPGRADE[2]))


OTHERS = [b"sec-websocket-protocol: chat", b"sec-websocket-accept: anothers"]


def test_a_key_is_proven_to_who_has_sent_it() -> None:
    head = as_switch(asking(*UPGRADE), ResponseHead(200, Headers.parsed(OTHERS)))
    assert head.status == 101 and is_accepted(asking(*UPGRADE), head)
    assert head.headers.index[b"sec-websocket-protocol"] == b"chat" and head.headers.index[b"upgrade"] == b"websocket"
    assert b"sec-websocket-key" not in without_key(asking(*UPGRADE)).headers.index
