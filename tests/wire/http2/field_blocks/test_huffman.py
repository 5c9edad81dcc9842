"""The Huffman code of RFC 7541."""

from __future__ import annotations

import pytest
from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
from hypothesis import given
from hypothesis import strategies as st

from txproxy.wire.http2.faults import COMPRESSION_ERROR, ConnectionFault
from txproxy.wire.http2.field_blocks import huffman

OTHER = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH)


# RFC 7541 C.4 and C.6
@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        (b"www.example.com", "f1e3c2e5f23a6ba0ab90f4ff"),
        (b"no-cache", "a8eb10649cbf"),
        (b"custom-key", "25a849e95ba97d7f"),
        (b"Mon, 21 Oct 2013 20:13:21 GMT", "d07abe941054d444a8200595040b8166e082a62d1bff"),
        (b"", ""),
    ],
)
def test_what_the_rfc_shows_is_read_and_written(text: bytes, encoded: str) -> None:
    assert huffman.decode(bytes.fromhex(encoded)) == text
    assert huffman.encode(text).hex() == encoded


@given(st.binary(max_size=200))
def test_any_string_comes_back_and_is_what_others_write(text: bytes) -> None:
    encoded = huffman.encode(text)
    assert encoded == OTHER.encode(text)
    assert huffman.decode(encoded) == text


@pytest.mark.parametrize(
    "encoded",
    [
        "ff",  # RFC 7541 5.2: more than seven bits of filling
        "1fff",
        "1c",  # filled with something else than ones
        "3fffffff",  # the end of a string
        "fffffffc",
        "f1e3c2e5f23a6ba0ab90f4",  # within a code
    ],
)
def test_what_is_no_string_is_refused(encoded: str) -> None:
    with pytest.raises(ConnectionFault) as found:
        huffman.decode(bytes.fromhex(encoded))
    assert found.value.code == COMPRESSION_ERROR
