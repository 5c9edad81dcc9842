"""Conditions that cannot be together, and rules that come to nothing."""

import pytest

from txproxy.errors import ConfigError
from txproxy.forward.access.contradictions import contradictions, covers, never_matches
from txproxy.forward.access.rules import Rule


@pytest.mark.parametrize(
    ("conditions", "why"),
    [
        (
            {"schemes": "connect", "url": "*://host/private/*"},
            "url = *://host/private/* contradicts tunnels: of these, no path is known",
        ),
        ({"methods": "CONNECT", "url": ["*://*/banner/*", "http://a/b"]}, "contradicts tunnels"),
        ({"schemes": "connect", "methods": ["GET", "POST"]}, "methods = GET, POST contradicts schemes = connect"),
        ({"schemes": ["http", "https"], "methods": "CONNECT"}, "schemes = http, https contradicts methods = CONNECT"),
        ({"schemes": "https", "url": "http://host/*"}, "url = http://host/* contradicts schemes = https"),
        ({"hosts": ".example.com", "url": "*://other/*"}, "url = *://other/* contradicts hosts = .example.com"),
        ({"ports": "1-1024", "url": "*://host:8080/*"}, "url = *://host:8080/* contradicts ports = 1-1024"),
        ({"headers": {"X-A": "1", "x-a": False}}, "headers: x-a is to be there and not to be there"),
    ],
)
def test_contradictions(conditions, why):
    with pytest.raises(ConfigError) as raised:
        Rule(action="deny", **conditions)
    assert why in str(raised.value)


def test_each_contradiction_is_told():
    with pytest.raises(ConfigError) as raised:
        Rule(action="deny", schemes="https", hosts="a", url="http://b/*")
    assert len(str(raised.value).splitlines()) == 2


@pytest.mark.parametrize(
    "conditions",
    [
        {"schemes": "connect", "url": ["*://host/*", "*://host/private/*"]},
        {"schemes": "connect", "url": "~private"},
        {"schemes": "connect", "url": "*banner*"},
        {"schemes": "connect", "methods": ["GET", "CONNECT"]},
        {"schemes": ["connect", "http"], "methods": "GET"},
        {"schemes": ["http", "connect"], "url": "http://host/x/*"},
        {"schemes": "https", "url": "http*://host/*"},
        {"hosts": ["@ads", ".example.com"], "url": "*://other/*"},
        {"hosts": ["~^oth", ".example.com"], "url": "*://other/*"},
        {"hosts": ".example.com", "url": "*://www.example.com/*"},
        {"hosts": ".example.com", "url": "*://*.com/*"},
        {"not_hosts": "other", "url": "*://other/*"},
        {"ports": "8080", "url": "*://host:*/*"},
        {"ports": "8080", "url": "*://host/*"},
        {"ports": "1-9999", "url": "*://host:8080/*"},
        {"headers": {"X-A": "1", "x-a": True}},
        {"schemes": [], "methods": "CONNECT"},
    ],
)
def test_what_makes_sense_is_no_contradiction(conditions):
    assert contradictions(Rule(action="deny", **conditions).conditions) == []


@pytest.mark.parametrize(
    ("conditions", "why"),
    [
        ({"ports": []}, "ports is empty"),
        ({"ports": ["80", "443"], "not_ports": "1-1024"}, "not_ports = 1-1024 leaves nothing of ports = 80, 443"),
        ({"hosts": "a.example", "not_hosts": "*.example"}, "not_hosts = *.example leaves nothing of hosts = a.example"),
        ({"users": "alice", "not_users": "*"}, "not_users = * leaves nothing of users = alice"),
        ({"ports": ["80", "8080"], "not_ports": "1-1024"}, ""),
        ({"users": "*", "not_users": "alice"}, ""),
        # A host may have addresses on both sides.
        ({"addresses": "10.0.0.0/8", "not_addresses": "10.0.0.0/8"}, ""),
        ({"not_ports": []}, ""),
        ({}, ""),
    ],
)
def test_what_never_matches(conditions, why):
    assert never_matches(Rule(action="deny", **conditions).conditions) == why


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({}, {"ports": 80}, True),
        ({}, {}, True),
        ({"ports": 80}, {}, False),
        ({"ports": "1-1024"}, {"ports": 80, "hosts": "a"}, True),
        ({"ports": "1-1024", "users": "*"}, {"ports": 80, "hosts": "a"}, False),
        ({"hosts": ".example"}, {"not_hosts": ".example"}, False),
    ],
)
def test_a_rule_covers_those_that_ask_for_more(before, after, expected):
    one, other = (Rule(action="deny", **conditions).conditions for conditions in (before, after))
    assert covers(one, other) is expected
