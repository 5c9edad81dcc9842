"""Addresses in the messages of SOCKS5 (RFC 1928 section 5)."""

from __future__ import annotations

import pytest

from txproxy.wire.socks import addresses

BEFORE = b"\x05\x01\x00"


@pytest.mark.parametrize(
    ("host", "sent"),
    [
        ("192.0.2.7", b"\x01\xc0\x00\x02\x07\x01\xbb"),
        ("2001:db8::1", b"\x04" + bytes.fromhex("20010db8000000000000000000000001") + b"\x01\xbb"),
        ("example.com", b"\x03\x0bexample.com\x01\xbb"),
        ("a" * 255, b"\x03\xff" + b"a" * 255 + b"\x01\xbb"),
    ],
)
def test_an_address_is_packed_and_its_end_is_found(host: str, sent: bytes) -> None:
    assert addresses.packed(host, 443) == sent
    assert sent[0] in addresses.TYPES
    message = BEFORE + sent
    assert addresses.end_of(message + b"tunnel") == len(message)


def test_where_a_name_ends_is_not_known_before_its_length() -> None:
    assert addresses.end_of(BEFORE + b"\x03") == 0
    assert addresses.end_of(BEFORE + b"\x03\x02") == 9


@pytest.mark.parametrize("host", ["", "a" * 256, "b\xfccher.example"])
def test_a_name_that_does_not_fit_is_refused(host: str) -> None:
    with pytest.raises(ValueError):
        addresses.packed(host, 443)


@pytest.mark.parametrize(
    ("kind", "data", "host"),
    [
        (1, b"\xc0\x00\x02\x07", "192.0.2.7"),
        (4, bytes(15) + b"\x01", "::1"),
        (3, b"\x0bExample.COM", "example.com"),
        (3, b"\x0b2001:DB8::1", "2001:db8::1"),
        (3, b"\x09fe80::1%1", ""),
        (3, b"\x03a b", ""),
        (3, b"\x00", ""),
        (3, b"\x02a:", ""),
    ],
)
def test_the_host_that_an_address_names(kind: int, data: bytes, host: str) -> None:
    assert addresses.host_of(kind, data) == host
