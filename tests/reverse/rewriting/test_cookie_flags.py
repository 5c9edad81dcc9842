"""Attributes of cookies that a route says."""

import pytest

from txproxy.errors import ConfigError
from txproxy.reverse.rewriting.cookie_flags import FLAGS, CookieFlags, flagged


@pytest.mark.parametrize(
    ("name", "flags", "line", "wanted"),
    [
        ("a", ["secure"], b"Set-Cookie: a=1", b"Set-Cookie: a=1; Secure"),
        ("a", ["secure"], b"Set-Cookie: a=1; SECURE; Path=/", b"Set-Cookie: a=1; Path=/; Secure"),
        ("a", ["samesite=none"], b"Set-Cookie: a=1; SameSite=Strict", b"Set-Cookie: a=1; SameSite=None"),
        ("a", ["nosamesite"], b"Set-Cookie: a=1; samesite = strict ;HttpOnly", b"Set-Cookie: a=1;HttpOnly"),
        ("a", ["NoHttpOnly", "Secure"], b"Set-Cookie:a=1;httponly", b"Set-Cookie:a=1; Secure"),
        ("b", ["secure"], b"Set-Cookie: a=1", b"Set-Cookie: a=1"),
        ("A", ["secure"], b"Set-Cookie: a=1", b"Set-Cookie: a=1"),
        ("~a[0-9]", ["secure"], b"Set-Cookie: a1=1", b"Set-Cookie: a1=1; Secure"),
        ("~a[0-9]", ["secure"], b"Set-Cookie: a12=1", b"Set-Cookie: a12=1"),
        ("*", ["secure"], b"Set-Cookie: \xff=1", b"Set-Cookie: \xff=1; Secure"),
        ("*", ["secure"], b"Set-Cookie: ", b"Set-Cookie: ; Secure"),
    ],
)
def test_what_becomes_of_a_cookie(name, flags, line, wanted):
    assert flagged(line, [CookieFlags.parse(name, flags)]) == wanted


def test_the_first_that_is_for_it_counts():
    known = [CookieFlags.parse("a", ["nosecure"]), CookieFlags.parse("*", ["secure"])]
    assert flagged(b"Set-Cookie: a=1; secure", known) == b"Set-Cookie: a=1"
    assert flagged(b"Set-Cookie: b=1", known) == b"Set-Cookie: b=1; Secure"


@pytest.mark.parametrize(
    ("name", "flags"),
    [("a b", ["secure"]), ("", ["secure"]), ("~(", ["secure"]), ("a", ["samesite"]), ("a", ["secure", "nosecure"])],
)
def test_what_is_none_is_refused(name, flags):
    with pytest.raises(ConfigError, match="accepted"):
        CookieFlags.parse(name, flags)


def test_each_word_is_one():
    for word in FLAGS:
        assert CookieFlags.parse("*", [word]).drop
