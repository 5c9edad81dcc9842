"""Whatever clients send stays in its place."""

import json

import pytest

from txproxy.observe.log_formats.escaping import (
    as_url,
    in_brackets,
    in_json,
    in_url,
    json_text,
    one_word,
    quoted,
    whole_url,
)

ALL = bytes(range(256))
WAYS = [quoted, one_word, in_url, as_url, in_brackets, in_json]


@pytest.mark.parametrize("way", WAYS)
def test_no_value_can_end_a_line_or_a_text_in_quotes(way):
    written = way(ALL)
    assert all(0x20 <= byte < 0x7F for byte in written)
    # A quote is either gone or behind its backslash.
    assert b'"' not in written.replace(b'\\"', b"")


@pytest.mark.parametrize("way", WAYS)
def test_most_values_stay_as_they_are(way):
    plain = b"GET/a-b_c.d?e=f&g:h+(i),;@!$*"
    assert way(plain) is plain and way(b"") == b""


def test_quotes_are_as_nginx_has_them():
    assert quoted(b'a "b" \\ \xff\n') == b"a \\x22b\\x22 \\x5C \\xFF\\x0A"
    assert one_word(b"a b") == b"a\\x20b"


def test_urls_and_brackets_are_as_squid_has_them():
    assert in_url(b"/a b%20<c>\xff") == b"/a%20b%20%3Cc%3E%FF"
    assert as_url(b"100%") == b"100%25"
    assert whole_url(b"http://a/b%20<'c'>\"~ \x7f\xff") == b"http://a/b%20<'c'>\"~%20%7F%FF"
    assert in_brackets(b"Bob [B.]\n") == b"Bob %5BB.%5D%0A"


def test_json_takes_any_bytes():
    assert json.loads(json_text(ALL)).startswith("\0\x01")
    assert json.loads(json_text("é".encode())) == "é"
    assert json.loads(b'"' + in_json(b'\xff"\n') + b'"') == '\\xff"\n'
