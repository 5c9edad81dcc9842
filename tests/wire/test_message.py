from __future__ import annotations

from collections import deque
from typing import Any

import pytest

from txproxy.wire.headers import Headers
from txproxy.wire.message import CHUNKED, END, UNTIL_CLOSE, EndOfMessage, RequestHead, ResponseHead, keep_waiting


def request(*fields: tuple[bytes, bytes], minor: int = 1) -> RequestHead:
    return RequestHead(b"GET", b"/", Headers(fields), minor=minor)


def test_no_length_is_one_of_the_other_framings() -> None:
    assert len({CHUNKED, UNTIL_CLOSE, 0}) == 3
    assert CHUNKED < 0
    assert UNTIL_CLOSE < 0


def test_a_request_has_no_body_and_keeps_the_connection_if_not_told() -> None:
    head = request()
    assert (head.body, head.keep_alive, head.minor, head.scheme, head.authority) == (0, True, 1, None, b"")


def test_a_response_has_no_body_and_keeps_the_connection_if_not_told() -> None:
    head = ResponseHead(200, Headers())
    assert (head.body, head.keep_alive, head.minor, head.reason) == (0, True, 1, b"")


@pytest.mark.parametrize("connection", [b"upgrade", b"Upgrade", b"keep-alive, Upgrade", b"UPGRADE,close"])
def test_an_upgrade_is_offered_in_two_fields(connection: bytes) -> None:
    assert request((b"Connection", connection), (b"Upgrade", b"websocket")).upgrade == b"websocket"


@pytest.mark.parametrize("protocols", [b"h3-like", b"IRC/6.9", b"https-ish", b"tlsish/1.0", b"connect-udp"])
def test_other_names_are_other_protocols(protocols: bytes) -> None:
    assert request((b"Connection", b"upgrade"), (b"Upgrade", protocols)).upgrade == protocols


def test_an_upgrade_that_connection_does_not_name_is_none() -> None:
    assert request((b"Upgrade", b"websocket")).upgrade is None
    assert request((b"Connection", b"close"), (b"Upgrade", b"websocket")).upgrade is None
    assert request((b"Connection", b"upgrade")).upgrade is None


def test_an_upgrade_of_http_1_0_is_none() -> None:
    # RFC 9110 section 7.8
    assert request((b"Connection", b"upgrade"), (b"Upgrade", b"websocket"), minor=0).upgrade is None


@pytest.mark.parametrize(
    "protocols",
    [
        b"h2c", b"H2C", b"websocket, h2c", b"h2c,websocket", b"h2", b"h2c-14", b"HTTP/2.0", b"http/1.1",
        b"websocket, HTTP/2", b"TLS/1.0", b"tls/1.2, HTTP/1.1", b"TLS",
    ],
)  # fmt: skip
def test_an_upgrade_to_what_carries_requests_is_none(protocols: bytes) -> None:
    # Requests within would go past the proxy's rules.
    assert request((b"Connection", b"Upgrade, HTTP2-Settings"), (b"Upgrade", protocols)).upgrade is None


@pytest.mark.parametrize("protocols", [b"", b",", b" ,"])
def test_an_upgrade_to_nothing_is_none(protocols: bytes) -> None:
    head = RequestHead(b"GET", b"/", Headers.from_lines([b"Connection: upgrade", b"Upgrade: " + protocols.strip()]))
    assert head.upgrade is None


def test_small_parts_that_wait_are_put_together() -> None:
    parts: deque[Any] = deque()
    large = b"x" * 1024
    for part in (b"ab", b"cd", b"ef", large, b"g", b"", b"h", END):
        keep_waiting(parts, part)
    assert [*parts] == [b"ab", b"cdef", large, b"gh", END] and parts[2] is large
    # What is joined has its bound, so that little is to be copied.
    for _ in range(4000):
        keep_waiting(parts, b"i")
    assert sum(map(len, [part for part in parts if part is not END])) == 5032 and max(map(len, [*parts][5:])) <= 1024


def test_the_end_without_trailers_is_one_object() -> None:
    assert isinstance(END, EndOfMessage)
    assert not END.trailers.lines


def test_heads_tell_what_they_are() -> None:
    assert "GET" in repr(request())
    assert "404" in repr(ResponseHead(404, Headers()))
    assert "A" in repr(EndOfMessage(Headers([(b"A", b"b")])))
