"""The PROXY protocol's headers."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.protocols.haproxy._v1parser import V1Parser
from twisted.protocols.haproxy._v2parser import V2Parser

from txproxy.wire.proxy_protocol import LONGEST, LONGEST_V1, ProxyHeader, header, read_header

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


def v2(code: int, kind: int, rest: bytes = b"", length: int | None = None) -> bytes:
    size = len(rest) if length is None else length
    return SIGNATURE + bytes([code, kind]) + size.to_bytes(2, "big") + rest


IPV4 = bytes([192, 0, 2, 1, 198, 51, 100, 2]) + b"\x01\x00\x01\xbb"
IPV6 = ipaddress.ip_address("2001:db8::1").packed + ipaddress.ip_address("2001:db8::2").packed + b"\xff\xff\x00\x50"
ENDS_4 = (("192.0.2.1", 256), ("198.51.100.2", 443))
ENDS_6 = (("2001:db8::1", 65535), ("2001:db8::2", 80))


@pytest.mark.parametrize(
    ("data", "source", "destination"),
    [
        (b"PROXY TCP4 192.0.2.1 198.51.100.2 256 443\r\n", *ENDS_4),
        (b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", *(("255.255.255.255", 65535),) * 2),
        (b"PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", *(("0.0.0.0", 0),) * 2),
        (b"PROXY TCP6 2001:db8::1 2001:DB8:0:0::2 65535 80\r\n", *ENDS_6),
        (b"PROXY TCP6 ::ffff:192.0.2.1 ::ffff:c633:6402 256 443\r\n", *ENDS_4),
        (b"PROXY UNKNOWN\r\n", None, None),
        (b"PROXY UNKNOWN \r\n", None, None),
        (b"PROXY UNKNOWN ffff::1 \x00\xff whatever\r\n", None, None),
        (b"PROXY UNKNOWN " + b"f" * (LONGEST_V1 - 16) + b"\r\n", None, None),
        (v2(0x21, 0x11, IPV4), *ENDS_4),
        (v2(0x21, 0x21, IPV6), *ENDS_6),
        (v2(0x21, 0x11, IPV4 + b"\x04\x00\x02ab"), *ENDS_4),
        (v2(0x21, 0x11, IPV4 + b"no TLV"), *ENDS_4),
        (v2(0x21, 0x11, IPV4 + bytes(LONGEST - 28)), *ENDS_4),
        (v2(0x21, 0x21, ipaddress.ip_address("::ffff:192.0.2.1").packed * 2 + IPV6[32:]), ("192.0.2.1", 65535),
         ("192.0.2.1", 80)),
        (v2(0x20, 0x00), None, None),
        (v2(0x20, 0x11, IPV4), None, None),
        (v2(0x20, 0x11, b"xyz"), None, None),
        (v2(0x20, 0xFF, b"xyz"), None, None),
        (v2(0x21, 0x00), None, None),
        (v2(0x21, 0x00, b"abc"), None, None),
        (v2(0x21, 0x01, IPV4), None, None),
        (v2(0x21, 0x10, IPV4), None, None),
        (v2(0x21, 0x12, IPV4), None, None),
        (v2(0x21, 0x22, IPV6), None, None),
        (v2(0x21, 0x31, b"a".ljust(108, b"\0") * 2), None, None),
    ],
)  # fmt: skip
def test_headers(data: bytes, source: object, destination: object) -> None:
    read = ProxyHeader(len(data), source, destination)  # type: ignore[arg-type]
    assert read_header(data) == read
    # What follows is not its own, and nothing is said before it is complete.
    for following in (b"\r\n", b"GET / HTTP/1.1\r\n\r\n", data, bytes(5000)):
        assert read_header(data + following) == read
    for size in range(len(data)):
        assert read_header(data[:size]) is None


@pytest.mark.parametrize(
    ("data", "why"),
    [
        *[(data, "something else") for data in (b"G", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01", b"PROXY\r\n", b"\n")],
        *[(data, "something else") for data in (b"proxy TCP4", b"PROXY\t", b"\r\n\r\nG", b" PROXY", b"P ROXY")],
        *[
            (b"PROXY " + rest + b"\r\n", "malformed")
            for rest in [
                *[b"", b"TCP4", b"TCP4 ", b"TCP5 1.1.1.1 1.1.1.1 1 1", b"tcp4 1.1.1.1 1.1.1.1 1 1", b"UNKNOWNS"],
                *[b" TCP4 1.1.1.1 1.1.1.1 1 1", b"TCP4  1.1.1.1 1.1.1.1 1 1", b"TCP4 1.1.1.1 1.1.1.1 1 1 "],
                *[b"TCP4 1.1.1.1 1.1.1.1 1", b"TCP4 1.1.1.1 1.1.1.1 1 1 1", b"TCP4 ::1 ::1 1 1"],
                *[b"TCP4 1.1.1.1 1.1.1.1 01 1", b"TCP4 1.1.1.1 1.1.1.1 1 00", b"TCP4 1.1.1.1 1.1.1.1 +1 1"],
                *[b"TCP4 1.1.1.1 1.1.1.1 -1 1", b"TCP4 1.1.1.1 1.1.1.1 1 123456", b"TCP4 1.1.1.1 1.1.1.1 a 1"],
                *[b"TCP6 [::1] ::1 1 1", b"TCP6 fe80::1%1 ::1 1 1", b"TCP4 localhost 1.1.1.1 1 1", b"TCP4\t1.1.1.1"],
                *[b"TCP4 1.1.1.1 1.1.1.1 1 1\nGET / HTTP/1.1", b"TCP4 1.1.1.1 1.1.1.1 1 1\r", b"UNKNOWN\n"],
                *[b"UNKNOWN a\nb", b"UNKNOWN\r", b"UDP4 1.1.1.1 1.1.1.1 1 1"],
            ]
        ],
        *[
            (b"PROXY TCP%b\r\n" % rest, ".")
            for rest in [
                *[b"4 1.1.1.256 1.1.1.1 1 1", b"4 1.1.1.01 1.1.1.1 1 1", b"4 1.1.1 1.1.1.1 1 1", b"4 . . 1 1"],
                *[b"6 1.1.1.1 1.1.1.1 1 1", b"6 ::1 :::1 1 1", b"6 1::1::1 ::1 1 1", b"6 12345::1 ::1 1 1"],
                *[b"4 1.1.1.1 1.1.1.1 65536 1", b"4 1.1.1.1 1.1.1.1 1 99999"],
            ]
        ],
        (b"PROXY UNKNOWN " + b"f" * (LONGEST_V1 - 14), "no end of its line"),
        (b"PROXY UNKNOWN " + b"f" * (LONGEST_V1 - 15) + b"\r\n", "no end of its line"),
        (SIGNATURE + b"\x11", "version or command"),
        (SIGNATURE + b"\x31", "version or command"),
        (SIGNATURE + b"\x22", "version or command"),
        (SIGNATURE + b"\x01", "version or command"),
        (v2(0x21, 0x41, IPV4), "family or protocol"),
        (v2(0x21, 0x13, IPV4), "family or protocol"),
        (v2(0x21, 0x11, IPV4[:11]), "too short"),
        (v2(0x21, 0x21, IPV6[:35]), "too short"),
        (v2(0x21, 0x21, IPV4), "too short"),
        (v2(0x21, 0x11, length=LONGEST - 15), "longer than"),
        (v2(0x20, 0x00, length=65535), "longer than"),
    ],
)
def test_what_is_no_header(data: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_header(data)
    with pytest.raises(ValueError, match=why):
        read_header(data + b" and more\r\n")


@pytest.mark.parametrize(
    ("data", "byte"),
    [(b"GET", 1), (b"PROXX", 5), (b"PROXY\r", 6), (b"\r\n\r\n\x00\r\nQUIX", 11), (SIGNATURE + b"\x10", 13)],
)
def test_what_cannot_become_a_header_is_refused_at_the_first_byte_that_says_so(data: bytes, byte: int) -> None:
    assert byte == len(data) or data == b"GET"
    for size in range(byte):
        assert read_header(data[:size]) is None
    with pytest.raises(ValueError):
        read_header(data[:byte])


def test_a_length_that_is_too_much_is_refused_before_it_has_come() -> None:
    assert read_header(v2(0x20, 0x00, length=LONGEST - 16)) is None
    with pytest.raises(ValueError):
        read_header(v2(0x20, 0x00, length=LONGEST - 15))


def test_building() -> None:
    assert header(1, *ENDS_4) == b"PROXY TCP4 192.0.2.1 198.51.100.2 256 443\r\n"
    assert header(1, *ENDS_6) == b"PROXY TCP6 2001:db8::1 2001:db8::2 65535 80\r\n"
    assert header(2, *ENDS_4) == v2(0x21, 0x11, IPV4)
    assert header(2, *ENDS_6) == v2(0x21, 0x21, IPV6)
    assert header(1, ("fe80::1%eth0", 1), ("::1", 2)) == b"PROXY TCP6 fe80::1 ::1 1 2\r\n"


def test_a_connection_without_addresses_tells_of_nobody() -> None:
    for ends in ((None, None), (ENDS_4[0], None), (None, ENDS_4[1])):
        assert header(1, *ends) == b"PROXY UNKNOWN\r\n"
        assert header(2, *ends) == v2(0x20, 0x00)


@pytest.mark.parametrize("version", [1, 2])
def test_two_families_are_told_as_one(version: int) -> None:
    mixed = header(version, ("192.0.2.1", 1), ("2001:db8::2", 2))
    assert (b"TCP6" in mixed) if version == 1 else (mixed[13] == 0x21)
    assert read_header(mixed) == ProxyHeader(len(mixed), ("192.0.2.1", 1), ("2001:db8::2", 2))
    mapped = header(version, ("::ffff:192.0.2.1", 256), ("::ffff:198.51.100.2", 443))
    assert mapped == header(version, *ENDS_4)


@pytest.mark.parametrize(
    ("version", "source"), [(0, ENDS_4[0]), (3, ENDS_4[0]), (1, ("a", 1)), (2, ("192.0.2.1", 65536)), (1, ("::1", -1))]
)
def test_what_cannot_be_told_is_a_value_error(version: int, source: tuple[str, int]) -> None:
    with pytest.raises(ValueError):
        header(version, source, ENDS_4[1])


ADDRESSES = st.one_of(
    st.tuples(st.ip_addresses(v=4), st.ip_addresses(v=4)), st.tuples(st.ip_addresses(v=6), st.ip_addresses(v=6))
).map(lambda pair: (str(pair[0]), str(pair[1])))
PORTS = st.tuples(st.integers(0, 65535), st.integers(0, 65535))


@given(st.sampled_from([1, 2]), ADDRESSES, PORTS, st.binary(max_size=20))
def test_what_is_built_is_read_here_and_by_twisted(
    version: int, addresses: tuple[str, str], ports: tuple[int, int], following: bytes
) -> None:
    source, destination = zip(addresses, ports, strict=True)
    built = header(version, source, destination)
    assert len(built) <= (LONGEST_V1 if version == 1 else 52)
    read = read_header(built + following)
    assert read is not None and read.size == len(built)
    other = (V1Parser if version == 1 else V2Parser).parse(built.removesuffix(b"\r\n") if version == 1 else built)
    for end, told, theirs in ((source, read.source, other.source), (destination, read.destination, other.destination)):
        assert told is not None and told[1] == end[1] == theirs.port
        address = ipaddress.ip_address(end[0])
        assert ipaddress.ip_address(told[0]) == (getattr(address, "ipv4_mapped", None) or address)
        assert ipaddress.ip_address(theirs.host) in (address, ipaddress.ip_address(told[0]))


BEGINNINGS = [
    b"PROXY ",
    b"PROXY TCP4 1.1.1.1 ",
    b"PROXY TCP6 ::1 ",
    b"PROXY UNKNOWN",
    SIGNATURE,
    SIGNATURE + b"\x21\x11",
]


@given(st.sampled_from([b"", *BEGINNINGS]), st.binary(max_size=150))
def test_no_bytes_raise_anything_else_and_more_bytes_change_no_verdict(beginning: bytes, data: bytes) -> None:
    whole = beginning + data
    verdict: object = None
    for size in range(len(whole) + 1):
        try:
            now: object = read_header(whole[:size])
        except ValueError:
            now = ValueError
        assert verdict is None or now == verdict
        verdict = now
