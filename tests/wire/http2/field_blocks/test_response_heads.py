"""Heads of responses, out of field blocks."""

from __future__ import annotations

import pytest
from hpack import Encoder

from txproxy.errors import ResponseError
from txproxy.wire.http2.faults import StreamFault
from txproxy.wire.http2.field_blocks.response_heads import ResponseReader
from txproxy.wire.message import CHUNKED, ResponseHead
from txproxy.wire.size_limits import WireLimits


def read(status: int, *fields: tuple[bytes, bytes], method: bytes = b"GET", ended: bool = False) -> ResponseHead:
    block = Encoder().encode([(b":status", b"%d" % status), *fields])
    return ResponseReader().read(block, method, ended)


LENGTH = (b"content-length", b"5")


def test_a_response() -> None:
    head = read(404, (b"x", b"1"), (b"set-cookie", b"a"), (b"set-cookie", b"b"))
    assert (head.status, head.reason, head.body) == (404, b"", CHUNKED)
    assert head.headers.lines == [b"x: 1", b"set-cookie: a", b"set-cookie: b"]


# RFC 9110 6.4.1, RFC 9113 8.1
@pytest.mark.parametrize(
    ("status", "method", "ended", "body"),
    [
        (200, b"GET", False, 5),
        (200, b"HEAD", True, 0),
        (200, b"HEAD", False, 0),
        (304, b"GET", True, 0),
        (204, b"GET", True, 0),
        (103, b"GET", False, 0),
        (200, b"CONNECT", False, CHUNKED),
        (404, b"CONNECT", False, 5),
    ],
)
def test_how_long_a_body_is(status: int, method: bytes, ended: bool, body: int) -> None:
    assert read(status, LENGTH, method=method, ended=ended).body == body


def test_malformed_responses() -> None:
    for status, fields, ended in (
        (200, [LENGTH], True),
        (101, [], False),
        (103, [], True),
        (200, [(b"upgrade", b"x")], True),
    ):
        with pytest.raises(StreamFault):
            read(status, *fields, ended=ended)
    with pytest.raises(StreamFault):
        ResponseReader().read(Encoder().encode([(b"x", b"1")]), b"GET", True)
    with pytest.raises(StreamFault):
        ResponseReader().read_trailers(Encoder().encode([(b":status", b"200")]))


def test_what_is_too_large() -> None:
    small = ResponseReader(WireLimits(max_head=100))
    with pytest.raises(ResponseError):
        small.read(Encoder().encode([(b":status", b"200"), (b"x", b"y" * 100)]), b"GET", True)
    with pytest.raises(ResponseError):
        small.read_trailers(Encoder().encode([(b"x", b"y" * 100)]))


def test_what_repeats_has_the_same_fields_until_the_table_changes() -> None:
    reader, encoder = ResponseReader(), Encoder()
    fields = [(b":status", b"200"), (b"x", b"1")]
    first, again = encoder.encode(fields), encoder.encode(fields)
    reader.read(first, b"GET", True)
    one, two = (reader.read(again, b"GET", True) for _ in range(2))
    assert one.headers is two.headers
    reader.read(encoder.encode([(b":status", b"200"), (b"y", b"2")]), b"GET", True)
    # The same bytes mean another field now.
    assert reader.read(again, b"GET", True).headers.lines == [b"y: 2"]
    assert reader.read_trailers(encoder.encode([(b"x", b"1")])).lines == [b"x: 1"]


def test_what_trailers_do_to_the_table_ends_what_is_remembered() -> None:
    reader, encoder = ResponseReader(), Encoder()
    fields = [(b":status", b"200"), (b"x", b"1")]
    for block in (encoder.encode(fields), again := encoder.encode(fields)):
        reader.read(block, b"GET", True)
    reader.read_trailers(encoder.encode([(b"y", b"2")]))
    assert reader.read(again, b"GET", True).headers.lines == [b"y: 2"]
