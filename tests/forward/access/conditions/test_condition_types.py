"""All types of conditions: what each is called, and what an explanation says of a request by it."""

import datetime
from operator import attrgetter

import pytest

from tests.forward.access.conditions.asking import BY_KEY, request
from txproxy.forward.access.conditions.condition_type import Surroundings
from txproxy.forward.access.conditions.condition_types import CONDITION_TYPES


def test_each_has_a_name_of_its_own_in_the_order_of_the_documentation():
    assert [one.key for one in CONDITION_TYPES] == [
        "clients", "users", "groups", "hosts", "addresses", "ports", "methods", "schemes", "url", "headers", "hours",
        "days", "used_more_than", "matches",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("key", "given", "said"),
    [
        ("clients", {}, "client 127.0.0.1"),
        ("users", {"user": "alice"}, "user alice"),
        ("users", {}, "user (none)"),
        ("groups", {"groups": frozenset({"b", "a"})}, "group a b"),
        ("groups", {}, "group (none)"),
        ("hosts", {}, "host example.com"),
        ("addresses", {"addresses": ("10.0.0.1", "10.0.0.2")}, "address 10.0.0.1 10.0.0.2"),
        ("addresses", {"host": "192.0.2.1"}, "address 192.0.2.1"),
        ("addresses", {}, "address (none)"),
        ("ports", {}, "port 80"),
        ("methods", {}, "method GET"),
        ("schemes", {"method": b"CONNECT", "scheme": None, "port": 443}, "scheme connect"),
        ("url", {"path": "/x?y"}, "URL http://example.com/x?y"),
        ("headers", {}, "the head"),
        ("hours", {}, "time 09:05"),
        ("days", {}, "day mon"),
        ("used_more_than", {"user": "alice"}, "what alice has used"),
        ("used_more_than", {}, "what 127.0.0.1 has used"),
    ],
)
def test_what_an_explanation_says_of_a_request(key, given, said):
    surroundings = Surroundings(now=lambda: datetime.datetime(2024, 1, 1, 9, 5))
    assert BY_KEY[key].says(request(**given), surroundings) == said


def test_each_says_which_attribute_of_a_request_its_answer_follows_from_alone():
    facts = request()
    assert {one.key: attrgetter(one.fact)(facts) for one in CONDITION_TYPES if one.fact} == {
        "clients": "127.0.0.1",
        "users": None,
        "groups": frozenset(),
        "hosts": "example.com",
        "ports": 80,
        "methods": b"GET",
        "schemes": "http",
    }
