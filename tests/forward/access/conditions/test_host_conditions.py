"""Conditions on where a request goes."""

import pytest

from tests.forward.access.conditions.asking import fits, request


@pytest.mark.parametrize(
    ("key", "value", "facts", "expected"),
    [
        ("hosts", "example.com", {"host": "Example.com."}, True),
        ("hosts", "example.com", {"host": "www.example.com"}, False),
        ("hosts", "*.Example.com", {"host": "a.b.example.com"}, True),
        ("hosts", "*.example.com", {"host": "example.com"}, False),
        ("hosts", ".example.com", {"host": "example.com"}, True),
        ("hosts", [".bücher.example"], {"host": "www.xn--bcher-kva.example"}, True),
        ("hosts", "127.0.0.1", {"host": "0x7f.1"}, True),
        ("hosts", "[::ffff:7f00:1]", {"host": "127.0.0.1"}, True),
        ("hosts", "[::1]", {"host": "0::1"}, True),
        ("hosts", r"~^ads?\d+\.", {"host": "Ad12.example.com"}, True),
        ("hosts", r"~^ads?\d+\.", {"host": "www.ad12.example.com"}, False),
        ("hosts", ["other", "~a{1,2}b$"], {"host": "xaab"}, True),
        ("hosts", ["other", "~a{1,2}b$"], {"host": "other"}, True),
        ("not_hosts", "~ads", {"host": "ads.example"}, False),
        ("not_hosts", ["a", "b"], {"host": "c"}, True),
        ("ports", [80, "8000-8999"], {"port": 80}, True),
        ("ports", [80, "8000-8999"], {"port": 8999}, True),
        ("ports", 443, {"port": 444}, False),
        ("not_ports", 443, {"port": 444}, True),
    ],
)
def test_what_a_condition_asks(key, value, facts, expected):
    assert fits(key, value, request(**facts)) is expected
