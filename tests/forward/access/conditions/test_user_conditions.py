"""Conditions on who sends a request."""

import pytest

from tests.forward.access.conditions.asking import fits, request


@pytest.mark.parametrize(
    ("key", "value", "facts", "expected"),
    [
        ("users", ["alice", "bob"], {"user": "bob"}, True),
        ("users", ["alice"], {"user": "Alice"}, False),
        ("users", "*", {"user": "x"}, True),
        ("users", "*", {}, False),
        ("not_users", ["alice"], {}, True),
        ("not_users", ["alice"], {"user": "alice"}, False),
        ("groups", ["staff", "admin"], {"groups": frozenset({"admin", "x"})}, True),
        ("groups", ["staff"], {"groups": frozenset({"x"})}, False),
        ("groups", "*", {"groups": frozenset({"x"})}, True),
        ("groups", "*", {}, False),
        ("not_groups", "staff", {"groups": frozenset({"staff", "x"})}, False),
    ],
)
def test_what_a_condition_asks(key, value, facts, expected):
    assert fits(key, value, request(**facts)) is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1k", False),
        (1023, True),
        ("1023/day", True),
        ("9k/month", True),
        ("10k/month", False),
        (["1G", "1k/month"], True),
    ],
)
def test_use_is_asked_for_client_and_user(value, expected):
    asked = []

    def usage(client_ip, user, period):
        asked.append((client_ip, user))
        return {"day": 1024, "month": 10240}[period]

    assert fits("used_more_than", value, request(user="alice"), usage=usage) is expected
    assert set(asked) == {("127.0.0.1", "alice")}


def test_without_a_count_nobody_has_used_anything():
    assert not fits("used_more_than", "0", request())
