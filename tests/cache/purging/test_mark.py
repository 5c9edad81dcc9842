"""Tests of what a mark is about: URLs and hosts in one spelling, and what is none is refused."""

from __future__ import annotations

import pytest

from txproxy.cache.purging.mark import LONGEST, Kind, canonical, group_value
from txproxy.errors import ConfigError


@pytest.mark.parametrize(
    ("kind", "value", "compared"),
    [
        (Kind.URL, b"https://Example.COM/a?b=c", b"https://example.com:443/a?b=c"),
        (Kind.URL, b"HTTP://example.com", b"http://example.com:80/"),
        (Kind.URL, b"http://example.com?a=b", b"http://example.com:80/?a=b"),
        (Kind.URL, b"http://[2001:DB8::1]:8080/#part", b"http://[2001:db8::1]:8080/"),
        (Kind.PREFIX, b"http://example.com./img/20", b"http://example.com:80/img/20"),
        (Kind.HOST, b"Example.com", b"example.com"),
        (Kind.HOST, b"example.com:8443", b"example.com:8443"),
        (Kind.HOST, b"[::1]", b"[::1]"),
        (Kind.TAG, b"Product-7", b"Product-7"),
        (Kind.GROUP, group_value(b"https", b"a:443", b"g"), b"https://a:443 g"),
        (Kind.ALL, b"", b""),
        (Kind.ALL, b"whatever", b""),
        (Kind.KEY, b"k" * 32, b"k" * 32),
    ],
)
def test_a_value_is_compared_in_one_spelling(kind: Kind, value: bytes, compared: bytes) -> None:
    assert canonical(kind, value) == compared
    assert canonical(kind, compared) == compared


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        (Kind.URL, b"/path", "url: '/path' cannot be purged; accepted is a URL such as https://example.com/path"),
        (Kind.PREFIX, b"example.com/img", "prefix: 'example.com/img' cannot be purged; accepted is a URL such as"),
        (Kind.HOST, b"https://example.com/", "host: 'https://example.com/' cannot be purged; accepted is a host such"),
        (Kind.HOST, b"", "host: '' cannot be purged; accepted is a host such as example.com, or example.com:8443"),
        (Kind.KEY, b"short", "key: 'short' cannot be purged; accepted is one of 32 bytes"),
        (Kind.TAG, b"", "tag: '' cannot be purged; accepted is what is not empty"),
        (Kind.TAG, b"t" * (LONGEST + 1), "tag: 't.*...' cannot be purged; accepted is what is not longer than 16384"),
    ],
)
def test_what_is_none_is_told(kind: Kind, value: bytes, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        canonical(kind, value)
