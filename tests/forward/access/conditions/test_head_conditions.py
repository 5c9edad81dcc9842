"""Conditions on what a request says."""

import pytest

from tests.forward.access.conditions.asking import fits, request


@pytest.mark.parametrize(
    ("key", "value", "facts", "expected"),
    [
        ("methods", ["get", "POST"], {}, True),
        ("methods", "POST", {}, False),
        ("methods", "GET", {"method": b"HEAD"}, True),
        ("methods", "purge", {"method": b"purge"}, True),
        ("methods", "purge", {"method": b"PURGE"}, False),
        ("methods", "HEAD", {}, False),
        ("schemes", ["HTTP"], {}, True),
        ("schemes", "connect", {"method": b"CONNECT", "scheme": None, "port": 443}, True),
        ("schemes", "https", {"method": b"CONNECT", "scheme": None, "port": 443}, False),
        ("not_schemes", "http", {}, False),
        ("url", "http://example.com/private/*", {"path": "/private/x"}, True),
        ("url", "http://example.com/private/*", {"path": "/%70rivate//x"}, True),
        ("url", "http://example.com/private/*", {"path": "/Private/x"}, False),
        ("url", ["*/x", r"~^http://.*\.exe(\?|$)"], {"path": "/y.exe?z"}, True),
        ("url", "~(?i)private", {"path": "/PRIVATE"}, True),
        ("not_url", "http://example.com/private/*", {"path": "/private/x"}, False),
        ("headers", {"User-Agent": "*curl*"}, {"headers": [(b"user-agent", b"x curl/8")]}, True),
        ("headers", {"User-Agent": "curl"}, {"headers": [(b"User-Agent", b"x curl/8")]}, False),
        ("headers", {"User-Agent": "~curl/[0-9]"}, {"headers": [(b"User-Agent", b"x curl/8")]}, True),
        ("headers", {"X-A": "*"}, {}, False),
        ("headers", {"X-A": True}, {"headers": [(b"x-a", b"")]}, True),
        ("headers", {"X-A": False}, {"headers": [(b"x-a", b"")]}, False),
        ("headers", {"X-A": False, "X-B": "b"}, {"headers": [(b"X-B", b"b")]}, True),
        ("headers", {"X-A": "1", "X-B": "2"}, {"headers": [(b"X-B", b"2")]}, False),
    ],
)
def test_what_a_condition_asks(key, value, facts, expected):
    assert fits(key, value, request(**facts)) is expected


@pytest.mark.parametrize(
    ("key", "value", "path", "one", "every"),
    [
        ("url", "http://example.com/private/*", "/private/x", True, True),
        ("url", "http://example.com/private/*", "//private/x", True, False),
        ("url", "http://example.com/private/*", "/%2fprivate/x", True, False),
        ("url", "http://example.com/private/*", "/x/..%2fprivate/x", True, False),
        ("url", "http://example.com/private/*", "/private/x/..;/../y", True, False),
        ("url", "http://example.com/private/*", "/private%2fx", True, False),
        ("url", "http://example.com/private/*", "/private//x", True, True),
        ("url", "http://example.com/private/*", "/other//x", False, False),
        ("url", "~/private/", "/private//x", True, True),
        ("url", "~^http://[^/]+/private/", "//private/x", True, False),
        ("url", ["http://example.com/private/*", "http://example.com//private/*"], "//private/x", True, True),
        ("not_url", "http://example.com/private/*", "//private/x", True, False),
        ("not_url", "http://example.com/private/*", "/private//x", False, False),
        ("not_url", "http://example.com/private/*", "/other", True, True),
    ],
)
def test_one_reading_is_enough_to_refuse_and_all_are_needed_to_allow(key, value, path, one, every):
    facts = request(path=path)
    assert fits(key, value, facts) is one
    assert fits(key, value, facts, every=True) is every
