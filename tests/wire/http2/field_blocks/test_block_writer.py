"""Writing field blocks."""

from __future__ import annotations

import pytest
from hpack import Decoder

from txproxy.wire.headers import Headers
from txproxy.wire.http2.field_blocks.block_writer import fields_block, request_block, response_block
from txproxy.wire.http2.field_blocks.field_entries import NeverIndexed
from txproxy.wire.message import RequestHead


def read(block: bytes) -> list[tuple[bytes, bytes]]:
    return [
        (bytes(name), bytes(value)) for name, value in Decoder(max_header_list_size=1 << 20).decode(block, raw=True)
    ]


def test_others_read_a_response() -> None:
    headers = Headers(
        [
            (b"Content-Type", b"text/html"),
            (b"X-Long", b"y" * 300),
            (b"Vary", b""),
            (b"accept-encoding", b"gzip, deflate"),
        ]
    )
    sent = [
        (b"content-type", b"text/html"),
        (b"x-long", b"y" * 300),
        (b"vary", b""),
        (b"accept-encoding", b"gzip, deflate"),
    ]
    for status in (200, 299, 404, 999):
        assert read(response_block(status, headers)) == [(b":status", b"%d" % status), *sent]


def test_the_block_hangs_on_the_fields() -> None:
    headers = Headers([(b"A", b"b")])
    assert headers.field_block is None
    block = response_block(200, headers)
    assert headers.field_block is not None and response_block(200, headers) == block == b"\x88" + headers.field_block


@pytest.mark.parametrize("name", [b"Connection", b"Keep-Alive", b"Proxy-Connection", b"Transfer-Encoding", b"Upgrade"])
def test_what_is_for_a_connection_of_http1_stays_there(name: bytes) -> None:
    # RFC 9113 8.2.2
    assert read(fields_block(Headers([(b"a", b"b"), (name, b"x")]))) == [(b"a", b"b")]


@pytest.mark.parametrize("name", [b"Authorization", b"Cookie", b"Set-Cookie", b"Proxy-Authorization"])
def test_secrets_go_into_no_table(name: bytes) -> None:
    # RFC 7541 7.1.3
    (found,) = Decoder().decode(fields_block(Headers([(name, b"x")])), raw=True)
    assert type(found).__name__ == "NeverIndexedHeaderTuple"


# RFC 7541 6.2.3
@pytest.mark.parametrize("line", [b"x-token: s", b"accept-encoding: gzip, deflate", b"etag: s", b"x: " + b"y" * 300])
def test_what_its_sender_wants_in_no_table_goes_into_none(line: bytes) -> None:
    # The same line without that may have been written before.
    open_, secret = (fields_block(Headers.from_lines([kind(line)])) for kind in (bytes, NeverIndexed))
    assert read(open_) == read(secret)
    ((one,), (other,)) = (Decoder().decode(block, raw=True) for block in (open_, secret))
    assert type(one).__name__ == "HeaderTuple" and type(other).__name__ == "NeverIndexedHeaderTuple"


def test_others_read_requests() -> None:
    headers = Headers([(b"X", b"1"), (b"Host", b"a:8080"), (b"TE", b"trailers")])
    fields = [(b":authority", b"a:8080"), (b"x", b"1"), (b"te", b"trailers")]
    head = RequestHead(b"GET", b"/b?c", headers, b"other")
    for _ in range(2):
        assert read(request_block(head, b"https")) == [
            (b":method", b"GET"), (b":scheme", b"https"), (b":path", b"/b?c"), *fields,
        ]  # fmt: skip
    connect = RequestHead(b"CONNECT", b"", headers, b"a:8080")
    assert read(request_block(connect, b"https")) == [(b":method", b"CONNECT"), *fields]
    # RFC 8441 4
    assert read(request_block(head, b"https", b"websocket")) == [
        (b":method", b"CONNECT"), (b":protocol", b"websocket"), (b":scheme", b"https"), (b":path", b"/b?c"), *fields,
    ]  # fmt: skip


def test_numbers_of_every_size() -> None:
    for size in (0, 126, 127, 128, 254, 255, 16383, 16384, 70000):
        assert read(fields_block(Headers([(b"x", b"y" * size)]))) == [(b"x", b"y" * size)]
