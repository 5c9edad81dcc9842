from __future__ import annotations

import itertools
import re

import pytest

from txproxy.wire import grammar

LONG = 65536


@pytest.mark.parametrize("token", [b"a", b"!#$%&'*+-.^_`|~09AZaz"])
def test_a_token_is_made_of_tchar(token: bytes) -> None:
    assert grammar.TOKEN.fullmatch(token)


def test_no_other_byte_but_alphanumerics_is_in_a_token() -> None:
    in_a_token = {byte for byte in range(256) if grammar.TOKEN.fullmatch(bytes([byte]))}
    assert in_a_token == {byte for byte in range(256) if bytes([byte]).isalnum() or byte in b"!#$%&'*+-.^_`|~"}


def test_no_control_is_in_a_field_value() -> None:
    for control in (*range(9), *range(10, 32), 127):
        assert not grammar.FIELD_VALUE.fullmatch(b"a%cb" % control), control
        assert not grammar.FIELD_LINE.fullmatch(b"A: a%cb" % control), control


@pytest.mark.parametrize("value", [b"", b"a", b"a b\tc", b"\x80\xff", b'"', b"a: b"])
def test_a_field_value_has_visible_bytes_at_its_ends(value: bytes) -> None:
    assert grammar.FIELD_VALUE.fullmatch(value)
    assert not grammar.FIELD_VALUE.fullmatch(value + b" ")
    assert not grammar.FIELD_VALUE.fullmatch(b"\t" + value)


def test_the_plain_pattern_takes_lines_that_need_no_change() -> None:
    match = grammar.REQUEST_PLAIN.match(b"GET /a HTTP/1.1\r\nA: b\r\nC: d e\r\n\r\nmore")
    assert match is not None
    assert match.groups() == (b"GET", b"/a", b"1", b"\r\nA: b\r\nC: d e")
    assert match.string[match.end() :] == b"more"


@pytest.mark.parametrize("line", [b"A:b", b"A:  b", b"A: b ", b"A: b\t", b"A:\tb", b"A:", b"A: "])
def test_only_the_full_pattern_takes_white_space_that_is_to_be_removed(line: bytes) -> None:
    for plain, full, start in (
        (grammar.REQUEST_PLAIN, grammar.REQUEST_FULL, b"GET / HTTP/1.1"),
        (grammar.RESPONSE_PLAIN, grammar.RESPONSE_FULL, b"HTTP/1.1 200 OK"),
    ):
        head = start + b"\r\n" + line + b"\r\n\r\n"
        assert not plain.match(head)
        assert full.match(head)


@pytest.mark.parametrize("line", [b" A: b", b"A : b", b": b", b"A", b"A: \0", b"A: b\rC: d", b"A: b\nC: d", b""])
def test_neither_pattern_takes_a_malformed_line(line: bytes) -> None:
    head = b"GET / HTTP/1.1\r\nA: b\r\n" + line + b"\r\nC: d\r\n\r\n"
    for pattern in (grammar.REQUEST_PLAIN, grammar.REQUEST_FULL):
        match = pattern.match(head)
        # The empty line ends the head; nothing else may.
        assert (match is None) == (line != b"")


def test_a_head_ends_at_the_first_empty_line() -> None:
    head = b"GET / HTTP/1.1\r\nA: b\r\n\r\n"
    for pattern in (grammar.REQUEST_PLAIN, grammar.REQUEST_FULL):
        match = pattern.match(head + head)
        assert match is not None
        assert match.end() == len(head)


def test_a_target_has_no_control_space_fragment_or_raw_non_ascii() -> None:
    taken = {byte for byte in range(256) if grammar.REQUEST_LINE.fullmatch(b"GET /%c HTTP/1.1" % byte)}
    assert taken == set(range(0x21, 0x7F)) - {0x23}


@pytest.mark.parametrize("version", [b"1.0", b"1.1", b"1.2", b"1.9"])
def test_the_versions_of_one_major_are_known(version: bytes) -> None:
    assert grammar.REQUEST_LINE.fullmatch(b"GET / HTTP/" + version)
    assert grammar.STATUS_LINE.fullmatch(b"HTTP/" + version + b" 200 OK")


@pytest.mark.parametrize("version", [b"0.9", b"1.10", b"01.1", b"2.0", b"2", b"1,1", b"1.1 ", b""])
def test_others_are_not(version: bytes) -> None:
    assert not grammar.REQUEST_LINE.fullmatch(b"GET / HTTP/" + version)
    assert not grammar.STATUS_LINE.fullmatch(b"HTTP/" + version + b" 200 OK")


@pytest.mark.parametrize("data", [b"a\0", b"a\nb", b"\n", b"a\r\n\nb", b"a\r\r\n", b"a\rb"])
def test_a_stray_control_is_found(data: bytes) -> None:
    assert grammar.STRAY_CONTROL.search(data)


@pytest.mark.parametrize("data", [b"", b"a\r\nb\r\n", b"a\r", b"\r\n\r\n", b"a\r\n\r"])
def test_crlf_and_a_cr_at_the_end_are_not_stray(data: bytes) -> None:
    assert not grammar.STRAY_CONTROL.search(data)


def test_a_line_feed_is_seen_with_the_byte_before_the_place_where_the_search_begins() -> None:
    assert not grammar.STRAY_CONTROL.search(b"a\r\n", 2)
    assert grammar.STRAY_CONTROL.search(b"ab\n", 2)


def test_what_is_stray_is_found_where_it_is_whatever_is_around_it() -> None:
    plainly = re.compile(rb"\x00|\r(?!\n|\Z)|(?<!\r)\n")
    for size in range(6):
        for octets in itertools.product(b"\x00\r\na", repeat=size):
            data = bytes(octets)
            for at in range(size + 1):
                found, there = grammar.STRAY_CONTROL.search(data, at), plainly.search(data, at)
                assert (found and found.span()) == (there and there.span()), (data, at)


@pytest.mark.parametrize("length", [b"0", b"10", b"9" * 18])
def test_a_length_is_digits(length: bytes) -> None:
    assert grammar.CONTENT_LENGTH.fullmatch(length)


@pytest.mark.parametrize(
    "length", [b"", b"+1", b"-1", b" 1", b"1 ", b"1,1", b"0x1", b"1_0", b"\xd9\xa1", b"1\n", b"9" * 19]
)
def test_a_length_is_nothing_else(length: bytes) -> None:
    assert not grammar.CONTENT_LENGTH.fullmatch(length)


@pytest.mark.parametrize("line", [b"0", b"aF", b"1;a", b"1 ; a", b"1;a=b", b'1;a="b;\\"c"', b"1;a = b;c", b'1;a=""'])
def test_a_chunk_line_has_a_size_and_extensions(line: bytes) -> None:
    match = grammar.CHUNK_SIZE.fullmatch(line + b"\r\n")
    assert match is not None
    assert match[1] == line.split(b";")[0].strip()


@pytest.mark.parametrize(
    "line", [b"", b"g", b"-1", b"0x1", b" 1", b"1 ", b"1;", b"1;;a", b"1;a=", b'1;a="', b'1;a="\\"', b"1 a", b"f" * 16]
)
def test_a_chunk_line_has_nothing_else(line: bytes) -> None:
    assert not grammar.CHUNK_SIZE.fullmatch(line + b"\r\n")


UNITS = [
    b"a",
    b" ",
    b"\t ",
    b":",
    b"a: b\r\n",
    b"a:\r\n",
    b"a: b \r\n",
    b"\r\n",
    b";a=b",
    b";a",
    b'\\"',
    b" ;",
    b"%41",
    b"!",
]
ENDS = [b"", b"\r\n", b"\r\n\r\n", b" \r\n\r\n", b"\x01\r\n\r\n", b"\n", b"\0"]


@pytest.mark.parametrize(
    ("pattern", "start"),
    [
        (grammar.REQUEST_PLAIN, b"GET / HTTP/1.1\r\nA: "),
        (grammar.REQUEST_PLAIN, b"GET / HTTP/1.1\r\n"),
        (grammar.REQUEST_PLAIN, b""),
        (grammar.REQUEST_FULL, b"GET / HTTP/1.1\r\nA:"),
        (grammar.REQUEST_FULL, b"GET / HTTP/1.1\r\n"),
        (grammar.RESPONSE_PLAIN, b"HTTP/1.1 200 "),
        (grammar.RESPONSE_FULL, b"HTTP/1.1 200 OK\r\nA:"),
        (grammar.TRAILERS, b""),
        (grammar.TRAILERS, b"A:"),
        (grammar.FIELD_VALUE, b"a"),
        (grammar.CHUNK_SIZE, b"1"),
        (grammar.CHUNK_SIZE, b'1;a="'),
        (grammar.AUTHORITY, b""),
        (grammar.AUTHORITY, b"a:"),
        (grammar.ABSOLUTE, b"http"),
        (grammar.ABSOLUTE, b"http://"),
    ],
)
def test_long_input_is_decided_without_much_backtracking(pattern: grammar.Pattern, start: bytes) -> None:
    # With a pattern that backtracks in squares or worse this does not come to an end.
    for unit in UNITS:
        for end in ENDS:
            data = start + unit * (LONG // len(unit)) + end
            pattern.match(data)
            pattern.fullmatch(data)


@pytest.mark.parametrize(
    ("authority", "parts"),
    [
        (b"a", (None, b"a", None)),
        (b"a:1", (None, b"a", b"1")),
        (b"a:", (None, b"a", b"")),
        (b"[::1]:2", (b"::1", None, b"2")),
        (b"%41_~", (None, b"%41_~", None)),
    ],
)
def test_an_authority_is_host_and_port(authority: bytes, parts: tuple[bytes | None, ...]) -> None:
    match = grammar.AUTHORITY.fullmatch(authority)
    assert match is not None
    assert match.groups() == parts


@pytest.mark.parametrize(
    "authority", [b"", b":1", b"u@a", b"a b", b"a/b", b"[::1", b"::1", b"a:b", b"a:123456", b"%4", b"\xe9"]
)
def test_an_authority_is_nothing_else(authority: bytes) -> None:
    assert not grammar.AUTHORITY.fullmatch(authority)
