"""What is known of a field once it has come."""

from __future__ import annotations

import pytest

from txproxy.wire.http2.field_blocks import field_entries
from txproxy.wire.http2.field_blocks.field_entries import (
    AUTHORITY,
    CONNECTION_SPECIFIC,
    COOKIE,
    HOST,
    IN_PATHS,
    LENGTH,
    MALFORMED,
    METHOD,
    PATH,
    PATH_FORM,
    PLAIN,
    PROTOCOL,
    SCHEME,
    STATUS,
    UNKNOWN_PSEUDO,
    NeverIndexed,
    entry_of,
    never_indexed,
)


def test_one_that_is_to_be_in_no_table_is_the_same_but_for_that() -> None:
    open_, path, cookie = entry_of(b"x", b"y"), entry_of(b":path", b"/"), entry_of(b"cookie", b"a=1")
    secret = never_indexed(open_)
    assert secret == open_ and type(secret[1]) is NeverIndexed and type(open_[1]) is bytes
    assert never_indexed(path) is path and never_indexed(cookie) is cookie


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        (b"a", b"b", PLAIN),
        (b"a", b"", PLAIN),
        (b"a", b"b \tc\xff", PLAIN),
        (b"te", b"trailers", PLAIN),
        (b":method", b"GET", METHOD),
        (b":scheme", b"https", SCHEME),
        (b":authority", b"[::1]:80", AUTHORITY),
        (b":path", b"/a?b", PATH),
        (b":path", b"*", PATH),
        (b":protocol", b"websocket", PROTOCOL),
        (b":status", b"200", STATUS),
        (b"cookie", b"a=b", COOKIE),
        (b"content-length", b"12", LENGTH),
        (b"host", b"a", HOST),
        (b":other", b"x", UNKNOWN_PSEUDO),
    ],
)
def test_kinds_of_fields(name: bytes, value: bytes, kind: int) -> None:
    found, line, *rest = entry_of(name, value)
    assert (found, rest) == (kind, [name, value, len(name) + len(value) + 32])
    assert line == (b"host: " + value if kind == AUTHORITY else b"" if name[:1] == b":" else b"%b: %b" % (name, value))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"", b"x"),
        (b"A", b"x"),
        (b"a b", b"x"),
        (b"a:", b"x"),
        (b"a\r\nb", b"x"),
        (b"a\xff", b"x"),
        (b"a", b"x\r\ny: z"),
        (b"a", b"x\ny"),
        (b"a", b"x\0"),
        (b"a", b" x"),
        (b"a", b"x "),
        (b"a", b"\tx"),
        (b":method", b""),
        (b":method", b"G T"),
        (b":scheme", b"ftp"),
        (b":scheme", b"HTTPS"),
        (b":authority", b""),
        (b":authority", b"user@a"),
        (b":authority", b"a/b"),
        (b":authority", b"a:99999"),
        (b":path", b""),
        (b":path", b"a"),
        (b":path", b"http://a/"),
        (b":path", b"/a b"),
        (b":path", b"/a#b"),
        (b":path", b"/a\r\n"),
        (b":path", b"**"),
        (b":status", b"20"),
        (b":status", b"2000"),
        (b":status", b"099"),
        (b":protocol", b"web socket"),
        (b"content-length", b""),
        (b"content-length", b"-1"),
        (b"content-length", b"+1"),
        (b"content-length", b"007"),
        (b"content-length", b"1, 1"),
        (b"host", b"a, b"),
    ],
)
def test_what_http1_would_not_let_through_is_malformed(name: bytes, value: bytes) -> None:
    assert entry_of(name, value)[0] == MALFORMED


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"connection", b"close"),
        (b"keep-alive", b"x"),
        (b"proxy-connection", b"x"),
        (b"transfer-encoding", b"chunked"),
        (b"upgrade", b"h2c"),
        (b"te", b"gzip"),
        (b"te", b"trailers, gzip"),
    ],
)
def test_what_is_for_a_connection_of_http1_is_known(name: bytes, value: bytes) -> None:
    assert entry_of(name, value)[0] == CONNECTION_SPECIFIC


def test_kinds_fit_into_a_byte() -> None:
    kinds = {name: value for name, value in vars(field_entries).items() if name.isupper() and isinstance(value, int)}
    assert max(value for name, value in kinds.items() if not name.startswith("_")) < 256


def test_what_many_say_is_there_once() -> None:
    entries = [entry_of(b"user-agent", b"Mozilla/5.0 %d" % (number % 2)) for number in range(4)]
    assert entries[0] is entries[2] and entries[1] is entries[3] and entries[0] != entries[1]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"cookie", b"session=1"),
        (b"set-cookie", b"session=1"),
        (b"authorization", b"Basic Zm9v"),
        (b"proxy-authorization", b"Basic Zm9v"),
        (b"content-length", b"1234"),
        (b":path", b"/1"),
        (b"x", b"1" * 256),
    ],
)
def test_what_one_says_alone_or_is_long_is_kept_for_nobody_else(name: bytes, value: bytes) -> None:
    assert entry_of(name, value) is not entry_of(name, value)
    assert entry_of(name, value) == entry_of(name, value)


@pytest.mark.parametrize("byte", range(256))
def test_what_may_be_in_a_path_is_said_once_by_a_pattern_and_once_by_a_table(byte: int) -> None:
    path = b"/%c" % byte
    assert (path.translate(IN_PATHS) == path) is (PATH_FORM.fullmatch(path) is not None)
