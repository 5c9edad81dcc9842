"""Reading field blocks, and the table that they use."""

from __future__ import annotations

import random

import pytest
from hpack import Encoder
from hypothesis import given
from hypothesis import strategies as st

from txproxy.wire.http2.faults import COMPRESSION_ERROR, ConnectionFault
from txproxy.wire.http2.field_blocks.block_reader import MOST_FIELDS, BlockReader
from txproxy.wire.http2.field_blocks.field_entries import NeverIndexed


def fields(reader: BlockReader, block: bytes) -> list[tuple[bytes, bytes]]:
    return [(entry[2], entry[3]) for entry in reader.read(block)]


# RFC 7541 6.2.3
def test_it_is_remembered_what_is_to_be_in_no_table() -> None:
    lines = [entry[1] for entry in BlockReader().read(b"\x10\x01x\x01y\0\x01x\x01y\x1f\x13\x01y\x14\x01/")]
    assert lines == [b"x: y", b"x: y", b"etag: y", b""]
    assert [type(line) is NeverIndexed for line in lines] == [True, False, True, False]


# RFC 7541 C.3 and C.4: the same three requests on one connection, without and with the Huffman code
@pytest.mark.parametrize(
    "blocks",
    [
        (
            "828684410f7777772e6578616d706c652e636f6d",
            "828684be58086e6f2d6361636865",
            "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
        ),
        (
            "828684418cf1e3c2e5f23a6ba0ab90f4ff",
            "828684be5886a8eb10649cbf",
            "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
        ),
    ],
)
def test_the_requests_that_the_rfc_shows(blocks: tuple[str, str, str]) -> None:
    reader = BlockReader()
    first, second, third = (fields(reader, bytes.fromhex(block)) for block in blocks)
    authority = (b":authority", b"www.example.com")
    begin = [(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/")]
    assert first == [*begin, authority]
    assert second == [*begin, authority, (b"cache-control", b"no-cache")]
    assert third == [
        (b":method", b"GET"), (b":scheme", b"https"), (b":path", b"/index.html"), authority,
        (b"custom-key", b"custom-value"),
    ]  # fmt: skip


def test_what_makes_no_room_in_the_table_is_read_all_the_same() -> None:
    # RFC 7541 C.5: a table of 256 bytes, which evicts
    reader = BlockReader(256)
    reader.read(bytes.fromhex("4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d54"
                              "6e1768747470733a2f2f7777772e6578616d706c652e636f6d"))  # fmt: skip
    assert fields(reader, bytes.fromhex("4803333037c1c0bf"))[:2] == [
        (b":status", b"307"),
        (b"cache-control", b"private"),
    ]
    large = b"\x40\x01a\x7f\x81\x01" + b"x" * 256
    assert fields(reader, large) == [(b"a", b"x" * 256)]
    # RFC 7541 4.4: it has emptied the table
    with pytest.raises(ConnectionFault):
        reader.read(b"\xbe")


@pytest.mark.parametrize("seed", range(20))
def test_others_write_what_is_read(seed: int) -> None:
    pick = random.Random(seed)
    encoder, reader = Encoder(), BlockReader()
    names = [b"a", b"x-long-name", b"cookie", b"accept", b":path", b"content-type", b":method"]
    for _ in range(100):
        sent = [(pick.choice(names), b"v%d" % pick.randrange(60)) for _ in range(pick.randrange(1, 12))]
        if pick.random() < 0.05:
            encoder.header_table_size = pick.choice([0, 100, 500, 4096])
        assert fields(reader, encoder.encode(sent, huffman=pick.random() < 0.7)) == sent


@pytest.mark.parametrize(
    ("block", "why"),
    [
        ("80", "names the field 0"),
        ("be", "names none"),
        ("ff8001", "names none"),
        ("ff8080808001", "too large"),
        ("7f8080808001", "too large"),
        ("40", "within a field"),
        ("4001", "within a string"),
        ("400161", "within a field"),
        ("40016105", "within a string"),
        ("4001ff", "within a field"),
        ("4081ff0161", "within a code"),
        ("823f", "within a field block"),
        ("8220", "within a field block"),
        ("3fe21f", "larger than was allowed"),
    ],
)
def test_what_is_no_block_ends_the_connection(block: str, why: str) -> None:
    with pytest.raises(ConnectionFault, match=why) as found:
        BlockReader().read(bytes.fromhex(block))
    assert found.value.code == COMPRESSION_ERROR


def test_a_change_of_size_is_no_field() -> None:
    reader = BlockReader()
    reader.read(b"\x40\x01a\x01b")
    assert fields(reader, b"\x20\x3f\xe1\x1f\x82") == [(b":method", b"GET")]
    with pytest.raises(ConnectionFault):
        reader.read(b"\xbe")


def test_changes_tell_whether_the_same_bytes_mean_the_same() -> None:
    reader = BlockReader()
    reader.read(b"\x82\x00\x01a\x01b\x10\x01c\x01d")
    assert reader.changes == 0
    reader.read(b"\x40\x01a\x01b")
    assert reader.changes == 1
    reader.read(b"\x20")
    assert reader.changes == 2


def test_where_a_path_is_that_goes_into_no_table() -> None:
    reader = BlockReader()
    reader.read(b"\x82\x04\x02/a\x86")
    assert reader.path_at == 2
    reader.read(b"\x82\x14\x02/a\x86")
    assert reader.path_at == 2
    for other in (b"\x82\x84", b"\x44\x02/a", b"\x05\x02/a", b""):
        reader.read(other)
        assert not reader.path_at


def test_a_bomb_of_fields_is_bounded() -> None:
    reader = BlockReader()
    reader.read(b"\x40\x01a\x7f\x81\x1e" + b"x" * 3968)
    assert len(reader.read(b"\xbe" * 60000)) == MOST_FIELDS
    # The table is what it was told to be.
    assert len(reader.read(b"\xbe")) == 1


@given(st.lists(st.binary(max_size=40), max_size=4))
def test_any_bytes_are_fields_or_a_fault(blocks: list[bytes]) -> None:
    reader = BlockReader()
    try:
        for block in blocks:
            for _, _, name, value, size in reader.read(block):
                assert size == len(name) + len(value) + 32
    except ConnectionFault as fault:
        assert fault.code == COMPRESSION_ERROR
