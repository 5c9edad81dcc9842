"""Heads of responses, out of field blocks."""

from __future__ import annotations

import pytest
from hpack import Encoder
from hypothesis import example, given
from hypothesis import strategies as st

from txproxy.errors import ResponseError
from txproxy.wire.http2.faults import ConnectionFault, StreamFault
from txproxy.wire.http2.field_blocks.response_heads import ResponseReader
from txproxy.wire.message import CHUNKED, UNTIL_CLOSE, ResponseHead
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
        (200, b"CONNECT", False, UNTIL_CLOSE),
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


def literal(name: bytes, value: bytes) -> bytes:
    return b"\x40" + bytes((len(name),)) + name + bytes((len(value),)) + value


def test_a_block_of_literals_alone_is_read_once_and_goes_on_to_fill_the_table() -> None:
    reader = ResponseReader()
    block = b"\x88" + literal(b"x", b"1") + literal(b"y", b"2")
    first = reader.read(block, b"GET", False)
    assert reader.read(block, b"GET", False).headers is first.headers
    # By then the table has y, x, y, x.
    lines = reader.read(b"\x88\xbe\xbf\xc0\xc1", b"GET", False).headers.lines
    assert lines == [b"y: 2", b"x: 1", b"y: 2", b"x: 1"]
    # A number that is not there any more is none.
    for _ in range(200):
        reader.read(block, b"GET", False)
    assert len(reader.read(b"\x88" + b"\xbe" * 3, b"GET", False).headers.lines) == 3


# Once the table has what one block adds to it and nothing else, that changes nothing more.
@example([0, *[1] * 40, 3, 1, 3])
@example([*[2] * 150, 3, 2, 2, 3])
@example([0, 1] * 30)
@given(st.lists(st.integers(0, 5), max_size=60))
def test_what_was_read_before_does_to_the_table_what_it_did_the_first_time(which: list[int]) -> None:
    blocks = [
        b"\x88" + literal(b"a", b"x" * 100),
        b"\x88" + literal(b"b", b"y" * 100) + literal(b"c", b"z"),
        b"\x88" + literal(b"d", b""),
        b"\x88\xbe",
        b"\x88\x7e\x01n",
        b"\x3f\x81\x01\x88" + literal(b"e", b"f"),
    ]
    remembering, plain = ResponseReader(), ResponseReader()
    for number in which:
        plain._known.clear()
        plain._always.clear()
        results = []
        for reader in (remembering, plain):
            try:
                results.append(reader.read(blocks[number], b"GET", False).headers.lines)
            except ConnectionFault as fault:
                results.append([str(fault).encode()])
        assert results[0] == results[1]
        assert remembering._reader._entries == plain._reader._entries
        assert remembering._reader._size == plain._reader._size


def test_what_has_no_place_after_a_body_does_not_pass() -> None:
    fields = [(b"set-cookie", b"a=b"), (b"t", b"1"), (b"content_type", b"a/b"), (b"grpc-status", b"0"), (b"x_y", b"2")]
    found = ResponseReader().read_trailers(Encoder().encode(fields))
    assert found.lines == [b"t: 1", b"grpc-status: 0", b"x_y: 2"]
